#include "services/ingress/core/request_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kMessages[] = R"("messages":[{"role":"user","content":"hi"}])";

std::string Body(absl::string_view members) {
  return absl::StrCat(R"({"model":"a/b",)", kMessages, members.empty() ? "" : ",", members, "}");
}

RequestView Read(absl::string_view body) {
  absl::StatusOr<RequestView> view = ReadChatRequest(body, {});
  EXPECT_TRUE(view.ok()) << view.status() << "\n" << body;
  return view.ok() ? *std::move(view) : RequestView();
}

struct BadBody {
  absl::string_view field;  // what the error must name
  absl::string_view body;   // whole body, or members added to a good one when it starts with '"'
};

// Shapes that must be refused, with the member the client is told.
TEST(ReadChatRequest, ReadsTheToolCallGuard) {
  EXPECT_EQ(Read(Body("")).tool_call_guard, provider::v1::TOOL_CALL_GUARD_UNSPECIFIED);
  EXPECT_EQ(Read(Body(R"("signalbox":{"tool_call_guard":null})")).tool_call_guard,
            provider::v1::TOOL_CALL_GUARD_UNSPECIFIED);
  EXPECT_EQ(Read(Body(R"("signalbox":{"tool_call_guard":"off"})")).tool_call_guard,
            provider::v1::TOOL_CALL_GUARD_OFF);
  EXPECT_EQ(Read(Body(R"("signalbox":{"tool_call_guard":"observe"})")).tool_call_guard,
            provider::v1::TOOL_CALL_GUARD_OBSERVE);
  EXPECT_EQ(Read(Body(R"("signalbox":{"tool_call_guard":"enforce"})")).tool_call_guard,
            provider::v1::TOOL_CALL_GUARD_ENFORCE);
}

