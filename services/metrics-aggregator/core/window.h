// The buckets of one endpoint as the publisher remembers them, and their sums over the last 5
// minutes to 1 day.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_WINDOW_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_WINDOW_H_

#include <map>
#include <vector>

#include "absl/time/time.h"
#include "common/store/window_bucket.h"
#include "common/store/window_counts.h"

namespace signalbox::metrics_aggregator {

// How far back each resolution is read and remembered.
constexpr absl::Duration Span(store::Resolution resolution) {
  switch (resolution) {
    case store::Resolution::kTenSeconds:
      return absl::Minutes(5);
    case store::Resolution::kMinute:
      return absl::Hours(2);
    case store::Resolution::kHour:
      return absl::Hours(24);
  }
  return absl::ZeroDuration();
}

// What is written within this time of a bucket's end counts as on time: readers look back so far by
// default, and writers announce anything older as late.
inline constexpr absl::Duration kLateAfter = absl::Minutes(1);

class EndpointWindow {
 public:
  // Replaces the bucket.
  void Set(store::BucketId id, store::WindowCounts counts);
  // Forgets what lies before the spans.
  void Trim(absl::Time now);

  // Sums over the last `span`, the running bucket included: the counters alone, or the
  // distributions too.
  store::WindowCounts SumCounts(store::Resolution resolution, absl::Duration span,
                                absl::Time now) const;
  store::WindowCounts Sum(store::Resolution resolution, absl::Duration span, absl::Time now) const;
  // Buckets of one resolution by index, ascending.
  std::vector<std::pair<store::BucketId, const store::WindowCounts*>> Buckets(
      store::Resolution resolution) const;
  bool empty() const { return buckets_.empty(); }

 private:
  template <typename Visit>
  void ForEach(store::Resolution resolution, absl::Duration span, absl::Time now,
               Visit visit) const;

  std::map<store::BucketId, store::WindowCounts> buckets_;  // empty ones are not kept
};

// Everything an endpoint's scores are made of.
std::vector<store::BucketId> AllBuckets(absl::Time now);
// What may have changed since a read at `last_read`.
std::vector<store::BucketId> RecentBuckets(absl::Time last_read, absl::Time now);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_WINDOW_H_
