// The buckets of one endpoint as the publisher remembers them: whole ones, with distributions, for
// the last half hour, and tallies of all others up to a month back.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_WINDOW_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_WINDOW_H_

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "common/store/window_bucket.h"
#include "common/store/window_counts.h"
#include "services/metrics-aggregator/core/sketch.h"
#include "services/metrics-aggregator/core/tally.h"

namespace signalbox::metrics_aggregator {

// How far back tallies of each resolution are remembered.
constexpr absl::Duration Span(store::Resolution resolution) {
  switch (resolution) {
    case store::Resolution::kTenSeconds:
      return absl::Minutes(20);
    case store::Resolution::kMinute:
      return absl::Minutes(179);
    case store::Resolution::kHour:
      return absl::Hours(32 * 24 - 1);
  }
  return absl::ZeroDuration();
}

// How far back the distributions are.
constexpr absl::Duration CellSpan(store::Resolution resolution) {
  switch (resolution) {
    case store::Resolution::kTenSeconds:
      return absl::Minutes(5);
    case store::Resolution::kMinute:
      return absl::Minutes(30);
    case store::Resolution::kHour:
      return absl::ZeroDuration();
  }
  return absl::ZeroDuration();
}

// What is written within this time of a bucket's end counts as on time: readers look back so far by
// default, and writers announce anything older as late.
inline constexpr absl::Duration kLateAfter = absl::Minutes(1);

class EndpointWindow {
 public:
  // Replaces the bucket.
  void Set(store::BucketId id, const store::WindowCounts& counts);
  // Adds to the bucket.
  void Add(store::BucketId id, const store::WindowCounts& counts);
  // Forgets what lies before the spans.
  void Trim(absl::Time now);

  // Sum over the last `span`, the running bucket included.
  TallySum Sum(store::Resolution resolution, absl::Duration span, absl::Time now) const;
  // The distributions over the last CellSpan.
  void SumCells(store::Resolution resolution, absl::Time now, DenseCells* ttft,
                DenseCells* throughput) const;
  // By index, ascending; empty ones are not kept.
  const std::vector<Tally>& tallies(store::Resolution resolution) const {
    return tallies_[static_cast<size_t>(resolution)];
  }
  bool empty() const;

 private:
  // Both distributions of a bucket in one piece of memory: summing them all up waits for memory and
  // nothing else.
  struct PackedCell {
    int16_t cell;
    bool is_throughput;
    int32_t amount;
  };
  using PackedCells = std::vector<PackedCell>;
  static void Pack(const store::WindowCounts& counts, PackedCells* packed);
  static void PackOne(const store::Cells& cells, bool is_throughput, PackedCells* packed);
  Tally& TallyOf(store::BucketId id);

  store::BucketId trimmed_at_{store::Resolution::kTenSeconds, INT64_MIN};
  std::array<std::vector<Tally>, 3> tallies_;
  std::map<store::BucketId, PackedCells> cells_;
};

// Everything an endpoint's scores are made of.
std::vector<store::BucketId> AllBuckets(absl::Time now);
// What may have changed since a read at `last_read`.
std::vector<store::BucketId> RecentBuckets(absl::Time last_read, absl::Time now);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_WINDOW_H_
