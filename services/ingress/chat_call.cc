#include "services/ingress/chat_call.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/obs/log.h"
#include "common/obs/trace_context.h"
#include "common/seam/error_detail.h"
#include "services/ingress/core/generation_record.h"
#include "services/ingress/core/tool_call_guard.h"
#include "services/ingress/learn.h"

namespace signalbox::ingress {
namespace {

using common::v1::ErrorDetail;
using common::v1::Usage;
using provider::v1::AttemptResult;
using provider::v1::Content;
using provider::v1::GenerateRequest;
using router::v1::Candidate;

ErrorDetail MakeDetail(common::v1::Reason reason, absl::string_view message, bool retryable) {
  ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_public_message(message.data(), message.size());
  detail.set_retryable(retryable);
  return detail;
}

// The client's to mend. A provider's 429 is passed on as 429 and still is no fault of the client's.
bool IsTheRequests(const ErrorDetail& error) {
  const int status = MeaningOf(error.reason()).status;
  return status < 500 && error.reason() != common::v1::REASON_PROVIDER_RATE_LIMITED;
}

// "no endpoint can serve this request: 3 excluded by context_length, 1 by max_price".
std::string ExclusionSummary(const router::v1::DecideResponse& decision) {
  if (decision.excluded().empty()) return "No endpoint serves this model.";
  std::vector<std::pair<std::string, int>> counts;
  for (const router::v1::Exclusion& exclusion : decision.excluded()) {
    auto found = std::find_if(counts.begin(), counts.end(),
                              [&](const auto& entry) { return entry.first == exclusion.filter(); });
    if (found == counts.end()) {
      counts.emplace_back(exclusion.filter(), 1);
    } else {
      ++found->second;
    }
  }
  std::string text = "No endpoint can serve this request:";
  for (size_t i = 0; i < counts.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? " " : ", ", counts[i].second, i == 0 ? " excluded by " : " by ",
                    counts[i].first);
  }
  return text + ".";
}

std::string Traceparent(const std::string& incoming, Rng* rng) {
  const absl::optional<obs::TraceContext> parent = obs::TraceContext::FromHeader(incoming);
  return (parent.has_value() ? parent->Child(*rng) : obs::TraceContext::NewRoot(*rng)).ToHeader();
}

obs::LogEvery& DefectLog() {
  static auto* const every = new obs::LogEvery(absl::Seconds(1));
  return *every;
}

}  // namespace

void ChatCall::Start(LoopServices& services, ChatRequest request,
                     std::unique_ptr<ChatFront> front) {
  std::shared_ptr<ChatCall> call(new ChatCall(services, std::move(request), std::move(front)));
  call->self_ = call;
  services.calls.Add(call.get());
  call->front_->OnClientGone([weak = std::weak_ptr<ChatCall>(call)] {
    if (const std::shared_ptr<ChatCall> alive = weak.lock()) alive->OnClientGone();
  });
  call->Authenticate();
}

ChatCall::ChatCall(LoopServices& services, ChatRequest request, std::unique_ptr<ChatFront> front)
    : services_(services),
      request_(std::move(request)),
      front_(std::move(front)),
      arrived_(services.Now()),
      arrived_wall_(services.shared.clock.Now()) {
  services_.shared.metrics.in_flight.fetch_add(1, std::memory_order_relaxed);
}

void ChatCall::Authenticate() {
  services_.auth.Authenticate(
      request_.secret,
      [self = shared_from_this()](absl::StatusOr<Authenticator::Principal> principal) {
        if (!self->done_) self->OnPrincipal(std::move(principal));
      });
}

