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

double ValueOf(int32_t cell) {
  static const auto* const values = [] {
    auto* table = new std::array<double, kLastCell - kFirstCell + 1>();
    for (int32_t c = kFirstCell; c <= kLastCell; ++c)
      (*table)[static_cast<size_t>(c - kFirstCell)] = 2 * std::pow(kRatio, c) / (kRatio + 1);
    return table;
  }();
  return (*values)[static_cast<size_t>(std::clamp(cell, kFirstCell, kLastCell) - kFirstCell)];
}

void DenseCells::Add(const store::Cells& cells) {
  for (const auto& [cell, amount] : cells.entries())
    Add(std::clamp(cell, kFirstCell, kLastCell), amount);
}

double DenseCells::Quantile(double q) const {
  if (total_ <= 0) return 0;
  const int64_t rank =
      std::max<int64_t>(1, std::llround(std::ceil(q * static_cast<double>(total_))));
  int64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below >= rank) return ValueOf(kFirstCell + static_cast<int32_t>(i));
  }
  return ValueOf(kLastCell);
}

metrics::v1::Percentiles DenseCells::Percentiles() const {
  metrics::v1::Percentiles percentiles;
  percentiles.set_p50(Quantile(0.50));
  percentiles.set_p75(Quantile(0.75));
  percentiles.set_p90(Quantile(0.90));
  percentiles.set_p99(Quantile(0.99));
  return percentiles;
}

metrics::v1::Percentiles DenseCells::ReachedBy() const {
  metrics::v1::Percentiles percentiles;
  percentiles.set_p50(Quantile(0.50));
  percentiles.set_p75(Quantile(0.25));
  percentiles.set_p90(Quantile(0.10));
  percentiles.set_p99(Quantile(0.01));
  return percentiles;
}

}  // namespace signalbox::metrics_aggregator
