// What the requests of one event loop share: caches and handles that need no lock because the loop
// is one thread.
//
// Thread-compatible: made before its loop serves, used and destroyed on the loop.
#ifndef SIGNALBOX_SERVICES_INGRESS_LOOP_SERVICES_H_
#define SIGNALBOX_SERVICES_INGRESS_LOOP_SERVICES_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/base/rng.h"
#include "common/catalogue/catalogue.h"
#include "common/seam/provider_adapter.h"
#include "common/seam/router_decision.h"
#include "common/store/stores.h"
#include "services/ingress/core/attempt_plan.h"
#include "services/ingress/core/auth.h"
#include "services/ingress/core/circuits.h"
#include "services/ingress/core/conversations.h"
#include "services/ingress/core/decision_cache.h"
#include "services/ingress/core/request_view.h"
#include "services/ingress/metrics.h"
#include "services/ingress/settlement.h"

namespace signalbox::ingress {

// The catalogue in force; null before the first load.
using CatalogueSource = std::function<std::shared_ptr<const catalogue::Catalogue>()>;

struct ChatOptions {
  RequestLimits request;
  AttemptPolicy attempts;
  AuthOptions auth;
  SettlementOptions settlement;
  ConversationOptions conversations;
  CircuitOptions circuits;
  int32_t markup_basis_points = 0;
  absl::Duration keepalive_interval = absl::Seconds(10);
  absl::Duration decide_timeout = absl::Milliseconds(250);
  // After the router could not be asked, requests whose decision is known here do not wait for it
  // so long.
  absl::Duration router_retry = absl::Seconds(1);
  size_t decision_cache_entries = 10'000;
  // Chunks without content that are kept until the first content arrives; more are dropped, they
  // say nothing.
  size_t max_held_bytes = 64 * 1024;
  // Of an answer whose tool calls the guard has refused and that is delivered if none is better.
  size_t max_guarded_bytes = 64 * 1024 * 1024;
  // Unless the key or the request says otherwise.
  provider::v1::ToolCallGuard tool_call_guard = provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
  // The adapter watches over its attempts; these catch an adapter that does not any more.
  absl::Duration watchdog_grace = absl::Seconds(2);
  absl::Duration watchdog_idle = absl::Seconds(60);
};

// What the process gives to all loops. All references outlive the loops' last task.
struct SharedServices {
  const ChatOptions& options;
  seam::RouterDecision& router;
  seam::ProviderAdapter& adapter;
  store::KeyStore& keys;
  store::GenerationStore& generations;
  CatalogueSource catalogue;
  IngressMetrics& metrics;
  const Clock& clock;
  Conversations& conversations;
  Circuits& circuits;
};

// A request being answered, as one link of its loop's list: found again when the process stops
// before the answer is complete.
class LiveCall {
 public:
  virtual ~LiveCall() = default;
  // Ends the answer now, with an error the client can see. Takes the call out of the list.
  virtual void Abandon() = 0;

 private:
  friend class LiveCalls;
  LiveCall* previous_ = nullptr;
  LiveCall* next_ = nullptr;
};

class LiveCalls {
 public:
  void Add(LiveCall* call) {
    call->next_ = first_;
    if (first_ != nullptr) first_->previous_ = call;
    first_ = call;
  }
  // REQUIRES: the call is in the list.
  void Remove(LiveCall* call) {
    (call->previous_ != nullptr ? call->previous_->next_ : first_) = call->next_;
    if (call->next_ != nullptr) call->next_->previous_ = call->previous_;
    call->previous_ = call->next_ = nullptr;
  }
  void AbandonAll() {
    while (first_ != nullptr) first_->Abandon();
  }

 private:
  LiveCall* first_ = nullptr;
};

class LoopServices {
 public:
  LoopServices(const SharedServices& process, Executor& loop, Rng seed)
      : shared(process),
        executor(loop),
        rng(seed),
        auth(shared.options.auth, shared.keys, executor, shared.clock,
             [&metrics = shared.metrics](AuthSource source) { metrics.CountAuth(source); }),
        decisions(shared.options.decision_cache_entries),
        settlement(shared.options.settlement, shared.generations, executor, shared.clock,
                   shared.metrics, Rng(rng())) {}

  absl::Duration Now() const { return shared.clock.Monotonic(); }

  const SharedServices& shared;
  Executor& executor;
  Rng rng;
  Authenticator auth;
  DecisionCache decisions;
  Settlement settlement;
  LiveCalls calls;
  absl::Duration router_away_until = -absl::InfiniteDuration();
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_LOOP_SERVICES_H_
