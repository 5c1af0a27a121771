#include "services/metrics-aggregator/core/window.h"

#include <algorithm>

#include "absl/algorithm/container.h"

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

std::vector<Tally>::const_iterator LowerBound(const std::vector<Tally>& tallies, int64_t index) {
  return std::lower_bound(tallies.begin(), tallies.end(), index,
                          [](const Tally& tally, int64_t i) { return tally.index < i; });
}

void AppendRange(BucketId first, absl::Time now, std::vector<BucketId>* ids) {
  const int64_t last = BucketId::At(first.resolution, now).index;
  for (BucketId id = first; id.index <= last; ++id.index) ids->push_back(id);
}

}  // namespace

Tally& EndpointWindow::TallyOf(BucketId id) {
  std::vector<Tally>& tallies = tallies_[static_cast<size_t>(id.resolution)];
  if (tallies.empty() || tallies.back().index < id.index) {
    tallies.emplace_back().index = id.index;
    return tallies.back();
  }
  if (tallies.back().index == id.index) return tallies.back();
  const auto at = LowerBound(tallies, id.index);
  const auto offset = at - tallies.cbegin();
  if (at->index != id.index) tallies.insert(at, Tally())->index = id.index;
  return tallies[static_cast<size_t>(offset)];
}

void EndpointWindow::Pack(const WindowCounts& counts, PackedCells* packed) {
  packed->reserve(counts.ttft.entries().size() + counts.throughput.entries().size());
  PackOne(counts.ttft, false, packed);
  PackOne(counts.throughput, true, packed);
}

void EndpointWindow::PackOne(const store::Cells& cells, bool is_throughput, PackedCells* packed) {
  for (const auto& [cell, amount] : cells.entries()) {
    const auto number = static_cast<int16_t>(std::clamp(cell, kFirstCell, kLastCell));
    const auto same = absl::c_find_if(*packed, [&](const PackedCell& p) {
      return p.cell == number && p.is_throughput == is_throughput;
    });
    if (same != packed->end()) {
      same->amount += static_cast<int32_t>(amount);
    } else {
      packed->push_back({number, is_throughput, static_cast<int32_t>(amount)});
    }
  }
}

void EndpointWindow::Set(BucketId id, const WindowCounts& counts) {
  Tally tally;
  tally.index = id.index;
  AddTo(counts, &tally);
  cells_.erase(id);
  if (counts.empty()) {
    std::vector<Tally>& tallies = tallies_[static_cast<size_t>(id.resolution)];
    const auto at = LowerBound(tallies, id.index);
    if (at != tallies.end() && at->index == id.index) tallies.erase(at);
    return;
  }
  TallyOf(id) = tally;
  if (!counts.ttft.empty() || !counts.throughput.empty()) Pack(counts, &cells_[id]);
}

void EndpointWindow::Add(BucketId id, const WindowCounts& counts) {
  AddTo(counts, &TallyOf(id));
  if (id.resolution == Resolution::kHour || (counts.ttft.empty() && counts.throughput.empty()))
    return;
  Pack(counts, &cells_[id]);
}

void EndpointWindow::Trim(absl::Time now) {
  const BucketId running = BucketId::At(Resolution::kTenSeconds, now);
  if (running == trimmed_at_) return;  // nothing has left the spans since
  trimmed_at_ = running;
  for (Resolution resolution : store::kResolutions) {
    std::vector<Tally>& tallies = tallies_[static_cast<size_t>(resolution)];
    tallies.erase(tallies.begin(),
                  LowerBound(tallies, FirstOf(resolution, Span(resolution), now).index));
    cells_.erase(cells_.lower_bound(BucketId{resolution, INT64_MIN}),
                 cells_.lower_bound(FirstOf(resolution, CellSpan(resolution), now)));
  }
}

TallySum EndpointWindow::Sum(Resolution resolution, absl::Duration span, absl::Time now) const {
  const int64_t first = FirstOf(resolution, span, now).index;
  const int64_t last = BucketId::At(resolution, now).index;
  const std::vector<Tally>& all = tallies(resolution);
  TallySum sum;
  // From the newest back: the spans asked for are the last ones.
  for (auto it = all.rbegin(); it != all.rend() && it->index >= first; ++it) {
    if (it->index > last) continue;
    sum.Add(*it);
  }
  return sum;
}

void EndpointWindow::SumCells(Resolution resolution, absl::Time now, DenseCells* ttft,
                              DenseCells* throughput) const {
  const BucketId last = BucketId::At(resolution, now);
  for (auto it = cells_.lower_bound(FirstOf(resolution, CellSpan(resolution), now));
       it != cells_.end() && !(last < it->first); ++it) {
    for (const PackedCell& packed : it->second)
      (packed.is_throughput ? throughput : ttft)->Add(packed.cell, packed.amount);
  }
}

bool EndpointWindow::empty() const {
  return absl::c_all_of(tallies_, [](const std::vector<Tally>& t) { return t.empty(); });
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
