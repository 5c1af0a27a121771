#include "services/provider-adapter/adapter.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/obs/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/provider-adapter/fakes.h"

namespace signalbox::provider_adapter {
namespace {

namespace v1 = common::v1;
using ::testing::HasSubstr;
using ::testing::Not;

class RecordingOutcomes final : public seam::OutcomeSink {
 public:
  void Report(v1::Outcome outcome) override { outcomes.push_back(std::move(outcome)); }
  std::vector<v1::Outcome> outcomes;
};

class AdapterTest : public ::testing::Test {
 protected:
  AdapterTest() {
    directory_.Update(BuildCatalogue());
    Make({});
  }

  void Make(AdapterSettings settings) {
    auto upstream = std::make_unique<FakeUpstream>();
    upstream_ = upstream.get();
    std::vector<Adapter::Loop> loops;
    loops.push_back({&executor_, std::move(upstream)});
    adapter_ = std::make_unique<Adapter>(settings, std::move(loops), directory_, outcomes_, clock_,
                                         metrics_);
  }

  // One attempt with a sink of its own.
  struct Running {
    std::unique_ptr<RecordingSink> sink = std::make_unique<RecordingSink>();
    std::unique_ptr<seam::Attempt> attempt;
  };
  Running Start(const std::string& endpoint = "m/one@acme") { return Start(ChatRequest(endpoint)); }
  Running Start(provider::v1::GenerateRequest request) {
    Running running;
    running.attempt = adapter_->Generate(std::move(request), executor_, running.sink.get());
    EXPECT_FALSE(running.sink->result.has_value()) << "called inside Generate";
    return running;
  }

  void Answer(ScriptedCall& call) {
    call.Head(200);
    call.Body(TextEvent("x") + FinishEvent() + UsageEvent(10, 1) + DoneEvent());
    call.End();
  }

  v1::Reason RefusalOf(const std::string& endpoint) {
    const size_t before = upstream_->started();
    Running running = Start(endpoint);
    executor_.RunUntilIdle();
    EXPECT_EQ(upstream_->started(), before) << "was sent";
    EXPECT_TRUE(running.sink->result.has_value());
    EXPECT_EQ(running.sink->result->error().endpoint_id(), endpoint);
    return running.sink->reason();
  }

  provider::v1::ListProvidersResponse Providers() {
    provider::v1::ListProvidersResponse listed;
    adapter_->ListProviders(
        absl::Seconds(1), executor_,
        [&](absl::StatusOr<provider::v1::ListProvidersResponse> response) { listed = *response; });
    EXPECT_EQ(listed.providers_size(), 0) << "called inside ListProviders";
    executor_.RunUntilIdle();
    return listed;
  }
  bool IsActive(const std::string& slug) {
    const provider::v1::ListProvidersResponse listed = Providers();
    for (const auto& provider : listed.providers()) {
      if (provider.slug() == slug) return provider.active();
    }
    ADD_FAILURE() << slug << " is not listed";
    return false;
  }

