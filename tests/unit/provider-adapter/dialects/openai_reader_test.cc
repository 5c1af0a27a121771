#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/provider-adapter/dialects/canonical_check.h"
#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kEvents[] = "text/event-stream";
constexpr char kJson[] = "application/json";

std::string Stream(const std::vector<std::string>& payloads, bool done = true) {
  std::string body;
  for (const std::string& payload : payloads) absl::StrAppend(&body, "data: ", payload, "\n\n");
  if (done) body += "data: [DONE]\n\n";
  return body;
}
// A chunk with one choice that holds `delta` and is otherwise like OpenAI's.
std::string Delta(const std::string& delta, const std::string& finish = "null") {
  return absl::StrCat(
      R"({"id":"c1","object":"chat.completion.chunk","created":1,"model":"x","choices":[{"index":0,"delta":)",
      delta, R"(,"finish_reason":)", finish, "}]}");
}
ReadResult ReadStream(const std::vector<std::string>& payloads, bool stream = true,
                      bool done = true) {
  return Read(config::v1::DIALECT_OPENAI, stream, kEvents, Stream(payloads, done));
}
ReadResult ReadDocument(const std::string& body, bool stream = false) {
  return Read(config::v1::DIALECT_OPENAI, stream, kJson, body);
}
ClientChoice OnlyChoice(const ReadResult& result, bool stream = true) {
  EXPECT_TRUE(result.status.ok()) << result.status;
  const ClientView view = stream ? ReadAsClient(result.out, TestOptions(true))
                                 : ReadCompletionAsClient(result.out, TestOptions(false));
  EXPECT_THAT(view.problems, IsEmpty()) << result.out;
  EXPECT_EQ(view.choices.size(), 1u);
  return view.choices.empty() ? ClientChoice() : view.choices.begin()->second;
}
const std::string kStop = R"("stop")";

TEST(OpenAiReader, PassesTheChoicesBytesThroughInOurEnvelope) {
  const ReadResult result = ReadStream(
      {R"({"id":"x","choices":[ {"delta":{"content":"h\u0069"} , "index":0,"finish_reason":null} ],"service_tier":"flex","usage":null})",
       Delta("{}", kStop)});
  EXPECT_THAT(
      result.out,
      HasSubstr(
          R"(data: {"id":"gen-1700000000-abcdefghijklmnopqrst","object":"chat.completion.chunk","created":1700000000,"model":"maker/model","provider":"Acme","choices":[ {"delta":{"content":"h\u0069"} , "index":0,"finish_reason":null} ],"service_tier":"flex"})"));
  EXPECT_EQ(OnlyChoice(result).content, "hi");
  EXPECT_EQ(result.facts.text, "hi");
  EXPECT_EQ(result.facts.upstream_id, "x");
}

TEST(OpenAiReader, ContentCommitsAndRolesDoNot) {
  auto reader = DialectFor(config::v1::DIALECT_OPENAI).ReadAnswer(TestOptions(true), kEvents);
  std::string out;
  ASSERT_TRUE(
      reader
          ->Feed(": comment\n\n" +
                     Stream({Delta(R"({"role":"assistant","content":""})"), Delta("{}")}, false),
                 &out)
          .ok());
  EXPECT_FALSE(reader->facts().content_seen);
  ASSERT_TRUE(reader->Feed(Stream({Delta(R"({"reasoning":"hm"})")}, false), &out).ok());
  EXPECT_TRUE(reader->facts().content_seen);
}

TEST(OpenAiReader, NullsThatStrictClientsRefuseAreLeftOut) {
  const ReadResult result = ReadStream({Delta(R"({"role":null,"content":"a","tool_calls":null})"),
                                        Delta(R"({"content":null,"refusal":null})", kStop)});
  EXPECT_EQ(OnlyChoice(result).content, "a");
}

TEST(OpenAiReader, MissingIndexAndFinishReasonAreAdded) {
  const ReadResult result = ReadStream({R"({"choices":[{"delta":{"content":"a"}}]})",
                                        R"({"choices":[{"delta":{},"finish_reason":"eos"}]})"});
  const ClientChoice choice = OnlyChoice(result);
  EXPECT_EQ(choice.finish_reason, "stop");
  EXPECT_EQ(choice.native_finish_reason, "eos");
  EXPECT_EQ(result.facts.native_finish_reason, "eos");
}

