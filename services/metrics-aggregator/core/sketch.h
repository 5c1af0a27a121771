// Percentiles from counted cells: cell c holds the values in (1.1^(c-1), 1.1^c], and stands for
// their midpoint in ratio, which is at most 4.8 % off. Cells of any number of writers and buckets
// add up to the cells of all values together.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_SKETCH_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_SKETCH_H_

#include <array>
#include <cstdint>

#include "common/store/window_counts.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

// Values outside (0.02, 1.9e8) go to the first or last cell: a unit is chosen so that none of ours
// do.
inline constexpr int32_t kFirstCell = -40;
inline constexpr int32_t kLastCell = 200;

// REQUIRES: value > 0.
int32_t CellOf(double value);
double ValueOf(int32_t cell);

// A sum of many distributions: merging sparse ones one by one costs an allocation each, counting
// into an array does not.
class DenseCells {
 public:
  void Add(const store::Cells& cells);
  // REQUIRES: kFirstCell <= cell <= kLastCell.
  void Add(int32_t cell, int64_t amount) {
    counts_.data()[cell - kFirstCell] += amount;
    total_ += amount;
  }
  int64_t total() const { return total_; }
  // The value below which the share `q` (0..1) of all lies; 0 without any.
  double Quantile(double q) const;
  metrics::v1::Percentiles Percentiles() const;
  // For what is better the larger it is: p90 is reached by 90 % at least.
  metrics::v1::Percentiles ReachedBy() const;

 private:
  std::array<int64_t, kLastCell - kFirstCell + 1> counts_{};
  int64_t total_ = 0;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_SKETCH_H_
