#include "services/provider-adapter/core/generation.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/seam/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/provider-adapter/fakes.h"

namespace signalbox::provider_adapter {
namespace {

namespace v1 = common::v1;
using Kind = http::ClientError::Kind;
using ::testing::HasSubstr;
using ::testing::Not;

// A dialect that refuses every request, and one whose readers say what the test wants.
class RefusingDialect final : public Dialect {
 public:
  absl::StatusOr<UpstreamRequest> Translate(const catalogue::Endpoint&,
                                            const provider::v1::GenerateRequest&) const override {
    return seam::InvalidField("messages[0].role", "unknown role");
  }
  http::Headers::Entry KeyHeader(const catalogue::Endpoint&, absl::string_view) const override {
    return {};
  }
  std::unique_ptr<AnswerReader> ReadAnswer(const AnswerOptions&, absl::string_view) const override {
    return nullptr;
  }
};

class GenerationTest : public ::testing::Test {
 protected:
  GenerationTest() {
    limits_.waits.first_content = absl::Seconds(30);
    limits_.waits.idle = absl::Seconds(10);
    limits_.waits.total = absl::Seconds(100);
    limits_.waits.end_grace = absl::Milliseconds(50);
  }

  void Start(provider::v1::GenerateRequest request = ChatRequest("m/one@acme")) {
    GenerationSetup setup;
    setup.keep_alive = catalogue_;
    setup.endpoint = catalogue_->FindEndpoint("m/one@acme");
    setup.dialect = dialect_;
    setup.origin = *http::ParseOrigin("https://api.acme.test/v1");
    setup.key = config::Secret("KEY");
    if (request.request_class() == v1::REQUEST_CLASS_TOOLS)
      setup.tools = tools_.Get(request.body());
    setup.limits = limits_;
    attempt_ = std::make_unique<Generation>(std::move(setup), std::move(request), upstream_, clock_,
                                            executor_, &observer_, &sink_);
  }

  void StartWithTools(absl::string_view choice = "\"auto\"", bool stream = true) {
    provider::v1::GenerateRequest request = ChatRequest("m/one@acme", stream);
    request.set_request_class(v1::REQUEST_CLASS_TOOLS);
    request.set_body(absl::StrCat(
        R"({"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"weather",)",
        R"("parameters":{"type":"object","required":["city"]}}}],"tool_choice":)", choice, "}"));
    Start(std::move(request));
  }

  ScriptedCall& call() { return upstream_.last(); }

  void ExpectFailure(v1::Reason reason, bool after_commit = false) {
    ASSERT_TRUE(sink_.result.has_value());
    EXPECT_EQ(v1::Reason_Name(sink_.reason()), v1::Reason_Name(reason))
        << sink_.result->error().public_message();
    EXPECT_EQ(sink_.result->error().endpoint_id(), "m/one@acme");
    EXPECT_EQ(sink_.result->error().provider(), "Acme");
    EXPECT_THAT(sink_.result->error().public_message(), Not(::testing::IsEmpty()));
    ASSERT_TRUE(observer_.finished.has_value());
    EXPECT_EQ(observer_.outcome().failure(), reason);
    EXPECT_EQ(observer_.outcome().after_commit(), after_commit);
    EXPECT_FALSE(call().open()) << "the upstream call is still open";
    EXPECT_EQ(executor_.timers(), 0u) << "a timer was left behind";
  }

  void ExpectSuccess() {
    ASSERT_TRUE(sink_.result.has_value());
    EXPECT_FALSE(sink_.result->has_error()) << sink_.result->error().ShortDebugString();
    ASSERT_TRUE(observer_.finished.has_value());
    EXPECT_EQ(observer_.outcome().failure(), v1::REASON_UNSPECIFIED);
    EXPECT_EQ(executor_.timers(), 0u) << "a timer was left behind";
  }

