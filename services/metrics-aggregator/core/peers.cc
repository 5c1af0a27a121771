#include "services/metrics-aggregator/core/peers.h"

#include <algorithm>
#include <cmath>

#include "services/metrics-aggregator/core/exacto_rule.h"

namespace signalbox::metrics_aggregator {
namespace {

double ShareOf(const CallCounts& counts) {
  return static_cast<double>(counts.called) / static_cast<double>(counts.offered);
}

}  // namespace

std::vector<double> CallExcess(const std::vector<CallCounts>& endpoints,
                               const PeerOptions& options) {
  std::vector<double> excess(endpoints.size(), 0.0);
  std::vector<double> shares;
  for (const CallCounts& counts : endpoints) {
    if (counts.offered >= options.min_offered) shares.push_back(ShareOf(counts));
  }
  if (shares.size() < options.min_peers) return excess;
  const double median = SpreadOf(std::move(shares)).median;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    if (endpoints[i].offered < options.min_offered) continue;
    const double difference = std::abs(ShareOf(endpoints[i]) - median);
    // A share at the edge has no variance of its own: one outcome is taken as seen on each side.
    const auto offered = static_cast<double>(endpoints[i].offered);
    const double near = std::clamp(median, 1 / offered, 1 - 1 / offered);
    const double sigma = std::sqrt(near * (1 - near) / offered);
    if (difference > options.min_difference && difference > options.min_sigmas * sigma)
      excess[i] = difference;
  }
  return excess;
}

}  // namespace signalbox::metrics_aggregator
