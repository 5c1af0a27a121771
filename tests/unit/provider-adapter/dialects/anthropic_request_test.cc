#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/provider-adapter/core/dialects/anthropic_request.h"
#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

class AnthropicRequest : public testing::Test {
 protected:
  absl::StatusOr<UpstreamRequest> Translate(const std::string& body, bool stream = false) {
    provider::v1::GenerateRequest request;
    request.set_body(body);
    request.set_stream(stream);
    (*request.mutable_forward_headers())["anthropic-beta"] = "context-1m";
    return test_.dialect().Translate(test_.endpoint, request);
  }
  json Body(const std::string& body, bool stream = false) {
    auto upstream = Translate(body, stream);
    EXPECT_TRUE(upstream.ok()) << upstream.status();
    return upstream.ok() ? json::parse(upstream->body) : json();
  }
  // The translation of a request with these messages (and further members).
  json With(const std::string& messages, const std::string& more = "") {
    return Body(absl::StrCat("{\"model\":\"m\",\"messages\":[", messages, "]", more, "}"));
  }
  common::v1::ErrorDetail Error(const std::string& body) {
    auto upstream = Translate(body);
    EXPECT_FALSE(upstream.ok()) << upstream->body;
    return upstream.ok() ? common::v1::ErrorDetail() : seam::DetailOf(upstream.status());
  }

  const std::string hi_ = R"({"role":"user","content":"hi"})";
  TestEndpoint test_{config::v1::DIALECT_ANTHROPIC, "claude-sonnet-4-5"};
};

TEST_F(AnthropicRequest, TheSmallestRequest) {
  EXPECT_EQ(With(hi_), json::parse(R"({"model":"claude-sonnet-4-5","max_tokens":4096,
    "messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})"));
}

TEST_F(AnthropicRequest, HeadersAndPath) {
  auto upstream = Translate(absl::StrCat("{\"messages\":[", hi_, "]}"), true);
  ASSERT_TRUE(upstream.ok());
  EXPECT_EQ(upstream->path, "/messages");
  EXPECT_EQ(upstream->headers.Get("anthropic-version"), "2023-06-01");
  EXPECT_EQ(upstream->headers.Get("anthropic-beta"), "context-1m");
  EXPECT_EQ(json::parse(upstream->body)["stream"], true);
  EXPECT_EQ(test_.dialect().KeyHeader(test_.endpoint, "k"),
            (http::Headers::Entry{"x-api-key", "k"}));
  test_.provider.mutable_quirks()->set_key_header("Authorization");
  EXPECT_EQ(test_.dialect().KeyHeader(test_.endpoint, "k"),
            (http::Headers::Entry{"Authorization", "Bearer k"}));
}

TEST_F(AnthropicRequest, SystemAndDeveloperMessagesBecomeTheSystemPrompt) {
  const json body = With(
      R"({"role":"system","content":"a"},{"role":"developer","content":[{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]},)" +
      hi_);
  EXPECT_EQ(
      body["system"],
      json::parse(
          R"([{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}])"));
  EXPECT_EQ(body["messages"].size(), 1u);
}

TEST_F(AnthropicRequest, InstructionsAloneBecomeTheUsersTurn) {
  const json body = With(R"({"role":"system","content":"a"})");
  EXPECT_FALSE(body.contains("system"));
  EXPECT_EQ(body["messages"],
            json::parse(R"([{"role":"user","content":[{"type":"text","text":"a"}]}])"));
}

TEST_F(AnthropicRequest, ConsecutiveMessagesOfOneRoleMerge) {
  const json body = With(
      hi_ +
      R"(,{"role":"user","content":"there"},{"role":"assistant","content":"a"},{"role":"assistant","content":"b"},)" +
      hi_);
  ASSERT_EQ(body["messages"].size(), 3u);
  EXPECT_EQ(body["messages"][0]["content"].size(), 2u);
  EXPECT_EQ(body["messages"][1]["content"].size(), 2u);
}

TEST_F(AnthropicRequest, BlankTextIsLeftOutAndAPrefillLosesItsTrailingSpace) {
  const json body = With(
      R"({"role":"user","content":[{"type":"text","text":" "},{"type":"text","text":"x"}]},{"role":"assistant","content":"Sure: \n"})");
  EXPECT_EQ(body["messages"][0]["content"].size(), 1u);
  EXPECT_EQ(body["messages"][1]["content"][0]["text"], "Sure:");
}

