// What this process learns from its own attempts within milliseconds: an endpoint that fails
// several times in a row goes last in every order until it has shown that it works again. The
// published scores say the same seconds later, for all processes.
//
//   closed ──`failures` in a row──▶ open ──after `open`──▶ half-open ──a probe succeeds──▶ closed
//                                     ▲                        │
//                                     └──it fails: twice as long, up to `max_open`
//
// Half-open, one request at a time that would try the endpoint first does so; the others try it
// last. As second choice it keeps its place: nobody waits for it there.
//
// Pure but for its lock; thread-safe, one per process. While nothing fails a request reads one
// atomic counter, and a successful attempt another.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_CIRCUITS_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_CIRCUITS_H_

#include <array>
#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/ingress/core/decision_cache.h"

namespace signalbox::ingress {

struct CircuitOptions {
  int failures = 3;
  absl::Duration open = absl::Seconds(20);
  absl::Duration max_open = absl::Minutes(5);
  // A probe that has not ended by then does not hold up the next.
  absl::Duration probe_patience = absl::Seconds(30);
};

class Circuits {
 public:
  explicit Circuits(const CircuitOptions& options) : options_(options) {}

  // Moves endpoints whose circuit is open behind all others; nothing else changes its place. The
  // first of the order may be let through as the probe of a half-open circuit.
  void Demote(absl::Duration now, CandidateOrder* order);

  // Open or half-open.
  bool IsOpen(absl::string_view endpoint_id) const;
  // Endpoints whose circuit is not closed.
  int open() const { return open_.load(std::memory_order_relaxed); }

  // How an attempt ended that was started at `started`. Attempts started before the circuit opened
  // say nothing new.
  void OnSuccess(absl::string_view endpoint_id, absl::Duration started);
  // By the endpoint's fault. True when this opens the circuit, or opens it again.
  bool OnFailure(absl::string_view endpoint_id, absl::Duration started, absl::Duration now);
  // Neither: cancelled, rejected, rate limited. Another probe may start.
  void OnOther(absl::string_view endpoint_id);

 private:
  struct Entry {
    int failures = 0;
    bool open = false;
    absl::Duration opened;
    absl::Duration until;
    absl::Duration duration;
    absl::Duration probe_until;  // a probe is running; zero = none
  };
  struct Shard {
    std::atomic<int> suspects{0};  // entries
    mutable absl::Mutex mutex;
    absl::flat_hash_map<uint64_t, Entry> entries ABSL_GUARDED_BY(mutex);
  };
  enum class Standing { kClosed, kHalfOpen, kOpen };

  static uint64_t KeyOf(absl::string_view endpoint_id);
  Shard& ShardOf(uint64_t key) { return shards_[key % shards_.size()]; }
  const Shard& ShardOf(uint64_t key) const { return shards_[key % shards_.size()]; }
  Standing StandingOf(absl::string_view endpoint_id, absl::Duration now) const;
  bool StartProbe(absl::string_view endpoint_id, absl::Duration now);
  void Open(Entry& entry, absl::Duration now);

  const CircuitOptions options_;
  std::atomic<int> open_{0};
  std::array<Shard, 16> shards_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_CIRCUITS_H_
