#include "services/router-decision/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "common/seam/error_detail.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

using router::v1::DecideResponse;
using ::testing::HasSubstr;

constexpr absl::string_view kYaml = R"(
providers: [{slug: p, name: Provider P, supports_cancellation: true}, {slug: q}]
models:
- id: a/one
  context_length: 5000
  endpoints:
  - {tag: p/fp8, quantization: fp8, max_completion_tokens: 100, price: {prompt: 0.000001, completion: 0.000002, cache_read: 0.0000001}}
  - {tag: q, price: {prompt: 0.000003, completion: 0.000003}}
)";

TEST(Router, AnswersUnavailableUntilItKnowsCatalogueAndProviders) {
  World world("providers: [{slug: p}]");
  SnapshotHolder empty;
  Router router(empty, world.clock, 1, RouterMetrics());
  EXPECT_EQ(seam::DetailOf(router.DecideNow(Request({"a/one"})).status()).reason(),
            common::v1::REASON_UNAVAILABLE);
  empty.SetCatalogue(CatalogueOf(kYaml));
  EXPECT_EQ(seam::DetailOf(router.DecideNow(Request({"a/one"})).status()).reason(),
            common::v1::REASON_UNAVAILABLE);
  empty.SetActiveProviders({"p"});
  EXPECT_TRUE(router.DecideNow(Request({"a/one"})).ok());
}

TEST(Router, FillsTheCandidate) {
  World world(kYaml);
  world.Publish();
  world.clock.Advance(absl::Milliseconds(250));
  const DecideResponse response = world.Decide(Request({"a/one:floor"}));
  ASSERT_EQ(response.candidates_size(), 2);
  const router::v1::Candidate& candidate = response.candidates(0);
  EXPECT_EQ(candidate.endpoint_id(), "a/one@p/fp8");
  EXPECT_EQ(candidate.model(), "a/one");
  EXPECT_EQ(candidate.provider_name(), "Provider P");
  EXPECT_EQ(candidate.provider_slug(), "p");
  EXPECT_EQ(candidate.pricing().cache_read_pico(), 100'000);
  EXPECT_EQ(candidate.context_length(), 5000);
  EXPECT_EQ(candidate.max_completion_tokens(), 100);
  EXPECT_EQ(candidate.quantization(), "fp8");
  EXPECT_TRUE(candidate.supports_cancellation());
  EXPECT_FALSE(candidate.has_score());
  EXPECT_EQ(response.snapshot_version(), 1u);
  EXPECT_EQ(response.snapshot_age_ms(), 250);
  EXPECT_EQ(response.valid_for_ms(), 1000);
}

TEST(Router, ExplainFillsEveryNumber) {
  World world(kYaml);
  metrics::v1::EndpointScore& score = world.Score("a/one@p/fp8");
  score.set_attempts_5m(200);
  score.set_failures_5m(10);
  score.set_tool_requests_2h(50);
  score.set_tool_failures_2h(1);
  score.mutable_throughput_tps()->set_p50(80.5);
  score.mutable_ttft_ms()->set_p50(420);
  score.set_benchmark(0.7);
  world.Publish();
  const DecideResponse response = world.Explain(Request({"a/one:floor"}));
  const router::v1::Score& known = response.candidates(0).score();
  EXPECT_DOUBLE_EQ(known.availability(), 0.95);
  EXPECT_DOUBLE_EQ(known.tool_success(), 0.98);
  EXPECT_DOUBLE_EQ(known.throughput_tps(), 80.5);
  EXPECT_DOUBLE_EQ(known.ttft_ms(), 420);
  EXPECT_DOUBLE_EQ(known.benchmark(), 0.7);
  EXPECT_EQ(known.order_price_pico(), 1'250'000);
  EXPECT_THAT(known.reason(), HasSubstr("price 0.00000125"));
  const router::v1::Score& unknown = response.candidates(1).score();
  EXPECT_EQ(unknown.availability(), -1);
  EXPECT_EQ(unknown.tool_success(), -1);
  EXPECT_EQ(unknown.benchmark(), -1);
}

TEST(Router, TheSameSeedGivesTheSameOrder) {
  World world(kYaml);
  for (uint64_t seed = 1; seed < 100; ++seed) {
    EXPECT_EQ(world.Explain(Request({"a/one"}), seed).SerializeAsString(),
              world.Explain(Request({"a/one"}), seed).SerializeAsString());
  }
  Router first = world.MakeRouter(5), second = world.MakeRouter(5);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Tags(*first.DecideNow(Request({"a/one"}))),
              Tags(*second.DecideNow(Request({"a/one"}))));
  }
}

TEST(Router, AReloadOfTheSameCatalogueChangesNoDecision) {
  World world(kYaml);
  world.Score("a/one@q").set_last_outage_unix_ms(absl::ToUnixMillis(world.clock.Now()));
  world.Publish();
  Router router = world.MakeRouter(3), reloaded = world.MakeRouter(3);
  for (int i = 0; i < 200; ++i) {
    const auto before = router.DecideNow(Request({"a/one"}));
    world.Use(CatalogueOf(kYaml));
    const auto after = reloaded.DecideNow(Request({"a/one"}));
    EXPECT_EQ(before->SerializeAsString(), after->SerializeAsString());
  }
}

TEST(Router, DecidesWhileEverythingIsReloaded) {
  World world(kYaml);
  Router router = world.MakeRouter();
  std::atomic<bool> stop{false};
  std::thread reloader([&] {
    for (int i = 0; i < 100; ++i) {
      world.Use(CatalogueOf(kYaml));
      world.Publish();
      world.holder.SetPolicy(PolicySettings());
    }
    stop = true;
  });
  int decisions = 0;
  while (!stop || decisions < 100) {
    const auto answer = router.DecideNow(Request({"a/one"}));
    ASSERT_TRUE(answer.ok());
    ASSERT_EQ(answer->candidates_size(), 2);
    ++decisions;
  }
  reloader.join();
}

TEST(Router, CountsDecisionsByOutcome) {
  World world(kYaml);
  obs::Metrics metrics;
  Router router(world.holder, world.clock, 1, RouterMetrics(metrics));
  (void)router.DecideNow(Request({"a/one"}));
  (void)router.DecideNow(Request({"a/one:free"}));
  (void)router.DecideNow(Request({"a/none"}));
  (void)router.DecideNow(Request({"openrouter/auto"}));
  (void)router.DecideNow(Request({}));
  world.Publish();
  router.UpdateGauges();
  const std::string text = metrics.Render();
  for (const char* outcome :
       {"decided", "no_endpoints", "model_not_found", "not_available", "invalid_request"}) {
    EXPECT_THAT(text, HasSubstr("signalbox_router_decisions_total{outcome=\"" +
                                std::string(outcome) + "\"} 1"));
  }
  EXPECT_THAT(text, HasSubstr("signalbox_router_snapshot_version 1"));
  EXPECT_THAT(text, HasSubstr("signalbox_router_decide_seconds_count 5"));
}

}  // namespace
}  // namespace signalbox::router_decision
