#include "services/ingress/chat_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/ingress/ingress_fixture.h"

namespace signalbox::ingress {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

// What the client saw.
struct Seen {
  bool begun = false;
  bool ended = false;
  std::string stream;  // events and comments in order
  std::string completion;
  AnswerHead head;
  ChatSummary summary;
  bool broken = false;
  std::optional<Failure> failure;
  // Levers.
  bool congested = false;
  std::function<void()> client_gone;
  std::function<void()> writable;
};

class FakeFront final : public ChatFront {
 public:
  explicit FakeFront(std::shared_ptr<Seen> seen) : seen_(std::move(seen)) {}
  void OnClientGone(std::function<void()> callback) override {
    seen_->client_gone = std::move(callback);
  }
  bool Congested() const override { return seen_->congested; }
  void OnWritable(std::function<void()> callback) override {
    seen_->writable = std::move(callback);
  }
  void BeginStream(const AnswerHead& head) override {
    EXPECT_FALSE(seen_->begun);
    seen_->begun = true;
    seen_->head = head;
  }
  void WriteEvents(std::string events) override {
    EXPECT_TRUE(seen_->begun && !seen_->ended);
    seen_->stream += events;
  }
  void WriteKeepAlive() override {
    EXPECT_TRUE(seen_->begun && !seen_->ended);
    seen_->stream += "<keep-alive>";
  }
  void FinishStream(std::string last_events, const ChatSummary& summary) override {
    EXPECT_TRUE(seen_->begun);
    seen_->stream += last_events;
    End(summary);
  }
  void BreakStream(std::string error_event, const ChatSummary& summary) override {
    EXPECT_TRUE(seen_->begun);
    seen_->stream += error_event;
    seen_->broken = true;
    End(summary);
  }
  void Complete(const AnswerHead& head, std::string completion,
                const ChatSummary& summary) override {
    EXPECT_FALSE(seen_->begun);
    seen_->head = head;
    seen_->completion = std::move(completion);
    End(summary);
  }
  void Fail(const AnswerHead& head, const Failure& failure) override {
    EXPECT_FALSE(seen_->begun);
    seen_->head = head;
    seen_->failure = failure;
    End({});
  }