void ChatCall::OnPrincipal(absl::StatusOr<Authenticator::Principal> principal) {
  if (!principal.ok()) {
    Fail(FailureOf(principal.status()));
    return;
  }
  principal_ = *std::move(principal);
  absl::StatusOr<RequestView> view =
      ReadChatRequest(request_.body, services_.shared.options.request);
  if (!view.ok()) {
    Fail(FailureOf(view.status()));
    return;
  }
  view_ = *std::move(view);
  if (view_.session_id.empty()) view_.session_id = request_.session_id;
  conversation_ = ConversationOf(services_.shared.options.conversations, principal_->hash, &view_);
  if (principal_->deny_data_collection)
    view_.features.mutable_provider()->set_deny_data_collection(true);
  streamed_ = view_.features.stream();
  if (view_.features.request_class() == common::v1::REQUEST_CLASS_TOOLS) {
    guard_ = FirstSaid({view_.tool_call_guard, request_.tool_call_guard,
                        ToolCallGuardNamed(principal_->tool_call_guard)
                            .value_or(provider::v1::TOOL_CALL_GUARD_UNSPECIFIED),
                        services_.shared.options.tool_call_guard});
  }
  Decide();
}

void ChatCall::Decide() {
  QueryRouter(services_, view_.features, conversation_, request_.wants_metadata,
              [self = shared_from_this()](absl::StatusOr<Route> route) {
                if (!self->done_) self->OnRoute(std::move(route));
              });
}

void ChatCall::OnRoute(absl::StatusOr<Route> route) {
  if (!route.ok()) {
    Fail(FailureOf(route.status()));
    return;
  }
  route_ = *std::move(route);
  generation_id_ = NewGenerationId(arrived_wall_);
  if (route_.order.empty()) {
    Failure failure = MakeFailure(
        MakeDetail(common::v1::REASON_NO_ENDPOINTS, ExclusionSummary(*route_.decision), false));
    failure.excluded.assign(route_.decision->excluded().begin(), route_.decision->excluded().end());
    Fail(std::move(failure));
    return;
  }
  plan_.emplace(GuardedPolicy(services_.shared.options.attempts, guard_), route_.order, streamed_,
                view_.features.max_tokens(), arrived_);
  last_write_ = services_.Now();
  Perform(plan_->Begin(services_.Now()));
}

void ChatCall::Perform(AttemptPlan::Step step) {
  switch (step.kind) {
    case AttemptPlan::Kind::kStart:
      if (step.delay == absl::ZeroDuration()) {
        StartAttempt(step);
        return;
      }
      if (timer_ == 0) ArmTimer();  // the client may have to be kept alive meanwhile
      delay_timer_ = services_.executor.RunAfter(step.delay, [this, step] {
        delay_timer_ = 0;
        StartAttempt(step);
      });
      return;
    case AttemptPlan::Kind::kDeliverHeld: {
      const HeldAnswer held = *std::move(held_);
      guard_books_.DeliverHeld();
      Deliver(plan_->candidate(held.candidate), held.result, held.completion);
      return;
    }
    case AttemptPlan::Kind::kFail:
      FailBeforeContent(step.error);
      return;
    case AttemptPlan::Kind::kBreak:
      Fail(MakeFailure(step.error));
      return;
    case AttemptPlan::Kind::kDeliver:
      break;  // OnResult has what is delivered
  }
}

void ChatCall::StartAttempt(const AttemptPlan::Step& step) {
  candidate_ = step.candidate;
  output_tokens_ = 0;
  attempt_committed_ = attempt_works_ = false;
  pending_.clear();
  attempt_started_ = last_content_ = services_.Now();
  attempt_patience_ = step.patience;
  attempt_ =
      services_.shared.adapter.Generate(BuildGenerateRequest(step), services_.executor, this);
  if (timer_ == 0) ArmTimer();
}

GenerateRequest ChatCall::BuildGenerateRequest(const AttemptPlan::Step& step) {
  const Candidate& candidate = plan_->candidate(step.candidate);
  GenerateRequest request;
  request.set_generation_id(generation_id_);
  request.set_attempt(step.attempt);
  request.set_endpoint_id(candidate.endpoint_id());
  request.set_body(request_.body);
  request.set_stream(streamed_);
  request.set_served_model(candidate.model());
  request.set_created_unix(absl::ToUnixSeconds(arrived_wall_));
  request.set_request_class(view_.features.request_class());
  request.set_timeout_ms(absl::ToInt64Milliseconds(step.timeout));
  request.set_first_token_timeout_ms(absl::ToInt64Milliseconds(step.first_token_timeout));
  request.set_traceparent(Traceparent(request_.traceparent, &services_.rng));
  for (const auto& [name, value] : request_.forward_headers)
    (*request.mutable_forward_headers())[name] = value;
  *request.mutable_pricing() = candidate.pricing();
  request.set_tool_call_guard(guard_);
  request.set_tool_calls_only(step.tool_calls_only);
  request.set_reissued(absl::c_any_of(
      plan_->notes(), [](const AttemptNote& note) { return note.invalid_tool_call; }));
  return request;
}