TEST(OpenAiReader, FinishReasonsBecomeCanonical) {
  for (const auto& [native, canonical] :
       std::map<std::string, std::string>{{"stop", "stop"},
                                          {"end_turn", "stop"},
                                          {"max_tokens", "length"},
                                          {"MAX_TOKENS", "length"},
                                          {"function_call", "tool_calls"},
                                          {"model_length", "length"},
                                          {"safety", "content_filter"},
                                          {"something_new", "stop"}}) {
    const ReadResult result =
        ReadStream({Delta(R"({"content":"a"})"), Delta("{}", "\"" + native + "\"")});
    EXPECT_EQ(OnlyChoice(result).finish_reason, canonical) << native;
  }
}

TEST(OpenAiReader, StopAfterAToolCallIsToolCalls) {
  const ReadResult result = ReadStream(
      {Delta(
           R"({"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]})"),
       Delta("{}", kStop)});
  EXPECT_EQ(OnlyChoice(result).finish_reason, "tool_calls");
  EXPECT_EQ(OnlyChoice(result).native_finish_reason, "stop");
}

TEST(OpenAiReader, ReasoningContentIsAlsoReasoning) {
  const ReadResult result =
      ReadStream({Delta(R"({"content":null,"reasoning_content":"think"})"),
                  Delta(R"({"content":"a","reasoning_content":null})"), Delta("{}", kStop)});
  EXPECT_EQ(OnlyChoice(result).reasoning, "think");
  EXPECT_THAT(result.out, HasSubstr(R"("reasoning_content":"think")"));
}

TEST(OpenAiReader, ContentPartsAreJoined) {
  const ReadResult result = ReadStream(
      {Delta(R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]})"),
       Delta(R"({"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})", kStop)});
  EXPECT_EQ(OnlyChoice(result).content, "ab");
  EXPECT_EQ(OnlyChoice(result).reasoning, "hm");
}

TEST(OpenAiReader, UsageIsTakenOutAndUsageOnlyChunksAreSwallowed) {
  const ReadResult result = ReadStream(
      {Delta(R"({"content":"a"})"), Delta("{}", kStop),
       R"({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":6},"completion_tokens_details":{"reasoning_tokens":1}}})"});
  EXPECT_EQ(ReadAsClient(result.out, TestOptions(true)).chunks.size(), 2u);
  EXPECT_EQ(result.facts.usage.source(), common::v1::Usage::SOURCE_REPORTED);
  EXPECT_EQ(result.facts.usage.prompt_tokens(), 10);
  EXPECT_EQ(result.facts.usage.completion_tokens(), 4);
  EXPECT_EQ(result.facts.usage.cached_tokens(), 6);
  EXPECT_EQ(result.facts.usage.reasoning_tokens(), 1);
}

common::v1::Usage UsageOf(const std::string& member) {
  return ReadStream({Delta(R"({"content":"a"})", kStop), "{\"choices\":[]," + member + "}"})
      .facts.usage;
}

TEST(OpenAiReader, UsageIsUnderstoodInEveryonesSpelling) {
  EXPECT_EQ(
      UsageOf(R"("usage":{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":4})")
          .cached_tokens(),
      4);
  EXPECT_EQ(UsageOf(R"("usage":{"prompt_tokens":9,"completion_tokens":1,"num_cached_tokens":3})")
                .cached_tokens(),
            3);
  EXPECT_EQ(UsageOf(R"("x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":2}})")
                .completion_tokens(),
            2);
  // xAI: reasoning is not part of completion_tokens.
  const common::v1::Usage xai = UsageOf(
      R"("usage":{"prompt_tokens":12,"completion_tokens":2,"total_tokens":354,"completion_tokens_details":{"reasoning_tokens":340}})");
  EXPECT_EQ(xai.completion_tokens(), 342);
  EXPECT_EQ(xai.reasoning_tokens(), 340);
}

TEST(OpenAiReader, OddUsageIsClampedAndAbsentUsageStaysUnspecified) {
  EXPECT_EQ(UsageOf(R"("usage":{"prompt_tokens":-9,"completion_tokens":"7"})").prompt_tokens(), 0);
  EXPECT_EQ(UsageOf(R"("usage":{"prompt_tokens":-9,"completion_tokens":"7"})").completion_tokens(),
            7);
  EXPECT_EQ(UsageOf(R"("usage":{"prompt_tokens":0,"completion_tokens":0})").source(),
            common::v1::Usage::SOURCE_REPORTED);
  for (const char* nothing :
       {R"("usage":null)", R"("usage":{})", R"("usage":"many")", R"("x":1)"}) {
    EXPECT_EQ(UsageOf(nothing).source(), common::v1::Usage::SOURCE_UNSPECIFIED) << nothing;
  }
}

