#include "tests/provider-fleet/script.h"

#include <gtest/gtest.h>

#include "tests/provider-fleet/script_writer.h"

namespace signalbox::fleet {
namespace {

constexpr int64_t kMs = 1'000'000;

class FleetScript : public testing::Test {
 protected:
  Script Write(const Fault* fault = nullptr) {
    Rng rng(1);
    ChatRequest request;
    request.stream = stream_;
    Answer answer;
    answer.text = TokensOfWords("one two three four");
    answer.usage.completion = 4;
    return WriteScript(request, behaviour_, fault, answer, {"0123456789abcdef", "m", 1, false},
                       time_scale_, rng);
  }

  bool stream_ = true;
  double time_scale_ = 1;
  Behaviour behaviour_;
};

TEST_F(FleetScript, PacesTokensFromTheFirst) {
  behaviour_.ttft_ms = {100, 0};
  behaviour_.tokens_per_second = {50, 0};
  const Script script = Write();
  ASSERT_EQ(script.steps.size(), 4u);
  EXPECT_EQ(script.steps[0].at_ns, 100 * kMs);
  EXPECT_EQ(script.steps[1].at_ns, 120 * kMs);
  EXPECT_EQ(script.steps[3].at_ns, 160 * kMs);
  EXPECT_EQ(script.steps.back().end, script.bytes.size());
}

TEST_F(FleetScript, TimeScaleDividesEveryDelay) {
  behaviour_.ttft_ms = {100, 0};
  behaviour_.tokens_per_second = {50, 0};
  time_scale_ = 20;
  EXPECT_EQ(Write().steps[1].at_ns, 6 * kMs);
}

TEST_F(FleetScript, EarlyHeadComesAtOnce) {
  behaviour_.ttft_ms = {100, 0};
  behaviour_.early_head = true;
  const Script script = Write();
  EXPECT_EQ(script.steps[0].at_ns, 0);
  EXPECT_NE(script.bytes.substr(0, script.steps[0].end).find("\"role\":\"assistant\""),
            std::string::npos);
  EXPECT_EQ(script.steps[1].at_ns, 100 * kMs);
}

TEST_F(FleetScript, CommentsFillTheWaitForTheFirstToken) {
  behaviour_.ttft_ms = {100, 0};
  behaviour_.comments = 4;
  const Script script = Write();
  ASSERT_EQ(script.steps.size(), 5u);
  EXPECT_EQ(script.steps[0].at_ns, 0);
  EXPECT_EQ(script.steps[3].at_ns, 75 * kMs);
  EXPECT_EQ(script.steps[4].at_ns, 100 * kMs);
  EXPECT_EQ(script.bytes.substr(0, script.steps[3].end).find("data:"), std::string::npos);
}

TEST_F(FleetScript, ConnectionsCanEndWithoutAWord) {
  behaviour_.keep_alive = false;
  EXPECT_EQ(Write().end, Script::End::kClose);
  EXPECT_EQ(Write().bytes.find("onnection:"), std::string::npos);
}

TEST_F(FleetScript, WholeAnswersTakeAsLongAsTheirTokens) {
  stream_ = false;
  behaviour_.ttft_ms = {100, 0};
  behaviour_.tokens_per_second = {40, 0};
  EXPECT_EQ(Write().steps[0].at_ns, 200 * kMs);
}

TEST_F(FleetScript, BurstsAreOneWrite) { EXPECT_EQ(Write().steps.size(), 1u); }

TEST_F(FleetScript, StallsForATimeWhenOneIsGiven) {
  Fault fault;
  fault.kind = FaultKind::kStallAfter;
  fault.after_events = 2;
  fault.stall_ms = 500;
  const Script script = Write(&fault);
  ASSERT_EQ(script.steps.size(), 2u);
  EXPECT_EQ(script.steps[1].at_ns, 500 * kMs);
  EXPECT_NE(script.bytes.substr(0, script.steps[0].end).find(" two"), std::string::npos);
  EXPECT_EQ(script.bytes.substr(0, script.steps[0].end).find(" three"), std::string::npos);
  EXPECT_EQ(script.end, Script::End::kKeepAlive);
}

TEST_F(FleetScript, DripsOneByteAtATime) {
  Fault fault;
  fault.kind = FaultKind::kSlowDrip;
  fault.after_events = 0;
  fault.interval_ms = 2;
  const Script script = Write(&fault);
  ASSERT_EQ(script.steps.size(), script.bytes.size());
  EXPECT_EQ(script.steps[9].end, 10u);
  EXPECT_EQ(script.steps[9].at_ns, 20 * kMs);
}

TEST_F(FleetScript, DripsAfterSomeEvents) {
  Fault fault;
  fault.kind = FaultKind::kSlowDrip;
  fault.after_events = 2;
  const Script script = Write(&fault);
  const std::string first = script.bytes.substr(0, script.steps[0].end);
  EXPECT_NE(first.find(" two"), std::string::npos);
  EXPECT_EQ(first.find(" three"), std::string::npos);
  EXPECT_EQ(script.steps[1].end, script.steps[0].end + 1);
}

TEST_F(FleetScript, SplitsChunksAnywhere) {
  behaviour_.split_bytes = 7;
  const Script script = Write();
  EXPECT_NE(script.bytes.find("\r\n\r\n7\r\ndata: {\r\n7\r\n"), std::string::npos) << script.bytes;
  EXPECT_EQ(script.bytes.substr(script.bytes.size() - 5), "0\r\n\r\n");
}

TEST_F(FleetScript, GroupsEventsIntoChunks) {
  behaviour_.chunk_events = 100;
  const Script script = Write();
  const size_t body = script.bytes.find("\r\n\r\n") + 4;
  const size_t line_end = script.bytes.find("\r\n", body);
  const size_t size = std::stoul(script.bytes.substr(body, line_end - body), nullptr, 16);
  EXPECT_EQ(script.bytes.substr(line_end + 2 + size), "\r\n0\r\n\r\n");
}

TEST(FleetScriptBytes, TruncateDropsStepsBehindTheCut) {
  Script script;
  script.Add("abc", 1);
  script.Add("def", 2);
  script.Add("ghi", 3);
  script.Truncate(4);
  ASSERT_EQ(script.steps.size(), 2u);
  EXPECT_EQ(script.steps[1].end, 4u);
  EXPECT_EQ(script.end_at_ns, 2);
  script.Truncate(0);
  EXPECT_TRUE(script.steps.empty());
}

TEST(FleetEventList, ReplacesTheBytesOfOneEvent) {
  EventList events;
  for (const char* text : {"one", "two", "three"}) {
    events.bytes() += text;
    events.Close(EventList::Kind::kToken);
  }
  events.Replace(1, "twenty");
  EXPECT_EQ(events.Event(1), "twenty");
  EXPECT_EQ(events.Event(2), "three");
  events.Truncate(1);
  EXPECT_EQ(events.bytes(), "one");
}

}  // namespace
}  // namespace signalbox::fleet
