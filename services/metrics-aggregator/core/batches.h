// The batches that reporters handed over and that are not yet in the store.
//
// A batch stays by itself until its owner is known (WindowStore::Claim). When the store is away for
// long, the oldest are merged per reporter, so that they cost memory by endpoint and time and not
// by batch; a merged group is claimed as a whole, and dropped as a whole should another replica
// have counted a part of it: rather a gap than a double count. What is above the bound even then is
// dropped, oldest first.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_BATCHES_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_BATCHES_H_

#include <bitset>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/metrics-aggregator/core/fold.h"

namespace signalbox::metrics_aggregator {

// The sequences of one reporter that this process has seen.
class SeenSequences {
 public:
  // How far behind the newest a sequence may come; an older one counts as seen.
  static constexpr uint64_t kDepth = 4096;
  // False when seen before.
  bool Insert(uint64_t sequence);

 private:
  uint64_t newest_ = 0;
  std::bitset<kDepth> seen_;  // by sequence modulo the depth
};

struct Group {
  std::string reporter;
  std::vector<uint64_t> sequences;                    // one, or those merged
  std::map<absl::Duration, EndpointDeltas> received;  // by the monotonic clock
  int64_t outcomes = 0;

  size_t entries() const;  // pairs of time and endpoint
};

class Batches {
 public:
  struct Options {
    size_t max_entries = 20'000;
    size_t max_groups = 2'000;
    size_t max_reporters = 4'096;
  };
  explicit Batches(Options options) : options_(options) {}

  // False: a batch of this name was taken before. REQUIRES: sequence > 0.
  bool Admit(const std::string& reporter, uint64_t sequence, absl::Duration now);
  // Keeps an admitted batch; may merge or drop others.
  void Add(const std::string& reporter, uint64_t sequence, EndpointDeltas deltas, int64_t outcomes,
           absl::Duration now);

  // Everything kept, oldest first; the caller owns it until it gives some back.
  std::deque<Group> TakeAll();
  void GiveBack(std::deque<Group> groups);

  bool empty() const { return groups_.empty(); }
  size_t entries() const { return entries_; }
  // Outcomes dropped for want of room, ever.
  int64_t dropped_outcomes() const { return dropped_outcomes_; }

 private:
  struct Reporter {
    SeenSequences seen;
    absl::Duration last;
  };
  void MakeRoom();
  void MergeAll();
  void DropOldest();
  void EvictReporter();

  const Options options_;
  absl::flat_hash_map<std::string, Reporter> reporters_;
  std::deque<Group> groups_;
  size_t entries_ = 0;
  int64_t dropped_outcomes_ = 0;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_BATCHES_H_