TEST(OpenAiReader, WithoutDoneAFinishReasonIsEnough) {
  EXPECT_TRUE(ReadStream({Delta(R"({"content":"a"})"), Delta("{}", kStop)}, true, /*done=*/false)
                  .status.ok());
}

TEST(OpenAiReader, WithoutFinishReasonDoneIsEnoughAndOneIsSupplied) {
  EXPECT_EQ(OnlyChoice(ReadStream({Delta(R"({"content":"a"})")})).finish_reason, "stop");
}

TEST(OpenAiReader, WithoutBothTheAnswerWasCut) {
  const ReadResult result = ReadStream({Delta(R"({"content":"a"})")}, true, /*done=*/false);
  EXPECT_EQ(result.reason(), common::v1::REASON_PROVIDER_CUT);
  EXPECT_THAT(ReadAsClient(result.out, TestOptions(true)).problems, IsEmpty());
}

TEST(OpenAiReader, FinishedWithoutContentIsEmpty) {
  EXPECT_EQ(
      ReadStream({Delta(R"({"role":"assistant","content":""})"), Delta("{}", kStop)}).reason(),
      common::v1::REASON_PROVIDER_EMPTY);
  EXPECT_EQ(ReadStream({}).reason(), common::v1::REASON_PROVIDER_EMPTY);
  EXPECT_EQ(ReadDocument(R"({"choices":[]})").reason(), common::v1::REASON_PROVIDER_EMPTY);
  EXPECT_EQ(Read(config::v1::DIALECT_OPENAI, true, kEvents, "").reason(),
            common::v1::REASON_PROVIDER_EMPTY);
  EXPECT_EQ(ReadStream({Delta("{}", R"("content_filter")")}).reason(),
            common::v1::REASON_PROVIDER_MODERATED);
}

TEST(OpenAiReader, HiddenReasoningThatUsedUpTheTokensIsAnAnswer) {
  EXPECT_TRUE(
      ReadDocument(
          R"({"choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"length"}],
    "usage":{"prompt_tokens":5,"completion_tokens":100}})")
          .status.ok());
}

