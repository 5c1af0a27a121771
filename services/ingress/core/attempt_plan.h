// Fallback as a pure state machine: events and the time go in, the next step comes out. It knows no
// socket, no timer and no answer bytes; chat_call performs the steps.
//
// The commit rule (design decision D4): until real content has reached the client any failure moves
// on silently; afterwards the answer is never switched, a failure breaks it with an explicit error.
// What moves on where:
//
//   provider down, slow, limited, broken    next candidate; when all were tried once, those with a
//   passing trouble again request rejected (400) or moderated     one other provider of the same
//   model, then the next model context too long                        endpoints with a larger
//   context, then the next model no key here, endpoint saturated         next candidate, not
//   counted as an attempt our adapter away                        the same candidate after a pause,
//   for a bounded time invalid tool call, answer not streamed  next candidate; the answer is held
//   and delivered if nothing better comes the client's own mistake                the error, at
//   once
//
// With the tool-call guard a stream's calls are held by the adapter (TOOL_CALL_INVALID): an answer
// without text moves on as one that is not streamed; behind text that is out, one further answer is
// asked for its tool calls only, and if it has no valid one the stream breaks.
//
// Thread-compatible.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_ATTEMPT_PLAN_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_ATTEMPT_PLAN_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "signalbox/common/v1/error.pb.h"
#include "signalbox/provider/v1/provider.pb.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

struct AttemptPolicy {
  int max_attempts = 8;
  int max_attempts_per_provider = 2;
  absl::Duration total_timeout = absl::Seconds(600);
  // First content of a streamed attempt while others are left; the last candidate gets three times
  // as long.
  absl::Duration first_token_timeout = absl::Seconds(20);
  bool retry_invalid_tool_calls = true;
  // Behind text that is out another answer may be asked for its tool calls (guard enforced).
  bool tool_calls_after_text = false;

  // Answers with an invalid tool call that are held back before one is delivered. Each costs a
  // whole generation.
  int max_tool_call_retries = 3;
  // Slowest generation a non-streamed attempt is waited for, tokens per second; its answer reaches
  // the ingress in one piece, so the wait for it is stretched by max_tokens / this. (A stalled
  // provider is noticed earlier, by the adapter.)
  int slowest_tokens_per_second = 20;
  int assumed_max_tokens = 4'096;  // when the request sets no limit
  // Before an endpoint that just failed is asked again.
  absl::Duration retry_delay = absl::Milliseconds(100);
  // An unreachable adapter is asked again so long: the time a restart takes.
  absl::Duration adapter_patience = absl::Seconds(10);
  // Steps over candidates that cost no attempt (no key, saturated).
  int max_free_steps = 64;
};

// One attempt that has ended, for errors, metadata and the generation record.
struct AttemptNote {
  std::string endpoint_id;
  std::string model;
  std::string provider;
  common::v1::ErrorDetail error;  // reason UNSPECIFIED = it answered
  bool invalid_tool_call = false;
  bool repaired_tool_call = false;
  absl::Duration duration;
};

class AttemptPlan {
 public:
  enum class Kind {
    kStart,        // start an attempt at `candidate`, after `delay`
    kDeliver,      // the attempt that just ended is the answer
    kDeliverHeld,  // the held answer is
    kFail,         // nothing was sent: answer with `error`
    kBreak,        // content was sent: end the stream with `error`
  };
  struct Step {
    Kind kind = Kind::kFail;
    bool hold = false;  // first: keep the answer of the attempt that just ended
    // kStart
    int candidate = 0;
    int attempt = 0;  // counts from 1
    bool tool_calls_only = false;
    absl::Duration delay;
    absl::Duration timeout;
    absl::Duration first_token_timeout;
    absl::Duration
        patience;  // first content at the ingress: longer where the answer comes in one piece
    // kFail, kBreak
    common::v1::ErrorDetail error;
  };

  // Candidates are best first and outlive the plan. `now` is monotonic time at which the request
  // arrived.
  AttemptPlan(const AttemptPolicy& policy, std::vector<const router::v1::Candidate*> candidates,
              bool stream, int64_t max_tokens, absl::Duration now);

  Step Begin(absl::Duration now);
  // The running attempt ended. `committed`: content of this attempt has reached the client.
  Step OnResult(const provider::v1::AttemptResult& result, bool committed, absl::Duration now);

  const router::v1::Candidate& candidate(int index) const { return *candidates_[index]; }
  absl::Span<const AttemptNote> notes() const { return notes_; }
  // The answer of kDeliver has an invalid tool call, and nobody else could be asked for a better.
  bool gave_up_on_tool_call() const { return gave_up_on_tool_call_; }
  // Attempts started so far, the free ones included.
  int started() const { return started_; }
  absl::Duration deadline() const { return deadline_; }

 private:
  struct State {
    bool tried = false;
    bool again = false;  // failed in a way that may have passed
  };
  // What a model's failures rule out.
  struct ModelState {
    int rejections = 0;
    std::string rejected_by;  // provider slug
    int32_t too_small = -1;   // contexts up to this were not enough; -1 = none failed
  };

  Step Next(absl::Duration now);
  Step Start(int candidate, absl::Duration delay, absl::Duration now);
  Step RetryAdapter(absl::Duration now);
  Step GiveUp(absl::Duration now) const;
  Step AfterToolCall(absl::Duration now);
  Step AfterToolCallBehindText(const common::v1::ErrorDetail& error, absl::Duration now);
  int PickFresh() const;
  int PickAgain() const;
  bool Allowed(int candidate) const;
  int ProviderAttempts(const std::string& slug) const;
  void Note(const provider::v1::AttemptResult& result, absl::Duration now);
  absl::Duration FirstTokenTimeout(bool others_left, absl::Duration remaining) const;
  absl::Duration Patience(absl::Duration first_token_timeout, absl::Duration remaining) const;
  ModelState& model_state(int candidate);

  const AttemptPolicy policy_;
  const std::vector<const router::v1::Candidate*> candidates_;
  const bool stream_;
  const int64_t max_tokens_;
  const absl::Duration deadline_;
  std::vector<State> states_;
  std::vector<ModelState> models_;      // by model_index
  std::vector<std::string> providers_;  // slug of every counted attempt
  std::vector<AttemptNote> notes_;
  int current_ = -1;
  int started_ = 0;
  int free_steps_ = 0;
  int held_ = 0;
  int adapter_retries_ = 0;
  // Text is out; its tool calls are still to come. What the stream ends with if they do not.
  bool tool_calls_only_ = false;
  bool gave_up_on_tool_call_ = false;
  common::v1::ErrorDetail tool_call_error_;
  absl::Duration started_at_;
  absl::Duration adapter_away_since_ = absl::InfiniteDuration();
};

// The error that tells the client most, of all attempts; retry_after only when every attempt gave a
// hint (the smallest). REQUIRES: notes is not empty.
common::v1::ErrorDetail MostUsefulError(absl::Span<const AttemptNote> notes);

// True for an answer whose tool calls do not hold, even mended: worth another candidate while
// nothing was sent.
bool HasInvalidToolCall(const provider::v1::AttemptResult& result);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_ATTEMPT_PLAN_H_
