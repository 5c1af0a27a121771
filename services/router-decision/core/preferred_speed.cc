#include "services/router-decision/core/preferred_speed.h"

#include "absl/strings/str_format.h"

namespace signalbox::router_decision {
namespace {

using Bounds = router::v1::ProviderPreferences::PercentileBounds;
using metrics::v1::EndpointScore;
using metrics::v1::Percentiles;

struct Percentile {
  const char* name;
  bool (Bounds::*bounded)() const;
  double (Bounds::*bound)() const;
  double (Percentiles::*value)() const;
};
constexpr Percentile kPercentiles[] = {
    {"p50", &Bounds::has_p50, &Bounds::p50, &Percentiles::p50},
    {"p75", &Bounds::has_p75, &Bounds::p75, &Percentiles::p75},
    {"p90", &Bounds::has_p90, &Bounds::p90, &Percentiles::p90},
    {"p99", &Bounds::has_p99, &Bounds::p99, &Percentiles::p99},
};

struct Miss {
  const Percentile* percentile = nullptr;  // nullptr: all bounds hold
  double value = 0;                        // 0 = unknown
  double bound = 0;
};

template <typename Holds>
Miss FirstMiss(const Bounds& bounds, const Percentiles& values, Holds holds) {
  for (const Percentile& percentile : kPercentiles) {
    if (!(bounds.*percentile.bounded)()) continue;
    const double value = (values.*percentile.value)();
    const double bound = (bounds.*percentile.bound)();
    if (value <= 0 || !holds(value, bound)) return {&percentile, value, bound};
  }
  return {};
}

Miss ThroughputMiss(const Bounds& bounds, const EndpointScore& score) {
  return FirstMiss(bounds, score.throughput_5m_tps(),
                   [](double value, double bound) { return value >= bound; });
}

Miss LatencyMiss(const Bounds& bounds, const EndpointScore& score) {
  return FirstMiss(bounds, score.ttft_5m_ms(),
                   [](double value, double bound) { return value <= bound; });
}

const EndpointScore& OrUnknown(const EndpointScore* score) {
  return score == nullptr ? EndpointScore::default_instance() : *score;
}

bool AnyBound(const Bounds& bounds) {
  return bounds.has_p50() || bounds.has_p75() || bounds.has_p90() || bounds.has_p99();
}

}  // namespace

PreferredSpeed::PreferredSpeed(const router::v1::ProviderPreferences& preferences)
    : preferences_(preferences),
      any_(AnyBound(preferences.preferred_min_throughput_tps()) ||
           AnyBound(preferences.preferred_max_latency_ms())) {}

bool PreferredSpeed::HeldBy(const EndpointScore* score) const {
  if (!any_) return true;
  const EndpointScore& known = OrUnknown(score);
  return ThroughputMiss(preferences_.preferred_min_throughput_tps(), known).percentile == nullptr &&
         LatencyMiss(preferences_.preferred_max_latency_ms(), known).percentile == nullptr;
}

std::string PreferredSpeed::Explain(const EndpointScore* score) const {
  const EndpointScore& known = OrUnknown(score);
  Miss miss = ThroughputMiss(preferences_.preferred_min_throughput_tps(), known);
  if (miss.percentile != nullptr) {
    if (miss.value <= 0) {
      return absl::StrFormat("%s throughput unknown, at least %.1f tokens/s preferred",
                             miss.percentile->name, miss.bound);
    }
    return absl::StrFormat("%s throughput %.1f tokens/s < %.1f preferred", miss.percentile->name,
                           miss.value, miss.bound);
  }
  miss = LatencyMiss(preferences_.preferred_max_latency_ms(), known);
  if (miss.percentile == nullptr) return "";
  if (miss.value <= 0) {
    return absl::StrFormat("%s time to first token unknown, at most %.0f ms preferred",
                           miss.percentile->name, miss.bound);
  }
  return absl::StrFormat("%s time to first token %.0f ms > %.0f preferred", miss.percentile->name,
                         miss.value, miss.bound);
}

}  // namespace signalbox::router_decision
