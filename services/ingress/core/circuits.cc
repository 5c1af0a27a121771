#include "services/ingress/core/circuits.h"

#include <algorithm>

#include "common/base/stable_hash.h"

namespace signalbox::ingress {

using router::v1::Candidate;

uint64_t Circuits::KeyOf(absl::string_view endpoint_id) { return StableHash(endpoint_id); }

void Circuits::Demote(absl::Duration now, CandidateOrder* order) {
  if (open() == 0 || order->size() < 2) return;
  const Candidate* const first = order->front();
  const bool probe = StandingOf(first->endpoint_id(), now) == Standing::kHalfOpen &&
                     StartProbe(first->endpoint_id(), now);
  const auto begin = order->begin() + (probe ? 1 : 0);
  // One that stands first and is not let through goes last; half-open ones further back stay.
  std::stable_partition(begin, order->end(), [&](const Candidate* candidate) {
    const Standing standing = StandingOf(candidate->endpoint_id(), now);
    return standing == Standing::kClosed || (standing == Standing::kHalfOpen && candidate != first);
  });
}

bool Circuits::IsOpen(absl::string_view endpoint_id) const {
  if (open() == 0) return false;
  const uint64_t key = KeyOf(endpoint_id);
  const Shard& shard = ShardOf(key);
  if (shard.suspects.load(std::memory_order_relaxed) == 0) return false;
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.entries.find(key);
  return found != shard.entries.end() && found->second.open;
}

Circuits::Standing Circuits::StandingOf(absl::string_view endpoint_id, absl::Duration now) const {
  const uint64_t key = KeyOf(endpoint_id);
  const Shard& shard = ShardOf(key);
  if (shard.suspects.load(std::memory_order_relaxed) == 0) return Standing::kClosed;
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end() || !found->second.open) return Standing::kClosed;
  return now < found->second.until ? Standing::kOpen : Standing::kHalfOpen;
}

bool Circuits::StartProbe(absl::string_view endpoint_id, absl::Duration now) {
  const uint64_t key = KeyOf(endpoint_id);
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end() || now < found->second.probe_until) return false;
  found->second.probe_until = now + options_.probe_patience;
  return true;
}

void Circuits::OnSuccess(absl::string_view endpoint_id, absl::Duration started) {
  const uint64_t key = KeyOf(endpoint_id);
  Shard& shard = ShardOf(key);
  if (shard.suspects.load(std::memory_order_relaxed) == 0) return;
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end()) return;
  if (found->second.open) {
    if (started < found->second.opened) return;
    open_.fetch_sub(1, std::memory_order_relaxed);
  }
  shard.entries.erase(found);
  shard.suspects.fetch_sub(1, std::memory_order_relaxed);
}

bool Circuits::OnFailure(absl::string_view endpoint_id, absl::Duration started,
                         absl::Duration now) {
  const uint64_t key = KeyOf(endpoint_id);
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  const auto [found, is_new] = shard.entries.try_emplace(key);
  if (is_new) shard.suspects.fetch_add(1, std::memory_order_relaxed);
  Entry& entry = found->second;
  if (!entry.open) {
    if (++entry.failures < options_.failures) return false;
    open_.fetch_add(1, std::memory_order_relaxed);
    entry.duration = options_.open;
    Open(entry, now);
    return true;
  }
  // Until it is half-open a failure is of the trouble that opened it.
  if (started < entry.until) return false;
  entry.duration = std::min(entry.duration * 2, options_.max_open);
  Open(entry, now);
  return true;
}

void Circuits::Open(Entry& entry, absl::Duration now) {
  entry.open = true;
  entry.opened = now;
  entry.until = now + entry.duration;
  entry.probe_until = absl::ZeroDuration();
}

void Circuits::OnOther(absl::string_view endpoint_id) {
  const uint64_t key = KeyOf(endpoint_id);
  Shard& shard = ShardOf(key);
  if (shard.suspects.load(std::memory_order_relaxed) == 0) return;
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.entries.find(key);
  if (found != shard.entries.end()) found->second.probe_until = absl::ZeroDuration();
}

}  // namespace signalbox::ingress
