// However a provider cuts a tool call's arguments up, and whichever of its habits about index and
// id it follows, the client's concatenation equals the provider's JSON.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/json/writer.h"
#include "tests/unit/provider-adapter/dialects/canonical_check.h"
#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {
namespace {

struct Call {
  std::string id, name, arguments;
};

std::string RandomArguments(Rng& rng) {
  static const char* const kValues[] = {
      "1",  "\"a \\\"b\\\" é\"",     "null", "[1,{\"x\":\"}\"}]", "\"\\u00e9\\n\"",
      "{}", "\"data: [DONE]\\n\\n\""};
  std::string out = "{";
  for (uint64_t n = rng.Below(5), i = 0; i < n; ++i)
    absl::StrAppend(&out, i == 0 ? "" : ", ", "\"k", i, "\": ", kValues[rng.Below(7)]);
  return out + "}";
}

std::vector<Call> RandomCalls(Rng& rng) {
  std::vector<Call> calls;
  for (uint64_t n = 1 + rng.Below(4), i = 0; i < n; ++i)
    calls.push_back({absl::StrCat("call_", i), absl::StrCat("tool", i), RandomArguments(rng)});
  return calls;
}

// Habits: which members the later fragments repeat.
enum class Habit { kOpenAi, kRepeatsAll, kNoIndex, kWholeInFirst, kIdThenName };

std::string Chunk(const std::string& call) {
  return absl::StrCat("data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[", call,
                      "]},\"finish_reason\":null}]}\n\n");
}

std::string Fragment(const Call& call, size_t index, Habit habit, bool first,
                     const std::string& piece) {
  const bool head = first || habit == Habit::kRepeatsAll;
  json::Writer w;
  w.BeginObject();
  if (habit != Habit::kNoIndex) w.Key("index").UInt(index);
  if (head || habit == Habit::kNoIndex) w.Key("id").String(call.id);
  if (head) w.Key("type").String("function");
  w.Key("function").BeginObject();
  if (head && habit != Habit::kIdThenName) w.Key("name").String(call.name);
  w.Key("arguments").String(piece).EndObject().EndObject();
  return std::move(w).Take();
}

std::string OpenAiStream(const std::vector<Call>& calls, Habit habit, Rng& rng) {
  std::string body;
  std::vector<size_t> sent(calls.size(), 0);
  std::vector<bool> begun(calls.size(), false);
  for (size_t i = 0; i < calls.size(); ++i) {  // in order of appearance; the rest interleaves
    const size_t length = habit == Habit::kWholeInFirst ? calls[i].arguments.size()
                          : habit == Habit::kIdThenName ? 0
                                                        : rng.Below(4);
    body += Chunk(Fragment(calls[i], i, habit, true, calls[i].arguments.substr(0, length)));
    if (habit == Habit::kIdThenName)
      body += Chunk(
          absl::StrCat("{\"index\":", i, ",\"function\":{\"name\":\"", calls[i].name, "\"}}"));
    sent[i] = length;
  }
  for (bool left = true; left;) {
    left = false;
    for (size_t i = 0; i < calls.size(); ++i) {
      if (sent[i] >= calls[i].arguments.size()) continue;
      left = true;
      if (rng.Below(2) == 0) continue;
      // Whole UTF-8 characters only: that is what JSON strings can carry.
      size_t end = std::min(calls[i].arguments.size(), sent[i] + 1 + rng.Below(6));
      while (end < calls[i].arguments.size() && (calls[i].arguments[end] & 0xc0) == 0x80) ++end;
      body += Chunk(
          Fragment(calls[i], i, habit, false, calls[i].arguments.substr(sent[i], end - sent[i])));
      sent[i] = end;
    }
  }
  return body +
         "data: "
         "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: "
         "[DONE]\n\n";
}

std::string AnthropicStream(const std::vector<Call>& calls, Rng& rng) {
  std::string body = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\"}}\n\n";
  for (size_t i = 0; i < calls.size(); ++i) {
    absl::StrAppend(&body, "data: {\"type\":\"content_block_start\",\"index\":", i,
                    ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"", calls[i].id,
                    "\",\"name\":\"", calls[i].name, "\",\"input\":{}}}\n\n");
    for (size_t at = 0; at < calls[i].arguments.size();) {
      size_t end = std::min(calls[i].arguments.size(), at + 1 + rng.Below(6));
      while (end < calls[i].arguments.size() && (calls[i].arguments[end] & 0xc0) == 0x80) ++end;
      absl::StrAppend(&body, "data: {\"type\":\"content_block_delta\",\"index\":", i,
                      ",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":",
                      json::Quoted(calls[i].arguments.substr(at, end - at)), "}}\n\n");
      at = end;
    }
    absl::StrAppend(&body, "data: {\"type\":\"content_block_stop\",\"index\":", i, "}\n\n");
  }
  return body +
         "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\ndata: "
         "{\"type\":\"message_stop\"}\n\n";
}

void Check(config::v1::Dialect dialect, const std::string& body, const std::vector<Call>& calls) {
  for (bool stream : {true, false}) {
    const ReadResult result = Read(dialect, stream, "text/event-stream", body);
    ASSERT_TRUE(result.status.ok()) << result.status << "\n" << body;
    const ClientView view = stream ? ReadAsClient(result.out, TestOptions(true))
                                   : ReadCompletionAsClient(result.out, TestOptions(false));
    ASSERT_THAT(view.problems, testing::IsEmpty()) << body;
    const auto& seen = view.choices.at(0).tool_calls;
    ASSERT_EQ(seen.size(), calls.size()) << body;
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(seen.at(i)["id"], calls[i].id);
      EXPECT_EQ(seen.at(i)["name"], calls[i].name);
      EXPECT_EQ(seen.at(i)["arguments"], calls[i].arguments);
      EXPECT_EQ(result.facts.tool_calls[i].arguments, calls[i].arguments);
    }
    EXPECT_FALSE(result.facts.tool_stream_malformed);
  }
}

TEST(ToolArguments, ArriveUnchangedWhateverTheChunking) {
  constexpr uint64_t kSeed = 31337;
  SCOPED_TRACE(absl::StrCat("seed ", kSeed));
  Rng rng(kSeed);
  for (int round = 0; round < 150; ++round) {
    const std::vector<Call> calls = RandomCalls(rng);
    for (Habit habit : {Habit::kOpenAi, Habit::kRepeatsAll, Habit::kNoIndex, Habit::kWholeInFirst,
                        Habit::kIdThenName}) {
      Check(config::v1::DIALECT_OPENAI, OpenAiStream(calls, habit, rng), calls);
    }
    Check(config::v1::DIALECT_ANTHROPIC, AnthropicStream(calls, rng), calls);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace signalbox::provider_adapter
