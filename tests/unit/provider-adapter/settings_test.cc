#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "services/provider-adapter/core/adapter_settings.h"
#include "services/provider-adapter/core/attempt_deadlines.h"
#include "services/provider-adapter/core/request_limits.h"
#include "tests/unit/provider-adapter/fakes.h"

namespace signalbox::provider_adapter {
namespace {

TEST(AdapterSettings, UnsetAndZeroKeepTheDefaults) {
  config::v1::AdapterConfig config;
  config.mutable_idle_timeout();
  const AdapterSettings settings = SettingsOf(config);
  EXPECT_EQ(settings.connect_timeout, absl::Seconds(5));
  EXPECT_EQ(settings.first_token_timeout, absl::Seconds(30));
  EXPECT_EQ(settings.idle_timeout, absl::Seconds(30));
  EXPECT_EQ(settings.total_timeout, absl::Seconds(600));
  EXPECT_EQ(settings.max_in_flight_per_endpoint, 1000);
  EXPECT_EQ(settings.max_pending_outcomes, 100'000);
  EXPECT_TRUE(ClientOptionsOf(config).allow_private_addresses);
}

TEST(AdapterSettings, ConfiguredValuesWin) {
  config::v1::AdapterConfig config;
  config.mutable_idle_timeout()->set_nanos(250'000'000);
  config.set_max_in_flight_per_endpoint(3);
  config.set_allow_private_addresses(false);
  config.set_proxy("http://proxy:3128");
  EXPECT_EQ(SettingsOf(config).idle_timeout, absl::Milliseconds(250));
  EXPECT_EQ(SettingsOf(config).max_in_flight_per_endpoint, 3);
  EXPECT_FALSE(ClientOptionsOf(config).allow_private_addresses);
  EXPECT_EQ(ClientOptionsOf(config).proxy, "http://proxy:3128");
}

TEST(LimitsOf, TakesTheRequestsTimesFirst) {
  config::v1::Catalogue source = TestCatalogue();
  source.mutable_providers(0)->set_first_token_timeout_ms(12'000);
  const auto catalogue = BuildCatalogue(source);
  const catalogue::Endpoint& acme = *catalogue->FindEndpoint("m/one@acme");
  const catalogue::Endpoint& local = *catalogue->FindEndpoint("m/one@local");
  const AdapterSettings settings;

  provider::v1::GenerateRequest request = ChatRequest("m/one@acme");
  EXPECT_EQ(LimitsOf(settings, acme, request).waits.first_content, absl::Seconds(12));
  EXPECT_EQ(LimitsOf(settings, local, request).waits.first_content, absl::Seconds(30));
  EXPECT_EQ(LimitsOf(settings, acme, request).waits.total, absl::Seconds(600));
  request.set_first_token_timeout_ms(700);
  request.set_timeout_ms(2000);
  EXPECT_EQ(LimitsOf(settings, acme, request).waits.first_content, absl::Milliseconds(700));
  EXPECT_EQ(LimitsOf(settings, acme, request).waits.total, absl::Seconds(2));
  EXPECT_EQ(LimitsOf(settings, acme, request).connect, absl::Seconds(2))
      << "never longer than the whole";
}

TEST(LimitsOf, AnswersInOnePieceHaveNoDeadlineForContentByDefault) {
  const auto catalogue = BuildCatalogue();
  const catalogue::Endpoint& acme = *catalogue->FindEndpoint("m/one@acme");
  provider::v1::GenerateRequest request = ChatRequest("m/one@acme", false);
  EXPECT_EQ(LimitsOf({}, acme, request).waits.first_content, absl::Seconds(30))
      << "asked for as a stream";
  request.set_body(R"({"max_tokens":100})");
  EXPECT_EQ(LimitsOf({}, acme, request).waits.first_content, absl::InfiniteDuration());
  request.set_first_token_timeout_ms(5000);
  EXPECT_EQ(LimitsOf({}, acme, request).waits.first_content, absl::Seconds(5));
}

TEST(StreamsUpstream, OnlyWhatCanBePutTogetherAgain) {
  const auto streams = [](const char* body, bool no_stream_options = false) {
    config::v1::Catalogue source = TestCatalogue();
    source.mutable_providers(0)->mutable_quirks()->set_no_stream_options(no_stream_options);
    const auto catalogue = BuildCatalogue(source);
    provider::v1::GenerateRequest request = ChatRequest("m/one@acme", false);
    request.set_body(body);
    return StreamsUpstream(request, *catalogue->FindEndpoint("m/one@acme"));
  };
  EXPECT_TRUE(streams("{}"));
  EXPECT_TRUE(streams(R"({"max_tokens":5000})"));
  EXPECT_FALSE(streams(R"({"max_tokens":256})"));
  EXPECT_FALSE(streams(R"({"n":2})"));
  EXPECT_FALSE(streams(R"({"logprobs":true,"modalities":null})"));
  EXPECT_TRUE(streams(R"({"logprobs":false})"));
  EXPECT_FALSE(streams("{}", true));
  EXPECT_EQ(LongestGeneration(R"({"max_tokens":100})"), absl::Seconds(5));
  EXPECT_EQ(LongestGeneration("{}"), absl::Seconds(204.8));
}

TEST(RunawayBytes, FollowsMaxTokens) {
  const int64_t slack = 32 * 1024;
  EXPECT_EQ(RunawayBytes(R"({"max_tokens":100})", 0), 1600 + slack);
  EXPECT_EQ(RunawayBytes(R"({"max_completion_tokens":200})", 0), 3200 + slack);
  EXPECT_EQ(RunawayBytes(R"({"max_tokens":100,"n":3})", 0), 4800 + slack);
  EXPECT_EQ(RunawayBytes(R"({"max_tokens":null})", 50), 800 + slack);
  EXPECT_EQ(RunawayBytes(R"({"messages":[{"max_tokens":5}]})", 0),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(RunawayBytes("{}", 0), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(RunawayBytes("{}", 10), 160 + slack);
  EXPECT_GT(RunawayBytes(R"({"max_tokens":9223372036854775807,"n":9999})", 0), 0)
      << "does not overflow";
}

TEST(AttemptDeadlines, ACompleteAnswerIsCompleteWhateverElseIsDue) {
  AttemptDeadlines deadlines(
      {absl::Seconds(1), absl::Seconds(1), absl::Seconds(1), absl::Milliseconds(50)},
      absl::ZeroDuration());
  deadlines.EndMarkerArrived(absl::Milliseconds(950));
  EXPECT_EQ(deadlines.Expired(absl::Seconds(1)), AttemptDeadlines::Expiry::kEndGrace);
}

TEST(AttemptDeadlines, NothingIsDueWithoutLimits) {
  AttemptDeadlines deadlines({}, absl::ZeroDuration());
  deadlines.HeadArrived(absl::Seconds(1));
  deadlines.ContentArrived();
  EXPECT_EQ(deadlines.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(deadlines.Expired(absl::Hours(1000)), AttemptDeadlines::Expiry::kNone);
}

}  // namespace
}  // namespace signalbox::provider_adapter
