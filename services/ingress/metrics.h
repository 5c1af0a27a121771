// Every metric of the service: the only place that knows their names. Handles are resolved once;
// counting is an atomic addition.
//
// Thread-safe. Made without obs::Metrics (tests) it counts nothing.
#ifndef SIGNALBOX_SERVICES_INGRESS_METRICS_H_
#define SIGNALBOX_SERVICES_INGRESS_METRICS_H_

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/obs/metrics.h"
#include "services/ingress/core/answer.h"
#include "services/ingress/core/auth.h"
#include "services/ingress/core/conversations.h"
#include "signalbox/common/v1/error.pb.h"
#include "signalbox/common/v1/usage.pb.h"

namespace signalbox::ingress {

enum class Method {
  kChat,
  kModels,
  kModel,
  kEndpoints,
  kCount,
  kProviders,
  kKey,
  kGeneration,
  kOther
};
constexpr int kMethods = 9;

// How a chat ended.
enum class ChatOutcome {
  kOk,
  kFailed,   // an error before content: ours, or every provider's
  kRefused,  // an error before content that is the request's own
  kBroken,   // an error after content
  kClientGone,
};
constexpr int kChatOutcomes = 5;

// What became of a chat that had an answer with an invalid tool call.
enum class GuardOutcome {
  kRescued,      // another attempt's answer was delivered
  kGaveUp,       // none was better: one with an invalid call was delivered
  kUndelivered,  // the stream ended with an error
};
constexpr int kGuardOutcomes = 3;

// Where the order of endpoints came from.
enum class DecisionSource { kRouter, kReused, kLast, kCatalogue };
constexpr int kDecisionSources = 4;

class IngressMetrics {
 public:
  IngressMetrics() = default;
  explicit IngressMetrics(obs::Metrics& metrics);
  IngressMetrics(const IngressMetrics&) = delete;
  IngressMetrics& operator=(const IngressMetrics&) = delete;

  void CountAnswer(Method method, int status) const;
  void CountChat(ChatOutcome outcome) const { chats_[static_cast<int>(outcome)].Add(); }
  // The reason a client is told, before or after content.
  void CountError(common::v1::Reason reason) const;
  // What a settled generation used and cost.
  void CountUsage(const std::string& provider, const common::v1::Usage& usage,
                  const Charge& charge);
  // UNSPECIFIED = the attempt answered.
  void CountAttempt(common::v1::Reason reason) const;
  void CountGuard(GuardOutcome outcome) const { guard_[static_cast<int>(outcome)].Add(); }
  void CountDecision(DecisionSource source) const { decisions_[static_cast<int>(source)].Add(); }
  void CountAuth(AuthSource source) const { auth_[static_cast<int>(source)].Add(); }

  obs::Histogram added_latency;  // seconds of a chat that were spent in the gateway
  obs::Histogram ttft;           // seconds from request to first content
  obs::Counter fallbacks;        // chats answered by another than the first attempt
  obs::Counter guard_unpaid;     // USD, what answers cost that were thrown away
  obs::Counter shed;
  obs::Counter keepalives;
  obs::Counter settle_failures;   // a record the store did not take at once
  obs::Counter settle_dropped;    // a record lost because the journal was full
  std::atomic<int> in_flight{0};  // read when the metrics are rendered
  std::atomic<int> settle_pending{0};
  obs::Gauge in_flight_limit;
  obs::Gauge connections_limit;
  obs::Gauge connections;
  obs::Counter connections_refused;

  // Conversations and circuits.
  void CountTurn(Turn turn) const { turns_[static_cast<int>(turn)].Add(); }
  obs::Counter conversations_failed;  // moved because the endpoint failed
  obs::Counter circuit_openings;
  std::atomic<int> circuits_open{0};

 private:
  static constexpr int kStatusClasses = 4;
  std::array<std::array<obs::Counter, kStatusClasses>, kMethods> answers_;
  std::array<obs::Counter, kChatOutcomes> chats_;
  std::array<obs::Counter, kGuardOutcomes> guard_;
  std::array<obs::Counter, kDecisionSources> decisions_;
  std::array<obs::Counter, kAuthSources> auth_;
  std::vector<obs::Counter> attempts_;  // by reason
  std::vector<obs::Counter> errors_;    // by reason

  struct Bill {
    obs::Counter charged_usd, provider_usd;
    obs::Counter prompt, completion, cached, reasoning;
  };
  Bill MakeBill(const std::string& provider) const;
  obs::CounterFamily* charged_usd_ = nullptr;
  obs::CounterFamily* provider_usd_ = nullptr;
  obs::CounterFamily* tokens_ = nullptr;
  absl::Mutex bills_mutex_;
  absl::flat_hash_map<std::string, Bill> bills_ ABSL_GUARDED_BY(bills_mutex_);
  std::array<obs::Counter, kTurns> turns_;
  std::shared_ptr<void> render_hook_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_METRICS_H_
