#include "services/metrics-aggregator/core/window.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace signalbox::metrics_aggregator {
namespace {

using store::BucketId;
using store::Count;
using store::Resolution;
using store::WindowCounts;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'007);

WindowCounts N(int64_t n) {
  WindowCounts counts;
  counts[Count::kRequests] = n;
  return counts;
}

TEST(EndpointWindow, SumsTheRunningBucketAndThoseOfTheSpan) {
  EndpointWindow window;
  for (int i = 0; i < 60; ++i) {
    BucketId id = BucketId::At(Resolution::kTenSeconds, kNow);
    id.index -= i;
    window.Set(id, N(1));
  }
  EXPECT_EQ(window.Sum(Resolution::kTenSeconds, absl::Minutes(5), kNow).requests, 30);
  EXPECT_EQ(window.Sum(Resolution::kTenSeconds, absl::Seconds(10), kNow).requests, 1);
  EXPECT_EQ(window.Sum(Resolution::kTenSeconds, absl::Minutes(5), kNow + absl::Minutes(4)).requests,
            6);
  EXPECT_EQ(window.Sum(Resolution::kMinute, absl::Minutes(5), kNow).requests, 0);
}

TEST(EndpointWindow, ReplacesBucketsAndForgetsEmptyAndOldOnes) {
  EndpointWindow window;
  const BucketId id = BucketId::At(Resolution::kMinute, kNow);
  window.Set(id, N(3));
  window.Set(id, N(5));
  EXPECT_EQ(window.Sum(Resolution::kMinute, absl::Hours(2), kNow).requests, 5);
  window.Trim(kNow + absl::Minutes(178));
  EXPECT_FALSE(window.empty());
  window.Trim(kNow + absl::Minutes(180));
  EXPECT_TRUE(window.empty());
  window.Set(id, N(5));
  window.Set(id, WindowCounts());
  EXPECT_TRUE(window.empty());
}

TEST(EndpointWindow, SumsDistributionsLikeCounters) {
  EndpointWindow window;
  WindowCounts sum;
  for (int i = 0; i < 30; ++i) {
    BucketId id = BucketId::At(Resolution::kMinute, kNow);
    id.index -= i;
    WindowCounts counts = N(i);
    counts.ttft.Add(i % 7, i + 1);
    counts.throughput.Add(i % 5 - 2, 1);
    sum.Add(counts);
    window.Set(id, counts);
  }
  DenseCells ttft;
  DenseCells throughput;
  window.SumCells(Resolution::kMinute, kNow, &ttft, &throughput);
  DenseCells expected;
  expected.Add(sum.ttft);
  EXPECT_EQ(ttft.total(), sum.ttft.total());
  EXPECT_EQ(throughput.total(), sum.throughput.total());
  for (double q : {0.01, 0.3, 0.5, 0.9, 0.99}) EXPECT_EQ(ttft.Quantile(q), expected.Quantile(q));
}

TEST(EndpointWindow, AddingIsSettingTheSum) {
  EndpointWindow added;
  EndpointWindow set;
  std::map<BucketId, WindowCounts> sums;
  for (int i : {5, 0, 3, 5, 1, 0, 9}) {
    BucketId id = BucketId::At(Resolution::kTenSeconds, kNow);
    id.index -= i;
    WindowCounts counts = N(i + 1);
    counts.ttft.Add(i, 1);
    added.Add(id, counts);
    WindowCounts& sum = sums[id];
    sum.Add(counts);
    set.Set(id, sum);
  }
  for (int seconds : {10, 40, 100}) {
    const auto of = [&](const EndpointWindow& window) {
      return window.Sum(Resolution::kTenSeconds, absl::Seconds(seconds), kNow).requests;
    };
    EXPECT_EQ(of(added), of(set)) << seconds;
  }
  DenseCells a, b, unused;
  added.SumCells(Resolution::kTenSeconds, kNow, &a, &unused);
  set.SumCells(Resolution::kTenSeconds, kNow, &b, &unused);
  EXPECT_EQ(a.total(), b.total());
  for (double q : {0.1, 0.5, 0.9}) EXPECT_EQ(a.Quantile(q), b.Quantile(q));
}

TEST(Buckets, AllOfThemCoverEverySpan) {
  const auto ids = AllBuckets(kNow);
  EXPECT_EQ(ids.size(), 120u + 179u + 767u);
  EXPECT_EQ(std::set<BucketId>(ids.begin(), ids.end()).size(), ids.size());
}

TEST(Buckets, RecentOnesCoverWhatMayHaveChanged) {
  const auto ids = RecentBuckets(kNow - absl::Seconds(1), kNow);
  EXPECT_LT(ids.size(), 14u);
  // A write on time goes to a bucket that ended less than kLateAfter before the last read.
  for (absl::Duration before = absl::ZeroDuration(); before <= kLateAfter;
       before += absl::Seconds(1)) {
    for (Resolution resolution : store::kResolutions) {
      const BucketId id = BucketId::At(resolution, kNow - before);
      EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 1) << before;
    }
  }
  EXPECT_EQ(RecentBuckets(absl::InfinitePast(), kNow).size(), AllBuckets(kNow).size());
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