  FakeClock clock_;
  testing::ManualExecutor executor_{clock_};
  FakeUpstream upstream_;
  RecordingSink sink_;
  RecordingObserver observer_;
  ToolSetCache tools_;
  const std::shared_ptr<const catalogue::Catalogue> catalogue_ = BuildCatalogue();
  const Dialect* dialect_ = &DialectFor(config::v1::DIALECT_OPENAI);
  GenerationLimits limits_;
  std::unique_ptr<Generation> attempt_;
};

TEST_F(GenerationTest, SendsTheTranslatedRequestWithTheKey) {
  Start();
  ASSERT_EQ(upstream_.started(), 1u);
  const http::ClientRequest& request = call().request();
  EXPECT_EQ(request.origin.host, "api.acme.test");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/chat/completions");
  EXPECT_EQ(request.headers.Get("authorization"), "Bearer KEY");
  EXPECT_THAT(request.body, HasSubstr("one-upstream"));
  EXPECT_EQ(request.connect_timeout, absl::Seconds(5));
  EXPECT_TRUE(sink_.contents.empty());
}

TEST_F(GenerationTest, StreamsAndReportsAnAnswer) {
  Start();
  clock_.Advance(absl::Milliseconds(100));
  call().Head(200);
  call().Body(RoleEvent());
  clock_.Advance(absl::Milliseconds(200));
  call().Body(TextEvent("Hello") + TextEvent(" world"));
  clock_.Advance(absl::Milliseconds(700));
  call().Body(FinishEvent() + UsageEvent(1000, 50, 400) + DoneEvent());
  call().End();

  ExpectSuccess();
  EXPECT_THAT(sink_.text(), HasSubstr("Hello"));
  EXPECT_THAT(sink_.text(), HasSubstr("gen-1"));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("[DONE]")));
  EXPECT_EQ(sink_.result->finish_reason(), "stop");
  EXPECT_EQ(sink_.result->upstream_id(), "up-1");
  EXPECT_EQ(sink_.result->ttft_us(), 300'000);
  EXPECT_EQ(sink_.result->duration_us(), 1'000'000);
  EXPECT_EQ(sink_.result->usage().source(), v1::Usage::SOURCE_REPORTED);
  EXPECT_EQ(sink_.result->usage().cached_tokens(), 400);
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_UNSPECIFIED);

  const v1::Outcome& outcome = observer_.outcome();
  EXPECT_EQ(outcome.endpoint_id(), "m/one@acme");
  EXPECT_EQ(outcome.request_class(), v1::REQUEST_CLASS_PLAIN);
  EXPECT_EQ(outcome.ttft_us(), 300'000);
  EXPECT_EQ(outcome.duration_us(), 1'000'000);
  EXPECT_EQ(outcome.prompt_tokens(), 1000);
  EXPECT_EQ(outcome.completion_tokens(), 50);
  EXPECT_EQ(outcome.provider_cost_nano(), 1'100'000);
  EXPECT_EQ(outcome.finished_unix_ms(), absl::ToUnixMillis(clock_.Now()));
  EXPECT_TRUE(outcome.streamed());
  EXPECT_FALSE(outcome.after_commit());
  EXPECT_NEAR(observer_.finished->tokens_per_second, 50 / 0.7, 0.01);
}

TEST_F(GenerationTest, CommitsOnContentOnly) {
  Start();
  call().Head(200);
  call().Body(": keep-alive\n\n");
  call().Body(RoleEvent());
  for (const auto& content : sink_.contents) EXPECT_FALSE(content.commits());
  const size_t before = sink_.contents.size();
  call().Body(TextEvent("x"));
  ASSERT_EQ(sink_.contents.size(), before + 1);
  EXPECT_TRUE(sink_.contents.back().commits());
}

TEST_F(GenerationTest, SendsWhatCameInOneReadAsOneContent) {
  Start();
  call().Head(200);
  call().Body(RoleEvent() + TextEvent("a") + TextEvent("b") + TextEvent("c"));
  EXPECT_EQ(sink_.contents.size(), 1u);
  EXPECT_TRUE(sink_.contents[0].commits());
}

TEST_F(GenerationTest, GivesTheSameAnswerForEverySplit) {
  const std::string answer = RoleEvent() + TextEvent("Grüße") + TextEvent(" x") + FinishEvent() +
                             UsageEvent(3, 4) + DoneEvent();
  std::string whole;
  for (size_t cut = 0; cut <= answer.size(); ++cut) {
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    Start();
    call().Head(200);
    call().Body(absl::string_view(answer).substr(0, cut));
    call().Body(absl::string_view(answer).substr(cut));
    call().End();
    ExpectSuccess();
    if (cut == 0) whole = sink_.text();
    ASSERT_EQ(sink_.text(), whole) << "cut at " << cut;
  }
}

// Short enough to be asked for in one piece.
provider::v1::GenerateRequest ShortRequest() {
  provider::v1::GenerateRequest request = ChatRequest("m/one@acme", false);
  request.set_body(R"({"model":"m/one","messages":[],"max_tokens":100})");
  return request;
}

TEST_F(GenerationTest, AsksForAWholeAnswerAsAStreamWhenItMayTakeLong) {
  Start(ChatRequest("m/one@acme", false));
  EXPECT_THAT(call().request().body, HasSubstr("\"stream\":true"));
  call().Head(200);
  call().Body(RoleEvent());
  clock_.Advance(absl::Milliseconds(300));
  call().Body(TextEvent("Hel") + TextEvent("lo"));
  EXPECT_TRUE(sink_.contents.empty());
  clock_.Advance(absl::Milliseconds(700));
  call().Body(FinishEvent() + UsageEvent(7, 2) + DoneEvent());
  call().End();
  ExpectSuccess();
  ASSERT_EQ(sink_.contents.size(), 1u);
  EXPECT_TRUE(sink_.contents[0].commits());
  EXPECT_THAT(sink_.contents[0].data(), HasSubstr("\"Hello\""));
  EXPECT_EQ(sink_.contents[0].data().back(), '}');
  EXPECT_EQ(sink_.result->ttft_us(), 300'000);
  EXPECT_EQ(sink_.result->usage().prompt_tokens(), 7);
  EXPECT_FALSE(observer_.outcome().after_commit());
}

TEST_F(GenerationTest, AWholeAnswerCutInItsStreamHasNotReachedTheClient) {
  Start(ChatRequest("m/one@acme", false));
  call().Head(200);
  call().Body(TextEvent("half"));
  call().Error(Kind::kReset, true);
  ExpectFailure(v1::REASON_PROVIDER_CUT, false);
  EXPECT_TRUE(sink_.contents.empty());
}

TEST_F(GenerationTest, AnAnswerInOnePieceMayTakeAsLongAsItIsLong) {
  Start(ShortRequest());
  EXPECT_THAT(call().request().body, Not(HasSubstr("\"stream\":true")));
  executor_.Advance(absl::Seconds(34));
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Seconds(1));  // 30 s and 100 tokens at 20 per second
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT);
}

