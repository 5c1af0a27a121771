#include "services/provider-adapter/core/generation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/pricing/cost.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/error_map.h"
#include "services/provider-adapter/core/request_limits.h"
#include "services/provider-adapter/core/usage_estimate.h"

namespace signalbox::provider_adapter {
namespace {

namespace v1 = common::v1;

// Shorter than this between first content and end tells nothing about speed.
constexpr absl::Duration kMeasurable = absl::Milliseconds(5);
// Between two signs of life while tool calls are held.
constexpr absl::Duration kProgressInterval = absl::Seconds(1);

provider::v1::ToolCallGuard GuardOf(const GenerationSetup& setup,
                                    const provider::v1::GenerateRequest& request) {
  if (setup.tools == nullptr) return provider::v1::TOOL_CALL_GUARD_OFF;
  return request.tool_calls_only() ? provider::v1::TOOL_CALL_GUARD_ENFORCE
                                   : request.tool_call_guard();
}

v1::ErrorDetail MakeDetail(v1::Reason reason, std::string message) {
  v1::ErrorDetail detail;
  detail.set_reason(reason);
  detail.set_public_message(std::move(message));
  return detail;
}

AttemptDeadlines::Limits WaitsFor(const GenerationSetup& setup,
                                  const provider::v1::GenerateRequest& request, bool streams) {
  AttemptDeadlines::Limits waits = setup.limits.waits;
  // An answer in one piece shows nothing until it is complete.
  if (!streams) waits.first_content += LongestGeneration(request.body());
  return waits;
}

std::string Seconds(absl::Duration duration) {
  return absl::StrCat(absl::ToDoubleSeconds(duration), " s");
}

}  // namespace

Generation::Generation(GenerationSetup setup, provider::v1::GenerateRequest request,
                       Upstream& upstream, const Clock& clock, Executor& executor,
                       GenerationObserver* observer, seam::GenerateSink* sink)
    : setup_(std::move(setup)),
      request_(std::move(request)),
      clock_(clock),
      executor_(executor),
      observer_(observer),
      sink_(sink),
      guard_(GuardOf(setup_, request_)),
      calls_only_(request_.tool_calls_only()),
      hold_(enforces() && request_.stream() ? std::make_unique<ToolCallHold>(calls_only_)
                                            : nullptr),
      upstream_streams_(StreamsUpstream(request_, *setup_.endpoint)),
      started_(clock.Monotonic()),
      deadlines_(WaitsFor(setup_, request_, upstream_streams_), started_),
      request_bytes_(static_cast<int64_t>(request_.body().size())) {
  const bool client_streams = request_.stream();
  request_.set_stream(upstream_streams_);
  absl::StatusOr<UpstreamRequest> translated =
      setup_.dialect->Translate(*setup_.endpoint, request_);
  request_.set_stream(client_streams);
  if (translated.ok()) {
    Send(upstream, *std::move(translated));
  } else {
    // The sink is never called from inside Generate.
    timer_ = executor_.RunAfter(absl::ZeroDuration(), [this, status = translated.status()] {
      timer_ = 0;
      Fail(seam::DetailOf(status));
    });
  }
}

Generation::~Generation() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  if (finished_) return;
  observer_->OnFinished(Close(MakeDetail(v1::REASON_CANCELLED, "cancelled"), FinalUsage()));
}

void Generation::Send(Upstream& upstream, UpstreamRequest translated) {
  runaway_bytes_ = RunawayBytes(request_.body(), setup_.endpoint->max_completion_tokens);
  // Not needed any more, and the largest part of an open stream's memory.
  std::string().swap(*request_.mutable_body());

  http::ClientRequest call;
  call.origin = setup_.origin;
  call.path = std::move(translated.path);
  call.headers = std::move(translated.headers);
  if (!request_.traceparent().empty()) call.headers.Add("traceparent", request_.traceparent());
  if (!setup_.key.empty()) {
    const http::Headers::Entry key =
        setup_.dialect->KeyHeader(*setup_.endpoint, setup_.key.Reveal());
    call.headers.Add(key.first, key.second);
  }
  call.body = std::move(translated.body);
  call.connect_timeout = setup_.limits.connect;
  call_ = upstream.Start(std::move(call), this);
  ArmTimer();
}

void Generation::PauseReading() {
  deadlines_.Pause(clock_.Monotonic());
  if (call_ != nullptr) call_->PauseReading();
}

void Generation::ResumeReading() {
  if (finished_) return;
  deadlines_.Resume(clock_.Monotonic());
  if (call_ == nullptr) return;
  ArmTimer();
  call_->ResumeReading();
}

