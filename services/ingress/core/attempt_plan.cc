#include "services/ingress/core/attempt_plan.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using common::v1::ErrorDetail;
using common::v1::Reason;
using provider::v1::AttemptResult;
using router::v1::Candidate;

// Less time than this is not worth an attempt.
constexpr absl::Duration kShortestAttempt = absl::Milliseconds(50);
constexpr absl::Duration kLongestAdapterDelay = absl::Seconds(1);
constexpr int kLastCandidateFactor = 3;
constexpr int kMaxRejectionsPerModel = 2;

enum class Reaction {
  kNext,      // another candidate; the same one again at the very end when the trouble may pass
  kNextOnly,  // another candidate, never the same again
  kFree,      // as kNextOnly, and nothing was tried really
  kRejected,  // the provider blames the request
  kTooLong,   // the context is too small
  kAdapter,   // our own adapter is in trouble
  kFail,      // the client's mistake
};

Reaction ReactionTo(Reason reason) {
  switch (reason) {
    case common::v1::REASON_INVALID_REQUEST:
    case common::v1::REASON_PAYLOAD_TOO_LARGE:
    case common::v1::REASON_MODEL_NOT_FOUND:
    case common::v1::REASON_NO_ENDPOINTS:
    case common::v1::REASON_NOT_AVAILABLE:
    case common::v1::REASON_PERMISSION_DENIED:
    case common::v1::REASON_PAYMENT_REQUIRED:
    case common::v1::REASON_NOT_FOUND:
    case common::v1::REASON_CANCELLED:
      return Reaction::kFail;
    case common::v1::REASON_PROVIDER_UNREACHABLE:
    case common::v1::REASON_PROVIDER_RESET:
    case common::v1::REASON_PROVIDER_CUT:
    case common::v1::REASON_PROVIDER_OVERLOADED:
    case common::v1::REASON_PROVIDER_ERROR:
    case common::v1::REASON_PROVIDER_MALFORMED:
    case common::v1::REASON_PROVIDER_EMPTY:
      return Reaction::kNext;
    case common::v1::REASON_PROVIDER_TIMEOUT:
    case common::v1::REASON_PROVIDER_RATE_LIMITED:
    case common::v1::REASON_PROVIDER_AUTH:
    case common::v1::REASON_PROVIDER_QUOTA:
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
    case common::v1::REASON_TOOL_CALL_INVALID:
    case common::v1::REASON_DEADLINE_EXCEEDED:
    case common::v1::REASON_INTERNAL:
    case common::v1::REASON_UNSPECIFIED:
      return Reaction::kNextOnly;
    case common::v1::REASON_PROVIDER_SATURATED:
    case common::v1::REASON_PROVIDER_NOT_CONFIGURED:
      return Reaction::kFree;
    case common::v1::REASON_PROVIDER_REJECTED:
    case common::v1::REASON_PROVIDER_MODERATED:
      return Reaction::kRejected;
    case common::v1::REASON_PROVIDER_CONTEXT_LENGTH:
      return Reaction::kTooLong;
    // An adapter that does not know us, or limits us, is a matter between our services and never
    // the client's.
    case common::v1::REASON_UNAUTHENTICATED:
    case common::v1::REASON_RATE_LIMITED:
    case common::v1::REASON_UNAVAILABLE:
    case common::v1::REASON_OVERLOADED:
    case common::v1::REASON_DRAINING:
      return Reaction::kAdapter;
    case common::v1::Reason_INT_MIN_SENTINEL_DO_NOT_USE_:
    case common::v1::Reason_INT_MAX_SENTINEL_DO_NOT_USE_:
      break;
  }
  return Reaction::kNextOnly;  // a reason of a newer adapter
}