void ChatCall::OnContent(Content content) {
  if (done_) return;
  in_content_ = true;
  TakeContent(std::move(content));
  in_content_ = false;
}

void ChatCall::TakeContent(Content content) {
  last_content_ = services_.Now();
  output_tokens_ = content.output_tokens();
  if (content.data().empty()) {
    attempt_works_ = true;
    return;
  }
  if (!streamed_) {
    if (pending_.empty()) {
      pending_ = std::move(*content.mutable_data());
    } else {
      pending_ += content.data();
    }
    return;
  }
  attempt_committed_ = attempt_committed_ || content.commits();
  if (committed_ && attempt_committed_) {
    Relay(std::move(*content.mutable_data()));
  } else if (content.commits()) {
    Commit(std::move(*content.mutable_data()));
  } else if (pending_.size() + content.data().size() <= MostPending()) {
    pending_ += content.data();
  }
}

// What the guard holds back is as long as a whole answer.
size_t ChatCall::MostPending() const {
  const ChatOptions& options = services_.shared.options;
  return guard_ == provider::v1::TOOL_CALL_GUARD_ENFORCE ? options.max_guarded_bytes
                                                         : options.max_held_bytes;
}

void ChatCall::Commit(std::string events) {
  committed_ = true;
  ttft_ = last_content_ - arrived_;
  // As a rule no other attempt will need it, and a stream may be long.
  if (guard_ != provider::v1::TOOL_CALL_GUARD_ENFORCE) request_.body = std::string();
  BeginStream();
  if (pending_.empty()) {
    Relay(std::move(events));
    return;
  }
  pending_ += events;
  Relay(std::exchange(pending_, {}));
}

void ChatCall::BeginStream() {
  if (begun_) return;
  begun_ = true;
  front_->BeginStream(Head());
  front_->OnWritable([weak = weak_from_this()] {
    if (const std::shared_ptr<ChatCall> alive = weak.lock()) alive->OnWritable();
  });
}

void ChatCall::Relay(std::string events) {
  if (events.empty()) return;
  last_write_ = last_content_;
  front_->WriteEvents(std::move(events));
  PauseIfCongested();
}

void ChatCall::PauseIfCongested() {
  if (paused_ || attempt_ == nullptr || !front_->Congested()) return;
  paused_ = true;
  attempt_->PauseReading();
}

void ChatCall::OnWritable() {
  if (!paused_) return;
  paused_ = false;
  last_content_ = services_.Now();  // the silence was ours
  if (attempt_ != nullptr) attempt_->ResumeReading();
}

void ChatCall::OnResult(AttemptResult result) {
  if (done_) return;
  const std::shared_ptr<ChatCall> keep = shared_from_this();
  EndAttempt();
  services_.shared.metrics.CountAttempt(result.error().reason());
  LearnFromAttempt(services_, conversation_, plan_->candidate(candidate_).endpoint_id(),
                   result.error().reason(), committed_, attempt_started_);
  AttemptPlan::Step step = plan_->OnResult(result, attempt_committed_, services_.Now());
  if (step.kind == AttemptPlan::Kind::kDeliver) {
    if (plan_->gave_up_on_tool_call()) guard_books_.GiveUp();
    result.clear_error();
    Deliver(plan_->candidate(candidate_), result, std::exchange(pending_, {}));
    return;
  }
  if (step.kind == AttemptPlan::Kind::kBreak) {
    // Tokens that were delivered before the break are recorded, and not charged.
    Settle(plan_->candidate(candidate_), result, Charge(), /*cancelled=*/false);
  }
  if (plan_->notes().back().invalid_tool_call)
    guard_books_.ThrowAway(plan_->candidate(candidate_), result, step.hold);
  if (step.hold) result.clear_error();  // should it be delivered, it is an answer
  if (step.hold) held_ = HeldAnswer{candidate_, std::move(result), std::exchange(pending_, {})};
  Perform(std::move(step));
}

