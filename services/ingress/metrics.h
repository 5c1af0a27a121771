// Every metric of the service: the only place that knows their names. Handles are resolved once;
// counting is an atomic addition.
//
// Thread-safe. Made without obs::Metrics (tests) it counts nothing.
#ifndef SIGNALBOX_SERVICES_INGRESS_METRICS_H_
#define SIGNALBOX_SERVICES_INGRESS_METRICS_H_

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "common/obs/metrics.h"
#include "services/ingress/core/auth.h"
#include "services/ingress/core/conversations.h"
#include "signalbox/common/v1/error.pb.h"

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
  kFailed,  // an error before content
  kBroken,  // an error after content
  kClientGone,
};
constexpr int kChatOutcomes = 4;

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
  std::array<obs::Counter, kTurns> turns_;
  std::shared_ptr<void> render_hook_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_METRICS_H_
