#include "tests/provider-fleet/answer.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/provider-fleet/structured_part.h"
#include "tests/unit/provider-fleet/raw_client.h"
#include "tests/unit/provider-fleet/schema_check.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;

ChatRequest Parsed(const std::string& body, Dialect dialect = Dialect::kOpenAi) {
  std::string padded = body;
  padded.reserve(body.size() + 64);
  ChatRequestParser parser;
  ChatRequest request;
  const absl::Status parsed =
      parser.Parse(dialect, absl::string_view(padded.data(), body.size()), &request);
  EXPECT_TRUE(parsed.ok()) << parsed;
  return request;
}

bool RightCall(const ToolCall& call) {
  const json arguments = json::parse(call.arguments.text, nullptr, false);
  return call.name == "look_up" && !arguments.is_discarded() && Follows(LookUpSchema(), arguments);
}

TEST(FleetChatRequest, ReadsBothDialects) {
  const ChatRequest openai =
      Parsed(Chat(R"("stream":true,"stream_options":{"include_usage":true},"max_tokens":7)"));
  EXPECT_TRUE(openai.stream && openai.include_usage);
  EXPECT_EQ(openai.max_tokens, 7);
  EXPECT_EQ(openai.part, nullptr);
  const ChatRequest anthropic = Parsed(Chat(AnthropicTools()), Dialect::kAnthropic);
  ASSERT_NE(anthropic.part, nullptr);
  EXPECT_EQ(anthropic.part->tools[0].name, "look_up");
}

TEST(FleetChatRequest, RefusesWhatAProviderWouldRefuse) {
  ChatRequestParser parser;
  ChatRequest request;
  for (std::string body :
       {"{", "[]", R"({"messages":[]})", R"({"model":"m"})", R"({"model":7,"messages":[]})"}) {
    body.reserve(body.size() + 64);
    EXPECT_FALSE(parser.Parse(Dialect::kOpenAi, body, &request).ok()) << body;
  }
  std::string no_limit = Chat();
  no_limit.reserve(no_limit.size() + 64);
  EXPECT_FALSE(parser.Parse(Dialect::kAnthropic, no_limit, &request).ok());
}

TEST(FleetAnswer, ToolCallsFollowTheSchema) {
  const ChatRequest request = Parsed(Chat(OpenAiTools()));
  Behaviour behaviour;
  int parallel = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed);
    const Answer answer = ComposeAnswer(request, behaviour, rng);
    ASSERT_EQ(answer.finish, Finish::kToolCalls);
    for (const ToolCall& call : answer.calls) ASSERT_TRUE(RightCall(call)) << "seed " << seed;
    parallel += answer.calls.size() > 1;
  }
  EXPECT_NEAR(parallel / 300.0, 0.15, 0.07);
}

TEST(FleetAnswer, ToolErrorsComeAtTheirRateAndSplit) {
  const ChatRequest request = Parsed(Chat(OpenAiTools()));
  Behaviour behaviour;
  behaviour.tool_error_rate = 0.2;
  std::map<ToolErrorKind, int> kinds;
  constexpr int kRuns = 5000;
  for (uint64_t seed = 0; seed < kRuns; ++seed) {
    Rng rng(seed);
    const Answer answer = ComposeAnswer(request, behaviour, rng);
    ++kinds[answer.tool_error];
    bool right = answer.finish == Finish::kToolCalls;
    for (const ToolCall& call : answer.calls) right &= RightCall(call);
    ASSERT_EQ(right, answer.tool_error == ToolErrorKind::kNone) << "seed " << seed;
  }
  const double bad = kRuns - kinds[ToolErrorKind::kNone];
  EXPECT_NEAR(bad / kRuns, 0.2, 0.02);
  EXPECT_NEAR(kinds[ToolErrorKind::kInvalidJson] / bad, 0.35, 0.05);
  EXPECT_NEAR(kinds[ToolErrorKind::kUnknownTool] / bad, 0.10, 0.04);
  EXPECT_NEAR(kinds[ToolErrorKind::kSchemaMismatch] / bad, 0.45, 0.05);
  EXPECT_NEAR(kinds[ToolErrorKind::kLeakedMarkup] / bad, 0.10, 0.04);
}