TEST_F(GenerationTest, DeliversAWholeAnswerBeforeTheResult) {
  Start(ShortRequest());
  clock_.Advance(absl::Milliseconds(400));
  call().Head(200, {{"Content-Type", "application/json"}});
  clock_.Advance(absl::Milliseconds(100));
  call().Body(
      R"({"id":"up-1","object":"chat.completion","created":1,"model":"one-upstream","choices":[{"index":0,"message":)");
  EXPECT_TRUE(sink_.contents.empty());
  call().Body(
      R"({"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":0,)"
      R"("completion_tokens":0,"total_tokens":0}})");
  call().End();
  ExpectSuccess();
  ASSERT_EQ(sink_.contents.size(), 1u);
  EXPECT_TRUE(sink_.contents[0].commits());
  EXPECT_THAT(sink_.contents[0].data(), HasSubstr("Hello"));
  EXPECT_EQ(sink_.contents[0].data().back(), '}');
  EXPECT_EQ(sink_.result->ttft_us(), 400'000) << "the head is the first sign of a whole answer";
  EXPECT_EQ(sink_.result->duration_us(), 500'000);
  EXPECT_EQ(sink_.result->usage().source(), v1::Usage::SOURCE_REPORTED)
      << "a reported zero is a zero";
  EXPECT_EQ(observer_.outcome().provider_cost_nano(), 0);
  EXPECT_FALSE(observer_.outcome().streamed());
}

TEST_F(GenerationTest, EstimatesUsageWhenNoneIsReported) {
  provider::v1::GenerateRequest request = ChatRequest("m/one@acme");
  const int64_t body_bytes = static_cast<int64_t>(request.body().size());
  Start(std::move(request));
  call().Head(200);
  call().Body(TextEvent("0123456789") + FinishEvent() + DoneEvent());
  call().End();
  ExpectSuccess();
  EXPECT_EQ(sink_.result->usage().source(), v1::Usage::SOURCE_ESTIMATED);
  EXPECT_EQ(sink_.result->usage().completion_tokens(), 3);
  EXPECT_EQ(sink_.result->usage().prompt_tokens(), (body_bytes + 3) / 4);
  EXPECT_GT(observer_.outcome().provider_cost_nano(), 0);
}

TEST_F(GenerationTest, EndsSoonAfterTheEndMarkerEvenWhenTheBodyDoesNot) {
  Start();
  call().Head(200);
  call().Body(TextEvent("x") + FinishEvent() + DoneEvent());
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Milliseconds(50));
  ExpectSuccess();
  EXPECT_TRUE(call().cancelled());
}

TEST_F(GenerationTest, TakesALostConnectionAfterTheEndMarkerForTheEnd) {
  Start();
  call().Head(200);
  call().Body(TextEvent("x") + FinishEvent() + DoneEvent());
  call().Error(Kind::kReset, true);
  ExpectSuccess();
}

TEST_F(GenerationTest, TakesALostConnectionAfterTheFinishReasonForTheEnd) {
  Start();
  call().Head(200);
  call().Body(TextEvent("x") + FinishEvent());
  call().Error(Kind::kReset, true);
  ExpectSuccess();
}

TEST_F(GenerationTest, TellsUntranslatableRequestsLaterNotInside) {
  const RefusingDialect refusing;
  dialect_ = &refusing;
  Start();
  EXPECT_EQ(upstream_.started(), 0u);
  EXPECT_FALSE(sink_.result.has_value());
  executor_.RunUntilIdle();
  ASSERT_TRUE(sink_.result.has_value());
  EXPECT_EQ(sink_.reason(), v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(sink_.result->error().field(), "messages[0].role");
  EXPECT_FALSE(sink_.result->error().retryable());
}

TEST_F(GenerationTest, CancelBeforeTheFailureIsToldKeepsSilent) {
  const RefusingDialect refusing;
  dialect_ = &refusing;
  Start();
  attempt_.reset();
  executor_.RunUntilIdle();
  EXPECT_FALSE(sink_.result.has_value());
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_CANCELLED);
}

// --- how connections fail ---

struct TransportCase {
  const char* name;
  Kind kind;
  bool before_head;
  v1::Reason reason;
};
class TransportTable : public GenerationTest,
                       public ::testing::WithParamInterface<TransportCase> {};

TEST_P(TransportTable, BecomesTheReason) {
  Start();
  if (!GetParam().before_head) {
    call().Head(200);
    call().Body(TextEvent("x"));
  }
  call().Error(GetParam().kind, !GetParam().before_head);
  ExpectFailure(GetParam().reason, !GetParam().before_head);
  EXPECT_TRUE(sink_.result->error().retryable());
}

INSTANTIATE_TEST_SUITE_P(
    All, TransportTable,
    ::testing::Values(
        TransportCase{"Resolve", Kind::kResolve, true, v1::REASON_PROVIDER_UNREACHABLE},
        TransportCase{"Connect", Kind::kConnect, true, v1::REASON_PROVIDER_UNREACHABLE},
        TransportCase{"ConnectTimeout", Kind::kConnectTimeout, true,
                      v1::REASON_PROVIDER_UNREACHABLE},
        TransportCase{"Tls", Kind::kTls, true, v1::REASON_PROVIDER_UNREACHABLE},
        TransportCase{"ResetBeforeHead", Kind::kReset, true, v1::REASON_PROVIDER_RESET},
        TransportCase{"ResetAfterContent", Kind::kReset, false, v1::REASON_PROVIDER_CUT},
        TransportCase{"HeadTimeout", Kind::kHeadTimeout, true, v1::REASON_PROVIDER_TIMEOUT},
        TransportCase{"IdleTimeout", Kind::kIdleTimeout, false, v1::REASON_PROVIDER_TIMEOUT},
        TransportCase{"ProtocolBeforeHead", Kind::kProtocol, true, v1::REASON_PROVIDER_MALFORMED},
        TransportCase{"ProtocolInBody", Kind::kProtocol, false, v1::REASON_PROVIDER_MALFORMED},
        TransportCase{"TooLarge", Kind::kTooLarge, false, v1::REASON_PROVIDER_MALFORMED}),
    [](const ::testing::TestParamInfo<TransportCase>& tested) {
      return std::string(tested.param.name);
    });

TEST_F(GenerationTest, CutAnswersNeverEndCleanly) {
  Start();
  call().Head(200);
  call().Body(RoleEvent() + TextEvent("half an ans"));
  call().End();
  ExpectFailure(v1::REASON_PROVIDER_CUT, true);
  EXPECT_EQ(sink_.result->usage().source(), v1::Usage::SOURCE_ESTIMATED)
      << "what came has been generated";
}

TEST_F(GenerationTest, EmptyAnswersFailBeforeCommit) {
  Start();
  call().Head(200);
  call().Body(RoleEvent() + FinishEvent() + DoneEvent());
  call().End();
  ExpectFailure(v1::REASON_PROVIDER_EMPTY, false);
  EXPECT_EQ(sink_.result->usage().source(), v1::Usage::SOURCE_UNSPECIFIED);
}

TEST_F(GenerationTest, ErrorObjectsInsideA200Fail) {
  Start();
  call().Head(200);
  call().Body(R"(data: {"error":{"message":"overloaded","type":"overloaded_error","code":529}})"
              "\n\n");
  ASSERT_TRUE(sink_.result.has_value());
  EXPECT_TRUE(sink_.result->has_error());
  EXPECT_TRUE(sink_.result->error().retryable());
  EXPECT_FALSE(observer_.outcome().after_commit());
}

// --- statuses ---

TEST_F(GenerationTest, ClassifiesAStatusByItsBody) {
  Start();
  call().Head(429, {{"Retry-After", "7"}, {"Content-Type", "application/json"}});
  call().Body(R"({"error":{"message":"slow )");
  EXPECT_FALSE(sink_.result.has_value());
  call().Body(R"(down"}})");
  call().End();
  ExpectFailure(v1::REASON_PROVIDER_RATE_LIMITED);
  EXPECT_EQ(sink_.result->error().upstream_status(), 429);
  EXPECT_EQ(sink_.result->error().retry_after_ms(), 7000);
  EXPECT_EQ(observer_.outcome().retry_after_ms(), 7000);
  EXPECT_EQ(observer_.outcome().ttft_us(), 0);
}

