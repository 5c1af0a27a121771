#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/provider-adapter/dialects/canonical_check.h"
#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;
using testing::IsEmpty;

const std::string kStart =
    R"({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"c","usage":{"input_tokens":10,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,"output_tokens":1}}})";
const std::string kStop = R"({"type":"message_stop"})";
std::string End(const std::string& reason) {
  return absl::StrCat(R"({"type":"message_delta","delta":{"stop_reason":")", reason,
                      R"(","stop_sequence":null},"usage":{"output_tokens":20}})");
}
std::string Begin(int index, const std::string& block) {
  return absl::StrCat(R"({"type":"content_block_start","index":)", index, R"(,"content_block":)",
                      block, "}");
}
std::string Delta(int index, const std::string& delta) {
  return absl::StrCat(R"({"type":"content_block_delta","index":)", index, R"(,"delta":)", delta,
                      "}");
}
std::string Done(int index) {
  return absl::StrCat(R"({"type":"content_block_stop","index":)", index, "}");
}
std::string TextDelta(const std::string& text) {
  return Delta(0, absl::StrCat(R"({"type":"text_delta","text":")", text, "\"}"));
}
const std::string kText = Begin(0, R"({"type":"text","text":""})");

ReadResult ReadEvents(const std::vector<std::string>& events, bool stream = true) {
  std::string body;
  for (const std::string& event : events) {
    absl::StrAppend(&body, "event: ", json::parse(event)["type"].get<std::string>(),
                    "\ndata: ", event, "\n\n");
  }
  return Read(config::v1::DIALECT_ANTHROPIC, stream, "text/event-stream; charset=utf-8", body);
}
ReadResult ReadMessage(const std::string& body, bool stream = false) {
  return Read(config::v1::DIALECT_ANTHROPIC, stream, "application/json", body);
}
ClientChoice OnlyChoice(const ReadResult& result, bool stream = true) {
  EXPECT_TRUE(result.status.ok()) << result.status;
  const ClientView view = stream ? ReadAsClient(result.out, TestOptions(true))
                                 : ReadCompletionAsClient(result.out, TestOptions(false));
  EXPECT_THAT(view.problems, IsEmpty()) << result.out;
  return view.choices.empty() ? ClientChoice() : view.choices.begin()->second;
}

TEST(AnthropicReader, TextBecomesChunksAndTheRoleComesWithTheFirst) {
  const ReadResult result = ReadEvents({kStart, kText, R"({"type":"ping"})", TextDelta("Hel"),
                                        TextDelta("lo"), Done(0), End("end_turn"), kStop});
  const ClientView view = ReadAsClient(result.out, TestOptions(true));
  ASSERT_EQ(view.chunks.size(), 3u);
  EXPECT_EQ(view.chunks[0]["choices"][0]["delta"],
            json::parse(R"({"role":"assistant","content":"Hel"})"));
  EXPECT_EQ(view.chunks[1]["choices"][0]["delta"], json::parse(R"({"content":"lo"})"));
  EXPECT_EQ(
      view.chunks[2]["choices"][0],
      json::parse(
          R"({"index":0,"delta":{},"finish_reason":"stop","native_finish_reason":"end_turn"})"));
  EXPECT_EQ(result.facts.upstream_id, "msg_1");
  EXPECT_EQ(result.facts.text, "Hello");
}

TEST(AnthropicReader, TheMessageStartDoesNotCommit) {
  auto reader =
      DialectFor(config::v1::DIALECT_ANTHROPIC).ReadAnswer(TestOptions(true), "text/event-stream");
  std::string out;
  ASSERT_TRUE(reader->Feed(absl::StrCat("data: ", kStart, "\n\ndata: ", kText, "\n\n"), &out).ok());
  EXPECT_EQ(out, "");
  EXPECT_FALSE(reader->facts().content_seen);
  ASSERT_TRUE(reader->Feed(absl::StrCat("data: ", TextDelta("a"), "\n\n"), &out).ok());
  EXPECT_TRUE(reader->facts().content_seen);
}

TEST(AnthropicReader, InputTokensAreSummedAndOutputTokensAreARunningTotal) {
  const common::v1::Usage usage =
      ReadEvents({kStart, kText, TextDelta("a"), Done(0), End("end_turn"), kStop}).facts.usage;
  EXPECT_EQ(usage.prompt_tokens(), 18);
  EXPECT_EQ(usage.cached_tokens(), 5);
  EXPECT_EQ(usage.cache_write_tokens(), 3);
  EXPECT_EQ(usage.completion_tokens(), 20);
  EXPECT_EQ(usage.source(), common::v1::Usage::SOURCE_REPORTED);
}

