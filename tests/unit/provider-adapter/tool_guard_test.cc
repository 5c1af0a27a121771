#include "services/provider-adapter/core/tool_guard.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;
using Result = GuardRuling::Result;
namespace v1 = common::v1;

constexpr char kRequest[] = R"({"tools":[
  {"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":
    {"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}},
  {"type":"function","function":{"name":"ping","parameters":{"type":"object","properties":{}}}},
  {"type":"custom","custom":{"name":"script"}}]})";

ToolCall Call(std::string name, std::string arguments, int index = 0) {
  ToolCall call;
  call.id = absl::StrCat("c", index);
  call.name = std::move(name);
  call.arguments = std::move(arguments);
  call.index = index;
  return call;
}

AnswerFacts Facts(std::vector<ToolCall> calls, std::string finish = "tool_calls") {
  AnswerFacts facts;
  facts.finished = true;
  facts.finish_reason = std::move(finish);
  facts.tool_calls = std::move(calls);
  return facts;
}

class RulingTest : public ::testing::Test {
 protected:
  GuardRuling Rule(const AnswerFacts& facts, GuardSituation situation = {}) {
    return RuleOn(*tools_, facts, situation);
  }
  ToolSetCache cache_;
  const std::shared_ptr<const ToolSet> tools_ = cache_.Get(kRequest);
};

TEST_F(RulingTest, PassesValidCalls) {
  const GuardRuling ruling =
      Rule(Facts({Call("weather", R"({"city":"Ulm"})"), Call("ping", "{}", 1)}));
  EXPECT_EQ(ruling.result, Result::kPassed);
  EXPECT_EQ(ruling.verdict.verdict, v1::TOOL_CALL_VERDICT_VALID);
}

TEST_F(RulingTest, RepairsSyntaxAndKeepsTheVerdictOfTheCallAsItCame) {
  const GuardRuling ruling =
      Rule(Facts({Call("ping", "{}"), Call("weather", R"({'city':'Ulm',})", 1)}));
  EXPECT_EQ(ruling.result, Result::kRepaired);
  EXPECT_EQ(ruling.verdict.verdict, v1::TOOL_CALL_VERDICT_INVALID_JSON);
  EXPECT_EQ(ruling.arguments, (std::vector<std::string>{"{}", R"({"city":"Ulm"})"}));
}

TEST_F(RulingTest, GivesAClientSomethingToParseWhereNothingIsRequired) {
  const GuardRuling ruling = Rule(Facts({Call("ping", "")}));
  EXPECT_EQ(ruling.result, Result::kRepaired);
  EXPECT_EQ(ruling.verdict.verdict, v1::TOOL_CALL_VERDICT_VALID);
  EXPECT_EQ(ruling.arguments, std::vector<std::string>{"{}"});
}

TEST_F(RulingTest, NeverFillsInWhatIsRequired) {
  for (const char* arguments : {"", "null", "{}", R"({"town":"Ulm"})", R"({'town':'Ulm'})"}) {
    const GuardRuling ruling = Rule(Facts({Call("weather", arguments)}));
    EXPECT_EQ(ruling.result, Result::kRejected) << arguments;
    EXPECT_TRUE(ruling.arguments.empty());
  }
}

TEST_F(RulingTest, RejectsAMendedCallThatBreaksTheSchema) {
  EXPECT_EQ(Rule(Facts({Call("weather", R"({'city':1,})")})).result, Result::kRejected);
}

TEST_F(RulingTest, RejectsAllCallsForOneThatCannotBeMended) {
  const GuardRuling ruling =
      Rule(Facts({Call("weather", R"({"city":"Ulm",})"), Call("wether", "{}", 1)}));
  EXPECT_EQ(ruling.result, Result::kRejected);
}

TEST_F(RulingTest, LeavesTextToolsAlone) {
  EXPECT_EQ(Rule(Facts({Call("script", "print('hi')")})).result, Result::kPassed);
}