TEST_F(GenerationTest, ReadsNoMoreThanTheBoundOfAnErrorBody) {
  Start();
  call().Head(500);
  call().Body(std::string(60'000, 'x'));
  EXPECT_FALSE(sink_.result.has_value());
  call().Body(std::string(60'000, 'x'));
  ExpectFailure(v1::REASON_PROVIDER_ERROR);
  EXPECT_TRUE(call().cancelled());
}

TEST_F(GenerationTest, AStatusWhoseBodyBreaksOffKeepsItsMeaning) {
  Start();
  call().Head(503);
  call().Error(Kind::kReset, true);
  ExpectFailure(v1::REASON_PROVIDER_OVERLOADED);
}

TEST_F(GenerationTest, StatusesBecomeReasons) {
  const std::pair<int, v1::Reason> table[] = {
      {400, v1::REASON_PROVIDER_REJECTED}, {401, v1::REASON_PROVIDER_AUTH},
      {402, v1::REASON_PROVIDER_QUOTA},    {404, v1::REASON_PROVIDER_MODEL_MISSING},
      {500, v1::REASON_PROVIDER_ERROR},    {529, v1::REASON_PROVIDER_OVERLOADED}};
  for (const auto& [status, reason] : table) {
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    Start();
    call().Head(status);
    call().End();
    ExpectFailure(reason);
  }
}

// --- deadlines ---

TEST_F(GenerationTest, GivesUpWithoutContentInTime) {
  Start();
  call().Head(200);
  executor_.Advance(absl::Seconds(20));
  call().Body(": still thinking\n\n" + RoleEvent());
  executor_.Advance(absl::Seconds(9));
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Seconds(1));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT, false);
  EXPECT_TRUE(call().cancelled());
  EXPECT_THAT(sink_.result->error().public_message(), HasSubstr("30 s"));
}

TEST_F(GenerationTest, GivesUpWithoutAHeadInTime) {
  Start();
  executor_.Advance(absl::Seconds(30));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT, false);
}

TEST_F(GenerationTest, GivesUpWhenTheAnswerStops) {
  Start();
  call().Head(200);
  executor_.Advance(absl::Seconds(5));
  call().Body(TextEvent("a"));
  executor_.Advance(absl::Seconds(9));
  call().Body(TextEvent("b"));
  executor_.Advance(absl::Seconds(9));
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Seconds(1));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT, true);
}

