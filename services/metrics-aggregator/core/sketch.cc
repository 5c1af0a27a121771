#include "services/metrics-aggregator/core/sketch.h"

#include <algorithm>
#include <cmath>

namespace signalbox::metrics_aggregator {
namespace {

constexpr double kRatio = 1.1;
// Values on a cell's upper edge must not slip into the next one by rounding.
constexpr double kEdgeTolerance = 1e-9;

}  // namespace

int32_t CellOf(double value) {
  const double cell = std::ceil(std::log(value) / std::log(kRatio) - kEdgeTolerance);
  return static_cast<int32_t>(std::clamp<double>(cell, kFirstCell, kLastCell));
}

double ValueOf(int32_t cell) { return 2 * std::pow(kRatio, cell) / (kRatio + 1); }

double Quantile(const store::Cells& cells, double q) {
  const int64_t total = cells.total();
  if (total <= 0) return 0;
  const int64_t rank =
      std::max<int64_t>(1, std::llround(std::ceil(q * static_cast<double>(total))));
  int64_t below = 0;
  for (const auto& [cell, amount] : cells.entries()) {
    below += amount;
    if (below >= rank) return ValueOf(cell);
  }
  return ValueOf(cells.entries().back().first);
}

metrics::v1::Percentiles PercentilesOf(const store::Cells& cells) {
  metrics::v1::Percentiles percentiles;
  percentiles.set_p50(Quantile(cells, 0.50));
  percentiles.set_p75(Quantile(cells, 0.75));
  percentiles.set_p90(Quantile(cells, 0.90));
  percentiles.set_p99(Quantile(cells, 0.99));
  return percentiles;
}

}  // namespace signalbox::metrics_aggregator