TEST_F(RulingTest, HasNothingToSayWhereNothingWasCalled) {
  EXPECT_EQ(Rule(Facts({}, "stop")).result, Result::kNone);
  EXPECT_EQ(Rule(Facts({Call("weather", R"({"ci)")}, "length")).result, Result::kNone);
}

TEST_F(RulingTest, RejectsMarkupUnlessTheTextIsOutAndTheCallsHold) {
  AnswerFacts leaked = Facts({}, "stop");
  leaked.text = "<tool_call>{}";
  EXPECT_EQ(Rule(leaked).result, Result::kRejected);
  EXPECT_EQ(Rule(leaked, {.text_is_final = true}).result, Result::kRejected);
  AnswerFacts both = Facts({Call("weather", R"({"city":"Ulm"})")});
  both.text = leaked.text;
  EXPECT_EQ(Rule(both).result, Result::kRejected);
  const GuardRuling ruling = Rule(both, {.text_is_final = true});
  EXPECT_EQ(ruling.result, Result::kPassed);
  EXPECT_EQ(ruling.verdict.verdict, v1::TOOL_CALL_VERDICT_LEAKED);
}

TEST_F(RulingTest, WantsAValidCallWhereOnlyCallsAreWanted) {
  const GuardSituation calls_only{.calls_only = true};
  EXPECT_EQ(Rule(Facts({}, "stop"), calls_only).result, Result::kRejected);
  EXPECT_EQ(Rule(Facts({Call("weather", "{")}, "length"), calls_only).result, Result::kRejected);
  EXPECT_EQ(Rule(Facts({Call("ping", "{}")}), calls_only).result, Result::kPassed);
}

// --- the hold, behind the reader whose events it takes ---

std::string Chunk(const std::string& delta, const std::string& finish = "null", int choice = 0) {
  return absl::StrCat(
      R"(data: {"id":"up","object":"chat.completion.chunk","created":1,"model":"x",)",
      R"("choices":[{"index":)", choice, R"(,"delta":)", delta, R"(,"finish_reason":)", finish,
      "}]}\n\n");
}
// `first`: members that only the first fragment of a call has; empty = a later one.
std::string CallChunk(int index, const std::string& first, const std::string& arguments) {
  return Chunk(absl::StrCat(R"({"tool_calls":[{"index":)", index, first, R"(,"function":{)",
                            first.empty() ? "" : R"("name":"weather",)", R"("arguments":)",
                            json(arguments).dump(), "}}]}"));
}

// What a client puts together from the events.
struct Client {
  std::string text;
  std::vector<json> calls;
  std::string finish;
  std::string order;  // t text, c call, f finish

  explicit Client(const std::string& events) {
    size_t at = 0;
    while (at < events.size()) {
      const size_t end = events.find("\n\n", at);
      EXPECT_NE(end, std::string::npos);
      EXPECT_EQ(events.substr(at, 6), "data: ");
      const json event = json::parse(events.substr(at + 6, end - at - 6));
      EXPECT_EQ(event["id"], "gen-1");
      EXPECT_EQ(event["model"], "m/one");
      Take(event["choices"][0]);
      at = end + 2;
    }
  }

 private:
  void Take(const json& choice) {
    const json& delta = choice["delta"];
    if (delta.contains("content") && delta["content"].is_string() && delta["content"] != "") {
      text += delta["content"].get<std::string>();
      order += 't';
    }
    for (const json& call : delta.value("tool_calls", json::array())) {
      EXPECT_EQ(call["index"], calls.size()) << "indexes are dense and in order";
      EXPECT_EQ(call["type"], "function");
      calls.push_back(call);
      order += 'c';
    }
    if (choice["finish_reason"].is_string()) {
      finish = choice["finish_reason"];
      order += 'f';
    }
  }
};

class HoldTest : public ::testing::Test {
 protected:
  // Reads a provider's stream in two pieces; returns what the client gets before and after the end.
  std::string Before(absl::string_view stream, size_t cut, ToolCallHold* hold) {
    AnswerOptions options;
    options.generation_id = "gen-1";
    options.served_model = "m/one";
    options.provider_name = "P";
    options.stream = true;
    reader_ = DialectFor(config::v1::DIALECT_OPENAI).ReadAnswer(options, "text/event-stream");
    std::string all;
    for (const absl::string_view piece : {stream.substr(0, cut), stream.substr(cut)}) {
      std::string out;
      EXPECT_TRUE(reader_->Feed(piece, &out).ok());
      hold->Take(&out);
      all += out;
    }
    std::string out;
    EXPECT_TRUE(reader_->Finish(&out).ok());
    hold->Take(&out);
    return all + out;
  }
  std::unique_ptr<AnswerReader> reader_;
};

TEST_F(HoldTest, HoldsCallsAndNotTextHoweverTheBytesAreSplit) {
  const std::string stream =
      Chunk(R"({"role":"assistant","content":""})") + Chunk(R"({"content":"Let me "})") +
      CallChunk(0, R"(,"id":"c1","type":"function")", "") + CallChunk(0, "", "{\"city\":") +
      Chunk(R"({"content":"see."})") + CallChunk(0, "", "\"Ulm\"}") +
      CallChunk(1, R"(,"id":"c2","type":"function")", R"({"city":"Bern"})") +
      Chunk(R"({"content":" Done."})") + Chunk("{}", "\"tool_calls\"") + "data: [DONE]\n\n";
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    ToolCallHold hold(/*calls_only=*/false);
    const std::string before = Before(stream, cut, &hold);
    const Client early(before);
    ASSERT_EQ(early.text, "Let me see. Done.") << "cut at " << cut;
    ASSERT_EQ(early.order, "ttt") << "cut at " << cut;
    std::string after;
    hold.Release(reader_->facts(), {}, &after);
    const Client late(after);
    ASSERT_EQ(late.order, "ccf");
    ASSERT_EQ(late.calls[0]["function"]["arguments"], R"({"city":"Ulm"})");
    ASSERT_EQ(late.calls[1]["id"], "c2");
    ASSERT_EQ(late.finish, "tool_calls");
  }
}

TEST_F(HoldTest, SendsMendedArguments) {
  const std::string stream = CallChunk(0, R"(,"id":"c1","type":"function")", "{'city':") +
                             Chunk("{}", "\"tool_calls\"") + "data: [DONE]\n\n";
  ToolCallHold hold(false);
  EXPECT_EQ(Before(stream, 0, &hold), "");
  std::string after;
  hold.Release(reader_->facts(), std::vector<std::string>{R"({"city":"Ulm"})"}, &after);
  EXPECT_EQ(Client(after).calls[0]["function"]["arguments"], R"({"city":"Ulm"})");
  EXPECT_NE(after.find(R"("role":"assistant")"), std::string::npos)
      << "the first delta names the role";
}

TEST_F(HoldTest, ClosesGapsInTheProvidersIndexes) {
  const std::string stream = CallChunk(3, R"(,"id":"c1","type":"function")", "{}") +
                             CallChunk(7, R"(,"id":"c2","type":"function")", "{}") +
                             Chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
  ToolCallHold hold(false);
  Before(stream, 0, &hold);
  std::string after;
  hold.Release(reader_->facts(), {}, &after);
  EXPECT_EQ(Client(after).calls.size(), 2u);
  EXPECT_EQ(Client(after).finish, "tool_calls");
}

TEST_F(HoldTest, SplitsADeltaThatHoldsTextAndACall) {
  const std::string stream =
      Chunk(R"({"role":"assistant","content":"Hi","tool_calls":[{"index":0,"id":"c1",)"
            R"("type":"function","function":{"name":"weather","arguments":"{}"},)"
            R"("extra_content":{"signature":"s"}}]})") +
      Chunk(R"({"content":"!"})", "\"tool_calls\"") + "data: [DONE]\n\n";
  ToolCallHold hold(false);
  const std::string before = Before(stream, 0, &hold);
  EXPECT_EQ(Client(before).order, "tt") << "the end waits for the call";
  EXPECT_EQ(before.find("weather"), std::string::npos);
  std::string after;
  hold.Release(reader_->facts(), {}, &after);
  const Client late(after);
  EXPECT_EQ(late.order, "cf");
  EXPECT_EQ(late.calls[0]["extra_content"]["signature"], "s") << "what the provider wants back";
}

TEST_F(HoldTest, DropsTextWhereOnlyCallsAreWanted) {
  const std::string stream = Chunk(R"({"role":"assistant","content":"Once more"})") +
                             CallChunk(0, R"(,"id":"c1","type":"function")", "{}") +
                             Chunk("{}", "\"tool_calls\"") + "data: [DONE]\n\n";
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    ToolCallHold hold(/*calls_only=*/true);
    ASSERT_EQ(Before(stream, cut, &hold), "");
    std::string after;
    hold.Release(reader_->facts(), {}, &after);
    ASSERT_EQ(Client(after).order, "cf");
    ASSERT_EQ(after.find("role"), std::string::npos) << "the message has begun long ago";
  }
}

TEST_F(HoldTest, LeavesOtherEventsByteForByte) {
  const std::string event = Chunk(R"({"content":"the word \"tool_calls\" in quotes"})");
  std::string events = event + event;
  ToolCallHold hold(false);
  hold.Take(&events);
  EXPECT_EQ(events, event + event);
}

TEST(MendCompletion, ReplacesTheArgumentsAndNothingElse) {
  const std::string completion =
      R"({"id":"gen-1","model":"m/one","choices":[{"index":0,"message":{"role":"assistant","content":null,)"
      R"("tool_calls":[{"id":"c0","type":"function","function":{"name":"weather","arguments":"{'city':1"}},)"
      R"({"id":"c1","type":"function","function":{"name":"ping","arguments":"{}"}}]},"logprobs":null,)"
      R"("finish_reason":"tool_calls"}],"system_fingerprint":null})";
  const AnswerFacts facts = Facts({Call("weather", "{'city':1"), Call("ping", "{}", 1)});
  const std::vector<std::string> arguments = {R"({"city":"Ulm"})", "{}"};
  json expected = json::parse(completion);
  expected["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = arguments[0];
  const std::string mended = MendCompletion(completion, facts, arguments);
  EXPECT_EQ(json::parse(mended), expected);
  EXPECT_EQ(mended.back(), '}');
}

}  // namespace
}  // namespace signalbox::provider_adapter