// How much an error tells the client: what it can act on first, then how the providers are, last
// what only the operator can change. A 429 counts little among others: waiting does not help when
// another provider is simply broken.
int Usefulness(Reason reason) {
  switch (ReactionTo(reason)) {
    case Reaction::kFail:
      return 110;
    case Reaction::kTooLong:
      return 100;
    case Reaction::kRejected:
      return reason == common::v1::REASON_PROVIDER_MODERATED ? 98 : 95;
    case Reaction::kAdapter:
      return 15;
    default:
      break;
  }
  switch (reason) {
    case common::v1::REASON_PROVIDER_OVERLOADED:
      return 60;
    case common::v1::REASON_PROVIDER_ERROR:
      return 58;
    case common::v1::REASON_PROVIDER_TIMEOUT:
      return 57;
    case common::v1::REASON_PROVIDER_CUT:
    case common::v1::REASON_PROVIDER_RESET:
      return 56;
    case common::v1::REASON_PROVIDER_UNREACHABLE:
      return 55;
    case common::v1::REASON_PROVIDER_MALFORMED:
    case common::v1::REASON_PROVIDER_EMPTY:
      return 50;
    case common::v1::REASON_TOOL_CALL_INVALID:
      return 48;
    case common::v1::REASON_PROVIDER_RATE_LIMITED:
      return 45;
    case common::v1::REASON_PROVIDER_SATURATED:
      return 44;
    case common::v1::REASON_DEADLINE_EXCEEDED:
      return 40;
    case common::v1::REASON_PROVIDER_MODEL_MISSING:
      return 30;
    case common::v1::REASON_PROVIDER_QUOTA:
    case common::v1::REASON_PROVIDER_AUTH:
      return 20;
    case common::v1::REASON_PROVIDER_NOT_CONFIGURED:
      return 10;
    default:
      return 5;
  }
}

ErrorDetail OutOfTime() {
  ErrorDetail detail;
  detail.set_reason(common::v1::REASON_DEADLINE_EXCEEDED);
  detail.set_retryable(true);
  detail.set_public_message("the request's time was used up before a provider answered");
  return detail;
}

}  // namespace

bool HasInvalidToolCall(const AttemptResult& result) {
  return result.tool_call_verdict() >= common::v1::TOOL_CALL_VERDICT_INVALID_JSON &&
         !result.tool_call_repaired();
}

ErrorDetail MostUsefulError(absl::Span<const AttemptNote> notes) {
  const AttemptNote* best = &notes.front();
  int64_t retry_after_ms = 0;
  bool all_hinted = true;
  for (const AttemptNote& note : notes) {
    if (Usefulness(note.error.reason()) >= Usefulness(best->error.reason())) best = &note;
    if (note.error.reason() == common::v1::REASON_PROVIDER_NOT_CONFIGURED)
      continue;  // nobody was asked
    const int64_t hint = note.error.retry_after_ms();
    all_hinted = all_hinted && hint > 0;
    if (hint > 0 && (retry_after_ms == 0 || hint < retry_after_ms)) retry_after_ms = hint;
  }
  ErrorDetail detail = best->error;
  detail.set_retry_after_ms(all_hinted ? retry_after_ms : 0);
  return detail;
}

AttemptPlan::AttemptPlan(const AttemptPolicy& policy, std::vector<const Candidate*> candidates,
                         bool stream, int64_t max_tokens, absl::Duration now)
    : policy_(policy),
      candidates_(std::move(candidates)),
      stream_(stream),
      max_tokens_(max_tokens),
      deadline_(now + policy.total_timeout),
      states_(candidates_.size()) {
  int models = 1;
  for (const Candidate* candidate : candidates_)
    models = std::max(models, candidate->model_index() + 1);
  models_.resize(models);
}

AttemptPlan::Step AttemptPlan::Begin(absl::Duration now) { return Next(now); }