void ChatCall::Deliver(const Candidate& candidate, const AttemptResult& result,
                       std::string answer) {
  if (!streamed_ && answer.empty()) {  // breaks the adapter's contract
    Fail(MakeFailure(
        MakeDetail(common::v1::REASON_INTERNAL, "adapter sent a result without an answer", false)));
    return;
  }
  const Charge charge =
      ChargeFor(candidate.pricing(), result.usage(), services_.shared.options.markup_basis_points);
  const std::string usage = UsageJson(result.usage(), charge);
  const std::string metadata = MetadataFor(&candidate);
  ChatSummary summary = SummaryFor(&candidate);
  summary.usage = result.usage();
  summary.cost = charge.charged;
  if (ttft_ == absl::ZeroDuration()) ttft_ = last_content_ - arrived_;
  Settle(candidate, result, charge, /*cancelled=*/false);
  if (plan_->started() > 1) services_.shared.metrics.fallbacks.Add();
  if (streamed_) {
    BeginStream();
    std::string last = std::move(answer);  // chunks of an answer that ended without content
    AppendUsageChunk(ChunkHeadFor(&candidate), result, usage, metadata, &last);
    front_->FinishStream(std::move(last), summary);
  } else {
    SpliceUsage(usage, metadata, &answer);
    front_->Complete(Head(), std::move(answer), summary);
  }
  Finish(ChatOutcome::kOk);
}

void ChatCall::FailBeforeContent(const ErrorDetail& error) {
  if (candidate_ >= 0) {
    AttemptResult result;
    *result.mutable_error() = error;
    result.set_finish_reason("error");
    Settle(plan_->candidate(candidate_), result, Charge(), /*cancelled=*/false);
  }
  Fail(MakeFailure(error));
}

void ChatCall::Fail(Failure failure) {
  if (failure.detail.reason() == common::v1::REASON_INTERNAL ||
      failure.detail.reason() == common::v1::REASON_UNSPECIFIED) {
    obs::Log(obs::kError, "request_defect", DefectLog())
        .With("generation_id", generation_id_)
        .With("message", failure.detail.public_message());
  }
  if (!begun_) {
    front_->Fail(Head(), failure);
  } else {
    const Candidate* const candidate = Current();
    std::string chunk;
    AppendErrorChunk(ChunkHeadFor(candidate), failure, &chunk);
    ChatSummary summary = SummaryFor(candidate);
    summary.error = failure.detail;
    front_->BreakStream(std::move(chunk), summary);
  }
  services_.shared.metrics.CountError(failure.detail.reason());
  Finish(committed_                      ? ChatOutcome::kBroken
         : IsTheRequests(failure.detail) ? ChatOutcome::kRefused
                                         : ChatOutcome::kFailed);
}

void ChatCall::OnClientGone() {
  if (done_) return;
  if (in_content_) {  // found out while writing; an attempt is not destroyed inside its own call
    services_.executor.Post([self = shared_from_this()] { self->OnClientGone(); });
    return;
  }
  const std::shared_ptr<ChatCall> keep = shared_from_this();
  const bool running = attempt_ != nullptr;
  EndAttempt();  // closes the provider's connection
  if (running) {
    services_.shared.metrics.CountAttempt(common::v1::REASON_CANCELLED);
    const Candidate& candidate = plan_->candidate(candidate_);
    LearnFromAttempt(services_, conversation_, candidate.endpoint_id(),
                     common::v1::REASON_CANCELLED, committed_, attempt_started_);
    AttemptResult result;
    Usage& usage = *result.mutable_usage();
    usage.set_source(Usage::SOURCE_ESTIMATED);
    usage.set_completion_tokens(output_tokens_);
    if (output_tokens_ > 0) usage.set_prompt_tokens(view_.features.prompt_tokens());
    const Charge charge =
        ChargeFor(candidate.pricing(), usage, services_.shared.options.markup_basis_points);
    Settle(candidate, result, charge, /*cancelled=*/true);
  }
  Finish(ChatOutcome::kClientGone);
}

