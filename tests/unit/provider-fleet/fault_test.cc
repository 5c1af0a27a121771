// Each fault as a client sees it.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/provider-fleet/raw_client.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;
using End = Response::End;

constexpr char kFleet[] = R"(
defaults: {reply: "one two three four"}
providers:
  o: {endpoints: {m: }}
  a: {dialect: anthropic, endpoints: {m: }}
  p: {own_port: true, endpoints: {m: }}
)";

constexpr char kStream[] = R"("stream":true)";

class FleetFault : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fleet_ = StartFleet(kFleet)); }

  void Arm(const std::string& fault) {
    const absl::Status set =
        fleet_->roster().Set("*", "*", absl::StrCat("faults: [{", fault, "}]"));
    ASSERT_TRUE(set.ok()) << set;
  }

  Response Whole() {
    return Post(fleet_->port(), "/o/v1/chat/completions", Chat(), "", kSilenceMs);
  }
  Response Stream() {
    return Post(fleet_->port(), "/o/v1/chat/completions", Chat(kStream), "", kSilenceMs);
  }
  Response AnthropicStream() {
    return Post(fleet_->port(), "/a/v1/messages", Chat(R"("stream":true,"max_tokens":99)"), "",
                kSilenceMs);
  }

  // How long "never" is.
  static constexpr int kSilenceMs = 150;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetFault, ResetBeforeAnyByte) {
  Arm("kind: reset_before");
  const Response response = Whole();
  EXPECT_EQ(response.end, End::kReset);
  EXPECT_TRUE(response.head.empty());
}

TEST_F(FleetFault, ResetAfterSomeEvents) {
  Arm("kind: reset_after, after_events: 2");
  const Response response = Stream();
  EXPECT_EQ(response.end, End::kReset);
  EXPECT_EQ(response.Content(), "one two");
  EXPECT_EQ(Whole().end, End::kReset);
}

TEST_F(FleetFault, ResetAfterSomeBytes) {
  Arm("kind: reset_after, after_bytes: 10");
  const Response response = Stream();
  EXPECT_EQ(response.end, End::kReset);
  EXPECT_TRUE(response.head.empty());
  EXPECT_EQ(response.reads, 1u);
}

TEST_F(FleetFault, StallNeverAnswers) {
  Arm("kind: stall");
  const Response response = Stream();
  EXPECT_EQ(response.end, End::kTimeout);
  EXPECT_EQ(response.reads, 0u);
}

TEST_F(FleetFault, StallAfterStopsInTheMiddle) {
  Arm("kind: stall_after, after_events: 3");
  const Response response = Stream();
  EXPECT_EQ(response.end, End::kTimeout);
  EXPECT_EQ(response.Content(), "one two three");
  Arm("kind: stall_after, after_events: 0");
  const Response opening = Stream();
  EXPECT_EQ(opening.end, End::kTimeout);
  EXPECT_EQ(opening.Events().size(), 1u);  // the role
}

TEST_F(FleetFault, SlowDripSendsByteByByte) {
  Arm("kind: slow_drip, interval_ms: 1");
  const Response response = Whole();
  EXPECT_EQ(response.end, End::kComplete);
  EXPECT_GT(response.reads, 20u);  // late timers send several at once
}

TEST_F(FleetFault, StatusHasTheProvidersBody) {
  Arm("kind: status, status: 429, retry_after: 7");
  const Response response = Stream();
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.Header("retry-after"), "7");
  EXPECT_EQ(response.Json()["error"]["code"], "rate_limit_exceeded");
  Arm("kind: status, status: 529");
  EXPECT_EQ(AnthropicStream().Json()["error"]["type"], "overloaded_error");
  Arm("kind: status, status: 400");
  EXPECT_EQ(Whole().Json()["error"]["code"], "context_length_exceeded");
  Arm("kind: status, status: 503, message: gone fishing");
  EXPECT_EQ(Whole().Json()["error"]["message"], "gone fishing");
}

TEST_F(FleetFault, RetryAfterComesInEveryForm) {
  Arm("kind: status, status: 429, retry_after: http-date");
  EXPECT_NE(Whole().Header("retry-after").find(" GMT"), std::string::npos);
  Arm("kind: status, status: 429, retry_after: garbage");
  EXPECT_EQ(Whole().Header("retry-after"), "in a little while");
}

TEST_F(FleetFault, Error200IsAnErrorInDisguise) {
  Arm("kind: error_200");
  const Response response = Stream();
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.Json().contains("error"));
}

TEST_F(FleetFault, ErrorsCanBeEvents) {
  Arm("kind: error_first_event");
  ASSERT_EQ(Stream().Events().size(), 1u);
  EXPECT_TRUE(Stream().Events()[0].contains("error"));
  EXPECT_EQ(AnthropicStream().body.substr(0, 13), "event: error\n");
  Arm("kind: error_event, after_events: 2");
  const Response response = Stream();
  EXPECT_EQ(response.Content(), "one two");
  EXPECT_TRUE(response.Events().back().contains("error"));
  EXPECT_FALSE(response.Done());
}

