// One chat request, from its bytes to its settlement: authenticate, decide, attempt, relay, settle.
//
// The object owns itself: Start makes it, and it goes when the answer is complete, has failed or
// the client has gone. What it promises: nothing is sent before a provider has produced content
// (keep-alive comments aside), a stream that breaks after content ends with an explicit error, a
// client that has gone costs no provider another token, and every generation that was delivered is
// settled once.
//
// Threads: on the event loop of `services`, which outlives the call (LiveCalls).
//
//   ChatCall::Start(services, std::move(request), std::make_unique<HttpFront>(exchange, …));
#ifndef SIGNALBOX_SERVICES_INGRESS_CHAT_CALL_H_
#define SIGNALBOX_SERVICES_INGRESS_CHAT_CALL_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/seam/provider_adapter.h"
#include "services/ingress/chat_front.h"
#include "services/ingress/core/answer.h"
#include "services/ingress/core/attempt_plan.h"
#include "services/ingress/core/conversations.h"
#include "services/ingress/core/request_view.h"
#include "services/ingress/guard_books.h"
#include "services/ingress/loop_services.h"
#include "services/ingress/router_query.h"

namespace signalbox::ingress {

struct ChatRequest {
  std::string body;
  std::string secret;      // the client key; empty = none was sent
  std::string session_id;  // of the header; the body's own wins
  std::string traceparent;
  std::string user_agent;
  std::string referer;
  std::map<std::string, std::string> forward_headers;
  bool wants_metadata = false;
  // Of the header; the body's own wins.
  provider::v1::ToolCallGuard tool_call_guard = provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
};

class ChatCall final : public LiveCall,
                       public seam::GenerateSink,
                       public std::enable_shared_from_this<ChatCall> {
 public:
  static void Start(LoopServices& services, ChatRequest request, std::unique_ptr<ChatFront> front);
  ~ChatCall() override = default;

  // seam::GenerateSink
  void OnContent(provider::v1::Content content) override;
  void OnResult(provider::v1::AttemptResult result) override;

  // LiveCall
  void Abandon() override;

 private:
  ChatCall(LoopServices& services, ChatRequest request, std::unique_ptr<ChatFront> front);

  // The steps, in order.
  void Authenticate();
  void OnPrincipal(absl::StatusOr<Authenticator::Principal> principal);
  void Decide();
  void OnRoute(absl::StatusOr<Route> route);
  void Perform(AttemptPlan::Step step);
  void StartAttempt(const AttemptPlan::Step& step);
  provider::v1::GenerateRequest BuildGenerateRequest(const AttemptPlan::Step& step);

  // The answer.
  void TakeContent(provider::v1::Content content);
  size_t MostPending() const;
  void Commit(std::string events);
  void BeginStream();
  void Relay(std::string events);
  void PauseIfCongested();
  void OnWritable();
  void Deliver(const router::v1::Candidate& candidate, const provider::v1::AttemptResult& result,
               std::string answer);
  void FailBeforeContent(const common::v1::ErrorDetail& error);
  void Fail(Failure failure);
  void OnClientGone();

  // One timer serves keep-alives and the watchdog.
  void ArmTimer();
  void OnTimer();
  absl::Duration NextDue() const;
  absl::Duration WatchdogDue() const;
  void OnWatchdog();

  void EndAttempt();
  void Settle(const router::v1::Candidate& candidate, const provider::v1::AttemptResult& result,
              const Charge& charge, bool cancelled);
  void Finish(ChatOutcome outcome);
  Failure MakeFailure(const common::v1::ErrorDetail& error) const;
  AnswerHead Head() const;
  ChunkHead ChunkHeadFor(const router::v1::Candidate* candidate) const;
  ChatSummary SummaryFor(const router::v1::Candidate* candidate) const;
  std::string MetadataFor(const router::v1::Candidate* candidate) const;
  const router::v1::Candidate* Current() const;
  absl::Duration ProviderTime() const;

  struct HeldAnswer {
    int candidate = 0;
    provider::v1::AttemptResult result;
    std::string completion;
  };

  LoopServices& services_;
  ChatRequest request_;
  const std::unique_ptr<ChatFront> front_;
  std::shared_ptr<ChatCall> self_;  // until Finish
  Authenticator::Principal principal_;
  RequestView view_;
  Conversation conversation_;
  Route route_;
  std::optional<AttemptPlan> plan_;
  std::unique_ptr<seam::Attempt> attempt_;
  std::optional<HeldAnswer> held_;
  std::string generation_id_;
  std::string pending_;  // streamed: chunks that do not commit; else the completion
  // UNSPECIFIED without tools, and where nobody said anything.
  provider::v1::ToolCallGuard guard_ = provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
  GuardBooks guard_books_;
  int candidate_ = -1;
  int64_t output_tokens_ = 0;  // of the running attempt
  const absl::Duration arrived_;
  const absl::Time arrived_wall_;
  absl::Duration attempt_started_;
  absl::Duration attempt_patience_;
  absl::Duration provider_time_;  // of attempts that have ended
  absl::Duration ttft_;
  absl::Duration last_content_;
  absl::Duration last_write_;
  Executor::TimerId timer_ = 0;
  Executor::TimerId delay_timer_ = 0;
  bool streamed_ = false;           // the client wants a stream
  bool begun_ = false;              // status 200 is out
  bool committed_ = false;          // content is out
  bool attempt_committed_ = false;  // content of the running attempt is
  bool attempt_works_ = false;      // the running attempt holds tool calls that are being written
  bool paused_ = false;
  bool in_content_ = false;
  bool done_ = false;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CHAT_CALL_H_