 private:
  void End(const ChatSummary& summary) {
    EXPECT_FALSE(seen_->ended);
    seen_->ended = true;
    seen_->summary = summary;
  }
  const std::shared_ptr<Seen> seen_;
};

constexpr char kStreamBody[] =
    R"({"model":"acme/model","stream":true,"messages":[{"role":"user","content":"hello"}]})";
constexpr char kPlainBody[] =
    R"({"model":"acme/model","messages":[{"role":"user","content":"hello"}],"custom":[1]})";
constexpr char kRole[] = "data: {\"role\":1}\n\n";
constexpr char kText[] = "data: {\"text\":1}\n\n";

class ChatCallTest : public IngressFixture {
 protected:
  std::shared_ptr<Seen> Send(const std::string& body,
                             const std::function<void(ChatRequest&)>& change = {}) {
    ChatRequest request;
    request.body = body;
    request.secret = TestKey();
    if (change) change(request);
    auto seen = std::make_shared<Seen>();
    ChatCall::Start(*services_, std::move(request), std::make_unique<FakeFront>(seen));
    executor_.RunUntilIdle();
    return seen;
  }
  // The record of the only settled generation.
  json Record() {
    executor_.RunUntilIdle();
    EXPECT_EQ(generations_.stored.size(), 1u);
    return generations_.stored.empty() ? json()
                                       : json::parse(generations_.stored.begin()->second.json);
  }
  static std::vector<json> Events(const std::string& stream) {
    std::vector<json> events;
    size_t at = 0;
    while ((at = stream.find("data: {", at)) != std::string::npos) {
      const size_t end = stream.find("\n\n", at);
      events.push_back(json::parse(stream.substr(at + 6, end - at - 6)));
      at = end;
    }
    return events;
  }
  void ExpectNothingLeft() {
    executor_.RunUntilIdle();
    EXPECT_EQ(metrics_.in_flight.load(), 0);
    EXPECT_EQ(executor_.timers(), 0u);
    for (const auto& call : adapter_.calls) EXPECT_TRUE(call->destroyed);
  }
};

TEST_F(ChatCallTest, StreamsAnAnswerAndEndsWithUsage) {
  const auto seen = Send(kStreamBody);
  ASSERT_EQ(adapter_.calls.size(), 1u);
  EXPECT_FALSE(seen->begun);
  adapter_.last().Content(kRole, /*commits=*/false);
  EXPECT_FALSE(seen->begun);
  adapter_.last().Content(kText);
  EXPECT_TRUE(seen->begun);
  EXPECT_EQ(seen->stream, std::string(kRole) + kText);
  adapter_.last().Answer(10, 5);
  EXPECT_TRUE(seen->ended && !seen->broken);
  const json last = Events(seen->stream).back();
  EXPECT_EQ(last["usage"]["completion_tokens"], 5);
  EXPECT_DOUBLE_EQ(last["usage"]["cost"].get<double>(), 0.00002);
  EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(last["id"], seen->head.generation_id);
  EXPECT_EQ(seen->summary.cost.value, 20'000);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, AnswersWithoutAStreamInOnePiece) {
  const auto seen = Send(kPlainBody);
  EXPECT_EQ(adapter_.last().request.body(), kPlainBody);  // byte for byte
  adapter_.last().Content(R"({"id":"x","choices":[]})");
  EXPECT_FALSE(seen->ended);
  adapter_.last().Answer();
  const json completion = json::parse(seen->completion);
  EXPECT_EQ(completion["id"], "x");
  EXPECT_EQ(completion["usage"]["total_tokens"], 15);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, TellsTheAdapterWhatItNeeds) {
  Send(kStreamBody, [](ChatRequest& request) {
    request.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.forward_headers["anthropic-beta"] = "x";
  });
  const provider::v1::GenerateRequest& request = adapter_.last().request;
  EXPECT_EQ(request.endpoint_id(), "acme/model@first");
  EXPECT_EQ(request.served_model(), "acme/model");
  EXPECT_EQ(request.attempt(), 1);
  EXPECT_TRUE(request.stream());
  EXPECT_THAT(request.generation_id(), HasSubstr("gen-"));
  EXPECT_EQ(request.timeout_ms(), 600'000);
  EXPECT_EQ(request.first_token_timeout_ms(), 20'000);
  EXPECT_THAT(request.traceparent(), HasSubstr("0af7651916cd43dd8448eb211c80319c"));
  EXPECT_EQ(request.forward_headers().at("anthropic-beta"), "x");
  EXPECT_EQ(request.pricing().prompt_pico(), 1'000'000);
}

TEST_F(ChatCallTest, FallsBackSilentlyBeforeContent) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Content(kRole, false);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_RESET);
  ASSERT_EQ(adapter_.calls.size(), 2u);
  EXPECT_TRUE(adapter_.calls[0]->destroyed);
  EXPECT_EQ(adapter_.last().request.endpoint_id(), "acme/model@second");
  EXPECT_EQ(adapter_.last().request.body(), kStreamBody);
  EXPECT_FALSE(seen->begun);
  adapter_.last().Content(kText);
  adapter_.last().Answer();
  EXPECT_EQ(seen->stream.find("role"), std::string::npos);  // nothing of the first attempt
  EXPECT_EQ(Record()["provider_responses"].size(), 2u);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, BreaksAStreamWithAnErrorAfterContentAndChargesNothing) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Content(kText);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_CUT);
  EXPECT_EQ(adapter_.calls.size(), 1u);
  EXPECT_TRUE(seen->broken);
  const json last = Events(seen->stream).back();
  EXPECT_EQ(last["error"]["code"], 502);
  EXPECT_EQ(last["choices"][0]["finish_reason"], "error");
  EXPECT_EQ(Record()["total_cost"], 0);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, FailsWithATrueStatusWhenEveryAttemptFailed) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  ASSERT_TRUE(seen->failure.has_value());
  EXPECT_EQ(seen->failure->detail.reason(), common::v1::REASON_PROVIDER_TIMEOUT);
  EXPECT_EQ(seen->failure->attempts.size(), 2u);
  EXPECT_FALSE(seen->head.generation_id.empty());
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, KeepsASilentStreamAliveAndStillFallsBack) {
  const auto seen = Send(kStreamBody);
  executor_.Advance(absl::Seconds(10));
  EXPECT_TRUE(seen->begun);
  EXPECT_EQ(seen->stream, "<keep-alive>");
  adapter_.last().Fail(common::v1::REASON_PROVIDER_ERROR);
  ASSERT_EQ(adapter_.calls.size(), 2u);
  adapter_.last().Content(kText);
  adapter_.last().Answer();
  EXPECT_FALSE(seen->broken);
  EXPECT_THAT(seen->stream, HasSubstr("text"));
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, FailsInBandWhenAKeepAliveHasGoneOut) {
  const auto seen = Send(kStreamBody);
  executor_.Advance(absl::Seconds(10));
  adapter_.last().Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  EXPECT_TRUE(seen->broken);
  const json event = Events(seen->stream).back();
  EXPECT_EQ(event["error"]["code"], 504);
  EXPECT_EQ(event["model"], "acme/model");
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, KeepsAliveInTheMiddleOfAStreamToo) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Content(kText);
  executor_.Advance(absl::Seconds(8));
  adapter_.last().Content(kText);
  executor_.Advance(absl::Seconds(9));
  EXPECT_THAT(seen->stream, Not(HasSubstr("<keep-alive>")));
  executor_.Advance(absl::Seconds(2));
  EXPECT_THAT(seen->stream, HasSubstr("<keep-alive>"));
  adapter_.last().Answer();
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, StopsTheProviderAtOnceWhenTheClientHasGone) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Content(kText, true, 3);
  seen->client_gone();
  EXPECT_TRUE(adapter_.last().destroyed);
  EXPECT_FALSE(seen->ended);
  const json record = Record();
  EXPECT_EQ(record["cancelled"], true);
  EXPECT_EQ(record["tokens_completion"], 3);
  EXPECT_GT(record["total_cost"].get<double>(), 0);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, ChargesNothingWhenTheClientLeftBeforeContent) {
  const auto seen = Send(kStreamBody);
  seen->client_gone();
  EXPECT_TRUE(adapter_.last().destroyed);
  EXPECT_EQ(Record()["total_cost"], 0);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, StopsWhenTheClientLeavesWhileTheKeyOrTheRouteIsAskedFor) {
  keys_.corked = true;
  auto seen = Send(kStreamBody);
  seen->client_gone();
  keys_.Uncork();
  executor_.RunUntilIdle();
  EXPECT_TRUE(adapter_.calls.empty());
  router_.inline_answer = false;
  seen = std::make_shared<Seen>();
  ChatRequest request;
  request.body = kStreamBody;
  request.secret = TestKey();
  ChatCall::Start(*services_, std::move(request), std::make_unique<FakeFront>(seen));
  seen->client_gone();
  ExpectNothingLeft();
  EXPECT_TRUE(adapter_.calls.empty());
}

