// Outcomes -> what they add to their endpoints' buckets.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_FOLD_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_FOLD_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/store/window_counts.h"
#include "signalbox/common/v1/outcome.pb.h"

namespace signalbox::metrics_aggregator {

// What an attempt says about its endpoint.
enum class Standing {
  kOk,           // it answered (an invalid tool call is an answer; it counts in the tool signals)
  kFail,         // it failed by its own fault
  kRateLimited,  // 429
  kNothing,      // the request's fault, ours, or the client went away
};
Standing StandingOf(common::v1::Reason failure);

// What one outcome adds.
store::WindowCounts Fold(const common::v1::Outcome& outcome);

using EndpointDeltas = absl::flat_hash_map<std::string, store::WindowCounts>;

// Adds every delta of `from`.
void Merge(const EndpointDeltas& from, EndpointDeltas* into);

// Fit to be part of a Redis key and a metric label: 1 to 200 printable ASCII characters without
// braces.
bool IsEndpointId(absl::string_view id);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_FOLD_H_