  FakeClock clock_;
  testing::ManualExecutor executor_{clock_};
  config::FakeEnvironment environment_{{{"ACME_KEY", "acme-secret"}}};
  config::SecretResolver secrets_{environment_, clock_};
  ProviderDirectory directory_{secrets_};
  RecordingOutcomes outcomes_;
  obs::Metrics registry_;
  AdapterMetrics metrics_{registry_};
  FakeUpstream* upstream_ = nullptr;
  std::unique_ptr<Adapter> adapter_;
};

TEST_F(AdapterTest, SendsWithTheKeyOfTheProvider) {
  Running acme = Start("m/one@acme");
  EXPECT_EQ(upstream_->last().request().headers.Get("authorization"), "Bearer acme-secret");
  EXPECT_EQ(upstream_->last().request().origin.host, "api.acme.test");
  Running local = Start("m/one@local");
  EXPECT_FALSE(upstream_->last().request().headers.Has("authorization"));
  EXPECT_EQ(adapter_->InFlight(), 2);
}

TEST_F(AdapterTest, ReportsTheOutcomeOnce) {
  Running running = Start();
  Answer(upstream_->last());
  ASSERT_TRUE(running.sink->result.has_value());
  EXPECT_FALSE(running.sink->result->has_error());
  EXPECT_EQ(adapter_->InFlight(), 0);
  running.attempt.reset();
  ASSERT_EQ(outcomes_.outcomes.size(), 1u);
  EXPECT_EQ(outcomes_.outcomes[0].endpoint_id(), "m/one@acme");
  EXPECT_EQ(outcomes_.outcomes[0].prompt_tokens(), 10);
}

TEST_F(AdapterTest, ReportsACancelledAttempt) {
  Running running = Start();
  running.attempt.reset();
  ASSERT_EQ(outcomes_.outcomes.size(), 1u);
  EXPECT_EQ(outcomes_.outcomes[0].failure(), v1::REASON_CANCELLED);
  EXPECT_EQ(adapter_->InFlight(), 0);
  EXPECT_TRUE(upstream_->last().cancelled());
}

TEST_F(AdapterTest, RefusesWhatIsNotConfigured) {
  EXPECT_EQ(RefusalOf("m/none@acme"), v1::REASON_PROVIDER_NOT_CONFIGURED);
  EXPECT_EQ(RefusalOf("m/one@dead"), v1::REASON_PROVIDER_NOT_CONFIGURED);
  EXPECT_TRUE(outcomes_.outcomes.empty()) << "says nothing about the endpoint";
}

TEST_F(AdapterTest, ForgetsARefusedAttemptThatIsDestroyedAtOnce) {
  Running running = Start("m/none@acme");
  running.attempt.reset();
  executor_.RunUntilIdle();
  EXPECT_FALSE(running.sink->result.has_value());
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(AdapterTest, RefusedAttemptMayBeDestroyedInsideItsResult) {
  Running running = Start("m/none@acme");
  running.sink->on_result = [&] { running.attempt.reset(); };
  executor_.RunUntilIdle();
  EXPECT_EQ(running.attempt, nullptr);
}

TEST_F(AdapterTest, BoundsWhatIsInFlightPerEndpoint) {
  AdapterSettings settings;
  settings.max_in_flight_per_endpoint = 2;
  Make(settings);
  Running first = Start();
  Running second = Start();
  EXPECT_EQ(RefusalOf("m/one@acme"), v1::REASON_PROVIDER_SATURATED);
  Running elsewhere = Start("m/one@local");
  EXPECT_EQ(upstream_->started(), 3u);

  Answer(upstream_->call(0));  // its attempt object lives on, its slot is free
  Running third = Start();
  EXPECT_EQ(upstream_->started(), 4u);
  second.attempt.reset();
  Running fourth = Start();
  EXPECT_EQ(upstream_->started(), 5u);
  EXPECT_EQ(RefusalOf("m/one@acme"), v1::REASON_PROVIDER_SATURATED);
}

TEST_F(AdapterTest, ProviderLimitGoesBeforeTheDefault) {
  config::v1::Catalogue source = TestCatalogue();
  source.mutable_providers(0)->set_max_in_flight(1);
  directory_.Update(BuildCatalogue(source));
  Running first = Start();
  EXPECT_EQ(RefusalOf("m/one@acme"), v1::REASON_PROVIDER_SATURATED);
}

TEST_F(AdapterTest, CountsAcrossAReloadOfTheCatalogue) {
  AdapterSettings settings;
  settings.max_in_flight_per_endpoint = 1;
  Make(settings);
  Running old = Start();
  config::v1::Catalogue source = TestCatalogue();
  source.mutable_models(0)->mutable_endpoints()->SwapElements(0, 2);  // other positions
  directory_.Update(BuildCatalogue(source));
  EXPECT_EQ(RefusalOf("m/one@acme"), v1::REASON_PROVIDER_SATURATED);
  Answer(upstream_->call(0));
  EXPECT_FALSE(old.sink->result->has_error()) << "the attempt went on over the reload";
  Running next = Start();
  EXPECT_EQ(upstream_->started(), 2u);
}

TEST_F(AdapterTest, LeavesARefusedKeyAloneForAWhile) {
  std::vector<std::string> lines;
  const obs::ScopedLogSink log([&](absl::string_view line) { lines.emplace_back(line); });
  Running first = Start();
  Running second = Start();
  upstream_->call(0).Head(401);
  upstream_->call(0).End();
  EXPECT_EQ(first.sink->reason(), v1::REASON_PROVIDER_AUTH);
  upstream_->call(1).Head(401);
  upstream_->call(1).End();
  ASSERT_EQ(lines.size(), 1u) << "one line per quarantine";
  EXPECT_THAT(lines[0], HasSubstr("provider_key_quarantined"));
  EXPECT_THAT(lines[0], Not(HasSubstr("acme-secret")));

  EXPECT_EQ(RefusalOf("m/one@acme"), v1::REASON_PROVIDER_AUTH);
  EXPECT_EQ(outcomes_.outcomes.back().failure(), v1::REASON_PROVIDER_AUTH);
  EXPECT_FALSE(IsActive("acme"));
  EXPECT_TRUE(IsActive("local"));
  EXPECT_THAT(registry_.Render(),
              HasSubstr("signalbox_adapter_key_quarantined{provider=\"acme\"} 1"));

  executor_.Advance(absl::Seconds(60));
  EXPECT_TRUE(IsActive("acme"));
  adapter_->UpdateGauges();
  EXPECT_THAT(registry_.Render(),
              HasSubstr("signalbox_adapter_key_quarantined{provider=\"acme\"} 0"));
  Running again = Start();
  EXPECT_EQ(upstream_->started(), 3u);
}

TEST_F(AdapterTest, LeavesAnExhaustedAccountAloneForLonger) {
  Running first = Start();
  upstream_->last().Head(402);
  upstream_->last().End();
  EXPECT_EQ(first.sink->reason(), v1::REASON_PROVIDER_QUOTA);
  executor_.Advance(absl::Seconds(299));
  EXPECT_EQ(RefusalOf("m/one@acme"), v1::REASON_PROVIDER_QUOTA);
  executor_.Advance(absl::Seconds(1));
  Running again = Start();
  EXPECT_EQ(upstream_->started(), 2u);
}

TEST_F(AdapterTest, DrainingRefusesNewAttemptsAndFinishesOldOnes) {
  Running old = Start();
  adapter_->BeginDrain();
  Running late = Start();
  executor_.RunUntilIdle();
  EXPECT_EQ(late.sink->reason(), v1::REASON_UNAVAILABLE);
  EXPECT_TRUE(late.sink->result->error().retryable());
  EXPECT_EQ(adapter_->InFlight(), 1);
  Answer(upstream_->last());
  EXPECT_FALSE(old.sink->result->has_error());
  EXPECT_EQ(adapter_->InFlight(), 0);
}

TEST_F(AdapterTest, JudgesToolsOnlyWhereTheyAreOffered) {
  provider::v1::GenerateRequest request = ChatRequest("m/one@acme");
  request.set_request_class(v1::REQUEST_CLASS_TOOLS);
  request.set_body(R"({"messages":[],"tools":[{"type":"function","function":{"name":"f"}}]})");
  Running with = Start(std::move(request));
  Answer(upstream_->last());
  EXPECT_EQ(with.sink->result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_NO_CALL);
  Running without = Start();
  Answer(upstream_->last());
  EXPECT_EQ(without.sink->result->tool_call_verdict(), v1::TOOL_CALL_VERDICT_UNSPECIFIED);
}

TEST_F(AdapterTest, AnUnknownExecutorIsADefectNotACrash) {
  testing::ManualExecutor other(clock_);
  RecordingSink sink;
  const auto attempt = adapter_->Generate(ChatRequest("m/one@acme"), other, &sink);
  other.RunUntilIdle();
  EXPECT_EQ(sink.reason(), v1::REASON_INTERNAL);
}

TEST_F(AdapterTest, CountsAttemptsByHowTheyEnded) {
  Running ok = Start();
  EXPECT_THAT(registry_.Render(), HasSubstr("signalbox_adapter_in_flight{provider=\"acme\"} 1"));
  Answer(upstream_->last());
  Running failed = Start();
  upstream_->last().Error(http::ClientError::Kind::kConnect);
  Running cancelled = Start();
  cancelled.attempt.reset();
  const std::string series = registry_.Render();
  EXPECT_THAT(
      series,
      HasSubstr(
          R"(signalbox_adapter_attempts_total{outcome="ok",provider="acme",reason="none"} 1)"));
  EXPECT_THAT(series,
              HasSubstr(R"({outcome="failed",provider="acme",reason="provider_unreachable"} 1)"));
  EXPECT_THAT(series, HasSubstr(R"({outcome="cancelled",provider="acme",reason="cancelled"} 1)"));
  EXPECT_THAT(series, HasSubstr("signalbox_adapter_in_flight{provider=\"acme\"} 0"));
}

}  // namespace
}  // namespace signalbox::provider_adapter
