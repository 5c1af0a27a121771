#include "common/store/window_bucket.h"

#include <gtest/gtest.h>

namespace signalbox::store {
namespace {

TEST(WindowBucket, CoversItsTime) {
  const absl::Time time = absl::FromUnixSeconds(1'700'000'019);
  for (Resolution resolution : kResolutions) {
    const BucketId id = BucketId::At(resolution, time);
    EXPECT_LE(id.start(), time);
    EXPECT_GT(id.end(), time);
    EXPECT_EQ(id.end() - id.start(), absl::Seconds(WidthSeconds(resolution)));
  }
}

TEST(WindowBucket, AddsADeltaToEveryResolutionOnce) {
  WindowDelta delta;
  for (int64_t bucket = 170'000'000; bucket < 170'000'400; ++bucket) {
    delta[bucket][Count::kRequests] = 2;
    delta[bucket].ttft.Add(5, 1);
  }
  int64_t sums[3] = {};
  int64_t cells[3] = {};
  for (const auto& [id, counts] : BucketsOf(delta)) {
    sums[static_cast<int>(id.resolution)] += counts[Count::kRequests];
    cells[static_cast<int>(id.resolution)] += counts.ttft.total();
  }
  for (int64_t sum : sums) EXPECT_EQ(sum, 800);
  EXPECT_EQ(cells[0], 400);
  EXPECT_EQ(cells[1], 400);
  EXPECT_EQ(cells[2], 0);  // hours hold counters only
}

}  // namespace
}  // namespace signalbox::store