TEST(OpenAiReader, ErrorsInsideTheStreamAreClassified) {
  EXPECT_EQ(
      ReadStream({R"({"error":{"message":"slow down","type":"rate_limit_error","code":429}})"})
          .reason(),
      common::v1::REASON_PROVIDER_RATE_LIMITED);
  EXPECT_EQ(ReadStream({Delta(R"({"content":"a"})"), R"({"error":"boom"})"}).reason(),
            common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(
      ReadStream(
          {R"({"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":503,"message":"x"}}]})"})
          .reason(),
      common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(ReadStream({Delta("{}", R"("insufficient_system_resource")")}).reason(),
            common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(Read(config::v1::DIALECT_OPENAI, true, kEvents,
                 "event: error\ndata: {\"message\":\"no\"}\n\n")
                .reason(),
            common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(ReadStream({R"({"object":"error","message":"m","code":400})"}).reason(),
            common::v1::REASON_PROVIDER_REJECTED);
}

TEST(OpenAiReader, AnErrorStaysTheAnswerOfEveryLaterCall) {
  auto reader = DialectFor(config::v1::DIALECT_OPENAI).ReadAnswer(TestOptions(true), kEvents);
  std::string out;
  EXPECT_FALSE(reader->Feed(Stream({"{bad"}, false), &out).ok());
  EXPECT_FALSE(reader->Feed(Stream({Delta(R"({"content":"a"})", kStop)}), &out).ok());
  EXPECT_FALSE(reader->Finish(&out).ok());
  EXPECT_EQ(out, "");
}

TEST(OpenAiReader, WhatIsNotTheProtocolIsMalformed) {
  for (const char* payload : {"{\"choices\":[{]}", "[1]", "\"x\"", "{\"choices\":5}",
                              "{\"choices\":[5]}", "{\"choices\":[],\"choices\":[]}"}) {
    EXPECT_EQ(ReadStream({payload}).reason(), common::v1::REASON_PROVIDER_MALFORMED) << payload;
  }
  EXPECT_EQ(Read(config::v1::DIALECT_OPENAI, true, "text/html", "<html></html>").reason(),
            common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(Read(config::v1::DIALECT_OPENAI, true, kJson, "<html></html>").reason(),
            common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(Read(config::v1::DIALECT_OPENAI, true, "text/plain", "Internal Server Error").reason(),
            common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(Read(config::v1::DIALECT_OPENAI, true, "", "error happened").reason(),
            common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(ReadDocument("[1]").reason(), common::v1::REASON_PROVIDER_MALFORMED);
  EXPECT_EQ(ReadDocument(R"({"id":"x"})").reason(), common::v1::REASON_PROVIDER_MALFORMED);
}

TEST(OpenAiReader, AnOverlongEventIsMalformed) {
  AnswerOptions options = TestOptions(true);
  options.max_event_bytes = 1000;
  EXPECT_EQ(
      ReadPieces(config::v1::DIALECT_OPENAI, options, kEvents, {"data: " + std::string(2000, 'x')})
          .reason(),
      common::v1::REASON_PROVIDER_MALFORMED);
}

TEST(OpenAiReader, NothingCountsAfterDone) {
  const ReadResult result = ReadStream(
      {Delta(R"({"content":"a"})", kStop), "[DONE]", Delta(R"({"content":"b"})"), "{bad"});
  EXPECT_EQ(OnlyChoice(result).content, "a");
}

TEST(OpenAiReader, ASecondFinishReasonIsNotPassedOn) {
  const ReadResult result = ReadStream({Delta(R"({"content":"a"})", kStop),
                                        Delta(R"({"role":"assistant","content":""})", kStop),
                                        Delta(R"({"content":"b"})", kStop)});
  EXPECT_EQ(OnlyChoice(result).content, "ab");
}

TEST(OpenAiReader, SplitSurrogatesDoNotBreakTheStream) {
  const ReadResult result =
      ReadStream({Delta(R"({"content":"a\ud83d"})"),
                  Delta(R"({"content":"\ude00 \ud83d\ude00 \\ud83d"})", kStop)});
  EXPECT_EQ(OnlyChoice(result).content, "a\xef\xbf\xbd\xef\xbf\xbd 😀 \\ud83d");
}

TEST(OpenAiReader, PrettyPrintedChunksBecomeOneLine) {
  const ReadResult result =
      Read(config::v1::DIALECT_OPENAI, true, kEvents,
           "data: {\"choices\": [{\"index\":0,\ndata: \"delta\":{\"content\":\"a\"},\ndata: "
           "\"finish_reason\":null}]}\n\ndata: [DONE]\n\n");
  EXPECT_EQ(OnlyChoice(result).content, "a");
}

TEST(OpenAiReader, SeveralChoicesStayApart) {
  const std::vector<std::string> payloads = {
      R"({"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null},{"index":0,"delta":{"content":"a"},"finish_reason":null}]})",
      R"({"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":"stop"}]})",
      R"({"choices":[{"index":1,"delta":{},"finish_reason":"length"}]})"};
  for (bool stream : {true, false}) {
    const ReadResult result = ReadStream(payloads, stream);
    const ClientView view = stream ? ReadAsClient(result.out, TestOptions(true))
                                   : ReadCompletionAsClient(result.out, TestOptions(false));
    EXPECT_THAT(view.problems, IsEmpty());
    EXPECT_EQ(view.choices.at(0).content, "aA");
    EXPECT_EQ(view.choices.at(1).content, "b");
    EXPECT_EQ(view.choices.at(1).finish_reason, "length");
  }
  // One of two ended: cut.
  EXPECT_EQ(ReadStream({payloads[0], payloads[1]}, true, false).reason(),
            common::v1::REASON_PROVIDER_CUT);
}

TEST(OpenAiReader, AWholeAnswerIsMendedAndKeepsWhatItDoesNotKnow) {
  const ReadResult result = ReadDocument(
      R"({"id":"x","object":"chat.completion","created":1,"model":"m","usage":{"prompt_tokens":1,"completion_tokens":2},
    "choices":[{"finish_reason":"end_turn","logprobs":null,"message":{"content":"hi","tool_calls":null,"annotations":[1]}}],"citations":["u"]})");
  EXPECT_EQ(OnlyChoice(result, false).content, "hi");
  const json completion = json::parse(result.out);
  EXPECT_EQ(completion["citations"], json::array({"u"}));
  EXPECT_EQ(completion["choices"][0]["message"]["annotations"], json::array({1}));
  EXPECT_EQ(completion["choices"][0]["index"], 0);
  EXPECT_TRUE(completion["system_fingerprint"].is_null());
  EXPECT_EQ(result.facts.usage.completion_tokens(), 2);
}

TEST(OpenAiReader, AWholeAnswerWithoutFinishReasonGetsOne) {
  EXPECT_EQ(
      OnlyChoice(ReadDocument(R"({"choices":[{"message":{"role":"assistant","content":"hi"}}]})"),
                 false)
          .finish_reason,
      "stop");
}

TEST(OpenAiReader, JsonForAStreamRequestBecomesChunks) {
  const ReadResult result = ReadDocument(
      R"({"choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"reasoning_content":"hm",
    "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":{"y":2}}}]}}]})",
      true);
  const ClientChoice choice = OnlyChoice(result);
  EXPECT_EQ(choice.reasoning, "hm");
  EXPECT_EQ(choice.tool_calls.at(0)["arguments"], R"({"x":1})");
  EXPECT_EQ(choice.tool_calls.at(1)["arguments"], R"({"y":2})");
}

