#include "services/ingress/core/answer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "services/ingress/core/generation_record.h"

namespace signalbox::ingress {
namespace {

using common::v1::Pricing;
using common::v1::Usage;
using nlohmann::json;

Pricing PriceOf(int64_t prompt, int64_t completion) {
  Pricing pricing;
  pricing.set_prompt_pico(prompt);
  pricing.set_completion_pico(completion);
  pricing.set_cache_read_pico(-1);
  pricing.set_cache_write_pico(-1);
  return pricing;
}

Usage UsageOf(int64_t prompt, int64_t completion) {
  Usage usage;
  usage.set_source(Usage::SOURCE_REPORTED);
  usage.set_prompt_tokens(prompt);
  usage.set_completion_tokens(completion);
  return usage;
}

json EventOf(const std::string& event) {
  EXPECT_EQ(event.substr(0, 6), "data: ");
  EXPECT_EQ(event.substr(event.size() - 2), "\n\n");
  EXPECT_EQ(event.find('\n'), event.size() - 2);
  return json::parse(event.substr(6));
}

void ExpectStrictChunk(const json& chunk) {
  EXPECT_TRUE(chunk.at("id").is_string());
  EXPECT_EQ(chunk.at("object"), "chat.completion.chunk");
  EXPECT_TRUE(chunk.at("created").is_number_integer());
  EXPECT_TRUE(chunk.at("model").is_string());
  for (const json& choice : chunk.at("choices")) {
    EXPECT_TRUE(choice.at("index").is_number_integer());
    EXPECT_TRUE(choice.at("delta").is_object());
    EXPECT_TRUE(choice.contains("finish_reason"));
    EXPECT_FALSE(choice.at("delta").contains("role") && choice.at("delta").at("role").is_null());
  }
}

TEST(Charge, IsExactAndMarkedUp) {
  const Charge plain = ChargeFor(PriceOf(800'000, 3'000'000), UsageOf(1'000, 100), 0);
  EXPECT_EQ(plain.charged.value, 1'100'000);  // 1,000 x 0.8 + 100 x 3 microdollars per thousand
  EXPECT_EQ(plain.provider_prompt.value, 800'000);
  EXPECT_EQ(plain.provider_completion.value, 300'000);
  EXPECT_EQ(ChargeFor(PriceOf(800'000, 3'000'000), UsageOf(1'000, 100), 250).charged.value,
            1'127'500);
}

TEST(Charge, IsNothingForAnAnswerWithoutTokens) {
  EXPECT_EQ(ChargeFor(PriceOf(800'000, 3'000'000), UsageOf(1'000, 0), 500).charged.value, 0);
}

TEST(Usage, HasEveryFieldAStrictClientAsksFor) {
  Usage usage = UsageOf(11, 7);
  usage.set_cached_tokens(3);
  usage.set_reasoning_tokens(2);
  const json object =
      json::parse(UsageJson(usage, ChargeFor(PriceOf(1'000'000, 1'000'000), usage, 0)));
  EXPECT_EQ(object.at("prompt_tokens"), 11);
  EXPECT_EQ(object.at("completion_tokens"), 7);
  EXPECT_EQ(object.at("total_tokens"), 18);
  EXPECT_EQ(object.at("prompt_tokens_details").at("cached_tokens"), 3);
  EXPECT_EQ(object.at("prompt_tokens_details").at("cache_write_tokens"), 0);
  EXPECT_EQ(object.at("completion_tokens_details").at("reasoning_tokens"), 2);
  EXPECT_DOUBLE_EQ(object.at("cost").get<double>(), 0.000018);
  EXPECT_EQ(object.at("is_byok"), false);
  EXPECT_TRUE(object.at("cost_details").at("upstream_inference_prompt_cost").is_number());
  EXPECT_TRUE(object.at("cost_details").at("upstream_inference_completions_cost").is_number());
}

TEST(UsageChunk, RepeatsTheFinishReasonOnOneEmptyDelta) {
  provider::v1::AttemptResult result;
  result.set_finish_reason("tool_calls");
  result.set_native_finish_reason("tool_use");
  std::string out;
  AppendUsageChunk({"gen-1", "a/b", "Acme", 1'700'000'000}, result, R"({"prompt_tokens":1})", "",
                   &out);
  const json chunk = EventOf(out);
  ExpectStrictChunk(chunk);
  ASSERT_EQ(chunk["choices"].size(), 1u);
  EXPECT_TRUE(chunk["choices"][0]["delta"].empty());
  EXPECT_EQ(chunk["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(chunk["choices"][0]["native_finish_reason"], "tool_use");
  EXPECT_EQ(chunk["provider"], "Acme");
  EXPECT_EQ(chunk["usage"]["prompt_tokens"], 1);
  EXPECT_FALSE(chunk.contains("openrouter_metadata"));
}

TEST(ErrorChunk, HasTheFullShapeOfAChunkAndAnIntegerCode) {
  Failure failure;
  failure.detail.set_reason(common::v1::REASON_PROVIDER_CUT);
  failure.detail.set_public_message("the provider's answer ended early");
  std::string out;
  AppendErrorChunk({"gen-1", "a/b", "Acme", 1'700'000'000}, failure, &out);
  const json chunk = EventOf(out);
  ExpectStrictChunk(chunk);
  EXPECT_EQ(chunk["choices"][0]["finish_reason"], "error");
  EXPECT_EQ(chunk["choices"][0]["delta"]["content"], "");
  EXPECT_EQ(chunk["error"]["code"], 502);
  EXPECT_TRUE(chunk["error"]["message"].is_string());
  EXPECT_EQ(chunk["error"]["metadata"]["error_type"], "provider_unavailable");
}

TEST(SpliceUsage, AddsToTheEndOfTheCompletion) {
  std::string completion = R"({"id":"gen-1","choices":[]})";
  SpliceUsage(R"({"prompt_tokens":1})", R"({"requested":"a/b"})", &completion);
  EXPECT_EQ(
      completion,
      R"({"id":"gen-1","choices":[],"usage":{"prompt_tokens":1},"openrouter_metadata":{"requested":"a/b"}})");
  std::string empty = "{}";
  SpliceUsage("{}", "", &empty);
  EXPECT_EQ(empty, R"({"usage":{}})");
}

TEST(RoutingMetadata, TellsTheStoryWithScoresAndExclusions) {
  router::v1::DecideResponse decision;
  decision.set_strategy("auto_exacto");
  router::v1::Candidate* candidate = decision.add_candidates();
  candidate->set_endpoint_id("a/b@acme");
  candidate->set_model("a/b");
  candidate->set_provider_name("Acme");
  candidate->mutable_score()->set_share(0.7);
  candidate->mutable_score()->set_tool_success(0.99);
  candidate->mutable_score()->set_availability(-1);
  router::v1::Exclusion* exclusion = decision.add_excluded();
  exclusion->set_endpoint_id("a/b@other");
  exclusion->set_filter("max_price");
  exclusion->set_detail("prompt price 0.000003 > 0.000002");
  AttemptNote failed;
  failed.provider = "Acme";
  failed.model = "a/b";
  failed.error.set_reason(common::v1::REASON_PROVIDER_ERROR);
  const std::vector<std::string> models = {"a/b", "c/d"};
  const std::vector<AttemptNote> attempts = {failed};
  const json metadata = json::parse(RoutingMetadata({&decision, models, attempts, "a/b@acme"}));
  // What the official client requires.
  EXPECT_EQ(metadata.at("requested"), "a/b");
  EXPECT_EQ(metadata.at("strategy"), "fallback");
  EXPECT_TRUE(metadata.at("region").is_null());
  EXPECT_TRUE(metadata.at("summary").is_string());
  EXPECT_TRUE(metadata.at("attempt").is_number_integer());
  EXPECT_EQ(metadata.at("is_byok"), false);
  EXPECT_EQ(metadata.at("endpoints").at("total"), 2);
  EXPECT_EQ(metadata.at("endpoints").at("available")[0].at("selected"), true);
  EXPECT_EQ(metadata.at("attempts")[0].at("status"), 502);
  EXPECT_TRUE(metadata.at("pipeline").is_array());
  // What it does not know.
  EXPECT_DOUBLE_EQ(metadata["endpoints"]["available"][0]["share"].get<double>(), 0.7);
  EXPECT_FALSE(metadata["endpoints"]["available"][0].contains("availability"));
  EXPECT_EQ(metadata["endpoints"]["excluded"][0]["filter"], "max_price");
  EXPECT_EQ(metadata["endpoints"]["excluded"][0]["detail"], "prompt price 0.000003 > 0.000002");
  EXPECT_EQ(metadata["ordered_by"], "auto_exacto");
}

TEST(GenerationRecord, HasEveryFieldTheOfficialClientRequires) {
  GenerationFacts facts;
  facts.id = "gen-1";
  facts.model = "a/b";
  facts.created = absl::FromUnixMillis(1'700'000'000'123);
  facts.latency = absl::Milliseconds(250);
  facts.usage = UsageOf(5, 6);
  const json record = json::parse(GenerationRecord(facts));
  for (const char* name : {"id",
                           "upstream_id",
                           "total_cost",
                           "cache_discount",
                           "upstream_inference_cost",
                           "created_at",
                           "model",
                           "app_id",
                           "streamed",
                           "cancelled",
                           "provider_name",
                           "latency",
                           "moderation_latency",
                           "generation_time",
                           "finish_reason",
                           "native_finish_reason",
                           "tokens_prompt",
                           "tokens_completion",
                           "native_tokens_prompt",
                           "native_tokens_completion",
                           "native_tokens_completion_images",
                           "native_tokens_reasoning",
                           "native_tokens_cached",
                           "num_media_prompt",
                           "num_input_audio_prompt",
                           "num_media_completion",
                           "num_search_results",
                           "num_fetches",
                           "web_search_engine",
                           "origin",
                           "usage",
                           "is_byok",
                           "data_region",
                           "external_user",
                           "api_type",
                           "router",
                           "provider_responses",
                           "user_agent",
                           "http_referer",
                           "preset_id",
                           "service_tier",
                           "workspace_id"}) {
    EXPECT_TRUE(record.contains(name)) << name;
  }
  for (const char* name :
       {"id", "total_cost", "created_at", "model", "origin", "usage", "is_byok", "data_region"}) {
    EXPECT_FALSE(record.at(name).is_null()) << name;
  }
  EXPECT_EQ(record["created_at"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(record["latency"], 250);
}

}  // namespace
}  // namespace signalbox::ingress
