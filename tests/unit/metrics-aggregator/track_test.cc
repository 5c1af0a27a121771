#include "services/metrics-aggregator/core/track.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/base/rng.h"

namespace signalbox::metrics_aggregator {
namespace {

constexpr double kBucketSeconds = 10;

// Feeds buckets of `per_bucket` outcomes at the rate; returns how many outcomes were fed until the
// alarm state became `until`, or -1 if it did not.
int FeedUntil(bool until, double rate, int per_bucket, int buckets, Rng* rng, Track* track) {
  for (int b = 0; b < buckets; ++b) {
    int bad = 0;
    for (int i = 0; i < per_bucket; ++i) bad += rng->Uniform() < rate ? 1 : 0;
    track->Advance(kBucketSeconds);
    track->Observe(per_bucket, bad, true);
    if (track->alarmed() == until) return (b + 1) * per_bucket;
  }
  return -1;
}

void Feed(double rate, int per_bucket, int buckets, Rng* rng, Track* track) {
  for (int b = 0; b < buckets; ++b) FeedUntil(false, rate, per_bucket, 1, rng, track);
}

TEST(Track, StartsAtThePriorAndComesToTheRateItSees) {
  const TrackOptions options;
  Track track(options);
  EXPECT_DOUBLE_EQ(track.belief().mean(), options.prior_mean);
  EXPECT_DOUBLE_EQ(track.belief().weight(), options.prior_weight);
  Rng rng(1);
  Feed(0.02, 20, 300, &rng, &track);
  EXPECT_NEAR(track.belief().mean(), 0.02, 0.006);
  EXPECT_GT(track.belief().weight(), 1000);
}

TEST(Track, MoreOutcomesMakeItMoreCertainUpToABound) {
  TrackOptions options;
  options.max_weight = 500;
  Track track(options);
  Rng rng(2);
  double before = track.belief().weight();
  for (int round = 0; round < 3; ++round) {
    Feed(0.05, 10, 10, &rng, &track);
    EXPECT_GT(track.belief().weight(), before);
    before = track.belief().weight();
  }
  Feed(0.05, 50, 500, &rng, &track);
  // The recent ones are counted once more.
  EXPECT_LT(track.belief().weight(), options.max_weight + 50 * 70);
}

TEST(Track, ForgetsWithTimeAndNeverBelowThePrior) {
  const TrackOptions options;
  Track track(options);
  Rng rng(3);
  Feed(0.2, 20, 200, &rng, &track);
  const double fresh = track.belief().weight();
  track.Advance(3600 * 24 * 8);
  const Belief old = track.belief();
  EXPECT_LT(old.weight(), fresh / 3);
  EXPECT_NEAR(old.mean(), 0.2, 0.06);
  track.Advance(3600.0 * 24 * 10'000);
  EXPECT_NEAR(track.belief().weight(), options.prior_weight, 2);
}

TEST(Track, ABreakdownRaisesTheAlarmWithinAFewOutcomes) {
  const TrackOptions options;
  std::vector<int> taken;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    Track track(options);
    Feed(0.005, 10, 100, &rng, &track);
    if (track.alarmed()) continue;
    const int outcomes = FeedUntil(true, 0.5, 2, 100, &rng, &track);
    ASSERT_GT(outcomes, 0) << "seed " << seed;
    taken.push_back(outcomes);
    EXPECT_GT(track.belief().mean(), 0.08) << "seed " << seed;
  }
  std::sort(taken.begin(), taken.end());
  EXPECT_LE(taken[taken.size() / 2], 10);
  EXPECT_LE(taken[taken.size() * 9 / 10], 16);
}

TEST(Track, ATenfoldRateRaisesTheAlarmToo) {
  const TrackOptions options;
  int missed = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    Rng rng(seed);
    Track track(options);
    Feed(0.01, 10, 100, &rng, &track);
    if (FeedUntil(true, 0.12, 10, 30, &rng, &track) < 0) ++missed;
  }
  EXPECT_LE(missed, 5);
}

TEST(Track, FalseAlarmsAreRarerThanOneInAHundredThousandOutcomes) {
  const TrackOptions options;
  for (double rate : {0.001, 0.005, 0.02, 0.1}) {
    int alarms = 0;
    constexpr int kTracks = 40;
    constexpr int kOutcomes = 20'000;
    for (uint64_t seed = 1; seed <= kTracks; ++seed) {
      Rng rng(seed);
      Track track(options);
      bool before = false;
      for (int i = 0; i < kOutcomes / 10; ++i) {
        Feed(rate, 10, 1, &rng, &track);
        if (track.alarmed() && !before) ++alarms;
        before = track.alarmed();
      }
    }
    // 800,000 outcomes: eight would be the limit.
    EXPECT_LE(alarms, 8) << "rate " << rate;
  }
}

TEST(Track, AnAlarmEndsWhenCallsAreGoodAgainAndTheOldBeliefReturns) {
  const TrackOptions options;
  Rng rng(5);
  Track track(options);
  Feed(0.005, 10, 300, &rng, &track);
  ASSERT_GT(FeedUntil(true, 0.5, 5, 50, &rng, &track), 0);
  const int outcomes = FeedUntil(false, 0, 1, 100, &rng, &track);
  EXPECT_GT(outcomes, 2);
  EXPECT_LT(outcomes, 20);
  EXPECT_LT(track.belief().mean(), 0.02);
}

TEST(Track, ABreakInTheMidstOfABusyBucketDoesNotDelayTheRecovery) {
  const TrackOptions options;
  Rng rng(6);
  Track track(options);
  Feed(0.005, 100, 60, &rng, &track);
  ASSERT_FALSE(track.alarmed());
  track.Advance(kBucketSeconds);
  track.Observe(400, 40, true);  // one bad call in ten, seen from afar
  ASSERT_TRUE(track.alarmed());
  EXPECT_LT(FeedUntil(false, 0, 1, 100, &rng, &track), 25);
}

TEST(Track, ABrokenEndpointStaysUnderAlarm) {
  const TrackOptions options;
  int ended = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    Track track(options);
    Feed(0.005, 10, 300, &rng, &track);
    ASSERT_GT(FeedUntil(true, 0.5, 5, 50, &rng, &track), 0) << "seed " << seed;
    if (FeedUntil(false, 0.5, 1, 30, &rng, &track) > 0) ++ended;
  }
  EXPECT_LE(ended, 12);
}

TEST(Track, CoarseBucketsAddToTheMeanOnly) {
  const TrackOptions options;
  Track track(options);
  track.Observe(1000, 5, false);
  track.Observe(100, 90, false);
  EXPECT_FALSE(track.alarmed());
  EXPECT_NEAR(track.belief().mean(), 95.3 / 1104, 0.01);
}

TEST(Track, NothingSeenChangesNothing) {
  const TrackOptions options;
  Track track(options);
  track.Observe(0, 0, true);
  track.Advance(0);
  track.Advance(-5);
  EXPECT_DOUBLE_EQ(track.belief().weight(), options.prior_weight);
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