TEST(OpenAiReader, AStreamForAPlainRequestBecomesOneCompletion) {
  const ReadResult result = ReadStream(
      {Delta(R"({"role":"assistant","content":"h"})"),
       Delta(
           R"({"content":"i","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]})"),
       Delta(R"({"reasoning_details":[{"type":"reasoning.text","text":"b","index":0}]})", kStop)},
      false);
  EXPECT_EQ(OnlyChoice(result, false).content, "hi");
  EXPECT_EQ(json::parse(result.out)["choices"][0]["message"]["reasoning_details"],
            json::parse(R"([{"type":"reasoning.text","text":"ab","index":0}])"));
}

TEST(OpenAiReader, TheFirstByteOutweighsTheDeclaredType) {
  EXPECT_EQ(OnlyChoice(Read(config::v1::DIALECT_OPENAI, true, kJson,
                            Stream({Delta(R"({"content":"a"})", kStop)})))
                .content,
            "a");
  EXPECT_EQ(OnlyChoice(Read(config::v1::DIALECT_OPENAI, false, kEvents,
                            R"({"choices":[{"message":{"content":"a"}}]})"),
                       false)
                .content,
            "a");
  EXPECT_EQ(OnlyChoice(Read(config::v1::DIALECT_OPENAI, false, "",
                            "\xef\xbb\xbf\n {\"choices\":[{\"message\":{\"content\":\"a\"}}]}"),
                       false)
                .content,
            "a");
}

TEST(OpenAiReader, TextIsKeptUpToItsBoundAndOnlyWhenAsked) {
  AnswerOptions options = TestOptions(true);
  options.max_text_bytes = 3;
  const std::string body =
      Stream({Delta(R"({"content":"ab"})"), Delta(R"({"content":"cd"})", kStop)});
  const ReadResult bounded = ReadPieces(config::v1::DIALECT_OPENAI, options, kEvents, {body});
  EXPECT_EQ(bounded.facts.text, "abc");
  EXPECT_EQ(bounded.facts.output_chars, 4);
  options.keep_text = false;
  EXPECT_EQ(ReadPieces(config::v1::DIALECT_OPENAI, options, kEvents, {body}).facts.text, "");
}

std::string Call(const std::string& call) { return Delta("{\"tool_calls\":[" + call + "]}"); }
const std::string kCallEnd = Delta("{}", R"("tool_calls")");

TEST(OpenAiToolCalls, WellFormedFragmentsAreNotTouched) {
  const std::string first =
      R"({"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}})";
  const std::string next = R"({"index":0,"function":{"arguments":"{\"a\": 1}"}})";
  const ReadResult result = ReadStream({Call(first), Call(next), kCallEnd});
  EXPECT_THAT(result.out, HasSubstr(first));
  EXPECT_THAT(result.out, HasSubstr(next));
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(0),
            json::parse(R"({"id":"call_1","name":"f","arguments":"{\"a\": 1}"})"));
  EXPECT_EQ(result.facts.tool_calls[0].arguments, "{\"a\": 1}");
}

TEST(OpenAiToolCalls, RepeatedIdsAndNamesReachTheClientOnce) {
  const ReadResult result = ReadStream(
      {Call(R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{"}})"),
       Call(R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"}"}})"),
       Call(R"({"index":0,"id":null,"type":null,"function":{"name":null,"arguments":null}})"),
       kCallEnd});
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(0),
            json::parse(R"({"id":"a","name":"f","arguments":"{}"})"));
}