void Generation::OnHead(int status, const http::Headers& headers) {
  status_ = status;
  deadlines_.HeadArrived(clock_.Monotonic());
  ArmTimer();
  if (status_ != 200) {
    error_headers_ = headers;
    return;
  }
  if (!upstream_streams_) {
    // A whole answer in one piece: its head is the first sign of content.
    first_content_ = clock_.Monotonic();
    deadlines_.ContentArrived();
    ArmTimer();
  }
  AnswerOptions options;
  options.generation_id = request_.generation_id();
  options.served_model = request_.served_model();
  options.provider_name = setup_.endpoint->provider->name();
  options.created_unix = request_.created_unix();
  options.stream = request_.stream();
  options.keep_text = setup_.tools != nullptr;
  options.max_event_bytes = setup_.limits.max_event_bytes;
  reader_ = setup_.dialect->ReadAnswer(options, headers.Get("content-type"));
}

void Generation::OnBody(absl::string_view bytes) {
  deadlines_.BytesArrived(clock_.Monotonic());
  if (reader_ == nullptr) {
    CollectErrorBody(bytes);
  } else {
    ReadAnswer(bytes);
  }
}

void Generation::CollectErrorBody(absl::string_view bytes) {
  const size_t room = setup_.limits.max_error_body_bytes - error_body_.size();
  absl::StrAppend(&error_body_, bytes.substr(0, room));
  if (bytes.size() >= room) FailWithStatus();
}

void Generation::ReadAnswer(absl::string_view bytes) {
  response_bytes_ += static_cast<int64_t>(bytes.size());
  std::string out;
  const absl::Status read = reader_->Feed(bytes, &out);
  NoteProgress();
  if (!PassOn(std::move(out))) return;
  if (!read.ok()) {
    Fail(seam::DetailOf(read));
  } else if (response_bytes_ > setup_.limits.max_response_bytes) {
    Fail(MakeDetail(v1::REASON_PROVIDER_MALFORMED, "the provider's answer exceeds the size limit"));
  } else if (facts().output_chars > runaway_bytes_) {
    Fail(MakeDetail(v1::REASON_PROVIDER_MALFORMED,
                    "the provider kept generating far beyond max_tokens"));
  } else if (hold_ != nullptr &&
             facts().argument_chars > setup_.limits.max_guarded_argument_bytes) {
    Fail(MakeDetail(v1::REASON_PROVIDER_MALFORMED, "the answer's tool calls exceed what is held"));
  }
}

void Generation::NoteProgress() {
  const absl::Duration now = clock_.Monotonic();
  if (facts().content_seen && !content_seen_) {
    content_seen_ = true;
    if (upstream_streams_) first_content_ = now;
    deadlines_.ContentArrived();
    ArmTimer();
  }
  if (facts().done_seen && !end_seen_) {
    // Some providers keep the connection open after the end marker. The body's own end comes in the
    // same read as a rule, and only with it the connection can be used again.
    end_seen_ = true;
    deadlines_.EndMarkerArrived(now);
    ArmTimer();
  }
}

// Text goes on at once, tool calls stay.
bool Generation::PassOn(std::string events) {
  if (events.empty()) return true;
  if (hold_ == nullptr) return Deliver(std::move(events), content_seen_, facts().output_chars);
  hold_->Take(&events);
  if (events.empty()) return TellProgress();
  return Deliver(std::move(events), facts().text_seen,
                 facts().output_chars - facts().argument_chars);
}

bool Generation::TellProgress() {
  const absl::Duration now = clock_.Monotonic();
  if (!content_seen_ || now - progress_told_ < kProgressInterval) return true;
  progress_told_ = now;
  return Deliver("", false, calls_only_ ? 0 : facts().output_chars - facts().argument_chars);
}

bool Generation::Deliver(std::string data, bool commits, int64_t output_bytes) {
  provider::v1::Content content;
  content.set_data(std::move(data));
  content.set_commits(commits);
  content.set_output_tokens(TokensOfBytes(output_bytes));
  committed_ = committed_ || commits;
  bool destroyed = false;
  destroyed_ = &destroyed;
  sink_->OnContent(std::move(content));
  if (destroyed) return false;
  destroyed_ = nullptr;
  return true;
}

void Generation::OnEnd() {
  if (reader_ == nullptr) {
    FailWithStatus();
  } else {
    AnswerEnded();
  }
}

void Generation::AnswerEnded() {
  std::string out;
  const absl::Status complete = reader_->Finish(&out);
  NoteProgress();
  if (complete.ok()) {
    Conclude(std::move(out));
  } else if (PassOn(std::move(out))) {
    Fail(seam::DetailOf(complete));
  }
}