TEST_F(AnthropicRequest, ImagesAndFiles) {
  const json body = With(R"({"role":"user","content":[
    {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"},"cache_control":{"type":"ephemeral"}},
    {"type":"image_url","image_url":{"url":"https://x.test/a.png","detail":"high"}},
    {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,BBBB"}},
    {"type":"file","file":{"filename":"a.txt","file_data":"data:text/plain;base64,aGVsbG8="}}]})");
  EXPECT_EQ(body["messages"][0]["content"], json::parse(R"([
    {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"},"cache_control":{"type":"ephemeral"}},
    {"type":"image","source":{"type":"url","url":"https://x.test/a.png"}},
    {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"BBBB"},"title":"a.pdf"},
    {"type":"document","source":{"type":"text","media_type":"text/plain","data":"hello"},"title":"a.txt"}])"));
}

TEST_F(AnthropicRequest, ToolCallsAndTheirResults) {
  const json body = With(
      hi_ + R"(,
    {"role":"assistant","content":null,"tool_calls":[
      {"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},
      {"id":"b","type":"function","function":{"name":"g","arguments":""}}]},
    {"role":"tool","tool_call_id":"functions.f:0","content":"one"},
    {"role":"tool","tool_call_id":"b","content":[{"type":"text","text":"two"}]},
    {"role":"user","content":"go on"})",
      R"(,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"x":{"type":"integer"}}}}},
                 {"type":"function","function":{"name":"g"}}])");
  EXPECT_EQ(body["messages"][1]["content"],
            json::parse(R"([{"type":"tool_use","id":"functions_f_0","name":"f","input":{"x":1}},
    {"type":"tool_use","id":"b","name":"g","input":{}}])"));
  EXPECT_EQ(
      body["messages"][2]["content"],
      json::parse(
          R"([{"type":"tool_result","tool_use_id":"functions_f_0","content":[{"type":"text","text":"one"}]},
    {"type":"tool_result","tool_use_id":"b","content":[{"type":"text","text":"two"}]},{"type":"text","text":"go on"}])"));
  EXPECT_EQ(
      body["tools"],
      json::parse(
          R"([{"name":"f","description":"d","input_schema":{"type":"object","properties":{"x":{"type":"integer"}}}},
    {"name":"g","input_schema":{"type":"object","properties":{}}}])"));
  EXPECT_FALSE(body.contains("tool_choice"));
}