TEST(OpenAiToolCalls, ParallelCallsMayInterleave) {
  const ReadResult result = ReadStream(
      {Call(R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{"}})"),
       Call(R"({"index":1,"id":"b","type":"function","function":{"name":"g","arguments":"["}})"),
       Call(R"({"index":0,"function":{"arguments":"}"}})"),
       Call(R"({"index":1,"function":{"arguments":"]"}})"), kCallEnd});
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(0)["arguments"], "{}");
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(1)["arguments"], "[]");
}

TEST(OpenAiToolCalls, IndexesAreMadeDense) {
  for (const char* odd : {"1", "-1", "7"}) {
    const ReadResult result = ReadStream(
        {Call(absl::StrCat(
             R"({"index":)", odd,
             R"(,"id":"a","type":"function","function":{"name":"f","arguments":"{"}})")),
         Call(absl::StrCat(R"({"index":)", odd, R"(,"function":{"arguments":"}"}})")), kCallEnd});
    EXPECT_EQ(OnlyChoice(result).tool_calls.at(0)["arguments"], "{}");
    EXPECT_FALSE(result.facts.tool_stream_malformed);
  }
}

TEST(OpenAiToolCalls, OneIndexWithNewIdsIsSeveralCalls) {
  const ReadResult result = ReadStream(
      {Call(R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}})"),
       Call(R"({"index":0,"id":"b","type":"function","function":{"name":"f","arguments":"[]"}})"),
       kCallEnd});
  EXPECT_EQ(OnlyChoice(result).tool_calls.size(), 2u);
}

TEST(OpenAiToolCalls, WithoutIndexTheIdDecides) {
  const ReadResult result =
      ReadStream({Call(R"({"id":"a","function":{"name":"f","arguments":"{"}})"),
                  Call(R"({"id":"b","function":{"name":"g","arguments":"[]"}})"),
                  Call(R"({"id":"a","function":{"arguments":"}"}})"), kCallEnd});
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(0)["arguments"], "{}");
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(1)["arguments"], "[]");
}

TEST(OpenAiToolCalls, WithoutIndexAndIdANameBeginsACall) {
  const ReadResult result =
      ReadStream({Call(R"({"function":{"name":"f","arguments":"{"}})"),
                  Call(R"({"function":{"arguments":"}"}})"),
                  Call(R"({"function":{"name":"f","arguments":"[]"}})"), kCallEnd});
  const ClientChoice choice = OnlyChoice(result);
  EXPECT_EQ(choice.tool_calls.at(0)["arguments"], "{}");
  EXPECT_EQ(choice.tool_calls.at(1)["arguments"], "[]");
  EXPECT_NE(choice.tool_calls.at(0)["id"], choice.tool_calls.at(1)["id"]);
}

TEST(OpenAiToolCalls, AnIdMayComeBeforeTheName) {
  const ReadResult result =
      ReadStream({Call(R"({"index":0,"id":"a","type":"function"})"),
                  Call(R"({"index":0,"function":{"name":"f"}})"),
                  Call(R"({"index":0,"function":{"arguments":"{}"}})"), kCallEnd});
  EXPECT_EQ(OnlyChoice(result).tool_calls.at(0),
            json::parse(R"({"id":"a","name":"f","arguments":"{}"})"));
}

TEST(OpenAiToolCalls, WhatCannotBeMendedIsMarked) {
  EXPECT_TRUE(ReadStream({Call(R"({"index":0,"id":"a","function":{"arguments":"{}"}})"), kCallEnd})
                  .facts.tool_stream_malformed);
  EXPECT_TRUE(ReadStream({Call(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})"),
                          Call(R"({"index":1,"id":"a","function":{"name":"f","arguments":"{}"}})"),
                          kCallEnd})
                  .facts.tool_stream_malformed);
}

TEST(OpenAiToolCalls, AFloodOfCallsIsRefused) {
  std::vector<std::string> payloads;
  for (int i = 0; i < 600; ++i)
    payloads.push_back(Call(absl::StrCat(R"({"index":)", i, R"(,"id":"i)", i,
                                         R"(","function":{"name":"f","arguments":""}})")));
  EXPECT_EQ(ReadStream(payloads).reason(), common::v1::REASON_PROVIDER_MALFORMED);
}

}  // namespace
}  // namespace signalbox::provider_adapter
