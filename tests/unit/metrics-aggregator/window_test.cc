#include "services/metrics-aggregator/core/window.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(window.SumCounts(Resolution::kTenSeconds, absl::Minutes(5), kNow)[Count::kRequests],
            30);
  EXPECT_EQ(window.SumCounts(Resolution::kTenSeconds, absl::Seconds(10), kNow)[Count::kRequests],
            1);
  EXPECT_EQ(window.SumCounts(Resolution::kTenSeconds, absl::Minutes(5),
                             kNow + absl::Minutes(4))[Count::kRequests],
            6);
  EXPECT_EQ(window.SumCounts(Resolution::kMinute, absl::Minutes(5), kNow)[Count::kRequests], 0);
}

TEST(EndpointWindow, ReplacesBucketsAndForgetsEmptyAndOldOnes) {
  EndpointWindow window;
  const BucketId id = BucketId::At(Resolution::kMinute, kNow);
  window.Set(id, N(3));
  window.Set(id, N(5));
  EXPECT_EQ(window.SumCounts(Resolution::kMinute, absl::Hours(2), kNow)[Count::kRequests], 5);
  window.Trim(kNow + absl::Minutes(119));
  EXPECT_FALSE(window.empty());
  window.Trim(kNow + absl::Minutes(121));
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
  EXPECT_TRUE(window.Sum(Resolution::kMinute, absl::Minutes(30), kNow) == sum);
}

TEST(Buckets, AllOfThemCoverEverySpan) {
  const auto ids = AllBuckets(kNow);
  EXPECT_EQ(ids.size(), 30u + 120u + 24u);
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