TEST(AnthropicReader, LaterInputCountsReplaceTheFirst) {
  const common::v1::Usage usage =
      ReadEvents(
          {kStart, kText, TextDelta("a"), Done(0),
           R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":100,"output_tokens":7}})",
           kStop})
          .facts.usage;
  EXPECT_EQ(usage.prompt_tokens(), 108);
  EXPECT_EQ(usage.completion_tokens(), 7);
}

TEST(AnthropicReader, ThinkingCarriesItsSignatureWhole) {
  const ReadResult result =
      ReadEvents({kStart, Begin(0, R"({"type":"thinking","thinking":"","signature":""})"),
                  Delta(0, R"({"type":"thinking_delta","thinking":"hm"})"),
                  Delta(0, R"({"type":"signature_delta","signature":"si"})"),
                  Delta(0, R"({"type":"signature_delta","signature":"g"})"), Done(0),
                  Begin(1, R"({"type":"redacted_thinking","data":"xyz"})"), Done(1),
                  Begin(2, R"({"type":"text","text":"a"})"), Done(2), End("end_turn"), kStop});
  const ClientChoice choice = OnlyChoice(result);
  EXPECT_EQ(choice.reasoning, "hm");
  EXPECT_EQ(choice.content, "a");
  EXPECT_EQ(choice.reasoning_details, json::parse(R"([
    {"type":"reasoning.text","text":"hm","format":"anthropic-claude-v1","index":0},
    {"type":"reasoning.text","signature":"sig","format":"anthropic-claude-v1","index":0},
    {"type":"reasoning.encrypted","data":"xyz","format":"anthropic-claude-v1","index":1}])"));
}

TEST(AnthropicReader, NotStreamedThinkingIsOneDetailPerBlock) {
  const ReadResult result = ReadMessage(
      R"({"type":"message","id":"m","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"text","text":"a"},{"type":"text","text":"b"}],
    "stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":2}})");
  const ClientChoice choice = OnlyChoice(result, false);
  EXPECT_EQ(choice.content, "ab");
  EXPECT_EQ(
      choice.reasoning_details,
      json::parse(
          R"([{"type":"reasoning.text","text":"hm","signature":"sig","format":"anthropic-claude-v1","index":0}])"));
  EXPECT_EQ(result.facts.usage.prompt_tokens(), 1);
}

TEST(AnthropicReader, ToolUseBecomesToolCalls) {
  const ReadResult result =
      ReadEvents({kStart, kText, TextDelta("a"), Done(0),
                  Begin(1, R"({"type":"tool_use","id":"toolu_1","name":"f","input":{}})"),
                  Delta(1, R"({"type":"input_json_delta","partial_json":""})"),
                  Delta(1, R"({"type":"input_json_delta","partial_json":"{\"x\":"})"),
                  Delta(1, R"({"type":"input_json_delta","partial_json":"1}"})"), Done(1),
                  Begin(2, R"({"type":"tool_use","id":"toolu_2","name":"g","input":{}})"), Done(2),
                  End("tool_use"), kStop});
  const ClientChoice choice = OnlyChoice(result);
  EXPECT_EQ(choice.tool_calls.at(0),
            json::parse(R"({"id":"toolu_1","name":"f","arguments":"{\"x\":1}"})"));
  EXPECT_EQ(choice.tool_calls.at(1),
            json::parse(R"({"id":"toolu_2","name":"g","arguments":"{}"})"));
  EXPECT_EQ(choice.finish_reason, "tool_calls");
  EXPECT_EQ(result.facts.tool_calls[1].arguments, "{}");
}

TEST(AnthropicReader, InputThatCameWithTheStartCounts) {
  const ReadResult result =
      ReadEvents({kStart, Begin(0, R"({"type":"tool_use","id":"t","name":"f","input":{"a":[1]}})"),
                  Done(0), End("tool_use"), kStop});
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(0)["arguments"], R"({"a":[1]})");
}