// The answer is complete; `rest` is what of it has not gone on yet.
void Generation::Conclude(std::string rest) {
  if (hold_ != nullptr) hold_->Take(&rest);
  if (setup_.tools != nullptr && guard_ <= provider::v1::TOOL_CALL_GUARD_OFF) {
    ruling_.verdict = setup_.tools->Judge(facts());
  } else if (setup_.tools != nullptr) {
    ruling_ = RuleOn(*setup_.tools, facts(), {committed_, calls_only_});
  }
  const bool rejected = hold_ != nullptr && ruling_.result == GuardRuling::Result::kRejected;
  const bool text_is_out = committed_ || calls_only_;
  if (hold_ != nullptr && !(rejected && text_is_out))
    hold_->Release(facts(), ruling_.arguments, &rest);
  if (hold_ == nullptr && mended()) rest = MendCompletion(rest, facts(), ruling_.arguments);
  const bool commits = content_seen_ && (!rejected || committed_);
  if (!rest.empty() && !Deliver(std::move(rest), commits, facts().output_chars)) return;
  rejected ? Reject() : Succeed();
}

void Generation::OnError(const http::ClientError& error) {
  // Some providers just drop the connection when they have said everything: the reader knows
  // whether they had.
  const bool said_everything = error.kind == http::ClientError::Kind::kReset && facts().finished;
  if (end_seen_ || said_everything) {
    AnswerEnded();
  } else if (status_ != 0 && status_ != 200) {
    FailWithStatus();  // the status says more than the way its body broke off
  } else {
    Fail(ClassifyTransport(error));
  }
}

// Activity only moves deadlines back, so the timer stays where it is and looks again when it fires.
void Generation::ArmTimer() {
  const absl::Duration due = deadlines_.NextDue();
  if (due == absl::InfiniteDuration() || (timer_ != 0 && timer_due_ <= due)) return;
  if (timer_ != 0) executor_.Cancel(timer_);
  timer_due_ = due;
  timer_ = executor_.RunAfter(due - clock_.Monotonic(), [this] { OnTimer(); });
}

void Generation::OnTimer() {
  timer_ = 0;
  const AttemptDeadlines::Expiry expiry = deadlines_.Expired(clock_.Monotonic());
  if (expiry == AttemptDeadlines::Expiry::kNone) {
    ArmTimer();
  } else if (expiry == AttemptDeadlines::Expiry::kEndGrace) {
    AnswerEnded();
  } else {
    FailTimedOut(expiry);
  }
}

void Generation::FailTimedOut(AttemptDeadlines::Expiry expiry) {
  const AttemptDeadlines::Limits& limits = setup_.limits.waits;
  if (expiry == AttemptDeadlines::Expiry::kFirstContent) {
    Fail(MakeDetail(
        v1::REASON_PROVIDER_TIMEOUT,
        absl::StrCat("the provider sent no content within ", Seconds(limits.first_content))));
  } else if (expiry == AttemptDeadlines::Expiry::kIdle) {
    Fail(MakeDetail(v1::REASON_PROVIDER_TIMEOUT,
                    absl::StrCat("the provider's answer stopped for ", Seconds(limits.idle))));
  } else if (deadlines_.paused()) {
    // The client took too long to read, not the provider to write.
    Fail(MakeDetail(v1::REASON_DEADLINE_EXCEEDED,
                    absl::StrCat("the answer was not read within ", Seconds(limits.total))));
  } else {
    Fail(
        MakeDetail(v1::REASON_PROVIDER_TIMEOUT,
                   absl::StrCat("the provider's answer took longer than ", Seconds(limits.total))));
  }
}

void Generation::FailWithStatus() {
  Fail(ClassifyStatus(status_, error_headers_, error_body_, clock_.Now()));
}

void Generation::Describe(v1::ErrorDetail* error) const {
  error->set_retryable(IsRetryable(error->reason()));
  error->set_endpoint_id(setup_.endpoint->id);
  error->set_provider(setup_.endpoint->provider->name());
  if (error->upstream_status() == 0) error->set_upstream_status(status_);
}

void Generation::Fail(v1::ErrorDetail error) {
  Describe(&error);
  Finish(std::move(error), {});
}

void Generation::Succeed() {
  provider::v1::AttemptResult result;
  result.set_tool_call_verdict(ruling_.verdict.verdict);
  result.set_tool_call_detail(ruling_.verdict.detail);
  result.set_tool_call_repaired(mended());
  Finish({}, std::move(result));
}

