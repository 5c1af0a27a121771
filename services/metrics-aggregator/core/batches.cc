#include "services/metrics-aggregator/core/batches.h"

#include <algorithm>
#include <utility>

namespace signalbox::metrics_aggregator {
namespace {

// Merged batches keep their time to this precision.
constexpr absl::Duration kMergedPrecision = absl::Seconds(10);

absl::Duration RoundToMiddle(absl::Duration time) {
  return absl::Floor(time, kMergedPrecision) + kMergedPrecision / 2;
}

}  // namespace

bool SeenSequences::Insert(uint64_t sequence) {
  if (sequence + kDepth <= newest_) return false;
  if (sequence > newest_) {
    const uint64_t first = std::max(newest_ + 1, sequence >= kDepth ? sequence - kDepth + 1 : 0);
    for (uint64_t skipped = first; skipped < sequence; ++skipped) seen_.reset(skipped % kDepth);
    newest_ = sequence;
    seen_.set(sequence % kDepth);
    return true;
  }
  if (seen_.test(sequence % kDepth)) return false;
  seen_.set(sequence % kDepth);
  return true;
}

size_t Group::entries() const {
  size_t sum = 0;
  for (const auto& [time, deltas] : received) sum += deltas.size();
  return sum;
}

bool Batches::Admit(const std::string& reporter, uint64_t sequence, absl::Duration now) {
  if (reporters_.size() >= options_.max_reporters && !reporters_.contains(reporter))
    EvictReporter();
  Reporter& known = reporters_[reporter];
  known.last = now;
  return known.seen.Insert(sequence);
}

void Batches::Add(const std::string& reporter, uint64_t sequence, EndpointDeltas deltas,
                  int64_t outcomes, absl::Duration now) {
  if (deltas.empty()) return;
  Group group;
  group.reporter = reporter;
  group.sequences = {sequence};
  group.outcomes = outcomes;
  entries_ += deltas.size();
  group.received[now] = std::move(deltas);
  groups_.push_back(std::move(group));
  MakeRoom();
}

std::deque<Group> Batches::TakeAll() {
  entries_ = 0;
  return std::exchange(groups_, {});
}

void Batches::GiveBack(std::deque<Group> groups) {
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
    entries_ += group->entries();
    groups_.push_front(std::move(*group));
  }
  MakeRoom();
}

void Batches::MakeRoom() {
  if (groups_.size() <= options_.max_groups && entries_ <= options_.max_entries) return;
  MergeAll();
  while (entries_ > options_.max_entries && !groups_.empty()) DropOldest();
}

void Batches::MergeAll() {
  std::map<std::string, Group> merged;
  for (Group& group : groups_) {
    Group& into = merged[group.reporter];
    into.reporter = group.reporter;
    into.outcomes += group.outcomes;
    into.sequences.insert(into.sequences.end(), group.sequences.begin(), group.sequences.end());
    for (const auto& [time, deltas] : group.received)
      Merge(deltas, &into.received[RoundToMiddle(time)]);
  }
  groups_.clear();
  entries_ = 0;
  for (auto& [reporter, group] : merged) {
    entries_ += group.entries();
    groups_.push_back(std::move(group));
  }
}

// The oldest time slot of all groups. Its outcomes are known by their sum only.
void Batches::DropOldest() {
  auto oldest = groups_.end();
  for (auto group = groups_.begin(); group != groups_.end(); ++group) {
    if (group->received.empty()) continue;
    if (oldest == groups_.end() || group->received.begin()->first < oldest->received.begin()->first)
      oldest = group;
  }
  if (oldest == groups_.end()) return;
  const auto slot = oldest->received.begin();
  int64_t lost = 0;
  for (const auto& [endpoint, counts] : slot->second) lost += counts[store::Count::kRequests];
  entries_ -= slot->second.size();
  dropped_outcomes_ += lost;
  oldest->outcomes -= lost;
  oldest->received.erase(slot);
  if (oldest->received.empty()) groups_.erase(oldest);
}

void Batches::EvictReporter() {
  const auto idle =
      std::min_element(reporters_.begin(), reporters_.end(),
                       [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
  reporters_.erase(idle);
}

}  // namespace signalbox::metrics_aggregator
