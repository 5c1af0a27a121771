// Brings gathered batches to the windows in Redis, each exactly once (store/window_store.h says
// how). One round at a time: claim the batches, add up per endpoint what is ours, apply, tell the
// readers. Whatever failed or whose result is unknown stays and is repeated in a later round.
//
// Only on the store's loop.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_FLUSHER_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_FLUSHER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/store/window_store.h"
#include "services/metrics-aggregator/core/batches.h"
#include "services/metrics-aggregator/metrics.h"

namespace signalbox::metrics_aggregator {

class Flusher {
 public:
  // `owner` is unique per process start. All references outlive the flusher.
  Flusher(store::WindowStore& store, std::string owner, Batches& batches, const Clock& clock,
          const AggregatorMetrics& metrics);

  // Starts a round unless one is running.
  void Tick();
  // Nothing gathered, nothing under way.
  bool idle() const;

 private:
  struct Round;  // the claims of one round
  // What goes to one endpoint: one delta under way under a fixed number, the rest waits.
  struct Outlet {
    store::WindowDelta waiting;
    store::WindowDelta sending;
    uint64_t number = 0;
    bool in_flight = false;
  };

  void ClaimAll();
  void OnClaimed(Round& round, const std::vector<std::pair<size_t, uint64_t>>& asked,
                 const absl::StatusOr<store::WindowStore::Claims>& claims);
  void Settle(Round& round);
  void Enqueue(const Group& group);
  void ApplyAll();
  void ApplyNext();
  void Apply(const std::string& endpoint, Outlet& outlet);
  void OnApplied(const std::string& endpoint, const absl::Status& status);
  void TouchAll();
  void Touch(std::set<std::string>& endpoints, bool late);
  void FinishCall();

  store::WindowStore& store_;
  const std::string owner_;
  Batches& batches_;
  const Clock& clock_;
  const AggregatorMetrics& metrics_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  absl::Time store_epoch_ = absl::UnixEpoch();  // store clock at the monotonic clock's origin
  uint64_t last_number_ = 0;
  std::map<std::string, Outlet> outlets_;
  // Endpoints of this round whose turn has not come: few deltas are under way at once, so that none
  // waits in the store's queue for longer than a command may take.
  std::deque<std::string> to_apply_;
  int applies_ = 0;
  bool applying_next_ = false;
  std::set<std::string> touched_;
  std::set<std::string> late_;
  int calls_ = 0;  // store calls not yet answered
  absl::Duration started_;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_FLUSHER_H_