TEST_F(AnthropicRequest, BrokenArgumentsInTheHistoryStayReadable) {
  const json body = With(
      hi_ +
      R"(,{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]},{"role":"tool","tool_call_id":"a","content":"bad"})");
  EXPECT_EQ(body["messages"][1]["content"][0]["input"],
            json::parse(R"({"raw_arguments":"{\"x\":"})"));
}

TEST_F(AnthropicRequest, ToolsOfTheHistoryAreDeclaredWhenNoneAreOffered) {
  const json body = With(
      hi_ +
      R"(,{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"x"})");
  EXPECT_EQ(body["tools"], json::parse(R"([{"name":"f","input_schema":{"type":"object"}}])"));
  EXPECT_EQ(body["tool_choice"]["type"], "none");
}

TEST_F(AnthropicRequest, ToolChoice) {
  const std::string tools = R"(,"tools":[{"type":"function","function":{"name":"f"}}])";
  const auto choice = [&](const std::string& more) {
    return With(hi_, tools + more).value("tool_choice", json());
  };
  EXPECT_EQ(choice(R"(,"tool_choice":"auto")"), json::parse(R"({"type":"auto"})"));
  EXPECT_EQ(choice(R"(,"tool_choice":"none")"), json::parse(R"({"type":"none"})"));
  EXPECT_EQ(choice(R"(,"tool_choice":"required")"), json::parse(R"({"type":"any"})"));
  EXPECT_EQ(choice(R"(,"tool_choice":{"type":"function","function":{"name":"f"}})"),
            json::parse(R"({"type":"tool","name":"f"})"));
  EXPECT_EQ(choice(R"(,"parallel_tool_calls":false)"),
            json::parse(R"({"type":"auto","disable_parallel_tool_use":true})"));
  EXPECT_EQ(choice(R"(,"parallel_tool_calls":false,"tool_choice":"required")"),
            json::parse(R"({"type":"any","disable_parallel_tool_use":true})"));
  EXPECT_EQ(choice(R"(,"parallel_tool_calls":true)"), json());
}

TEST_F(AnthropicRequest, LimitsSamplingStopAndUser) {
  const json body = With(
      hi_,
      R"(,"max_tokens":50,"temperature":1.7,"stop":["a"," "],"user":"u1","seed":4,"frequency_penalty":1,"logit_bias":{"1":2})");
  EXPECT_EQ(body["max_tokens"], 50);
  EXPECT_EQ(body["temperature"], 1.0);
  EXPECT_EQ(body["stop_sequences"], json::array({"a"}));
  EXPECT_EQ(body["metadata"], json::parse(R"({"user_id":"u1"})"));
  for (const char* name : {"seed", "frequency_penalty", "logit_bias", "stop", "user"})
    EXPECT_FALSE(body.contains(name)) << name;
  EXPECT_EQ(With(hi_, R"(,"max_completion_tokens":7,"max_tokens":50)")["max_tokens"], 7);
  EXPECT_EQ(With(hi_, R"(,"stop":"x")")["stop_sequences"], json::array({"x"}));
  test_.endpoint.max_completion_tokens = 64000;
  EXPECT_EQ(With(hi_)["max_tokens"], 64000);
}

TEST_F(AnthropicRequest, NewModelsTakeOneSamplingKnobAndTheNewestNone) {
  const std::string both = R"(,"temperature":0.5,"top_p":0.5)";
  EXPECT_FALSE(With(hi_, both).contains("top_p"));
  test_.endpoint.upstream_model = "claude-3-5-sonnet-20241022";
  EXPECT_TRUE(With(hi_, both).contains("top_p"));
  test_.endpoint.upstream_model = "claude-opus-4-7";
  EXPECT_FALSE(With(hi_, both).contains("temperature"));
}

TEST_F(AnthropicRequest, EffortBecomesABudgetOrAdaptiveThinking) {
  EXPECT_EQ(
      With(hi_,
           R"(,"max_tokens":10000,"reasoning":{"effort":"high"},"temperature":0.5)")["thinking"],
      json::parse(R"({"type":"enabled","budget_tokens":8000})"));
  EXPECT_FALSE(With(hi_, R"(,"max_tokens":10000,"reasoning":{"effort":"high"},"temperature":0.5)")
                   .contains("temperature"));
  EXPECT_EQ(
      With(hi_,
           R"(,"max_tokens":10000,"reasoning":{"max_tokens":2000})")["thinking"]["budget_tokens"],
      2000);
  EXPECT_EQ(With(hi_, R"(,"reasoning":{"max_tokens":20000})")["max_tokens"], 24096);
  EXPECT_FALSE(With(hi_, R"(,"max_tokens":500,"reasoning_effort":"high")").contains("thinking"));
  EXPECT_FALSE(With(hi_, R"(,"reasoning":{"effort":"none"})").contains("thinking"));
  EXPECT_FALSE(With(hi_, R"(,"reasoning":{"enabled":false,"effort":"high"})").contains("thinking"));
  EXPECT_TRUE(With(hi_, R"(,"reasoning":{"enabled":true})").contains("thinking"));
  test_.endpoint.upstream_model = "claude-opus-4-6";
  const json adaptive = With(hi_, R"(,"reasoning_effort":"xhigh")");
  EXPECT_EQ(adaptive["thinking"], json::parse(R"({"type":"adaptive","display":"summarized"})"));
  EXPECT_EQ(adaptive["output_config"], json::parse(R"({"effort":"max"})"));
}

TEST_F(AnthropicRequest, ThinkingStaysOffWhereAnthropicWouldRefuseIt) {
  const std::string tools =
      R"(,"tools":[{"type":"function","function":{"name":"f"}}],"reasoning":{"effort":"low"},"max_tokens":10000)";
  EXPECT_FALSE(With(hi_, tools + R"(,"tool_choice":"required")").contains("thinking"));
  const std::string loop =
      hi_ +
      R"(,{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]%s},{"role":"tool","tool_call_id":"a","content":"x"})";
  const auto with_details = [&](const std::string& details) {
    std::string messages = loop;
    return With(messages.replace(messages.find("%s"), 2, details), tools);
  };
  EXPECT_FALSE(with_details("").contains("thinking"));
  EXPECT_TRUE(
      with_details(
          R"(,"reasoning_details":[{"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1","index":0}])")
          .contains("thinking"));
}

TEST_F(AnthropicRequest, ReasoningDetailsGoBackAsThinkingBlocks) {
  const json body = With(hi_ + R"(,{"role":"assistant","content":"a","reasoning_details":[
    {"type":"reasoning.text","text":"t","signature":"s","format":"anthropic-claude-v1"},{"type":"reasoning.encrypted","data":"d","format":"anthropic-claude-v1"},
    {"type":"reasoning.text","text":"unsigned"},{"type":"reasoning.encrypted","data":"z","format":"openai-responses-v1"}]},)" +
                         hi_);
  EXPECT_EQ(body["messages"][1]["content"],
            json::parse(R"([{"type":"thinking","thinking":"t","signature":"s"},
    {"type":"redacted_thinking","data":"d"},{"type":"text","text":"a"}])"));
}