AttemptPlan::Step AttemptPlan::OnResult(const AttemptResult& result, bool committed,
                                        absl::Duration now) {
  Note(result, now);
  const bool rejected = result.error().reason() == common::v1::REASON_TOOL_CALL_INVALID;
  if (rejected && (committed || tool_calls_only_))
    return AfterToolCallBehindText(result.error(), now);
  const bool invalid_call = rejected || (!result.has_error() && HasInvalidToolCall(result));
  if (invalid_call && (rejected || !stream_)) return AfterToolCall(now);
  Step step;
  if (!result.has_error()) {
    step.kind = Kind::kDeliver;
    return step;
  }
  if (committed) {
    step.kind = Kind::kBreak;
    step.error = result.error();
    return step;
  }
  switch (ReactionTo(result.error().reason())) {
    case Reaction::kFail:
      if (held_ > 0 || tool_calls_only_) return GiveUp(now);
      step.kind = Kind::kFail;
      step.error = result.error();
      return step;
    case Reaction::kAdapter:
      return RetryAdapter(now);
    case Reaction::kNext:
      // A provider that named a time meant it.
      states_[current_].again = result.error().retry_after_ms() == 0;
      break;
    case Reaction::kNextOnly:
      break;
    case Reaction::kFree:
      ++free_steps_;
      providers_.pop_back();
      break;
    case Reaction::kRejected:
      ++model_state(current_).rejections;
      model_state(current_).rejected_by = candidates_[current_]->provider_slug();
      break;
    case Reaction::kTooLong:
      model_state(current_).too_small =
          std::max(model_state(current_).too_small, candidates_[current_]->context_length());
      break;
  }
  return Next(now);
}

// The answer is complete and could be delivered: it is held, and the first one held wins if none is
// better.
AttemptPlan::Step AttemptPlan::AfterToolCall(absl::Duration now) {
  Step step;
  if (!policy_.retry_invalid_tool_calls || held_ >= policy_.max_tool_call_retries) {
    step.kind = held_ > 0 ? Kind::kDeliverHeld : Kind::kDeliver;
    return step;
  }
  const bool first = held_++ == 0;
  step = Next(now);
  if (step.kind == Kind::kDeliverHeld && first) {
    step.kind = Kind::kDeliver;
    gave_up_on_tool_call_ = true;
  }
  step.hold = first && step.kind == Kind::kStart;
  return step;
}

// One more answer, not one more attempt: endpoints that fail without an answer are passed over.
AttemptPlan::Step AttemptPlan::AfterToolCallBehindText(const ErrorDetail& error,
                                                       absl::Duration now) {
  const bool last =
      tool_calls_only_ || !policy_.tool_calls_after_text || held_ >= policy_.max_tool_call_retries;
  tool_call_error_ = error;
  tool_calls_only_ = true;
  return last ? GiveUp(now) : Next(now);
}

AttemptPlan::Step AttemptPlan::Next(absl::Duration now) {
  const bool may_try = static_cast<int>(providers_.size()) < policy_.max_attempts &&
                       free_steps_ < policy_.max_free_steps;
  if (!may_try || deadline_ - now < kShortestAttempt) return GiveUp(now);
  const int fresh = PickFresh();
  if (fresh >= 0) return Start(fresh, absl::ZeroDuration(), now);
  // A held answer is worth more than asking an endpoint again that has just failed.
  const int again = held_ > 0 && !tool_calls_only_ ? -1 : PickAgain();
  if (again >= 0 && deadline_ - now > policy_.retry_delay + kShortestAttempt)
    return Start(again, policy_.retry_delay, now);
  return GiveUp(now);
}

AttemptPlan::Step AttemptPlan::Start(int candidate, absl::Duration delay, absl::Duration now) {
  states_[candidate].tried = true;
  states_[candidate].again = false;
  current_ = candidate;
  started_at_ = now + delay;
  providers_.push_back(candidates_[candidate]->provider_slug());
  Step step;
  step.kind = Kind::kStart;
  step.candidate = candidate;
  step.attempt = ++started_;
  step.tool_calls_only = tool_calls_only_;
  step.delay = delay;
  step.timeout = deadline_ - started_at_;
  const bool others_left =
      static_cast<int>(providers_.size()) < policy_.max_attempts && PickFresh() >= 0;
  step.first_token_timeout = FirstTokenTimeout(others_left, step.timeout);
  step.patience = Patience(step.first_token_timeout, step.timeout);
  return step;
}