TEST_F(ChatCallTest, PassesBackPressureToTheProvider) {
  const auto seen = Send(kStreamBody);
  seen->congested = true;
  adapter_.last().Content(kText);
  EXPECT_TRUE(adapter_.last().paused);
  executor_.Advance(absl::Minutes(5));  // a pause of ours is no silence of the provider's
  EXPECT_FALSE(seen->ended);
  seen->congested = false;
  seen->writable();
  EXPECT_FALSE(adapter_.last().paused);
  adapter_.last().Answer();
  EXPECT_TRUE(seen->ended);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, MovesOnFromAnAdapterThatHangs) {
  const auto seen = Send(kStreamBody);
  executor_.Advance(absl::Seconds(23));  // first-token deadline and grace
  ASSERT_EQ(adapter_.calls.size(), 2u);
  EXPECT_TRUE(adapter_.calls[0]->destroyed);
  adapter_.last().Content(kText);
  executor_.Advance(absl::Seconds(75));
  EXPECT_TRUE(seen->broken);
  EXPECT_EQ(Events(seen->stream).back()["error"]["code"], 504);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, WaitsForAnAdapterThatRestarts) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Fail(common::v1::REASON_UNAVAILABLE);
  EXPECT_EQ(adapter_.calls.size(), 1u);
  executor_.Advance(absl::Milliseconds(100));
  ASSERT_EQ(adapter_.calls.size(), 2u);
  EXPECT_EQ(adapter_.last().request.endpoint_id(), "acme/model@first");
  adapter_.last().Content(kText);
  adapter_.last().Answer();
  EXPECT_FALSE(seen->broken);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, ForgetsADelayedAttemptWhenTheClientHasGone) {
  const auto seen = Send(kStreamBody);
  adapter_.last().Fail(common::v1::REASON_UNAVAILABLE);
  seen->client_gone();
  executor_.Advance(absl::Seconds(5));
  EXPECT_EQ(adapter_.calls.size(), 1u);
  ExpectNothingLeft();
}