TEST_F(AnthropicRequest, ResponseFormats) {
  EXPECT_EQ(
      With(
          hi_,
          R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}})")
          ["output_config"],
      json::parse(R"({"format":{"type":"json_schema","schema":{"type":"object"}}})"));
  const json object = With(hi_, R"(,"response_format":{"type":"json_object"})");
  EXPECT_FALSE(object.contains("output_config"));
  EXPECT_EQ(object["system"].size(), 1u);
  EXPECT_FALSE(With(hi_, R"(,"response_format":{"type":"text"})").contains("output_config"));
}

TEST_F(AnthropicRequest, WhatCannotBeExpressedIsRejectedByNameSoThatTheRouterTriesElsewhere) {
  const std::map<std::string, std::string> cases = {
      {R"("n":2)", "n"},
      {R"("logprobs":true)", "logprobs"},
      {R"("modalities":["text","audio"])", "modalities"},
      {R"("audio":{"voice":"x"})", "audio"},
      {R"("functions":[])", "functions"},
      {R"("response_format":{"type":"grammar"})", "response_format.type"},
      {R"("tools":[{"type":"openrouter:web_search"}])", "tools[0]"}};
  for (const auto& [member, field] : cases) {
    const common::v1::ErrorDetail error =
        Error(absl::StrCat("{\"messages\":[", hi_, "],", member, "}"));
    EXPECT_EQ(error.reason(), common::v1::REASON_PROVIDER_REJECTED) << member;
    EXPECT_EQ(error.field(), field);
    EXPECT_TRUE(error.retryable());
  }
  EXPECT_EQ(
      Error(R"({"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}]})")
          .field(),
      "messages[0].content[0]");
  EXPECT_EQ(
      Error(
          R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/tiff;base64,AA"}}]}]})")
          .field(),
      "messages[0].content[0]");
}

TEST_F(AnthropicRequest, WhatIsWrongInAnyDialectIsAnInvalidRequest) {
  for (const char* body :
       {"[]", "{}", R"({"messages":{}})", R"({"messages":[]})", R"({"messages":[5]})",
        R"({"messages":[{"role":"x","content":"a"}]})", R"({"messages":[{"role":"user"}]})",
        R"({"messages":[{"role":"user","content":5}]})"}) {
    EXPECT_EQ(Error(body).reason(), common::v1::REASON_INVALID_REQUEST) << body;
  }
}

TEST_F(AnthropicRequest, QuirksApplyToTheTranslatedBody) {
  test_.provider.mutable_quirks()->add_drop_fields("metadata");
  EXPECT_FALSE(With(hi_, R"(,"user":"u")").contains("metadata"));
}

TEST(ClaudeVersion, IsReadFromTheName) {
  EXPECT_EQ(ClaudeVersion("claude-3-7-sonnet-20250219"), 37);
  EXPECT_EQ(ClaudeVersion("claude-sonnet-4-20250514"), 40);
  EXPECT_EQ(ClaudeVersion("claude-sonnet-4-5-20250929"), 45);
  EXPECT_EQ(ClaudeVersion("anthropic/claude-opus-4.7"), 47);
  EXPECT_EQ(ClaudeVersion("claude-opus-5"), 50);
  EXPECT_EQ(ClaudeVersion("kimi-k2"), 0);
}

}  // namespace
}  // namespace signalbox::provider_adapter