TEST_F(GenerationTest, IdleGapCountsEvenWhenTheFirstContentMayTakeLonger) {
  limits_.waits.first_content = absl::Seconds(90);
  Start();
  call().Head(200);
  call().Body(TextEvent("a"));
  executor_.Advance(absl::Seconds(10));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT, true);
}

TEST_F(GenerationTest, GivesUpWhenTheTotalIsUsedUp) {
  Start();
  call().Head(200);
  for (int i = 0; i < 25 && !sink_.result.has_value(); ++i) {
    call().Body(TextEvent("a"));
    executor_.Advance(absl::Seconds(4));
  }
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT, true);
  EXPECT_EQ(sink_.result->duration_us(), 100'000'000);
}

TEST_F(GenerationTest, WholeAnswersMayTakeTheTotal) {
  limits_.waits.first_content = absl::InfiniteDuration();
  Start(ChatRequest("m/one@acme", false));
  executor_.Advance(absl::Seconds(99));
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Seconds(1));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT);
}

TEST_F(GenerationTest, WholeAnswersMustNotStopAfterTheHead) {
  limits_.waits.first_content = absl::InfiniteDuration();
  Start(ChatRequest("m/one@acme", false));
  executor_.Advance(absl::Seconds(50));
  call().Head(200, {{"Content-Type", "application/json"}});
  executor_.Advance(absl::Seconds(10));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT);
}

TEST_F(GenerationTest, StalledErrorBodiesEnd) {
  Start();
  call().Head(500);
  executor_.Advance(absl::Seconds(30));
  ASSERT_TRUE(sink_.result.has_value());
  EXPECT_TRUE(sink_.result->has_error());
  EXPECT_TRUE(call().cancelled());
}

// --- back-pressure ---

TEST_F(GenerationTest, PausePassesThroughAndStopsTheIdleClock) {
  Start();
  call().Head(200);
  call().Body(TextEvent("a"));
  attempt_->PauseReading();
  EXPECT_TRUE(call().paused());
  executor_.Advance(absl::Seconds(60));
  EXPECT_FALSE(sink_.result.has_value());
  attempt_->ResumeReading();
  EXPECT_FALSE(call().paused());
  executor_.Advance(absl::Seconds(9));
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Seconds(1));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT, true);
}

TEST_F(GenerationTest, PauseStopsTheClockForTheFirstContent) {
  Start();
  executor_.Advance(absl::Seconds(20));
  attempt_->PauseReading();
  executor_.Advance(absl::Seconds(40));
  attempt_->ResumeReading();
  executor_.Advance(absl::Seconds(9));
  EXPECT_FALSE(sink_.result.has_value());
  executor_.Advance(absl::Seconds(1));
  ExpectFailure(v1::REASON_PROVIDER_TIMEOUT);
}

TEST_F(GenerationTest, AClientThatNeverReadsIsNotTheProvidersFault) {
  Start();
  call().Head(200);
  call().Body(TextEvent("a"));
  attempt_->PauseReading();
  executor_.Advance(absl::Seconds(100));
  ExpectFailure(v1::REASON_DEADLINE_EXCEEDED, true);
}

TEST_F(GenerationTest, PauseAndResumeAfterTheEndDoNothing) {
  Start();
  call().Head(200);
  call().Body(TextEvent("a") + FinishEvent() + DoneEvent());
  call().End();
  ExpectSuccess();
  attempt_->PauseReading();
  attempt_->ResumeReading();
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(GenerationTest, SinkMayPauseInsideContent) {
  Start();
  sink_.on_content = [this] { attempt_->PauseReading(); };
  call().Head(200);
  call().Body(TextEvent("a"));
  EXPECT_TRUE(call().paused());
  attempt_->ResumeReading();
  EXPECT_FALSE(call().paused());
}

// --- bounds ---

TEST_F(GenerationTest, EndlessAnswersAreCutAtTheSizeLimit) {
  limits_.max_response_bytes = 100'000;
  Start();
  call().Head(200);
  for (int i = 0; i < 10'000 && call().open(); ++i)
    call().Body(": keep-alive, keep-alive, keep-alive, keep-alive\n\n");
  ExpectFailure(v1::REASON_PROVIDER_MALFORMED, false);
  EXPECT_TRUE(call().cancelled());
}

TEST_F(GenerationTest, AnswersFarBeyondMaxTokensAreCut) {
  provider::v1::GenerateRequest request = ChatRequest("m/one@acme");
  request.set_body(R"({"model":"m","messages":[],"max_tokens":10,"stream":true})");
  Start(std::move(request));
  call().Head(200);
  const std::string event = TextEvent(std::string(1000, 'x'));
  int sent = 0;
  for (; sent < 1000 && call().open(); ++sent) call().Body(event);
  ExpectFailure(v1::REASON_PROVIDER_MALFORMED, true);
  EXPECT_LT(sent, 50);
}

// --- cancelling ---

TEST_F(GenerationTest, CancelAtOnceClosesTheCall) {
  Start();
  attempt_.reset();
  EXPECT_TRUE(call().cancelled());
  EXPECT_FALSE(sink_.result.has_value());
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_CANCELLED);
  EXPECT_EQ(observer_.outcome().completion_tokens(), 0);
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(GenerationTest, CancelAfterTheHeadClosesTheCall) {
  Start();
  call().Head(200);
  attempt_.reset();
  EXPECT_TRUE(call().cancelled());
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_CANCELLED);
  EXPECT_FALSE(observer_.outcome().after_commit());
}

TEST_F(GenerationTest, CancelAfterContentReportsTheTokensSoFar) {
  Start();
  call().Head(200);
  call().Body(TextEvent("0123456789"));
  clock_.Advance(absl::Seconds(1));
  attempt_.reset();
  EXPECT_TRUE(call().cancelled());
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_CANCELLED);
  EXPECT_EQ(observer_.outcome().completion_tokens(), 3);
  EXPECT_GT(observer_.outcome().provider_cost_nano(), 0);
  EXPECT_TRUE(observer_.outcome().after_commit());
}

