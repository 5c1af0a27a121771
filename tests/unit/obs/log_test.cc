#include "common/obs/log.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace signalbox::obs {
namespace {

class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    SetLogLevel(kInfo);
    SetLogService("");
  }
  nlohmann::json Last() const { return nlohmann::json::parse(lines_.back()); }

  std::vector<std::string> lines_;
  ScopedLogSink sink_{[this](absl::string_view line) { lines_.emplace_back(line); }};
};

TEST_F(LogTest, WritesOneJsonObjectPerEvent) {
  SetLogService("ingress");
  Log(kWarning, "upstream_error")
      .With("provider", "acme")
      .With("status", 503)
      .With("bytes", uint64_t{18446744073709551615u})
      .With("delta", int64_t{-5})
      .With("ratio", 0.5)
      .With("retry", true)
      .With("waited", absl::Milliseconds(1500))
      .With("error", absl::UnavailableError("refused"));
  ASSERT_EQ(lines_.size(), 1u);
  const nlohmann::json line = Last();
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["service"], "ingress");
  EXPECT_EQ(line["event"], "upstream_error");
  EXPECT_EQ(line["provider"], "acme");
  EXPECT_EQ(line["status"], 503);
  EXPECT_EQ(line["bytes"], 18446744073709551615u);
  EXPECT_EQ(line["delta"], -5);
  EXPECT_EQ(line["ratio"], 0.5);
  EXPECT_EQ(line["retry"], true);
  EXPECT_EQ(line["waited_ms"], 1500);
  EXPECT_EQ(line["error"], "UNAVAILABLE: refused");
  EXPECT_EQ(line["time"].get<std::string>().back(), 'Z');
}

TEST_F(LogTest, EscapesEverythingThatWouldBreakALine) {
  std::string hostile = "quote\" back\\ line\n return\r tab\t bell\a nul";
  hostile.push_back('\0');
  hostile += "\x7f é 漢 😀 \xff\xc0\xaf \xed\xa0\x80 end";
  Log(kInfo, "event").With("k\"ey\n", hostile);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].find('\n'), std::string::npos);
  const nlohmann::json line = Last();  // throws when it is not JSON or not UTF-8
  const std::string value = line["k\"ey\n"];
  EXPECT_NE(value.find("quote\" back\\ line\n return\r tab\t bell\a nul"), std::string::npos);
  EXPECT_NE(value.find("é 漢 😀 \uFFFD\uFFFD\uFFFD \uFFFD\uFFFD\uFFFD end"), std::string::npos)
      << value;
}

TEST_F(LogTest, CutsLongValuesAtACharacter) {
  std::string text(Log::kMaxValueBytes - 1, 'a');
  text += "é and much more";
  Log(kInfo, "event").With("text", text);
  EXPECT_EQ(Last()["text"], std::string(Log::kMaxValueBytes - 1, 'a') + "…");
}

TEST_F(LogTest, BoundsTheWholeLine) {
  {
    Log log(kInfo, "event");
    for (int i = 0; i < 100; ++i) log.With("key", std::string(1000, '\x01'));
  }
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_LE(lines_[0].size(), Log::kMaxLineBytes);
  EXPECT_EQ(Last()["truncated"], true);
}

TEST_F(LogTest, WritesNumbersThatAreNotFiniteAsNull) {
  Log(kInfo, "event")
      .With("nan", std::numeric_limits<double>::quiet_NaN())
      .With("forever", absl::InfiniteDuration());
  EXPECT_TRUE(Last()["nan"].is_null());
  EXPECT_TRUE(Last()["forever_ms"].is_null());
}

TEST_F(LogTest, LevelChangesWhileRunning) {
  Log(kDebug, "hidden");
  EXPECT_TRUE(lines_.empty());
  SetLogLevel(kDebug);
  Log(kDebug, "shown");
  EXPECT_EQ(lines_.size(), 1u);
  SetLogLevel(kError);
  Log(kWarning, "hidden");
  EXPECT_EQ(lines_.size(), 1u);
}

TEST_F(LogTest, LevelNamesRoundTrip) {
  for (const Level level : {kDebug, kInfo, kWarning, kError})
    EXPECT_EQ(ParseLevel(LevelName(level)), level);
  EXPECT_FALSE(ParseLevel("INFO").has_value());
}

TEST_F(LogTest, ARepeatedTroubleLogsOncePerIntervalWithACount) {
  FakeClock clock;
  LogEvery every(absl::Seconds(10), clock);
  for (int i = 0; i < 5; ++i) Log(kWarning, "redis_unreachable", every);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_FALSE(Last().contains("suppressed"));
  clock.Advance(absl::Seconds(10));
  Log(kWarning, "redis_unreachable", every);
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(Last()["suppressed"], 4);
}

}  // namespace
}  // namespace signalbox::obs
