// What the estimator wants of a bucket, small enough to keep weeks of them.
//
// Pure.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TALLY_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TALLY_H_

#include <cstdint>

#include "common/store/window_counts.h"

namespace signalbox::metrics_aggregator {

struct Tally {
  int64_t index = 0;  // of the bucket in its resolution
  int64_t requests = 0;
  int64_t ok = 0;
  int64_t fail = 0;
  int64_t rate_limited = 0;
  int64_t tool_requests = 0;
  int64_t tool_bad = 0;
  int64_t free_offered = 0;
  int64_t free_called = 0;
  int64_t cost_nano = 0;
  int64_t list_cost_nano = 0;

  int64_t attempts() const { return ok + fail; }
};

inline void AddTo(const store::WindowCounts& counts, Tally* tally) {
  using store::Count;
  tally->requests += counts[Count::kRequests];
  tally->ok += counts[Count::kOk];
  tally->fail += counts[Count::kFail];
  tally->rate_limited += counts[Count::kRateLimited];
  tally->tool_requests += counts[Count::kToolRequests];
  tally->tool_bad += counts[Count::kToolBad];
  tally->free_offered += counts[Count::kFreeOffered];
  tally->free_called += counts[Count::kFreeCalled];
  tally->cost_nano += counts[Count::kCostNano];
  tally->list_cost_nano += counts[Count::kListCostNano];
}

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TALLY_H_