TEST_F(FleetFault, Html200IsAPage) {
  Arm("kind: html_200");
  EXPECT_EQ(Stream().Header("content-type"), "text/html; charset=utf-8");
}

TEST_F(FleetFault, WrongContentTypeLiesOrSendsTheOtherShape) {
  Arm("kind: wrong_content_type, variant: mislabelled");
  EXPECT_EQ(Stream().Header("content-type"), "application/json");
  EXPECT_TRUE(Stream().Done());
  Arm("kind: wrong_content_type, variant: other_body");
  EXPECT_EQ(Stream().Json()["object"], "chat.completion");
  EXPECT_TRUE(Whole().Done());
}

TEST_F(FleetFault, BrokenSseHasOneBadEvent) {
  Arm("kind: broken_sse, variant: invalid_json, after_events: 1");
  const Response response = Stream();
  int bad = 0;
  for (const json& event : response.Events()) bad += event.is_discarded();
  EXPECT_EQ(bad, 1);
  EXPECT_EQ(response.Content(), "one three four");
  Arm("kind: broken_sse, variant: missing_blank_line, after_events: 1");
  EXPECT_NE(Stream().body.find("}\ndata:"), std::string::npos);
  EXPECT_TRUE(Whole().Json().is_discarded());
}

TEST_F(FleetFault, CutStreamEndsWithoutFinish) {
  Arm("kind: cut_stream, after_events: 2");
  const Response clean = Stream();
  EXPECT_EQ(clean.end, End::kComplete);
  EXPECT_EQ(clean.Content(), "one two");
  EXPECT_FALSE(clean.Done());
  Arm("kind: cut_stream, after_events: 2, clean: false");
  EXPECT_EQ(Stream().end, End::kClosed);
  EXPECT_EQ(Whole().end, End::kClosed);
}

TEST_F(FleetFault, EmptySaysNothing) {
  Arm("kind: empty");
  const json body = Whole().Json();
  EXPECT_EQ(body["choices"][0]["message"]["content"], "");
  EXPECT_EQ(body["choices"][0]["finish_reason"], nullptr);
  EXPECT_EQ(body["usage"]["completion_tokens"], 0);
  EXPECT_TRUE(Stream().Done());
  EXPECT_EQ(AnthropicStream().Events().size(), 3u);
}

TEST_F(FleetFault, HugeEventIsHuge) {
  Arm("kind: huge_event, bytes: 300000");
  const Response response = Stream();
  EXPECT_EQ(response.Content().size(), 300000 + std::string("one two three four").size());
}

TEST_F(FleetFault, UsageMissing) {
  Arm("kind: usage_missing");
  EXPECT_FALSE(Whole().Json().contains("usage"));
  EXPECT_EQ(AnthropicStream().body.find("usage"), std::string::npos);
}

TEST_F(FleetFault, RefusingClosesThePortAndOpensItAgain) {
  Roster& roster = fleet_->roster();
  const int port = roster.Find("p")->port();
  ASSERT_NE(port, fleet_->port());
  RawClient idle(port);
  ASSERT_TRUE(idle.connected());
  ASSERT_TRUE(roster.Set("p", "*", "refuse: true").ok());
  EXPECT_FALSE(RawClient(port).connected());
  EXPECT_NE(idle.Read(1000).end, End::kTimeout);
  ASSERT_TRUE(roster.Set("p", "*", "refuse: false").ok());
  EXPECT_EQ(Post(port, "/p/v1/chat/completions", Chat()).status, 200);
  EXPECT_FALSE(roster.Set("o", "*", "refuse: true").ok());
}

TEST_F(FleetFault, RefusalsFollowTheClock) {
  Roster& roster = fleet_->roster();
  const int port = roster.Find("p")->port();
  ASSERT_TRUE(roster.Set("p", "*", "faults: [{kind: refuse, from: 1000, until: 2000}]").ok());
  EXPECT_TRUE(RawClient(port).connected());
  roster.Advance(1000);
  EXPECT_FALSE(RawClient(port).connected());
  roster.Advance(1000);
  EXPECT_TRUE(RawClient(port).connected());
}

TEST_F(FleetFault, ComesAtItsRate) {
  Arm("kind: status, status: 500, probability: 0.3");
  RawClient client(fleet_->port());
  int failed = 0;
  for (int i = 0; i < 1000; ++i) {
    client.Send(PostBytes("/o/v1/chat/completions", Chat()));
    failed += client.Read().status == 500;
  }
  EXPECT_NEAR(failed / 1000.0, 0.3, 0.05);
}

}  // namespace
}  // namespace signalbox::fleet