TEST(AnthropicReader, ServerToolBlocksArePassedOver) {
  const ReadResult result = ReadEvents(
      {kStart, Begin(0, R"({"type":"server_tool_use","id":"s","name":"web_search","input":{}})"),
       Delta(0, R"({"type":"input_json_delta","partial_json":"{}"})"), Done(0),
       Begin(1, R"({"type":"web_search_tool_result","content":[]})"), Done(1),
       Begin(2, R"({"type":"text","text":""})"), Delta(2, R"({"type":"text_delta","text":"a"})"),
       Delta(2, R"({"type":"citations_delta","citation":{}})"), Done(2), End("pause_turn"), kStop});
  EXPECT_EQ(OnlyChoice(result).content, "a");
  EXPECT_EQ(OnlyChoice(result).finish_reason, "stop");
  EXPECT_TRUE(result.facts.tool_calls.empty());
}

TEST(AnthropicReader, StopReasonsBecomeCanonical) {
  for (const auto& [native, canonical] :
       std::map<std::string, std::string>{{"end_turn", "stop"},
                                          {"max_tokens", "length"},
                                          {"stop_sequence", "stop"},
                                          {"refusal", "content_filter"},
                                          {"pause_turn", "stop"},
                                          {"model_context_window_exceeded", "length"}}) {
    EXPECT_EQ(OnlyChoice(ReadEvents({kStart, kText, TextDelta("a"), Done(0), End(native), kStop}))
                  .finish_reason,
              canonical);
  }
}

TEST(AnthropicReader, ErrorsAreClassifiedBeforeAndAfterContent) {
  const std::string overloaded =
      R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})";
  EXPECT_EQ(ReadEvents({overloaded}).reason(), common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(ReadEvents({kStart, kText, TextDelta("a"), overloaded}).reason(),
            common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(ReadMessage(overloaded).reason(), common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(
      ReadMessage(R"({"type":"error","error":{"type":"not_found_error","message":"model: x"}})")
          .reason(),
      common::v1::REASON_PROVIDER_MODEL_MISSING);
}

TEST(AnthropicReader, AStreamThatStopsEarlyWasCut) {
  EXPECT_EQ(ReadEvents({kStart}).reason(), common::v1::REASON_PROVIDER_CUT);
  EXPECT_EQ(ReadEvents({kStart, kText, TextDelta("a"), Done(0)}).reason(),
            common::v1::REASON_PROVIDER_CUT);
  EXPECT_TRUE(ReadEvents({kStart, kText, TextDelta("a"), Done(0), End("end_turn")}).status.ok());
}

TEST(AnthropicReader, AnEmptyMessageIsEmptyAndASilentRefusalIsModeration) {
  EXPECT_EQ(ReadEvents({kStart, End("end_turn"), kStop}).reason(),
            common::v1::REASON_PROVIDER_EMPTY);
  EXPECT_EQ(
      ReadMessage(R"({"type":"message","content":[],"stop_reason":"refusal","usage":{}})").reason(),
      common::v1::REASON_PROVIDER_MODERATED);
}

TEST(AnthropicReader, ARepeatedStartIsIgnoredAndANewBeginningAfterContentIsAnError) {
  EXPECT_EQ(OnlyChoice(ReadEvents({kStart, kStart, kText, TextDelta("a"), Done(0), End("end_turn"),
                                   kStop}))
                .content,
            "a");
  EXPECT_EQ(ReadEvents({kStart, kText, TextDelta("a"), kStart, kText, TextDelta("b"), Done(0),
                        End("end_turn"), kStop})
                .reason(),
            common::v1::REASON_PROVIDER_MALFORMED);
}

TEST(AnthropicReader, JsonForAStreamRequestBecomesChunksAndAStreamForAPlainOneACompletion) {
  EXPECT_EQ(
      OnlyChoice(
          ReadMessage(
              R"({"type":"message","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"tool_use"})",
              true),
          true)
          .tool_calls.at(0)["arguments"],
      R"({"a":1})");
  EXPECT_EQ(OnlyChoice(ReadEvents({kStart, kText, TextDelta("a"), TextDelta("b"), Done(0),
                                   End("end_turn"), kStop},
                                  false),
                       false)
                .content,
            "ab");
}

TEST(AnthropicReader, WhatIsNotTheProtocolIsMalformed) {
  EXPECT_EQ(ReadEvents({kStart, TextDelta("a")}).reason(), common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(ReadMessage(R"({"type":"message"})").reason(), common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(ReadMessage(R"({"type":"message","content":[5]})").reason(),
            common::v1::REASON_PROVIDER_MALFORMED);
}

}  // namespace
}  // namespace signalbox::provider_adapter
