// How often an endpoint calls a tool when the choice is its own, against its model's other
// endpoints: an endpoint may be schema-perfect and still call where others answer, or answer where
// others call (measured among vendors of one model by MoonshotAI's K2 Vendor Verifier, 2025).
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_PEERS_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_PEERS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace signalbox::metrics_aggregator {

struct PeerOptions {
  size_t min_peers = 4;       // endpoints with enough answers to compare, this one included
  int64_t min_offered = 100;  // answers that make an endpoint comparable
  double min_sigmas = 4;
  double min_difference = 0.1;
};

struct CallCounts {
  int64_t offered = 0;
  int64_t called = 0;
};

// For each endpoint of one model: how far its share of calls lies from the median of the
// comparable ones, 0 where that may be chance or is small.
std::vector<double> CallExcess(const std::vector<CallCounts>& endpoints,
                               const PeerOptions& options);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_PEERS_H_