void ChatCall::Abandon() {
  const std::shared_ptr<ChatCall> keep = shared_from_this();
  EndAttempt();
  if (committed_)
    Settle(plan_->candidate(candidate_), AttemptResult(), Charge(), /*cancelled=*/true);
  Fail(MakeFailure(MakeDetail(common::v1::REASON_DRAINING,
                              "The gateway is shutting down; repeat the request.", true)));
}

absl::Duration ChatCall::WatchdogDue() const {
  if (attempt_ == nullptr || paused_) return absl::InfiniteDuration();
  const ChatOptions& options = services_.shared.options;
  const absl::Duration last_call = plan_->deadline() + options.watchdog_grace;
  if (committed_ || attempt_works_)
    return std::min(last_content_ + options.watchdog_idle, last_call);
  return std::min(attempt_started_ + attempt_patience_ + options.watchdog_grace, last_call);
}

absl::Duration ChatCall::NextDue() const {
  const absl::Duration keepalive = streamed_
                                       ? last_write_ + services_.shared.options.keepalive_interval
                                       : absl::InfiniteDuration();
  return std::min(keepalive, WatchdogDue());
}

// Content does not move the timer: it looks anew when it fires, which costs a busy stream nothing.
void ChatCall::ArmTimer() {
  const ChatOptions& options = services_.shared.options;
  const absl::Duration longest = std::max(options.keepalive_interval, options.watchdog_grace);
  const absl::Duration delay =
      std::clamp(NextDue() - services_.Now(), absl::Milliseconds(1), longest);
  timer_ = services_.executor.RunAfter(delay, [this] { OnTimer(); });
}

void ChatCall::OnTimer() {
  timer_ = 0;
  const std::shared_ptr<ChatCall> keep = shared_from_this();
  const absl::Duration now = services_.Now();
  if (streamed_ && now - last_write_ >= services_.shared.options.keepalive_interval) {
    BeginStream();
    front_->WriteKeepAlive();
    last_write_ = now;
    services_.shared.metrics.keepalives.Add();
  }
  if (now >= WatchdogDue()) OnWatchdog();
  if (!done_ && timer_ == 0) ArmTimer();
}

// The adapter should have ended the attempt itself: it hangs, or the way to it is dead.
void ChatCall::OnWatchdog() {
  AttemptResult result;
  *result.mutable_error() =
      MakeDetail(common::v1::REASON_PROVIDER_TIMEOUT, "the provider did not answer in time", true);
  result.mutable_error()->set_endpoint_id(plan_->candidate(candidate_).endpoint_id());
  result.mutable_error()->set_provider(plan_->candidate(candidate_).provider_name());
  result.set_finish_reason("error");
  OnResult(std::move(result));
}

void ChatCall::EndAttempt() {
  if (attempt_ == nullptr) return;
  attempt_.reset();
  paused_ = false;
  provider_time_ += services_.Now() - attempt_started_;
}

void ChatCall::Settle(const Candidate& candidate, const AttemptResult& result, const Charge& charge,
                      bool cancelled) {
  GenerationFacts facts;
  facts.id = generation_id_;
  facts.upstream_id = result.upstream_id();
  facts.model = candidate.model();
  facts.provider = candidate.provider_name();
  facts.router = route_.decision->strategy();
  facts.created = arrived_wall_;
  facts.latency = ttft_;
  facts.generation_time = services_.Now() - arrived_;
  facts.streamed = streamed_;
  facts.cancelled = cancelled;
  facts.finish_reason = result.has_error() ? "error" : result.finish_reason();
  facts.native_finish_reason = result.native_finish_reason();
  facts.usage = result.usage();
  facts.charge = charge;
  facts.media_parts = view_.media_parts;
  facts.audio_parts = view_.audio_parts;
  facts.user = view_.user;
  facts.session_id = view_.session_id;
  facts.user_agent = request_.user_agent;
  facts.referer = request_.referer;
  facts.attempts = plan_->notes();
  services_.shared.metrics.CountUsage(candidate.provider_slug(), result.usage(), charge);
  services_.settlement.Settle({generation_id_, principal_->hash, charge.charged,
                               services_.shared.clock.Now(), GenerationRecord(facts)});
}

