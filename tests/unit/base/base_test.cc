#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/rng.h"

namespace signalbox {
namespace {

TEST(ParseUsdToPico, ReadsExactDecimals) {
  const struct {
    const char* text;
    int64_t pico;
  } cases[] = {
      {"0", 0},
      {"0.0000008", 800'000},
      {"1", 1'000'000'000'000},
      {"2.5", 2'500'000'000'000},
      {"0.000000000001", 1},
      {"0.0000000000010000", 1},
      {"00.10", 100'000'000'000},
      {"9000000", 9'000'000'000'000'000'000},
  };
  for (const auto& c : cases) {
    const absl::StatusOr<int64_t> pico = ParseUsdToPico(c.text);
    ASSERT_TRUE(pico.ok()) << c.text << ": " << pico.status();
    EXPECT_EQ(*pico, c.pico) << c.text;
  }
}

TEST(ParseUsdToPico, RefusesEverythingElse) {
  for (const char* text : {"", "-1", "+1", ".5", "1.", "1e-6", "0x1", " 1", "1 ", "1,5", "NaN",
                           "0.0000000000001", "9000001", "99999999999999999999"}) {
    EXPECT_FALSE(ParseUsdToPico(text).ok()) << '"' << text << '"';
  }
}

TEST(PicoToDecimal, IsTheInverseOfParsing) {
  Rng rng(7);
  for (int i = 0; i < 10'000; ++i) {
    const int64_t pico =
        static_cast<int64_t>(rng.Below(9'000'000'000'000'000'000u) >> rng.Below(63));
    EXPECT_EQ(ParseUsdToPico(PicoToDecimal(pico)).value(), pico);
  }
}

TEST(CostSum, RoundsHalfUpOnce) {
  const struct {
    int64_t pico;
    int64_t nano;
  } cases[] = {{0, 0}, {499, 0}, {500, 1}, {1'499, 1}, {1'500, 2}, {999'999, 1'000}};
  for (const auto& c : cases) {
    CostSum sum;
    sum.Add(c.pico, 1);
    EXPECT_EQ(sum.Rounded().value, c.nano) << c.pico;
  }
  CostSum parts;  // three thirds of a nano-USD make one, not zero
  for (int i = 0; i < 3; ++i) parts.Add(334, 1);
  EXPECT_EQ(parts.Rounded().value, 1);
}

TEST(CostSum, SurvivesTheLargestFactors) {
  CostSum sum;
  sum.Add(9'000'000'000'000'000'000, int64_t{1} << 40);
  EXPECT_EQ(sum.Rounded().value, std::numeric_limits<int64_t>::max());
}

TEST(CostSum, MarksUpExactly) {
  CostSum sum;
  sum.Add(1'000'000, 1'000);  // 1 mUSD = 1,000,000 nano
  sum.MarkUp(550);            // 5.5 %
  EXPECT_EQ(sum.Rounded().value, 1'055'000);
  CostSum unchanged;
  unchanged.Add(1'500, 1);
  unchanged.MarkUp(0);
  EXPECT_EQ(unchanged.Rounded().value, 2);
}

TEST(NanoToDecimal, IsShortestExact) {
  EXPECT_EQ(NanoToDecimal(NanoUsd{0}), "0");
  EXPECT_EQ(NanoToDecimal(NanoUsd{1'500}), "0.0000015");
  EXPECT_EQ(NanoToDecimal(NanoUsd{-2'000'000'000}), "-2");
  EXPECT_EQ(NanoToDecimal(NanoUsd{std::numeric_limits<int64_t>::min()}), "-9223372036.854775808");
}

TEST(Ids, HaveTheirShapeAndDoNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = NewGenerationId(absl::FromUnixSeconds(1'700'000'000));
    EXPECT_THAT(id, testing::MatchesRegex("gen-1700000000-[0-9A-Za-z]{20}"));
    EXPECT_TRUE(seen.insert(id).second);
    const std::string key = NewClientKey();
    EXPECT_THAT(key, testing::MatchesRegex("sk-sb-v1-[0-9a-f]{64}"));
    EXPECT_TRUE(seen.insert(key).second);
  }
}

TEST(Sha256Hex, MatchesThePublishedVector) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Rng, IsReproducibleAndRoughlyUniform) {
  Rng a(42), b(42), c(43);
  EXPECT_EQ(a(), b());
  EXPECT_NE(a(), c());
  int buckets[10] = {};
  for (int i = 0; i < 100'000; ++i) ++buckets[a.Below(10)];
  for (const int n : buckets) EXPECT_NEAR(n, 10'000, 500);
  for (int i = 0; i < 1'000; ++i) {
    const double x = a.Uniform();
    EXPECT_GE(x, 0);
    EXPECT_LT(x, 1);
  }
}

TEST(Backoff, StaysWithinItsGrowingBound) {
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1), Rng(3));
  absl::Duration bound = absl::Milliseconds(100);
  for (int i = 0; i < 10; ++i) {
    const absl::Duration delay = backoff.Next();
    EXPECT_GT(delay, absl::ZeroDuration());
    EXPECT_LE(delay, bound);
    bound = std::min(bound * 2, absl::Seconds(1));
  }
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Milliseconds(100));
}

TEST(FakeClock, MovesOnlyWhenTold) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Now() - start, absl::Seconds(5));
  EXPECT_EQ(clock.Monotonic(), absl::Seconds(5));
}

}  // namespace
}  // namespace signalbox