TEST_F(GenerationTest, CancelWhilePausedClosesTheCall) {
  Start();
  attempt_->PauseReading();
  attempt_.reset();
  EXPECT_TRUE(call().cancelled());
}

TEST_F(GenerationTest, CancelInsideContentIsSafe) {
  Start();
  sink_.on_content = [this] { attempt_.reset(); };
  call().Head(200);
  call().Body(TextEvent("a") + FinishEvent() + DoneEvent());
  call().End();
  EXPECT_TRUE(call().cancelled());
  EXPECT_FALSE(sink_.result.has_value());
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_CANCELLED);
}

TEST_F(GenerationTest, CancelInsideTheContentOfAWholeAnswerIsSafe) {
  Start(ChatRequest("m/one@acme", false));
  sink_.on_content = [this] { attempt_.reset(); };
  call().Head(200, {{"Content-Type", "application/json"}});
  call().Body(
      R"({"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]})");
  call().End();
  EXPECT_EQ(sink_.contents.size(), 1u);
  EXPECT_FALSE(sink_.result.has_value());
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_CANCELLED);
}

TEST_F(GenerationTest, SinkMayDestroyTheAttemptInsideEveryKindOfResult) {
  const auto run = [&](const std::function<void()>& script) {
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    sink_.on_result = [this] { attempt_.reset(); };
    Start();
    script();
    EXPECT_TRUE(sink_.result.has_value());
    EXPECT_EQ(attempt_, nullptr);
    EXPECT_EQ(executor_.timers(), 0u);
  };
  run([&] { call().Error(Kind::kConnect); });
  run([&] {
    call().Head(500);
    call().End();
  });
  run([&] {
    call().Head(500);
    call().Body(std::string(100'000, 'x'));
  });
  run([&] {
    call().Head(200);
    call().Body("data: {broken\n\n");
    call().End();
  });
  run([&] {
    call().Head(200);
    call().Body(TextEvent("x") + FinishEvent() + DoneEvent());
    call().End();
  });
  run([&] {
    call().Head(200);
    call().Body(TextEvent("x") + FinishEvent() + DoneEvent());
    executor_.Advance(absl::Milliseconds(50));
  });
  run([&] { executor_.Advance(absl::Seconds(30)); });
}

// --- tool calls ---

std::string ToolCallEvents(const std::string& arguments) {
  return Event(
             R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]})") +
         Event(R"({"tool_calls":[{"index":0,"function":{"arguments":")" + arguments + "\"}}]}") +
         FinishEvent("tool_calls") + DoneEvent();
}

TEST_F(GenerationTest, JudgesStreamedToolCalls) {
  StartWithTools();
  call().Head(200);
  call().Body(ToolCallEvents(R"({\"city\":\"Ulm\"})"));
  call().End();
  ExpectSuccess();
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_VALID);
  EXPECT_EQ(observer_.outcome().tool_call_verdict(), v1::TOOL_CALL_VERDICT_VALID);
  EXPECT_TRUE(observer_.outcome().finished_with_tool_calls());
}

TEST_F(GenerationTest, PutsAnInvalidToolCallIntoTheResultNotIntoAnError) {
  StartWithTools();
  call().Head(200);
  call().Body(ToolCallEvents(R"({\"town\":1})"));
  call().End();
  ExpectSuccess();
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH);
  EXPECT_THAT(sink_.result->tool_call_detail(),
              HasSubstr("call 0 weather: required member \"city\""));
}

TEST_F(GenerationTest, DeliversAWholeAnswerWithAnInvalidToolCall) {
  StartWithTools("\"auto\"", false);
  call().Head(200, {{"Content-Type", "application/json"}});
  call().Body(
      R"({"id":"a","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"c1",)"
      R"("type":"function","function":{"name":"wether","arguments":"{}"}}]},"finish_reason":"tool_calls"}]})");
  call().End();
  ExpectSuccess();
  EXPECT_EQ(sink_.contents.size(), 1u);
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_UNKNOWN_NAME);
}

TEST_F(GenerationTest, FindsLeakedMarkupInTheText) {
  StartWithTools();
  call().Head(200);
  call().Body(TextEvent("<tool_") + TextEvent("call>{}") + FinishEvent() + DoneEvent());
  call().End();
  ExpectSuccess();
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_LEAKED);
  EXPECT_FALSE(observer_.outcome().finished_with_tool_calls());
}

TEST_F(GenerationTest, DoesNotJudgeCutAnswers) {
  StartWithTools();
  call().Head(200);
  call().Body(Event(
      R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"ci"}}]})"));
  call().Error(Kind::kReset, true);
  ExpectFailure(v1::REASON_PROVIDER_CUT, true);
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_UNSPECIFIED);
  EXPECT_FALSE(observer_.outcome().finished_with_tool_calls());
}

