#include "services/metrics-aggregator/core/window.h"

#include <algorithm>
#include <array>
#include <utility>

#include "services/metrics-aggregator/core/sketch.h"

namespace signalbox::metrics_aggregator {

using store::BucketId;
using store::Resolution;
using store::WindowCounts;

namespace {

// The first of the buckets that make up the last `span`.
BucketId FirstOf(Resolution resolution, absl::Duration span, absl::Time now) {
  BucketId id = BucketId::At(resolution, now);
  id.index -= absl::ToInt64Seconds(span) / store::WidthSeconds(resolution) - 1;
  return id;
}

// Merging many sparse distributions one by one costs an allocation each; counting into an array
// does not.
class DenseCells {
 public:
  void Add(const store::Cells& cells) {
    for (const auto& [cell, amount] : cells.entries()) {
      counts_[static_cast<size_t>(std::clamp(cell, kFirstCell, kLastCell) - kFirstCell)] += amount;
    }
  }
  void AppendTo(store::Cells* cells) const {
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) cells->Add(kFirstCell + static_cast<int32_t>(i), counts_[i]);
    }
  }

 private:
  std::array<int64_t, kLastCell - kFirstCell + 1> counts_{};
};

void AppendRange(BucketId first, absl::Time now, std::vector<BucketId>* ids) {
  const int64_t last = BucketId::At(first.resolution, now).index;
  for (BucketId id = first; id.index <= last; ++id.index) ids->push_back(id);
}

}  // namespace

void EndpointWindow::Set(BucketId id, WindowCounts counts) {
  if (counts.empty()) {
    buckets_.erase(id);
  } else {
    buckets_[id] = std::move(counts);
  }
}

void EndpointWindow::Trim(absl::Time now) {
  for (Resolution resolution : store::kResolutions) {
    const auto begin = buckets_.lower_bound(BucketId{resolution, INT64_MIN});
    buckets_.erase(begin, buckets_.lower_bound(FirstOf(resolution, Span(resolution), now)));
  }
}

template <typename Visit>
void EndpointWindow::ForEach(Resolution resolution, absl::Duration span, absl::Time now,
                             Visit visit) const {
  const BucketId last = BucketId::At(resolution, now);
  for (auto it = buckets_.lower_bound(FirstOf(resolution, span, now));
       it != buckets_.end() && !(last < it->first); ++it) {
    visit(it->second);
  }
}

WindowCounts EndpointWindow::SumCounts(Resolution resolution, absl::Duration span,
                                       absl::Time now) const {
  WindowCounts sum;
  ForEach(resolution, span, now, [&sum](const WindowCounts& bucket) { sum.AddCounts(bucket); });
  return sum;
}

WindowCounts EndpointWindow::Sum(Resolution resolution, absl::Duration span, absl::Time now) const {
  WindowCounts sum;
  DenseCells ttft;
  DenseCells throughput;
  ForEach(resolution, span, now, [&](const WindowCounts& bucket) {
    sum.AddCounts(bucket);
    ttft.Add(bucket.ttft);
    throughput.Add(bucket.throughput);
  });
  ttft.AppendTo(&sum.ttft);
  throughput.AppendTo(&sum.throughput);
  return sum;
}

std::vector<std::pair<BucketId, const WindowCounts*>> EndpointWindow::Buckets(
    Resolution resolution) const {
  std::vector<std::pair<BucketId, const WindowCounts*>> buckets;
  for (auto it = buckets_.lower_bound(BucketId{resolution, INT64_MIN});
       it != buckets_.end() && it->first.resolution == resolution; ++it) {
    buckets.emplace_back(it->first, &it->second);
  }
  return buckets;
}

std::vector<BucketId> AllBuckets(absl::Time now) {
  std::vector<BucketId> ids;
  for (Resolution resolution : store::kResolutions)
    AppendRange(FirstOf(resolution, Span(resolution), now), now, &ids);
  return ids;
}

std::vector<BucketId> RecentBuckets(absl::Time last_read, absl::Time now) {
  std::vector<BucketId> ids;
  for (Resolution resolution : store::kResolutions) {
    const BucketId oldest = FirstOf(resolution, Span(resolution), now);
    AppendRange(std::max(oldest, BucketId::At(resolution, last_read - kLateAfter)), now, &ids);
  }
  return ids;
}

}  // namespace signalbox::metrics_aggregator
