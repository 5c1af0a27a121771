#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

class OpenAiRequest : public testing::Test {
 protected:
  UpstreamRequest Translate(const std::string& body, bool stream = false) {
    provider::v1::GenerateRequest request;
    request.set_body(body);
    request.set_stream(stream);
    auto upstream = test_.dialect().Translate(test_.endpoint, request);
    EXPECT_TRUE(upstream.ok()) << upstream.status();
    return *upstream;
  }
  json Body(const std::string& body, bool stream = false) {
    return json::parse(Translate(body, stream).body);
  }

  TestEndpoint test_{config::v1::DIALECT_OPENAI};
};

TEST_F(OpenAiRequest, SetsTheUpstreamModelAndKeepsEveryOtherByte) {
  EXPECT_EQ(
      Translate(
          R"({"model": "maker/model:nitro", "temperature": 0.70, "x_new": [1.0, 2e3], "n": 2})")
          .body,
      R"({"model": "upstream-model", "temperature": 0.70, "x_new": [1.0, 2e3], "n": 2})");
}

TEST_F(OpenAiRequest, GoesToChatCompletionsAsJson) {
  const UpstreamRequest streamed = Translate(R"({"model":"m"})", true);
  EXPECT_EQ(streamed.path, "/chat/completions");
  EXPECT_EQ(streamed.headers.Get("content-type"), "application/json");
  EXPECT_EQ(streamed.headers.Get("accept"), "text/event-stream");
  EXPECT_EQ(Translate(R"({"model":"m"})").headers.Get("accept"), "application/json");
}

TEST_F(OpenAiRequest, DropsWhatIsMeantForTheRouter) {
  const json body = Body(
      R"({"model":"m","models":["a"],"provider":{"order":["x"]},"route":"fallback","plugins":[],
    "transforms":[],"session_id":"s","usage":{"include":true},"trace":{},"metadata":{"a":"b"},"user":"u","prompt_cache_key":"k"})");
  EXPECT_EQ(
      body,
      json::parse(
          R"({"model":"upstream-model","metadata":{"a":"b"},"user":"u","prompt_cache_key":"k"})"));
}

TEST_F(OpenAiRequest, DropsMembersThatWouldSteerAnotherGateway) {
  EXPECT_EQ(
      Body(
          R"({"model":"m","api_base":"http://evil","base_url":"http://evil","api_key":"k","\u0061pi_base":"http://evil",
    "extra_headers":{"a":"b"}})"),
      json::parse(R"({"model":"upstream-model"})"));
}

TEST_F(OpenAiRequest, AsksForUsageInAStream) {
  EXPECT_EQ(
      Body(R"({"model":"m","stream":true})", true),
      json::parse(
          R"({"model":"upstream-model","stream":true,"stream_options":{"include_usage":true}})"));
  EXPECT_EQ(Body(R"({"model":"m"})", true)["stream"], true);
  EXPECT_FALSE(Body(R"({"model":"m","stream":false,"stream_options":{"include_usage":true}})")
                   .contains("stream_options"));
  test_.provider.mutable_quirks()->set_no_stream_options(true);
  EXPECT_FALSE(Body(R"({"model":"m","stream_options":{"include_usage":true}})", true)
                   .contains("stream_options"));
}

TEST_F(OpenAiRequest, AppliesQuirks) {
  config::v1::Quirks& quirks = *test_.provider.mutable_quirks();
  quirks.add_drop_fields("parallel_tool_calls");
  (*quirks.mutable_rename_fields())["max_tokens"] = "max_completion_tokens";
  (*quirks.mutable_headers())["X-Extra"] = "1";
  quirks.set_path("/v2/chat");
  const UpstreamRequest upstream =
      Translate(R"({"model":"m","max_tokens":5,"parallel_tool_calls":false})");
  EXPECT_EQ(json::parse(upstream.body),
            json::parse(R"({"model":"upstream-model","max_completion_tokens":5})"));
  EXPECT_EQ(upstream.path, "/v2/chat");
  EXPECT_EQ(upstream.headers.Get("x-extra"), "1");
}

TEST_F(OpenAiRequest, ReasoningBecomesReasoningEffort) {
  EXPECT_EQ(Body(R"({"model":"m","reasoning":{"max_tokens":9,"effort":"high"}})"),
            json::parse(R"({"model":"upstream-model","reasoning_effort":"high"})"));
  EXPECT_EQ(Body(R"({"model":"m","reasoning":{"effort":"high"},"reasoning_effort":"low"})")
                ["reasoning_effort"],
            "low");
  EXPECT_EQ(Body(R"({"model":"m","reasoning":{"enabled":true}})"),
            json::parse(R"({"model":"upstream-model"})"));
}

TEST_F(OpenAiRequest, LeavesOutSamplingTheEndpointDoesNotList) {
  test_.endpoint.parameters = {"max_tokens", "temperature"};
  EXPECT_EQ(Body(R"({"model":"m","temperature":1,"top_k":3,"seed":4,"tools":[]})"),
            json::parse(R"({"model":"upstream-model","temperature":1,"tools":[]})"));
}

TEST_F(OpenAiRequest, TheKeyTravelsAsBearerUnlessAQuirkNamesAHeader) {
  EXPECT_EQ(test_.dialect().KeyHeader(test_.endpoint, "k"),
            (http::Headers::Entry{"Authorization", "Bearer k"}));
  test_.provider.mutable_quirks()->set_key_header("api-key");
  EXPECT_EQ(test_.dialect().KeyHeader(test_.endpoint, "k"), (http::Headers::Entry{"api-key", "k"}));
}

}  // namespace
}  // namespace signalbox::provider_adapter