constexpr BadBody kBadBodies[] = {
    {"", ""},
    {"", "null"},
    {"", "[]"},
    {"", "\"text\" "},
    {"", "{"},
    {"", R"({"model":"a/b",})"},
    {"", R"({"model":"a/b","model":"c/d","messages":[{"role":"user","content":"x"}]})"},
    {"",
     R"({"model":"a/b","messages":[{"role":"user","content":"x"}],"max_tokens":1,"max_tokens":9})"},
    {"", "{\"model\":\"a/b\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}"},
    {"", R"({"model":"a/b","messages":[{"role":"user","content":"x"}],"temperature":1e400})"},
    {"model", R"({"messages":[{"role":"user","content":"x"}]})"},
    {"model", R"({"model":null,"messages":[{"role":"user","content":"x"}]})"},
    {"model", R"({"model":7,"messages":[{"role":"user","content":"x"}]})"},
    {"model", R"({"model":"","messages":[{"role":"user","content":"x"}]})"},
    {"models", R"("models":"a/b")"},
    {"signalbox", R"("signalbox":"enforce")"},
    {"signalbox.tool_call_guard", R"("signalbox":{"tool_call_guard":"on"})"},
    {"signalbox.tool_call_guard", R"("signalbox":{"tool_call_guard":""})"},
    {"signalbox.tool_call_guard", R"("signalbox":{"tool_call_guard":true})"},
    {"signalbox.tool_call_gard", R"("signalbox":{"tool_call_gard":"off"})"},
    {"models[1]", R"("models":["a/b",7])"},
    {"models[0]", R"("models":[""])"},
    {"models",
     R"("models":["1","2","3","4","5","6","7","8","9","10","11","12","13","14","15","16","17"])"},
    {"messages", R"({"model":"a/b"})"},
    {"messages", R"({"model":"a/b","messages":null})"},
    {"messages", R"({"model":"a/b","messages":{}})"},
    {"messages", R"({"model":"a/b","messages":[]})"},
    {"messages[0]", R"({"model":"a/b","messages":["hi"]})"},
    {"messages[0].role", R"({"model":"a/b","messages":[{"content":"x"}]})"},
    {"messages[0].role", R"({"model":"a/b","messages":[{"role":"robot","content":"x"}]})"},
    {"messages[0].role", R"({"model":"a/b","messages":[{"role":1,"content":"x"}]})"},
    {"messages[1].role",
     R"({"model":"a/b","messages":[{"role":"user","content":"x"},{"role":"","content":"x"}]})"},
    {"messages[0].content", R"({"model":"a/b","messages":[{"role":"user"}]})"},
    {"messages[0].content", R"({"model":"a/b","messages":[{"role":"user","content":null}]})"},
    {"messages[0].content", R"({"model":"a/b","messages":[{"role":"assistant","content":null}]})"},
    {"messages[0].content", R"({"model":"a/b","messages":[{"role":"user","content":5}]})"},
    {"messages[0].content", R"({"model":"a/b","messages":[{"role":"user","content":[]}]})"},
    {"messages[0].content[0]", R"({"model":"a/b","messages":[{"role":"user","content":["x"]}]})"},
    {"messages[0].content[0].type",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"text":"x"}]}]})"},
    {"messages[0].content[0].text",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"text"}]}]})"},
    {"messages[0].content[1].text",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":1}]}]})"},
    {"messages[0].content[0].image_url",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"image_url"}]}]})"},
    {"messages[0].content[0].image_url.url",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]})"},
    {"messages[0].content[0].image_url.url",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":""}}]}]})"},
    {"messages[0].content[0].input_audio.data",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"format":"wav"}}]}]})"},
    {"messages[0].content[0].file",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"file","file":"x"}]}]})"},
    {"messages[0].content[0].video_url",
     R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"video_url"}]}]})"},
    {"messages[0].name", R"({"model":"a/b","messages":[{"role":"user","content":"x","name":1}]})"},
    {"messages[0].tool_call_id", R"({"model":"a/b","messages":[{"role":"tool","content":"x"}]})"},
    {"messages[0].tool_call_id",
     R"({"model":"a/b","messages":[{"role":"tool","content":"x","tool_call_id":3}]})"},
    {"messages[0].tool_calls",
     R"({"model":"a/b","messages":[{"role":"user","content":"x","tool_calls":[]}]})"},
    {"messages[0].tool_calls",
     R"({"model":"a/b","messages":[{"role":"assistant","tool_calls":{}}]})"},
    {"messages[0].tool_calls[0].id",
     R"({"model":"a/b","messages":[{"role":"assistant","tool_calls":[{"type":"function","function":{"name":"f","arguments":"{}"}}]}]})"},
    {"messages[0].tool_calls[0].function",
     R"({"model":"a/b","messages":[{"role":"assistant","tool_calls":[{"id":"1","type":"function"}]}]})"},
    {"messages[0].tool_calls[0].function.arguments",
     R"({"model":"a/b","messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":{}}}]}]})"},
    {"stream", R"("stream":"true")"},
    {"stream", R"("stream":1)"},
    {"max_tokens", R"("max_tokens":0)"},
    {"max_tokens", R"("max_tokens":-1)"},
    {"max_tokens", R"("max_tokens":1.5)"},
    {"max_tokens", R"("max_tokens":"12")"},
    {"max_tokens", R"("max_tokens":9223372036854775807)"},
    {"max_tokens", R"("max_tokens":18446744073709551615)"},
    {"max_completion_tokens", R"("max_completion_tokens":true)"},
    {"temperature", R"("temperature":-0.1)"},
    {"temperature", R"("temperature":2.1)"},
    {"temperature", R"("temperature":"hot")"},
    {"top_p", R"("top_p":1.01)"},
    {"top_k", R"("top_k":-1)"},
    {"top_k", R"("top_k":0.5)"},
    {"min_p", R"("min_p":2)"},
    {"top_a", R"("top_a":-1)"},
    {"frequency_penalty", R"("frequency_penalty":-2.5)"},
    {"presence_penalty", R"("presence_penalty":3)"},
    {"repetition_penalty", R"("repetition_penalty":-1)"},
    {"seed", R"("seed":1.5)"},
    {"n", R"("n":0)"},
    {"logprobs", R"("logprobs":1)"},
    {"top_logprobs", R"("top_logprobs":21)"},
    {"logit_bias", R"("logit_bias":[])"},
    {"logit_bias.50256", R"("logit_bias":{"50256":101})"},
    {"stop", R"("stop":7)"},
    {"stop", R"("stop":["1","2","3","4","5"])"},
    {"stop[1]", R"("stop":["1",2])"},
    {"tools", R"("tools":{})"},
    {"tools[0]", R"("tools":["f"])"},
    {"tools[0].type", R"("tools":[{"function":{"name":"f"}}])"},
    {"tools[0].function", R"("tools":[{"type":"function"}])"},
    {"tools[0].function.name", R"("tools":[{"type":"function","function":{}}])"},
    {"tools[0].function.name", R"("tools":[{"type":"function","function":{"name":""}}])"},
    {"tools[0].function.parameters",
     R"("tools":[{"type":"function","function":{"name":"f","parameters":[]}}])"},
    {"tools[0].function.strict",
     R"("tools":[{"type":"function","function":{"name":"f","strict":"yes"}}])"},
    {"tool_choice", R"("tool_choice":"any")"},
    {"tool_choice", R"("tool_choice":7)"},
    {"tool_choice", R"("tool_choice":"required")"},
    {"tool_choice.type", R"("tool_choice":{})"},
    {"tool_choice.function.name",
     R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"function","function":{"name":"g"}})"},
    {"parallel_tool_calls", R"("parallel_tool_calls":"no")"},
    {"response_format", R"("response_format":"json")"},
    {"response_format.type", R"("response_format":{})"},
    {"response_format.json_schema", R"("response_format":{"type":"json_schema"})"},
    {"response_format.json_schema.name",
     R"("response_format":{"type":"json_schema","json_schema":{"schema":{}}})"},
    {"response_format.json_schema.schema",
     R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":"{}"}})"},
    {"reasoning", R"("reasoning":"high")"},
    {"reasoning.max_tokens", R"("reasoning":{"max_tokens":"many"})"},
    {"reasoning_effort", R"("reasoning_effort":3)"},
    {"user", R"("user":5)"},
    {"session_id", R"("session_id":5)"},
    {"metadata", R"("metadata":[])"},
    {"metadata.a", R"("metadata":{"a":1})"},
    {"stream_options", R"("stream_options":true)"},
    {"plugins", R"("plugins":{})"},
    {"provider", R"("provider":"deepinfra")"},
    {"provider", R"("provider":{"zdr":true,"zdr":false})"},
    {"provider.order", R"("provider":{"order":"deepinfra"})"},
    {"provider.order[1]", R"("provider":{"order":["a",2]})"},
    {"provider.only[0]", R"("provider":{"only":[""]})"},
    {"provider.ignore", R"("provider":{"ignore":true})"},
    {"provider.allow_fallbacks", R"("provider":{"allow_fallbacks":"no"})"},
    {"provider.require_parameters", R"("provider":{"require_parameters":1})"},
    {"provider.data_collection", R"("provider":{"data_collection":"maybe"})"},
    {"provider.zdr", R"("provider":{"zdr":"yes"})"},
    {"provider.quantizations[0]", R"("provider":{"quantizations":["fp7"]})"},
    {"provider.sort", R"("provider":{"sort":"cheap"})"},
    {"provider.sort", R"("provider":{"sort":5})"},
    {"provider.sort.by", R"("provider":{"sort":{"by":"luck"}})"},
    {"provider.sort.partition", R"("provider":{"sort":{"partition":"all"}})"},
    {"provider.max_price", R"("provider":{"max_price":1})"},
    {"provider.max_price.prompt", R"("provider":{"max_price":{"prompt":-1}})"},
    {"provider.max_price.completion", R"("provider":{"max_price":{"completion":"cheap"}})"},
    {"provider.max_price.audio", R"("provider":{"max_price":{"audio":-1}})"},
    {"provider.enforce_distillable_text", R"("provider":{"enforce_distillable_text":1})"},
    {"provider.preferred_min_throughput", R"("provider":{"preferred_min_throughput":"fast"})"},
    {"provider.preferred_min_throughput", R"("provider":{"preferred_min_throughput":-1})"},
    {"provider.preferred_min_throughput", R"("provider":{"preferred_min_throughput":[1]})"},
    {"provider.preferred_min_throughput.p90",
     R"("provider":{"preferred_min_throughput":{"p90":"fast"}})"},
    {"provider.preferred_max_latency.p95", R"("provider":{"preferred_max_latency":{"p95":1}})"},
    {"provider.preferred_max_latency.p50", R"("provider":{"preferred_max_latency":{"p50":-1}})"},
    {"service_tier", R"("service_tier":"gold")"},
    {"service_tier", R"("service_tier":1)"},
    {"prompt_cache_key", R"("prompt_cache_key":1)"},
    {"api_base", R"("api_base":"http://169.254.169.254/")"},
    {"api_key", R"("api_key":"x")"},
    {"base_url", R"("base_url":"http://localhost")"},
};

TEST(RequestView, RefusesBadBodiesNamingTheMember) {
  for (const BadBody& bad : kBadBodies) {
    const std::string body = !bad.body.empty() && bad.body[0] == '"' && bad.body.back() != ' '
                                 ? Body(bad.body)
                                 : std::string(bad.body);
    const absl::StatusOr<RequestView> view = ReadChatRequest(body, {});
    ASSERT_FALSE(view.ok()) << body;
    const common::v1::ErrorDetail detail = seam::DetailOf(view.status());
    EXPECT_EQ(detail.reason(), common::v1::REASON_INVALID_REQUEST) << body;
    EXPECT_EQ(absl::string_view(detail.field()), bad.field) << body;
    EXPECT_FALSE(detail.public_message().empty()) << body;
  }
}

TEST(RequestView, RefusesNestingBeyondTheLimitAndBodiesBeyondTheSize) {
  const std::string deep = Body(absl::StrCat(R"("x":)", std::string(100'000, '[')));
  EXPECT_FALSE(ReadChatRequest(deep, {}).ok());
  RequestLimits limits;
  limits.max_body_bytes = 20;
  EXPECT_FALSE(ReadChatRequest(Body(""), limits).ok());
}

TEST(RequestView, TellsNothingOfTheTextInSyntaxErrors) {
  const absl::StatusOr<RequestView> view =
      ReadChatRequest(R"({"model":"a/b","messages":"secret-prompt)", {});
  EXPECT_EQ(std::string(view.status().message()).find("secret"), std::string::npos);
}

TEST(RequestView, PutsTheModelBeforeTheFallbackModelsWithoutRepeatingIt) {
  const RequestView view = Read(Body(R"("models":["c/d","a/b","e/f:nitro"])"));
  EXPECT_THAT(view.features.models(), ElementsAre("a/b", "c/d", "e/f:nitro"));
  const RequestView only_models = Read(absl::StrCat(R"({"models":["c/d"],)", kMessages, "}"));
  EXPECT_THAT(only_models.features.models(), ElementsAre("c/d"));
}

TEST(RequestView, TreatsNullAsAbsent) {
  const RequestView view = Read(Body(
      R"("stream":null,"max_tokens":null,"tools":null,"provider":null,"temperature":null,"stop":null,"user":null)"));
  EXPECT_FALSE(view.features.stream());
  EXPECT_EQ(view.features.max_tokens(), 0);
  EXPECT_THAT(view.features.parameters(), IsEmpty());
}

TEST(RequestView, ListsTheParametersSortedAndOnce) {
  const RequestView view = Read(Body(
      R"("top_p":0.5,"max_tokens":10,"max_completion_tokens":20,"temperature":2,"seed":-3,"stop":"x","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"auto")"));
  EXPECT_THAT(view.features.parameters(), ElementsAre("max_tokens", "seed", "stop", "temperature",
                                                      "tool_choice", "tools", "top_p"));
  EXPECT_EQ(view.features.max_tokens(), 20);
  EXPECT_EQ(view.features.request_class(), common::v1::REQUEST_CLASS_TOOLS);
}

TEST(RequestView, CountsAnEmptyToolListAsNoTools) {
  const RequestView view = Read(Body(R"("tools":[],"tool_choice":"auto")"));
  EXPECT_EQ(view.features.request_class(), common::v1::REQUEST_CLASS_PLAIN);
  EXPECT_THAT(view.features.parameters(), IsEmpty());
}

TEST(RequestView, AsksForStructuredOutputsWhenASchemaIsGiven) {
  EXPECT_THAT(Read(Body(R"("response_format":{"type":"text"})")).features.parameters(), IsEmpty());
  EXPECT_THAT(Read(Body(R"("response_format":{"type":"json_object"})")).features.parameters(),
              ElementsAre("response_format"));
  EXPECT_THAT(
      Read(
          Body(
              R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}})"))
          .features.parameters(),
      ElementsAre("response_format", "structured_outputs"));
}

TEST(RequestView, ReadsProviderPreferences) {
  const RequestView view = Read(Body(
      R"("provider":{"order":["a","b/fp8"],"only":["a"],"ignore":["c"],"allow_fallbacks":false,"require_parameters":true,
         "data_collection":"deny","zdr":true,"quantizations":["fp8"],"sort":{"by":"latency","partition":"none"},
         "max_price":{"prompt":"0.5","completion":2,"request":0.01,"audio":0.5},"enforce_distillable_text":true,"made_up":{}})"));
  const router::v1::ProviderPreferences& provider = view.features.provider();
  EXPECT_THAT(provider.order(), ElementsAre("a", "b/fp8"));
  EXPECT_THAT(provider.only(), ElementsAre("a"));
  EXPECT_THAT(provider.ignore(), ElementsAre("c"));
  EXPECT_TRUE(provider.has_allow_fallbacks() && !provider.allow_fallbacks());
  EXPECT_TRUE(provider.require_parameters() && provider.deny_data_collection() && provider.zdr());
  EXPECT_EQ(provider.sort(), router::v1::ProviderPreferences::SORT_LATENCY);
  EXPECT_TRUE(provider.sort_across_models());
  EXPECT_EQ(provider.max_prompt_pico(), 500'000);
  EXPECT_EQ(provider.max_completion_pico(), 2'000'000);
  EXPECT_EQ(provider.max_request_pico(), 10'000'000'000);
  EXPECT_EQ(provider.max_audio_pico(), 500'000'000'000);
  EXPECT_FALSE(provider.has_max_image_pico());
  EXPECT_TRUE(provider.enforce_distillable_text());
}

TEST(RequestView, SeesMediaButDoesNotCountTheirBytesAsText) {
  const std::string image(40'000, 'A');
  const RequestView view = Read(absl::StrCat(
      R"({"model":"a/b","messages":[{"role":"user","content":[{"type":"text","text":"what"},)",
      R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)", image, R"("}},)",
      R"({"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}}]}]})"));
  EXPECT_THAT(view.features.input_modalities(), ElementsAre("audio", "image"));
  EXPECT_EQ(view.media_parts, 2);
  EXPECT_EQ(view.audio_parts, 1);
  EXPECT_LT(view.features.prompt_tokens(), 3'000);
}

TEST(RequestView, EstimatesThePromptFromItsLength) {
  const RequestView view =
      Read(absl::StrCat(R"({"model":"a/b","messages":[{"role":"user","content":")",
                        std::string(40'000, 'x'), R"("}]})"));
  EXPECT_GE(view.features.prompt_tokens(), 10'000);
  EXPECT_LE(view.features.prompt_tokens(), 10'100);
}

TEST(RequestView, AcceptsEveryRoleAndAnAssistantTurnWithoutContent) {
  Read(
      R"({"model":"a/b","messages":[{"role":"system","content":"s"},{"role":"developer","content":"d"},
      {"role":"user","content":[{"type":"text","text":"t"},{"type":"some_new_part","x":1}]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"1","content":"r"},{"role":"assistant","refusal":"no"}]})");
}

TEST(RequestView, ReadsWhatNamesTheConversation) {
  const RequestView view =
      Read(Body(R"("session_id":"conversation-7","user":"u1","prompt_cache_key":"p")"));
  EXPECT_EQ(view.session_id, "conversation-7");
  EXPECT_EQ(view.user, "u1");
  EXPECT_EQ(view.prompt_cache_key, "p");
}

TEST(RequestView, ReadsTheServiceTier) {
  const auto tier = [](absl::string_view name) {
    return Read(Body(absl::StrCat(R"("service_tier":")", name, "\""))).features.service_tier();
  };
  EXPECT_EQ(tier("auto"), router::v1::SERVICE_TIER_UNSPECIFIED);
  EXPECT_EQ(tier("default"), router::v1::SERVICE_TIER_DEFAULT);
  EXPECT_EQ(tier("flex"), router::v1::SERVICE_TIER_FLEX);
  EXPECT_EQ(tier("priority"), router::v1::SERVICE_TIER_PRIORITY);
  EXPECT_EQ(tier("fast"), router::v1::SERVICE_TIER_PRIORITY);
}

TEST(RequestView, ReadsWishesForSpeedAsANumberOrByPercentile) {
  const RequestView number =
      Read(Body(R"("provider":{"preferred_min_throughput":40,"preferred_max_latency":0.8})"));
  EXPECT_EQ(number.features.provider().preferred_min_throughput_tps().p50(), 40);
  EXPECT_FALSE(number.features.provider().preferred_min_throughput_tps().has_p90());
  EXPECT_EQ(number.features.provider().preferred_max_latency_ms().p50(), 800);
  const RequestView percentiles = Read(Body(
      R"("provider":{"preferred_min_throughput":{"p50":100,"p90":50.5,"p75":null},"preferred_max_latency":{"p75":1,"p99":3}})"));
  const router::v1::ProviderPreferences& provider = percentiles.features.provider();
  EXPECT_EQ(provider.preferred_min_throughput_tps().p50(), 100);
  EXPECT_EQ(provider.preferred_min_throughput_tps().p90(), 50.5);
  EXPECT_FALSE(provider.preferred_min_throughput_tps().has_p75());
  EXPECT_EQ(provider.preferred_max_latency_ms().p75(), 1'000);
  EXPECT_EQ(provider.preferred_max_latency_ms().p99(), 3'000);
  EXPECT_FALSE(provider.preferred_max_latency_ms().has_p50());
}

TEST(RequestView, IgnoresMembersItDoesNotKnow) {
  Read(Body(
      R"("a_parameter_of_tomorrow":{"deep":[1,2,3]},"stream_options":{"include_usage":true})"));
}

}  // namespace
}  // namespace signalbox::ingress
