// Everything a decision looks at, joined into one immutable object: the catalogue, the scores,
// which providers are active, and the policy. Facts lie in an array by endpoint index, so a
// decision hashes nothing but the model's name.
//
// A Snapshot is immutable and thread-safe. SnapshotHolder is thread-safe: its setters compile a new
// Snapshot on the caller's thread and swap it in; a reader keeps the one it took. What has not
// changed since the last one (facts of the catalogue, lotteries of models without traffic) is taken
// over from it.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SNAPSHOT_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SNAPSHOT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/catalogue/catalogue.h"
#include "services/router-decision/core/lottery.h"
#include "services/router-decision/core/policy_settings.h"
#include "services/router-decision/core/score.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::router_decision {

// One bit per quantization name of the catalogue; 0 = no such name.
uint32_t QuantizationBit(absl::string_view name);
// The bits that a request's name accepts: "fp4" covers mxfp4 and nvfp4, "fp8" covers mxfp8.
uint32_t QuantizationsCoveredBy(absl::string_view name);

// The lotteries of one model's active endpoints; those that cost nothing are compared with each
// other only.
struct ModelScores {
  std::vector<Lottery::Ticket> auto_exacto_tickets;
  std::vector<Lottery::Ticket> exacto_tickets;
  Lottery auto_exacto;

  // Made when it is first asked for: few requests sort by exacto.
  const Lottery& exacto() const {
    absl::call_once(exacto_made_, [this] { exacto_ = Lottery(exacto_tickets); });
    return exacto_;
  }

 private:
  mutable absl::once_flag exacto_made_;
  mutable Lottery exacto_;
};

// Uptime over the last half hour or day, whichever rests on enough attempts (OpenRouter, "For
// providers" section 10).
enum class UptimeTier : uint8_t {
  kNormal,        // at least 95 %, or unknown
  kDegraded,      // at least 80 %: after the normal ones
  kFallbackOnly,  // below: after all others
};

struct EndpointFacts {
  const catalogue::Endpoint* endpoint = nullptr;
  const metrics::v1::EndpointScore* score = nullptr;  // nullptr: none published

  bool active = false;  // its provider has a key
  bool free = false;    // serves the ":free" variant only
  bool supports_tools = false;
  bool supports_response_format = false;
  bool supports_verbosity = false;
  uint32_t quantization_bit = 0;

  int64_t list_price_pico = 0;  // prompt and completion price, blended

  // Of the scores:
  int64_t order_price_pico = 0;  // … with the cache discounts it was seen to give
  struct {
    double adjusted_price = 0;  // pico-USD, for price-first
    double weight = 0;          // 1 / adjusted_price^exponent
  } plain, tools;               // by request class
  Standing standing;
  std::shared_ptr<const ModelScores> scores;  // nullptr: not active
  int seat = 0;                               // its ticket in them
  bool clearly_worse = false;                 // than the best of its model
  UptimeTier uptime = UptimeTier::kNormal;
  double throughput_tps = 0;  // median; 0 = unknown
  double ttft_ms = 0;         // median; 0 = unknown
  metrics::v1::ExactoTier exacto_tier = metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA;
  int64_t last_outage_unix_ms = 0;
  int64_t circuit_open_until_unix_ms = 0;
};

class Snapshot {
 public:
  struct Inputs {
    std::shared_ptr<const catalogue::Catalogue> catalogue;     // nullptr: none loaded
    std::shared_ptr<const metrics::v1::ScoreSnapshot> scores;  // nullptr: none seen
    std::shared_ptr<const absl::flat_hash_set<std::string>>
        active_providers;  // slugs; nullptr: not known yet
    PolicySettings policy;
    int policy_version = 0;  // tells two policies apart
  };

  // `previous` (may be nullptr) lends what has not changed.
  Snapshot(Inputs inputs, const Snapshot* previous);

  // True when there is a catalogue and provider activity is known: before that nothing can be
  // decided.
  bool ready() const { return inputs_.catalogue != nullptr && inputs_.active_providers != nullptr; }
  // REQUIRES: ready().
  const catalogue::Catalogue& catalogue() const { return *inputs_.catalogue; }
  const EndpointFacts& facts(int endpoint_index) const {
    return facts_[static_cast<size_t>(endpoint_index)];
  }
  const PolicySettings& policy() const { return inputs_.policy; }

  // Of the scores; 0 = none seen.
  uint64_t version() const { return inputs_.scores == nullptr ? 0 : inputs_.scores->version(); }
  // Age of the scores; zero when none were seen.
  absl::Duration Age(absl::Time now) const;

 private:
  void JoinScores();
  void Compare(absl::Span<const catalogue::Endpoint* const> endpoints, const Snapshot* previous);

  const Inputs inputs_;
  std::vector<EndpointFacts> facts_;
};

class SnapshotHolder {
 public:
  SnapshotHolder();

  void SetCatalogue(std::shared_ptr<const catalogue::Catalogue> catalogue);
  // Older versions than the one in force are ignored, unless they are of a later time (the store
  // was emptied).
  void SetScores(std::shared_ptr<const metrics::v1::ScoreSnapshot> scores);
  // The slugs of the providers that can be used. An unchanged set costs nothing.
  void SetActiveProviders(absl::flat_hash_set<std::string> slugs);
  void SetPolicy(const PolicySettings& policy);

  // Never nullptr; not ready() until a catalogue and the active providers are set.
  std::shared_ptr<const Snapshot> Get() const;

 private:
  void Publish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(inputs_mutex_);

  absl::Mutex inputs_mutex_ ABSL_ACQUIRED_BEFORE(current_mutex_);
  Snapshot::Inputs inputs_ ABSL_GUARDED_BY(inputs_mutex_);
  // Held for the copy of one pointer only: measured 20 ns, and unlike std::atomic<std::shared_ptr>
  // of GCC 12 clean under TSan.
  mutable absl::Mutex current_mutex_;
  std::shared_ptr<const Snapshot> current_ ABSL_GUARDED_BY(current_mutex_);
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_SNAPSHOT_H_