void AnswerWithVerdict(FakeAdapter::Call& call, common::v1::ToolCallVerdict verdict) {
  provider::v1::AttemptResult result;
  result.set_finish_reason("tool_calls");
  result.set_tool_call_verdict(verdict);
  result.mutable_usage()->set_completion_tokens(1);
  call.Result(std::move(result));
}

TEST_F(ChatCallTest, TriesElsewhereWhenAWholeAnswerHasAnInvalidToolCall) {
  const auto seen = Send(kPlainBody);
  adapter_.last().Content(R"({"answer":"first"})");
  AnswerWithVerdict(adapter_.last(), common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH);
  EXPECT_FALSE(seen->ended);
  adapter_.last().Content(R"({"answer":"second"})");
  AnswerWithVerdict(adapter_.last(), common::v1::TOOL_CALL_VERDICT_VALID);
  EXPECT_EQ(json::parse(seen->completion)["answer"], "second");
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, DeliversTheHeldAnswerAndItsProviderWhenNoneIsBetter) {
  const auto seen = Send(kPlainBody);
  adapter_.last().Content(R"({"answer":"first"})");
  AnswerWithVerdict(adapter_.last(), common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(json::parse(seen->completion)["answer"], "first");
  EXPECT_EQ(seen->summary.provider, "The first");
  EXPECT_EQ(Record()["provider_name"], "The first");
  ExpectNothingLeft();
}

// --- the tool-call guard ---

constexpr char kCalls[] = "data: {\"calls\":1}\n\n";
constexpr char kOtherCalls[] = "data: {\"calls\":2}\n\n";

class ChatCallGuardTest : public ChatCallTest {
 protected:
  static std::string ToolsBody(const std::string& guard, bool stream = true) {
    return std::string(R"({"model":"acme/model","stream":)") + (stream ? "true" : "false") +
           R"(,"messages":[{"role":"user","content":"hello"}],"tools":[{"type":"function","function":{"name":"f"}}])" +
           (guard.empty() ? "" : R"(,"signalbox":{"tool_call_guard":")" + guard + "\"}") + "}";
  }
  // As the adapter ends an attempt whose calls the guard does not let through.
  static void Reject(FakeAdapter::Call& call, const std::string& held = "") {
    if (!held.empty()) call.Content(held, /*commits=*/false);
    provider::v1::AttemptResult result;
    result.mutable_error()->set_reason(common::v1::REASON_TOOL_CALL_INVALID);
    result.mutable_error()->set_public_message("no valid tool call");
    result.set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
    result.set_finish_reason("tool_calls");
    result.mutable_usage()->set_source(common::v1::Usage::SOURCE_REPORTED);
    result.mutable_usage()->set_prompt_tokens(1'000);
    result.mutable_usage()->set_completion_tokens(1'000);
    call.Result(std::move(result));
  }
};

TEST_F(ChatCallGuardTest, AsksForWhatTheRequestThenTheKeyThenTheConfigurationSays) {
  const auto asked = [&](const std::string& body, provider::v1::ToolCallGuard header,
                         const std::string& key, provider::v1::ToolCallGuard configured) {
    keys_.records.begin()->second.tool_call_guard = key;
    options_.tool_call_guard = configured;
    RemakeServices();
    Send(ToolsBody(body), [&](ChatRequest& request) {
      request.tool_call_guard = header;
    })->client_gone();
    executor_.RunUntilIdle();
    return adapter_.last().request.tool_call_guard();
  };
  using provider::v1::TOOL_CALL_GUARD_ENFORCE;
  using provider::v1::TOOL_CALL_GUARD_OBSERVE;
  using provider::v1::TOOL_CALL_GUARD_OFF;
  using provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
  EXPECT_EQ(asked("", TOOL_CALL_GUARD_UNSPECIFIED, "", TOOL_CALL_GUARD_UNSPECIFIED),
            TOOL_CALL_GUARD_UNSPECIFIED);
  EXPECT_EQ(asked("", TOOL_CALL_GUARD_UNSPECIFIED, "", TOOL_CALL_GUARD_ENFORCE),
            TOOL_CALL_GUARD_ENFORCE);
  EXPECT_EQ(asked("", TOOL_CALL_GUARD_UNSPECIFIED, "off", TOOL_CALL_GUARD_ENFORCE),
            TOOL_CALL_GUARD_OFF);
  EXPECT_EQ(asked("", TOOL_CALL_GUARD_OBSERVE, "off", TOOL_CALL_GUARD_ENFORCE),
            TOOL_CALL_GUARD_OBSERVE);
  EXPECT_EQ(asked("enforce", TOOL_CALL_GUARD_OBSERVE, "off", TOOL_CALL_GUARD_OFF),
            TOOL_CALL_GUARD_ENFORCE);
}

TEST_F(ChatCallGuardTest, AsksForNoneWithoutTools) {
  options_.tool_call_guard = provider::v1::TOOL_CALL_GUARD_ENFORCE;
  Send(kStreamBody);
  EXPECT_EQ(adapter_.last().request.tool_call_guard(), provider::v1::TOOL_CALL_GUARD_UNSPECIFIED);
}

TEST_F(ChatCallGuardTest, MovesOnSilentlyFromARejectedStreamAndChargesTheDeliveredOneOnly) {
  const auto seen = Send(ToolsBody("enforce"));
  adapter_.last().Content(kRole, /*commits=*/false);
  Reject(adapter_.last(), kCalls);
  EXPECT_FALSE(seen->begun);
  ASSERT_EQ(adapter_.calls.size(), 2u);
  EXPECT_FALSE(adapter_.last().request.tool_calls_only());
  adapter_.last().Content(kOtherCalls);
  adapter_.last().Answer(10, 5);
  EXPECT_TRUE(seen->ended && !seen->broken);
  EXPECT_THAT(seen->stream, Not(HasSubstr(kCalls)));
  EXPECT_THAT(seen->stream, HasSubstr(kOtherCalls));
  EXPECT_DOUBLE_EQ(Events(seen->stream).back()["usage"]["cost"].get<double>(), 0.00002);
  const json record = Record();
  EXPECT_DOUBLE_EQ(record["total_cost"].get<double>(), 0.00002);
  EXPECT_EQ(record["provider_responses"].size(), 2u);
  EXPECT_EQ(record["provider_responses"][0]["reason"], "tool_call_invalid");
  EXPECT_EQ(record["provider_responses"][0]["invalid_tool_call"], true);
  ExpectNothingLeft();
}

TEST_F(ChatCallGuardTest, DeliversTheHeldStreamWhenNoneIsBetter) {
  const auto seen = Send(ToolsBody("enforce"));
  adapter_.last().Content(kRole, /*commits=*/false);
  Reject(adapter_.last(), kCalls);
  adapter_.last().Fail(common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_TRUE(seen->ended && !seen->broken);
  EXPECT_THAT(seen->stream, HasSubstr(std::string(kRole) + kCalls));
  EXPECT_EQ(Events(seen->stream).back()["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(seen->summary.provider, "The first");
  EXPECT_DOUBLE_EQ(Record()["total_cost"].get<double>(), 0.003);
  EXPECT_EQ(Record()["finish_reason"], "tool_calls");
  ExpectNothingLeft();
}

TEST_F(ChatCallGuardTest, TakesTheCallsOfAnotherAnswerBehindTextThatIsOut) {
  const auto seen = Send(ToolsBody("enforce"));
  adapter_.last().Content(kText);
  Reject(adapter_.last());
  EXPECT_FALSE(seen->ended);
  ASSERT_EQ(adapter_.calls.size(), 2u);
  EXPECT_TRUE(adapter_.last().request.tool_calls_only());
  EXPECT_THAT(adapter_.last().request.body(), HasSubstr("hello"));
  adapter_.last().Content(kCalls);
  adapter_.last().Answer(10, 5);
  EXPECT_TRUE(seen->ended && !seen->broken);
  EXPECT_THAT(seen->stream, ::testing::StartsWith(std::string(kText) + kCalls));
  EXPECT_DOUBLE_EQ(Record()["total_cost"].get<double>(), 0.00002);
  ExpectNothingLeft();
}

TEST_F(ChatCallGuardTest, BreaksTheStreamWhenThatOneHasNoneEither) {
  AddCandidate(&*router_.answer, "third");
  const auto seen = Send(ToolsBody("enforce"));
  adapter_.last().Content(kText);
  Reject(adapter_.last());
  Reject(adapter_.last());
  EXPECT_EQ(adapter_.calls.size(), 2u);
  EXPECT_TRUE(seen->ended && seen->broken);
  EXPECT_EQ(Events(seen->stream).back()["choices"][0]["finish_reason"], "error");
  EXPECT_EQ(seen->summary.error.reason(), common::v1::REASON_TOOL_CALL_INVALID);
  EXPECT_DOUBLE_EQ(Record()["total_cost"].get<double>(), 0);
  ExpectNothingLeft();
}

TEST_F(ChatCallGuardTest, KeepsTheClientAndTheAttemptAliveWhileCallsAreHeld) {
  const auto seen = Send(ToolsBody("enforce"));
  for (int second = 0; second < 100; ++second) {
    executor_.Advance(absl::Seconds(1));
    adapter_.last().Content("", /*commits=*/false, 0);
  }
  EXPECT_EQ(adapter_.calls.size(), 1u) << "the provider is at work";
  EXPECT_THAT(seen->stream, HasSubstr("<keep-alive>"));
  adapter_.last().Content(kCalls);
  adapter_.last().Answer();
  EXPECT_THAT(seen->stream, HasSubstr(kCalls));
  ExpectNothingLeft();
}

TEST_F(ChatCallGuardTest, GivesUpAnAdapterThatFallsSilentWhileCallsAreHeld) {
  Send(ToolsBody("enforce"));
  adapter_.last().Content("", /*commits=*/false, 0);
  executor_.Advance(options_.watchdog_idle + absl::Seconds(1));
  EXPECT_EQ(adapter_.calls.size(), 2u);
}

TEST_F(ChatCallGuardTest, PassesOnAsTheyComeWhatIsOnlyObserved) {
  for (const char* guard : {"observe", "off"}) {
    const auto seen = Send(ToolsBody(guard, /*stream=*/false));
    adapter_.last().Content(R"({"answer":"first"})");
    AnswerWithVerdict(adapter_.last(), common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH);
    EXPECT_TRUE(seen->ended) << guard;
    EXPECT_EQ(json::parse(seen->completion)["answer"], "first");
  }
}

TEST_F(ChatCallGuardTest, DeliversAMendedAnswerAtOnceAndSaysSo) {
  const auto seen = Send(ToolsBody("enforce", /*stream=*/false),
                         [](ChatRequest& request) { request.wants_metadata = true; });
  adapter_.last().Content(R"({"answer":"first"})");
  provider::v1::AttemptResult result;
  result.set_finish_reason("tool_calls");
  result.set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
  result.set_tool_call_repaired(true);
  adapter_.last().Result(std::move(result));
  ASSERT_TRUE(seen->ended);
  const json attempt = json::parse(seen->completion)["openrouter_metadata"]["attempts"][0];
  EXPECT_EQ(attempt["repaired_tool_call"], true);
  EXPECT_FALSE(attempt.contains("invalid_tool_call"));
}

TEST_F(ChatCallGuardTest, CountsWhatBecameOfRefusedCallsAndWhatTheyCostUs) {
  obs::Metrics registry;
  IngressMetrics counted(registry);
  const SharedServices shared{
      options_, router_, adapter_,       keys_,    generations_, [this] { return catalogue_; },
      counted,  clock_,  conversations_, circuits_};
  services_ = std::make_unique<LoopServices>(shared, executor_, Rng(7));
  Send(ToolsBody("enforce"));
  Reject(adapter_.last(), kCalls);
  adapter_.last().Content(kOtherCalls);
  adapter_.last().Answer();
  Send(ToolsBody("enforce"));
  Reject(adapter_.last(), kCalls);
  Reject(adapter_.last(), kOtherCalls);
  Send(ToolsBody("enforce"));
  adapter_.last().Content(kText);
  Reject(adapter_.last());
  Reject(adapter_.last());
  executor_.RunUntilIdle();
  const std::string page = registry.Render();
  EXPECT_THAT(page, HasSubstr("signalbox_ingress_tool_guard_total{outcome=\"rescued\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("signalbox_ingress_tool_guard_total{outcome=\"gave_up\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("signalbox_ingress_tool_guard_total{outcome=\"undelivered\"} 1\n"));
  // One of the two of the second chat was paid; a rejected answer costs 0.003 USD.
  EXPECT_THAT(page, HasSubstr("signalbox_ingress_tool_guard_unpaid_usd_total 0.012"));
  services_.reset();
}

TEST_F(ChatCallTest, RefusesUnknownKeysAndBadBodiesBeforeAnythingElse) {
  EXPECT_EQ(
      Send(kStreamBody, [](ChatRequest& r) { r.secret = TestKey('b'); })->failure->detail.reason(),
      common::v1::REASON_UNAUTHENTICATED);
  EXPECT_EQ(Send("{")->failure->detail.reason(), common::v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(router_.decides, 0);
  EXPECT_TRUE(generations_.stored.empty());
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, SaysWhichFiltersLeftNoEndpoint) {
  router_.answer = router::v1::DecideResponse();
  for (const char* filter : {"context_length", "context_length", "zdr"})
    router_.answer->add_excluded()->set_filter(filter);
  const auto seen = Send(kStreamBody);
  ASSERT_TRUE(seen->failure.has_value());
  EXPECT_EQ(seen->failure->detail.reason(), common::v1::REASON_NO_ENDPOINTS);
  EXPECT_THAT(seen->failure->detail.public_message(),
              HasSubstr("2 excluded by context_length, 1 by zdr"));
  EXPECT_EQ(seen->failure->excluded.size(), 3u);
  EXPECT_FALSE(seen->head.generation_id.empty());
}

TEST_F(ChatCallTest, PassesOnWhatTheRouterSaysOfTheRequest) {
  router_.answer = seam::MakeError(common::v1::REASON_NOT_AVAILABLE, "not available yet");
  EXPECT_EQ(Send(kStreamBody)->failure->detail.reason(), common::v1::REASON_NOT_AVAILABLE);
}

TEST_F(ChatCallTest, GoesOnWithTheLastDecisionWhileTheRouterIsAway) {
  Send(kStreamBody);
  adapter_.last().Content(kText);
  adapter_.last().Answer();
  router_.answer = absl::UnavailableError("router is away");
  for (int i = 0; i < 5; ++i) {
    const auto seen = Send(kStreamBody);
    EXPECT_EQ(adapter_.last().request.endpoint_id(), "acme/model@first");
    adapter_.last().Content(kText);
    adapter_.last().Answer();
    EXPECT_TRUE(seen->ended && !seen->broken);
  }
  EXPECT_EQ(router_.decides, 2);  // asked once per second only
  clock_.Advance(absl::Seconds(2));
  Send(kStreamBody)->client_gone();
  EXPECT_EQ(router_.decides, 3);
}

TEST_F(ChatCallTest, RoutesByTheCatalogueWhenTheRouterWasNeverReached) {
  router_.answer = absl::DeadlineExceededError("router is frozen");
  Send(kStreamBody);
  ASSERT_EQ(adapter_.calls.size(), 1u);
  EXPECT_EQ(adapter_.last().request.endpoint_id(), "acme/model@cheap");
  adapter_.last().Fail(common::v1::REASON_PROVIDER_NOT_CONFIGURED);
  EXPECT_EQ(adapter_.last().request.endpoint_id(), "acme/model@private");
}

TEST_F(ChatCallTest, ReusesADecisionAndDrawsAnew) {
  router_.answer->set_valid_for_ms(2'000);
  router_.answer->mutable_candidates(0)->set_draw_weight(0.5);
  router_.answer->mutable_candidates(1)->set_draw_weight(0.5);
  std::set<std::string> endpoints;
  for (int i = 0; i < 40; ++i) {
    const auto seen = Send(kStreamBody);
    endpoints.insert(adapter_.last().request.endpoint_id());
    adapter_.last().Content(kText);
    adapter_.last().Answer();
  }
  EXPECT_EQ(router_.decides, 1);
  EXPECT_EQ(endpoints.size(), 2u);
  clock_.Advance(absl::Seconds(2));
  Send(kStreamBody)->client_gone();
  EXPECT_EQ(router_.decides, 2);
}

TEST_F(ChatCallTest, AddsTheRoutingStoryWhenAsked) {
  const auto seen = Send(kStreamBody, [](ChatRequest& request) { request.wants_metadata = true; });
  EXPECT_EQ(router_.explains, 1);
  adapter_.last().Content(kText);
  adapter_.last().Answer();
  const json metadata = Events(seen->stream).back()["openrouter_metadata"];
  EXPECT_EQ(metadata["requested"], "acme/model");
  EXPECT_EQ(metadata["endpoints"]["total"], 2);
  EXPECT_EQ(metadata["endpoints"]["available"][0]["selected"], true);
}

TEST_F(ChatCallTest, TightensThePolicyOfTheKey) {
  store::KeyRecord record = RecordOf(TestKey());
  record.deny_data_collection = true;
  keys_.Add(record);
  Send(kStreamBody);
  EXPECT_TRUE(router_.last_features.provider().deny_data_collection());
}

TEST_F(ChatCallTest, TakesTheSessionOfTheHeaderUnlessTheBodyHasOne) {
  Send(kStreamBody, [](ChatRequest& request) { request.session_id = "header"; });
  const std::string from_header = router_.last_features.session_key();
  EXPECT_FALSE(from_header.empty());
  Send(R"({"model":"acme/model","session_id":"body","messages":[{"role":"user","content":"x"}]})",
       [](ChatRequest& request) { request.session_id = "header"; });
  EXPECT_NE(router_.last_features.session_key(), from_header);
}

TEST_F(ChatCallTest, ChargesTheMarkUp) {
  options_.markup_basis_points = 1'000;
  const auto seen = Send(kStreamBody);
  adapter_.last().Content(kText);
  adapter_.last().Answer(10, 5);
  EXPECT_EQ(seen->summary.cost.value, 22'000);
  executor_.RunUntilIdle();
  EXPECT_EQ(generations_.stored.begin()->second.cost.value, 22'000);
  EXPECT_EQ(generations_.stored.begin()->second.key_hash, RecordOf(TestKey()).hash);
}

TEST_F(ChatCallTest, RecordsWhoAskedAndHowItWent) {
  Send(R"({"model":"acme/model","user":"u-1","messages":[{"role":"user","content":"x"}]})",
       [](ChatRequest& request) {
         request.user_agent = "agent/1";
         request.referer = "https://app.example.com";
       });
  clock_.Advance(absl::Milliseconds(300));
  adapter_.last().Content("{}");
  clock_.Advance(absl::Milliseconds(200));
  adapter_.last().Answer(7, 9);
  const json record = Record();
  EXPECT_EQ(record["external_user"], "u-1");
  EXPECT_EQ(record["user_agent"], "agent/1");
  EXPECT_EQ(record["http_referer"], "https://app.example.com");
  EXPECT_EQ(record["upstream_id"], "up-1");
  EXPECT_EQ(record["native_finish_reason"], "end_turn");
  EXPECT_EQ(record["latency"], 300);
  EXPECT_EQ(record["generation_time"], 500);
  EXPECT_EQ(record["native_tokens_prompt"], 7);
  EXPECT_EQ(record["streamed"], false);
}

TEST_F(ChatCallTest, TellsOwnTimeFromTheProviders) {
  const auto seen = Send(kPlainBody);
  clock_.Advance(absl::Milliseconds(400));
  adapter_.last().Content("{}");
  adapter_.last().Answer();
  EXPECT_EQ(seen->head.provider_time, absl::Milliseconds(400));
  EXPECT_EQ(seen->head.own_time, absl::ZeroDuration());
}

TEST_F(ChatCallTest, EndsWhatIsRunningWhenTheProcessStops) {
  const auto waiting = Send(kPlainBody);
  const auto streaming = Send(kStreamBody);
  adapter_.last().Content(kText);
  services_->calls.AbandonAll();
  EXPECT_EQ(waiting->failure->detail.reason(), common::v1::REASON_DRAINING);
  EXPECT_TRUE(streaming->broken);
  ExpectNothingLeft();
}

TEST_F(ChatCallTest, BoundsWhatIsHeldBeforeContent) {
  options_.max_held_bytes = 100;
  const auto seen = Send(kStreamBody);
  for (int i = 0; i < 1'000; ++i) adapter_.last().Content(kRole, false);
  adapter_.last().Content(kText);
  EXPECT_LT(seen->stream.size(), 200u);
  seen->client_gone();
}

}  // namespace
}  // namespace signalbox::ingress