void ChatCall::Finish(ChatOutcome outcome) {
  done_ = true;
  attempt_.reset();
  if (timer_ != 0) services_.executor.Cancel(timer_);
  if (delay_timer_ != 0) services_.executor.Cancel(delay_timer_);
  IngressMetrics& metrics = services_.shared.metrics;
  metrics.CountChat(outcome);
  guard_books_.Close(outcome, metrics);
  metrics.in_flight.fetch_sub(1, std::memory_order_relaxed);
  const absl::Duration total = services_.Now() - arrived_;
  metrics.added_latency.Observe(absl::ToDoubleSeconds(total - provider_time_));
  if (ttft_ > absl::ZeroDuration()) metrics.ttft.Observe(absl::ToDoubleSeconds(ttft_));
  obs::Log(obs::kDebug, "request")
      .With("generation_id", generation_id_)
      .With("outcome", outcome == ChatOutcome::kOk           ? "ok"
                       : outcome == ChatOutcome::kClientGone ? "client_gone"
                                                             : "error")
      .With("attempts", plan_.has_value() ? plan_->started() : 0)
      .With("total", total)
      .With("provider_time", provider_time_);
  services_.calls.Remove(this);
  // What runs now may be a member function of ours: the object goes with the next turn of the loop
  // at the latest.
  self_.reset();
}

Failure ChatCall::MakeFailure(const ErrorDetail& error) const {
  Failure failure;
  failure.detail = error;
  failure.requested_models.assign(view_.features.models().begin(), view_.features.models().end());
  if (plan_.has_value()) failure.attempts.assign(plan_->notes().begin(), plan_->notes().end());
  return failure;
}

absl::Duration ChatCall::ProviderTime() const {
  return provider_time_ +
         (attempt_ != nullptr ? services_.Now() - attempt_started_ : absl::ZeroDuration());
}

AnswerHead ChatCall::Head() const {
  AnswerHead head;
  head.generation_id = generation_id_;
  head.provider_time = ProviderTime();
  head.own_time = services_.Now() - arrived_ - head.provider_time;
  return head;
}

const Candidate* ChatCall::Current() const {
  return candidate_ >= 0 ? &plan_->candidate(candidate_) : nullptr;
}

ChunkHead ChatCall::ChunkHeadFor(const Candidate* candidate) const {
  ChunkHead head;
  head.id = generation_id_;
  head.created_unix = absl::ToUnixSeconds(arrived_wall_);
  if (candidate != nullptr) {
    head.model = candidate->model();
    head.provider = candidate->provider_name();
  } else if (!view_.features.models().empty()) {
    head.model = view_.features.models(0);
  }
  return head;
}

ChatSummary ChatCall::SummaryFor(const Candidate* candidate) const {
  ChatSummary summary;
  summary.generation_id = generation_id_;
  if (candidate != nullptr) {
    summary.model = candidate->model();
    summary.provider = candidate->provider_name();
  }
  summary.attempts = plan_.has_value() ? plan_->started() : 0;
  return summary;
}

std::string ChatCall::MetadataFor(const Candidate* candidate) const {
  if (!request_.wants_metadata) return {};
  RoutingStory story;
  story.decision = route_.decision.get();
  const std::vector<std::string> models(view_.features.models().begin(),
                                        view_.features.models().end());
  story.requested_models = models;
  story.attempts = plan_->notes();
  if (candidate != nullptr) story.selected_endpoint = candidate->endpoint_id();
  return RoutingMetadata(story);
}

}  // namespace signalbox::ingress