TEST(FleetAnswer, LeaksMarkupIntoTheText) {
  Behaviour behaviour;
  behaviour.tool_error_rate = 1;
  behaviour.tool_errors = {0, 0, 0, 1};
  Rng rng(1);
  const Answer answer = ComposeAnswer(Parsed(Chat(OpenAiTools())), behaviour, rng);
  EXPECT_TRUE(answer.calls.empty());
  EXPECT_EQ(answer.finish, Finish::kStop);
  EXPECT_EQ(answer.text.text.find("<tool_call>"), 0u);
}

TEST(FleetAnswer, RespectsTheToolChoice) {
  Behaviour behaviour;
  behaviour.tool_call_rate = 0;
  Rng rng(1);
  const auto calls = [&](const std::string& choice) {
    return ComposeAnswer(Parsed(Chat(OpenAiTools() + choice)), behaviour, rng).calls.size();
  };
  EXPECT_EQ(calls(""), 0u);
  EXPECT_GE(calls(R"(,"tool_choice":"required")"), 1u);
  EXPECT_EQ(calls(R"(,"tool_choice":{"type":"function","function":{"name":"look_up"}})"), 1u);
  behaviour.tool_call_rate = 1;
  EXPECT_EQ(calls(R"(,"tool_choice":"none")"), 0u);
  const ChatRequest any =
      Parsed(Chat(AnthropicTools() + R"(,"tool_choice":{"type":"any"})"), Dialect::kAnthropic);
  EXPECT_GE(ComposeAnswer(any, behaviour, rng).calls.size(), 1u);
}

TEST(FleetAnswer, AnswersWithTextAfterAToolResult) {
  Rng rng(1);
  const std::string openai =
      R"({"model":"m",)" + OpenAiTools() +
      R"(,"messages":[{"role":"user","content":"x"},{"role":"tool","content":"9"}]})";
  EXPECT_TRUE(ComposeAnswer(Parsed(openai), Behaviour(), rng).calls.empty());
  const std::string anthropic =
      R"({"model":"m",)" + AnthropicTools() +
      R"(,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"9"}]}]})";
  EXPECT_TRUE(
      ComposeAnswer(Parsed(anthropic, Dialect::kAnthropic), Behaviour(), rng).calls.empty());
}

TEST(FleetAnswer, WritesJsonOfTheResponseFormat) {
  const json schema = LookUpSchema();
  const std::string body =
      Chat(R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":)" +
           schema.dump() + "}}");
  Rng rng(5);
  const Answer answer = ComposeAnswer(Parsed(body), Behaviour(), rng);
  EXPECT_TRUE(Follows(schema, json::parse(answer.text.text)));
  const Answer any =
      ComposeAnswer(Parsed(Chat(R"("response_format":{"type":"json_object"})")), Behaviour(), rng);
  EXPECT_TRUE(json::parse(any.text.text).is_object());
}

TEST(FleetAnswer, IsCutAtMaxTokens) {
  Rng rng(1);
  const Answer text = ComposeAnswer(Parsed(Chat(R"("max_tokens":5)")), Behaviour(), rng);
  EXPECT_EQ(text.finish, Finish::kLength);
  EXPECT_EQ(text.text.size(), 5u);
  EXPECT_EQ(text.usage.completion, 5);
  const Answer call =
      ComposeAnswer(Parsed(Chat(OpenAiTools() + R"(,"max_tokens":2)")), Behaviour(), rng);
  EXPECT_EQ(call.finish, Finish::kLength);
}

TEST(FleetTokenText, NeverCutsACharacter) {
  Rng rng(1);
  const TokenText pieces = TokensOfPieces("日本語のテキスト 🚂🚃🚃", rng);
  std::string joined;
  for (size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_NE(static_cast<unsigned char>(pieces.Token(i)[0]) & 0xc0, 0x80);
    joined += std::string(pieces.Token(i));
  }
  EXPECT_EQ(joined, pieces.text);
}

}  // namespace
}  // namespace signalbox::fleet
