// The providers and endpoints of a running fleet: their current behaviour, counters and latest
// requests.
//
// The set of providers and endpoints is fixed at construction; everything else may change from any
// thread. Thread-safe.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_ROSTER_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_ROSTER_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/provider-fleet/answer.h"
#include "tests/provider-fleet/behaviour.h"
#include "tests/provider-fleet/config.h"
#include "tests/provider-fleet/http_reader.h"

namespace signalbox::fleet {

// Counters of one endpoint since start or reset.
struct EndpointStats {
  std::atomic<int64_t> requests{0};
  std::atomic<int64_t> answered{
      0};  // whole and right on the wire (a broken tool call is a whole answer)
  std::atomic<int64_t> cancelled{0};         // the client left before the end
  std::atomic<int64_t> open{0};              // requests being answered now
  std::atomic<int64_t> last_request_us{-1};  // fleet time
  std::atomic<int64_t> tool_requests{0};     // offered tools
  std::atomic<int64_t> tool_calls{0};        // requests answered with a call, good or bad
  std::atomic<int64_t> bad_tool_calls[kToolErrorKinds] = {};  // requests, by kind
  std::atomic<int64_t> faults[kFaultKinds] = {};
};

class Endpoint {
 public:
  Endpoint(std::string provider, EndpointConfig config, uint64_t seed);

  const std::string& provider() const { return provider_; }
  const std::string& model() const { return model_; }
  uint64_t seed() const { return seed_; }
  const OfferFacts& facts() const { return facts_; }
  std::shared_ptr<const Behaviour> behaviour() const;
  absl::Status Apply(absl::string_view settings);

  // Position of a request in the endpoint's sequence, from 0.
  int64_t NextNumber() { return sequence_.fetch_add(1, std::memory_order_relaxed); }
  EndpointStats& stats() { return stats_; }
  void CountFault(const Fault& fault);
  void CountAnswer(const Answer& answer, bool tools_offered);
  void CountCancelled(double after_ms);
  // Faults by name, statuses apart ("status_429").
  absl::btree_map<std::string, int64_t> FaultCounts() const;
  std::vector<double> CancelTimes() const;
  void Reset();

 private:
  const std::string provider_;
  const std::string model_;
  const uint64_t seed_;
  const OfferFacts facts_;
  std::atomic<int64_t> sequence_{0};
  EndpointStats stats_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Behaviour> behaviour_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<int, int64_t> status_counts_ ABSL_GUARDED_BY(mutex_);
  std::deque<double> cancel_ms_ ABSL_GUARDED_BY(mutex_);  // the latest
};

struct KeptRequest {
  double at = 0;  // fleet time, seconds
  std::string method, path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // cut to the configured size
  size_t body_bytes = 0;
};

class Provider {
 public:
  Provider(const ProviderConfig& config, const FleetConfig& fleet);

  const std::string& name() const { return name_; }
  bool own_port() const { return own_port_; }
  const std::vector<std::unique_ptr<Endpoint>>& endpoints() const { return endpoints_; }
  // The model's endpoint, else the one for '*', else null.
  Endpoint* Find(absl::string_view model) const;

  // Wanted state of the own port: closed while any endpoint refuses.
  bool Refuses(double now) const;
  // Port clients should use; set by the listener.
  int port() const { return port_.load(std::memory_order_relaxed); }
  void set_port(int port) { port_.store(port, std::memory_order_relaxed); }

  void Keep(const HttpRequest& request, double now);
  std::vector<KeptRequest> Kept() const;  // oldest first
  void Reset();

 private:
  const std::string name_;
  const bool own_port_;
  const size_t keep_requests_;
  const size_t keep_body_bytes_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  absl::flat_hash_map<std::string, Endpoint*> by_model_;
  std::atomic<int> port_{0};
  mutable absl::Mutex mutex_;
  std::vector<KeptRequest> kept_
      ABSL_GUARDED_BY(mutex_);  // a ring, reused so that keeping costs two copies
  size_t kept_next_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Fleet time: seconds since start times time_scale, moved forward by Advance.
class FleetClock {
 public:
  explicit FleetClock(double time_scale);
  double Now() const;
  void Advance(double seconds);

 private:
  const double time_scale_;
  const int64_t start_ns_;
  std::atomic<int64_t> advanced_us_{0};
};

class Roster {
 public:
  explicit Roster(FleetConfig config);

  const FleetConfig& config() const { return config_; }
  const FleetClock& clock() const { return clock_; }
  const std::vector<std::unique_ptr<Provider>>& providers() const { return providers_; }
  Provider* Find(absl::string_view name) const;

  // Applies settings to all matching endpoints ('*' matches all); all or none.
  absl::Status Set(absl::string_view provider, absl::string_view model, absl::string_view settings);
  // Moves fleet time forward and applies what became due.
  void Advance(double seconds);
  // Applies the scheduled changes that are due.
  void ApplySchedule();
  // Called after every change of behaviour or time, from the thread that made it. Set before the
  // first change.
  void set_on_change(std::function<void()> on_change) { on_change_ = std::move(on_change); }
  // Counters, kept requests and sequences start again; behaviour and clock stay.
  void Reset();

 private:
  absl::Status SetMatching(absl::string_view provider, absl::string_view model,
                           absl::string_view settings);

  const FleetConfig config_;
  FleetClock clock_;
  std::vector<std::unique_ptr<Provider>> providers_;
  absl::flat_hash_map<std::string, Provider*> by_name_;
  std::function<void()> on_change_ = [] {};
  absl::Mutex mutex_;  // one change at a time
  size_t next_change_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_ROSTER_H_