// --- the tool-call guard ---

class GuardTest : public GenerationTest {
 protected:
  void StartGuarded(provider::v1::ToolCallGuard guard, bool stream = true,
                    bool calls_only = false) {
    provider::v1::GenerateRequest request = ChatRequest("m/one@acme", stream);
    request.set_request_class(v1::REQUEST_CLASS_TOOLS);
    request.set_body(
        R"({"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"weather",)"
        R"("parameters":{"type":"object","required":["city"]}}}]})");
    request.set_tool_call_guard(guard);
    request.set_tool_calls_only(calls_only);
    Start(std::move(request));
    call().Head(200);
  }
  void Answer(const std::string& events) {
    call().Body(events);
    call().End();
    ASSERT_TRUE(sink_.result.has_value());
  }
  // What the client may see: contents up to the last that commits.
  std::string Committed() const {
    std::string all;
    for (const auto& content : sink_.contents) {
      if (content.commits()) all += content.data();
    }
    return all;
  }
};

constexpr auto kEnforce = provider::v1::TOOL_CALL_GUARD_ENFORCE;
constexpr auto kObserve = provider::v1::TOOL_CALL_GUARD_OBSERVE;
constexpr char kValid[] = R"({\"city\":\"Ulm\"})";
constexpr char kMendable[] = R"({'city':'Ulm'})";
constexpr char kBroken[] = R"({\"city\":\"Ul)";

TEST_F(GuardTest, HoldsAValidCallUntilTheAnswerHasEnded) {
  StartGuarded(kEnforce);
  const std::string events = ToolCallEvents(kValid);
  call().Body(TextEvent("Looking.") + events.substr(0, events.size() - DoneEvent().size()));
  EXPECT_THAT(sink_.text(), HasSubstr("Looking."));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("weather")));
  EXPECT_THAT(sink_.text(), Not(HasSubstr(R"("finish_reason":"tool_calls")")));
  Answer(DoneEvent());
  ExpectSuccess();
  EXPECT_THAT(sink_.contents.back().data(), HasSubstr(R"("arguments":"{\"city\":\"Ulm\"}")"));
  EXPECT_THAT(sink_.contents.back().data(), HasSubstr(R"("finish_reason":"tool_calls")"));
  EXPECT_TRUE(sink_.contents.back().commits());
  EXPECT_EQ(observer_.finished->guard_result, GuardRuling::Result::kPassed);
  EXPECT_FALSE(sink_.result->tool_call_repaired());
}

TEST_F(GuardTest, MendsACallAndTellsTheAggregatorHowItCame) {
  for (const bool stream : {true, false}) {
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    StartGuarded(kEnforce, stream);
    Answer(ToolCallEvents(kMendable));
    ExpectSuccess();
    EXPECT_THAT(Committed(), HasSubstr(R"("arguments":"{\"city\":\"Ulm\"}")")) << stream;
    EXPECT_TRUE(sink_.result->tool_call_repaired());
    EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_INVALID_JSON);
    EXPECT_EQ(observer_.outcome().tool_call_verdict(), v1::TOOL_CALL_VERDICT_INVALID_JSON);
    EXPECT_TRUE(observer_.outcome().tool_call_repaired());
    EXPECT_TRUE(observer_.outcome().finished_with_tool_calls());
    EXPECT_EQ(observer_.finished->guard_result, GuardRuling::Result::kRepaired);
  }
}

TEST_F(GuardTest, RejectsACallThatCannotBeMendedAndCommitsNothing) {
  StartGuarded(kEnforce);
  Answer(RoleEvent() + ToolCallEvents(kBroken));
  EXPECT_EQ(sink_.reason(), v1::REASON_TOOL_CALL_INVALID);
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_INVALID_JSON);
  EXPECT_TRUE(sink_.result->error().retryable());
  for (const auto& content : sink_.contents) EXPECT_FALSE(content.commits());
  EXPECT_THAT(sink_.contents.back().data(), HasSubstr("weather")) << "for want of a better one";
  EXPECT_THAT(sink_.contents.back().data(), HasSubstr(R"("finish_reason":"tool_calls")"));
  // To the aggregator this is an answer like any other.
  EXPECT_EQ(observer_.outcome().failure(), v1::REASON_UNSPECIFIED);
  EXPECT_TRUE(observer_.outcome().finished_with_tool_calls());
  EXPECT_EQ(observer_.outcome().tool_call_verdict(), v1::TOOL_CALL_VERDICT_INVALID_JSON);
  EXPECT_FALSE(observer_.outcome().after_commit());
  EXPECT_EQ(observer_.finished->guard_result, GuardRuling::Result::kRejected);
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(GuardTest, SaysNothingOfABrokenCallBehindTextThatIsOut) {
  StartGuarded(kEnforce);
  call().Body(TextEvent("Looking."));
  Answer(ToolCallEvents(kBroken));
  EXPECT_EQ(sink_.reason(), v1::REASON_TOOL_CALL_INVALID);
  EXPECT_THAT(sink_.text(), HasSubstr("Looking."));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("weather")));
  EXPECT_THAT(sink_.text(), Not(HasSubstr(R"("finish_reason":"tool_calls")")));
}

