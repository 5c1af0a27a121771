// One attempt of one request at one endpoint: translate, send, read, judge, tell.
//
//   sending ──head 200──▶ answering ──end──▶ finished (answer, tool verdict)
//      │ head ≠ 200          │ error object, cut, deadline, runaway
//      ▼                     ▼
//   refused ──body read──▶ finished (error)                 destroyed at any point ──▶ finished
//   (cancelled)
//
// Everything that arrived in one read goes to the sink as one Content. However the attempt ends,
// the observer hears of it exactly once, before the sink's OnResult.
//
// Where the tool-call guard is enforced (tool_guard.h) a stream's calls and its finish reason wait
// for the end of the answer. While they do, an empty Content per second says that the provider is
// at work. Rejected calls end the attempt as TOOL_CALL_INVALID; if nothing has committed they
// precede the result as a Content that does not commit, for a caller that finds nothing better. The
// outcome is that of an attempt without a guard: it tells of the provider, not of us.
//
// Only on the executor's thread. The sink may destroy the attempt inside OnContent and OnResult.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_GENERATION_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_GENERATION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/catalogue/catalogue.h"
#include "common/config/secrets.h"
#include "common/http/client.h"
#include "common/seam/provider_adapter.h"
#include "services/provider-adapter/core/attempt_deadlines.h"
#include "services/provider-adapter/core/dialect.h"
#include "services/provider-adapter/core/tool_guard.h"
#include "services/provider-adapter/core/tool_validation.h"
#include "services/provider-adapter/core/upstream.h"
#include "signalbox/common/v1/error.pb.h"
#include "signalbox/common/v1/outcome.pb.h"

namespace signalbox::provider_adapter {

struct GenerationLimits {
  absl::Duration connect = absl::Seconds(5);
  AttemptDeadlines::Limits waits;
  int64_t max_response_bytes = 64 * 1024 * 1024;
  size_t max_event_bytes = 4 * 1024 * 1024;
  size_t max_error_body_bytes =
      64 * 1024;  // of an answer whose status is not 200; the rest is not read
  int64_t max_guarded_argument_bytes = 8 * 1024 * 1024;  // of all tool calls the guard holds
};

struct GenerationSetup {
  std::shared_ptr<const void> keep_alive;  // owns `endpoint`
  const catalogue::Endpoint* endpoint = nullptr;
  const Dialect* dialect = nullptr;
  http::Origin origin;
  config::Secret key;                    // empty = the provider needs none
  std::shared_ptr<const ToolSet> tools;  // nullptr = none offered, nothing is judged
  GenerationLimits limits;
};

// How an attempt ended, for counting.
struct FinishedAttempt {
  common::v1::Outcome outcome;
  common::v1::ErrorDetail error;  // reason UNSPECIFIED = success
  // From first content to the end of a streamed answer; 0 = not measurable.
  double tokens_per_second = 0;
  // What the tool-call guard did (enforce) or would have done (observe).
  provider::v1::ToolCallGuard guard = provider::v1::TOOL_CALL_GUARD_OFF;
  GuardRuling::Result guard_result = GuardRuling::Result::kNone;
};

class GenerationObserver {
 public:
  virtual ~GenerationObserver() = default;
  // REQUIRES: does not destroy the attempt.
  virtual void OnFinished(const FinishedAttempt& finished) = 0;
};

class Generation final : public seam::Attempt, private http::ClientHandler {
 public:
  // Starts at once; calls back later. `upstream`, `clock`, `executor`, `observer` and `sink`
  // outlive the attempt.
  Generation(GenerationSetup setup, provider::v1::GenerateRequest request, Upstream& upstream,
             const Clock& clock, Executor& executor, GenerationObserver* observer,
             seam::GenerateSink* sink);
  ~Generation() override;

  void PauseReading() override;
  void ResumeReading() override;

 private:
  void OnHead(int status, const http::Headers& headers) override;
  void OnBody(absl::string_view bytes) override;
  void OnEnd() override;
  void OnError(const http::ClientError& error) override;

  void Send(Upstream& upstream, UpstreamRequest translated);
  void ReadAnswer(absl::string_view bytes);
  void CollectErrorBody(absl::string_view bytes);
  void AnswerEnded();
  // These return false when the sink has destroyed the attempt; touch no member any more.
  bool PassOn(std::string events);
  bool TellProgress();
  bool Deliver(std::string data, bool commits, int64_t output_bytes);
  void NoteProgress();

  void ArmTimer();
  void OnTimer();
  void FailTimedOut(AttemptDeadlines::Expiry expiry);
  void FailWithStatus();
  void Fail(common::v1::ErrorDetail error);
  void Conclude(std::string rest);
  void Succeed();
  void Reject();
  void Finish(common::v1::ErrorDetail error, provider::v1::AttemptResult result);
  void Describe(common::v1::ErrorDetail* error) const;
  bool enforces() const { return guard_ == provider::v1::TOOL_CALL_GUARD_ENFORCE; }
  bool mended() const { return enforces() && ruling_.result == GuardRuling::Result::kRepaired; }
  FinishedAttempt Close(const common::v1::ErrorDetail& error, const common::v1::Usage& usage);
  common::v1::Usage FinalUsage() const;
  const AnswerFacts& facts() const;
  absl::Duration SinceStart(absl::Duration moment) const { return moment - started_; }

  const GenerationSetup setup_;
  provider::v1::GenerateRequest request_;  // without its body once sent
  const Clock& clock_;
  Executor& executor_;
  GenerationObserver* const observer_;
  seam::GenerateSink* const sink_;

  const provider::v1::ToolCallGuard guard_;  // off where no tools are offered
  const bool calls_only_;
  std::unique_ptr<ToolCallHold> hold_;  // of a stream whose guard is enforced
  GuardRuling ruling_;                  // once the answer is complete
  absl::Duration progress_told_ = -absl::InfiniteDuration();
  const bool
      upstream_streams_;  // the provider is asked for a stream, whatever form the client wants
  const absl::Duration started_;
  AttemptDeadlines deadlines_;
  Executor::TimerId timer_ = 0;
  absl::Duration timer_due_;
  std::unique_ptr<http::ClientCall> call_;

  const int64_t request_bytes_;
  int64_t runaway_bytes_ = 0;
  int64_t response_bytes_ = 0;
  int status_ = 0;
  http::Headers error_headers_;
  std::string error_body_;
  std::unique_ptr<AnswerReader> reader_;
  absl::Duration first_content_;  // moment; meaningful when content_seen_
  bool content_seen_ = false;
  bool end_seen_ = false;
  bool committed_ = false;  // content has gone to the sink
  bool finished_ = false;
  bool* destroyed_ = nullptr;  // set while the sink is called
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_GENERATION_H_