// The provider has answered; it is the guard that does not let the answer through.
void Generation::Reject() {
  v1::ErrorDetail error = MakeDetail(
      v1::REASON_TOOL_CALL_INVALID,
      absl::StrCat("the provider's answer has no valid tool call: ",
                   ruling_.verdict.detail.empty() ? "none was made" : ruling_.verdict.detail));
  Describe(&error);
  provider::v1::AttemptResult result;
  result.set_tool_call_verdict(ruling_.verdict.verdict);
  result.set_tool_call_detail(ruling_.verdict.detail);
  Finish(std::move(error), std::move(result));
}

void Generation::Finish(v1::ErrorDetail error, provider::v1::AttemptResult result) {
  const AnswerFacts& known = facts();
  *result.mutable_usage() = FinalUsage();
  result.set_finish_reason(known.finish_reason);
  result.set_native_finish_reason(known.native_finish_reason);
  result.set_upstream_id(known.upstream_id);
  const bool answered = error.reason() == v1::REASON_TOOL_CALL_INVALID;
  const FinishedAttempt finished = Close(answered ? v1::ErrorDetail() : error, result.usage());
  result.set_ttft_us(finished.outcome.ttft_us());
  result.set_duration_us(finished.outcome.duration_us());
  if (error.reason() != v1::REASON_UNSPECIFIED) *result.mutable_error() = std::move(error);
  observer_->OnFinished(finished);
  sink_->OnResult(std::move(result));  // may destroy this
}

FinishedAttempt Generation::Close(const v1::ErrorDetail& error, const v1::Usage& usage) {
  finished_ = true;
  if (timer_ != 0) executor_.Cancel(timer_);
  timer_ = 0;
  call_.reset();

  const absl::Duration now = clock_.Monotonic();
  FinishedAttempt finished;
  finished.error = error;
  v1::Outcome& outcome = finished.outcome;
  outcome.set_endpoint_id(setup_.endpoint->id);
  outcome.set_request_class(request_.request_class());
  outcome.set_failure(error.reason());
  outcome.set_finished_unix_ms(absl::ToUnixMillis(clock_.Now()));
  outcome.set_duration_us(absl::ToInt64Microseconds(SinceStart(now)));
  if (content_seen_)
    outcome.set_ttft_us(
        std::max<int64_t>(1, absl::ToInt64Microseconds(SinceStart(first_content_))));
  outcome.set_prompt_tokens(usage.prompt_tokens());
  outcome.set_completion_tokens(usage.completion_tokens());
  outcome.set_cached_tokens(usage.cached_tokens());
  outcome.set_tool_call_verdict(ruling_.verdict.verdict);
  outcome.set_tool_call_repaired(mended());
  outcome.set_tool_choice_free(setup_.tools != nullptr && setup_.tools->choice_is_free());
  const bool failed = error.reason() != v1::REASON_UNSPECIFIED;
  outcome.set_reissued(request_.reissued());
  // An answer that the guard turned down is an answer all the same.
  const bool answered = !failed || error.reason() == v1::REASON_TOOL_CALL_INVALID;
  outcome.set_finished_with_tool_calls(
      answered && setup_.tools != nullptr &&
      (facts().finish_reason == "tool_calls" || !facts().tool_calls.empty()));
  if (usage.source() != v1::Usage::SOURCE_UNSPECIFIED) {
    outcome.set_provider_cost_nano(
        pricing::ProviderCost(request_.pricing(), usage).Rounded().value);
    v1::Usage without_cache = usage;
    without_cache.clear_cached_tokens();
    without_cache.clear_cache_write_tokens();
    outcome.set_list_cost_nano(
        pricing::ProviderCost(request_.pricing(), without_cache).Rounded().value);
  }
  outcome.set_after_commit(failed && committed_);
  outcome.set_streamed(request_.stream());
  outcome.set_retry_after_ms(error.retry_after_ms());
  finished.guard = guard_;
  finished.guard_result = ruling_.result;

  if (upstream_streams_ && content_seen_ && now - first_content_ >= kMeasurable) {
    finished.tokens_per_second = static_cast<double>(usage.completion_tokens()) /
                                 absl::ToDoubleSeconds(now - first_content_);
  }
  return finished;
}

v1::Usage Generation::FinalUsage() const {
  const AnswerFacts& known = facts();
  if (known.usage.source() != v1::Usage::SOURCE_UNSPECIFIED) return known.usage;
  // An attempt without content cost nothing, as far as anybody can tell.
  if (!content_seen_) return {};
  return EstimateUsage(request_bytes_, known.output_chars);
}

const AnswerFacts& Generation::facts() const {
  static const AnswerFacts* const kNone = new AnswerFacts;
  return reader_ == nullptr ? *kNone : reader_->facts();
}

}  // namespace signalbox::provider_adapter