TEST_F(GuardTest, GivesOnlyTheCallsWhereOnlyTheyAreWanted) {
  StartGuarded(kEnforce, true, /*calls_only=*/true);
  Answer(RoleEvent() + TextEvent("Looking once more.") + ToolCallEvents(kMendable));
  ExpectSuccess();
  EXPECT_THAT(sink_.text(), Not(HasSubstr("Looking")));
  EXPECT_THAT(Committed(), HasSubstr(R"("arguments":"{\"city\":\"Ulm\"}")"));
}

TEST_F(GuardTest, RejectsAnAnswerWithoutCallsWhereOnlyTheyAreWanted) {
  StartGuarded(kEnforce, true, /*calls_only=*/true);
  Answer(TextEvent("No tool needed.") + FinishEvent() + DoneEvent());
  EXPECT_EQ(sink_.reason(), v1::REASON_TOOL_CALL_INVALID);
  EXPECT_EQ(sink_.text(), "");
}

TEST_F(GuardTest, ObservesWithoutTouchingAnything) {
  const std::vector<std::pair<std::string, GuardRuling::Result>> cases = {
      {kValid, GuardRuling::Result::kPassed},
      {kMendable, GuardRuling::Result::kRepaired},
      {kBroken, GuardRuling::Result::kRejected}};
  for (const auto& [arguments, expected] : cases) {
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    Start(ChatRequest("m/one@acme"));
    call().Head(200);
    Answer(ToolCallEvents(arguments));
    const std::string unguarded = sink_.text();
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    StartGuarded(kObserve);
    Answer(ToolCallEvents(arguments));
    ExpectSuccess();
    EXPECT_EQ(sink_.text(), unguarded);
    EXPECT_FALSE(sink_.result->tool_call_repaired());
    EXPECT_EQ(observer_.finished->guard_result, expected) << arguments;
    EXPECT_EQ(observer_.finished->guard, kObserve);
  }
}

TEST_F(GuardTest, ShowsThatTheProviderIsAtWorkWhileCallsAreHeld) {
  StartGuarded(kEnforce);
  call().Body(Event(
      R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]})"));
  for (int i = 0; i < 30; ++i) {
    clock_.Advance(absl::Milliseconds(100));
    call().Body(Event(R"({"tool_calls":[{"index":0,"function":{"arguments":" "}}]})"));
  }
  EXPECT_EQ(sink_.contents.size(), 4u) << "one at once, then one per second";
  for (const auto& content : sink_.contents) {
    EXPECT_TRUE(content.data().empty());
    EXPECT_FALSE(content.commits());
  }
}

TEST_F(GuardTest, PassesOnAnswersWithoutCallsAsTheyCome) {
  StartGuarded(kEnforce);
  call().Body(TextEvent("Hello"));
  EXPECT_TRUE(sink_.contents.back().commits());
  Answer(TextEvent(" world") + FinishEvent() + DoneEvent());
  ExpectSuccess();
  EXPECT_THAT(sink_.text(), HasSubstr(R"("finish_reason":"stop")"));
  EXPECT_EQ(sink_.result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_NO_CALL);
  EXPECT_EQ(observer_.finished->guard_result, GuardRuling::Result::kNone);
}

TEST_F(GuardTest, BoundsWhatItHolds) {
  limits_.max_guarded_argument_bytes = 1000;
  StartGuarded(kEnforce);
  call().Body(Event(
      R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":")" +
      std::string(1001, 'x') + R"("}}]})"));
  ExpectFailure(v1::REASON_PROVIDER_MALFORMED);
}

TEST_F(GuardTest, TheSinkMayDestroyTheAttemptAtTheRelease) {
  StartGuarded(kEnforce);
  sink_.on_content = [this] {
    if (!sink_.contents.back().data().empty()) attempt_.reset();
  };
  call().Body(ToolCallEvents(kValid));
  EXPECT_NE(attempt_, nullptr);
  call().End();
  EXPECT_EQ(attempt_, nullptr);
  EXPECT_FALSE(sink_.result.has_value());
}

TEST_F(GenerationTest, TellsWhetherTheModelWasFreeToCallAndWhatTheCacheSaved) {
  const std::vector<std::pair<std::string, bool>> cases = {
      {"\"auto\"", true}, {"null", true}, {"\"required\"", false}, {"\"none\"", false}};
  for (const auto& [choice, free] : cases) {
    sink_ = RecordingSink();
    observer_ = RecordingObserver();
    StartWithTools(choice);
    call().Head(200);
    call().Body(TextEvent("x") + FinishEvent() + UsageEvent(1000, 50, 400) + DoneEvent());
    call().End();
    EXPECT_EQ(observer_.outcome().tool_choice_free(), free) << choice;
  }
  sink_ = RecordingSink();
  observer_ = RecordingObserver();
  provider::v1::GenerateRequest request = ChatRequest("m/one@acme");
  request.mutable_pricing()->set_cache_read_pico(100'000);
  Start(std::move(request));
  call().Head(200);
  call().Body(TextEvent("x") + FinishEvent() + UsageEvent(1000, 50, 400) + DoneEvent());
  call().End();
  EXPECT_FALSE(observer_.outcome().tool_choice_free());
  EXPECT_EQ(observer_.outcome().list_cost_nano(), 1'100'000);
  EXPECT_EQ(observer_.outcome().provider_cost_nano(), 740'000);
}

}  // namespace
}  // namespace signalbox::provider_adapter
