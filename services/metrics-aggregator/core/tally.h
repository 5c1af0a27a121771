// What the estimator wants of a bucket, small enough to keep weeks of them.
//
// Pure.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TALLY_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TALLY_H_

#include <cstdint>

#include "common/store/window_counts.h"

namespace signalbox::metrics_aggregator {

template <typename Count>
struct BasicTally {
  int64_t index = 0;  // of the bucket in its resolution
  int64_t cost_nano = 0;
  int64_t list_cost_nano = 0;
  Count requests = 0;
  Count ok = 0;
  Count fail = 0;
  Count rate_limited = 0;
  Count tool_requests = 0;
  Count tool_bad = 0;
  Count free_offered = 0;
  Count free_called = 0;

  Count attempts() const { return ok + fail; }

  template <typename Other>
  void Add(const BasicTally<Other>& other) {
    cost_nano += other.cost_nano;
    list_cost_nano += other.list_cost_nano;
    requests += other.requests;
    ok += other.ok;
    fail += other.fail;
    rate_limited += other.rate_limited;
    tool_requests += other.tool_requests;
    tool_bad += other.tool_bad;
    free_offered += other.free_offered;
    free_called += other.free_called;
  }
};

// Of a bucket: an hour would have to hold two billion outcomes of one endpoint to overflow it.
using Tally = BasicTally<int32_t>;
using TallySum = BasicTally<int64_t>;

inline void AddTo(const store::WindowCounts& counts, Tally* tally) {
  const auto add = [&](store::Count count, int32_t* to) {
    *to += static_cast<int32_t>(counts[count]);
  };
  add(store::Count::kRequests, &tally->requests);
  add(store::Count::kOk, &tally->ok);
  add(store::Count::kFail, &tally->fail);
  add(store::Count::kRateLimited, &tally->rate_limited);
  add(store::Count::kToolRequests, &tally->tool_requests);
  add(store::Count::kToolBad, &tally->tool_bad);
  add(store::Count::kFreeOffered, &tally->free_offered);
  add(store::Count::kFreeCalled, &tally->free_called);
  tally->cost_nano += counts[store::Count::kCostNano];
  tally->list_cost_nano += counts[store::Count::kListCostNano];
}

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TALLY_H_