// The candidate is not to blame and nothing was tried at it.
AttemptPlan::Step AttemptPlan::RetryAdapter(absl::Duration now) {
  if (adapter_away_since_ == absl::InfiniteDuration()) adapter_away_since_ = now;
  const absl::Duration delay =
      std::min(policy_.retry_delay * (1 << std::min(adapter_retries_, 6)), kLongestAdapterDelay);
  ++adapter_retries_;
  const bool patient = now - adapter_away_since_ + delay <= policy_.adapter_patience;
  if (!patient || deadline_ - now < delay + kShortestAttempt) return GiveUp(now);
  providers_.pop_back();
  return Start(current_, delay, now);
}

AttemptPlan::Step AttemptPlan::GiveUp(absl::Duration now) const {
  Step step;
  if (tool_calls_only_) {
    step.kind = Kind::kBreak;
    step.error = tool_call_error_;
    return step;
  }
  if (held_ > 0) {
    step.kind = Kind::kDeliverHeld;
    return step;
  }
  step.kind = Kind::kFail;
  if (notes_.empty()) {
    step.error = OutOfTime();
    return step;
  }
  step.error = MostUsefulError(notes_);
  const bool client_can_act =
      Usefulness(step.error.reason()) >= Usefulness(common::v1::REASON_PROVIDER_REJECTED);
  if (!client_can_act && deadline_ - now < kShortestAttempt) step.error = OutOfTime();
  return step;
}

int AttemptPlan::PickFresh() const {
  for (int i = 0; i < static_cast<int>(candidates_.size()); ++i) {
    if (!states_[i].tried && Allowed(i)) return i;
  }
  return -1;
}

int AttemptPlan::PickAgain() const {
  for (int i = 0; i < static_cast<int>(candidates_.size()); ++i) {
    if (states_[i].again && Allowed(i)) return i;
  }
  return -1;
}

bool AttemptPlan::Allowed(int candidate) const {
  const Candidate& endpoint = *candidates_[candidate];
  const ModelState& model = models_[endpoint.model_index()];
  if (model.rejections >= kMaxRejectionsPerModel) return false;
  if (model.rejections > 0 && endpoint.provider_slug() == model.rejected_by) return false;
  if (model.too_small >= 0 && endpoint.context_length() <= model.too_small) return false;
  return ProviderAttempts(endpoint.provider_slug()) < policy_.max_attempts_per_provider;
}

int AttemptPlan::ProviderAttempts(const std::string& slug) const {
  return static_cast<int>(absl::c_count(providers_, slug));
}

void AttemptPlan::Note(const AttemptResult& result, absl::Duration now) {
  const Candidate& endpoint = *candidates_[current_];
  AttemptNote note;
  note.endpoint_id = endpoint.endpoint_id();
  note.model = endpoint.model();
  note.provider = endpoint.provider_name();
  note.error = result.error();
  note.invalid_tool_call =
      HasInvalidToolCall(result) || result.error().reason() == common::v1::REASON_TOOL_CALL_INVALID;
  note.repaired_tool_call = result.tool_call_repaired();
  note.duration = now - started_at_;
  // An adapter that stays away would fill the list with the same line.
  const bool repeats = !notes_.empty() && result.has_error() &&
                       ReactionTo(result.error().reason()) == Reaction::kAdapter &&
                       notes_.back().error.reason() == result.error().reason() &&
                       notes_.back().endpoint_id == note.endpoint_id;
  if (!repeats) notes_.push_back(std::move(note));
}

absl::Duration AttemptPlan::FirstTokenTimeout(bool others_left, absl::Duration remaining) const {
  return std::min(policy_.first_token_timeout * (others_left ? 1 : kLastCandidateFactor),
                  remaining);
}

absl::Duration AttemptPlan::Patience(absl::Duration first_token_timeout,
                                     absl::Duration remaining) const {
  if (stream_) return first_token_timeout;
  const int64_t tokens = max_tokens_ > 0 ? max_tokens_ : policy_.assumed_max_tokens;
  return std::min(first_token_timeout + absl::Seconds(tokens) / policy_.slowest_tokens_per_second,
                  remaining);
}

AttemptPlan::ModelState& AttemptPlan::model_state(int candidate) {
  return models_[candidates_[candidate]->model_index()];
}

}  // namespace signalbox::ingress
