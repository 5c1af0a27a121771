#include "services/metrics-aggregator/core/estimator.h"

#include <gtest/gtest.h>

#include "services/metrics-aggregator/core/sketch.h"

namespace signalbox::metrics_aggregator {
namespace {

using store::BucketId;
using store::Count;
using store::Resolution;
using store::WindowCounts;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'007);

void Put(EndpointWindow* window, absl::Duration ago, int64_t ok, int64_t fail,
         int64_t limited = 0) {
  WindowCounts counts;
  counts[Count::kRequests] = ok + fail + limited;
  counts[Count::kOk] = ok;
  counts[Count::kFail] = fail;
  counts[Count::kRateLimited] = limited;
  counts[Count::kToolRequests] = ok;
  counts[Count::kToolBad] = ok / 10;
  for (Resolution resolution : store::kResolutions)
    window->Set(BucketId::At(resolution, kNow - ago), counts);
}

TEST(Estimator, CountsByWindow) {
  EndpointWindow window;
  Put(&window, absl::ZeroDuration(), 100, 5, 3);
  Put(&window, absl::Minutes(20), 200, 10);
  Put(&window, absl::Minutes(100), 400, 20);
  Put(&window, absl::Hours(20), 800, 40);
  const auto score = Estimate("m@p", window, kNow, {});
  EXPECT_EQ(score.endpoint_id(), "m@p");
  EXPECT_EQ(score.attempts_5m(), 105);
  EXPECT_EQ(score.failures_5m(), 5);
  EXPECT_EQ(score.rate_limited_5m(), 3);
  EXPECT_EQ(score.attempts_30m(), 315);
  EXPECT_EQ(score.failures_30m(), 15);
  EXPECT_EQ(score.requests_30m(), 318);
  EXPECT_EQ(score.tool_requests_2h(), 700);
  EXPECT_EQ(score.tool_failures_2h(), 70);
  EXPECT_EQ(score.benchmark(), -1);
}

TEST(Estimator, SeesAnOutageOnlyWhereMuchFailed) {
  EndpointWindow window;
  Put(&window, absl::Seconds(40), 2, 2);
  EXPECT_EQ(Estimate("m@p", window, kNow, {}).last_outage_unix_ms(), 0);
  Put(&window, absl::Seconds(60), 100, 10);
  EXPECT_EQ(Estimate("m@p", window, kNow, {}).last_outage_unix_ms(), 0);
  Put(&window, absl::Seconds(80), 3, 3);
  const BucketId id = BucketId::At(Resolution::kTenSeconds, kNow - absl::Seconds(80));
  EXPECT_EQ(Estimate("m@p", window, kNow, {}).last_outage_unix_ms(), absl::ToUnixMillis(id.end()));
  Put(&window, absl::ZeroDuration(), 0, 3);
  EXPECT_EQ(Estimate("m@p", window, kNow, {}).last_outage_unix_ms(), absl::ToUnixMillis(kNow));
}

TEST(Estimator, TakesPercentilesOfHalfAnHour) {
  EndpointWindow window;
  for (int minute = 0; minute < 60; ++minute) {
    WindowCounts counts;
    counts.throughput.Add(CellOf(minute < 30 ? 100 : 10), 5);
    counts.ttft.Add(CellOf(minute < 30 ? 300 : 9000), 5);
    window.Set(BucketId::At(Resolution::kMinute, kNow - absl::Minutes(minute)), counts);
  }
  const auto score = Estimate("m@p", window, kNow, {});
  EXPECT_NEAR(score.throughput_tps().p50(), 100, 5);
  EXPECT_NEAR(score.ttft_ms().p99(), 300, 15);
}

TEST(Estimator, SaysNothingOfAnEmptyWindow) {
  const auto score = Estimate("m@p", EndpointWindow(), kNow, {});
  EXPECT_EQ(score.attempts_1d(), 0);
  EXPECT_EQ(score.throughput_tps().p50(), 0);
  EXPECT_EQ(score.last_outage_unix_ms(), 0);
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
