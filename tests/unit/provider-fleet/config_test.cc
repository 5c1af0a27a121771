#include "tests/provider-fleet/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/provider-fleet/settings.h"

namespace signalbox::fleet {
namespace {

using ::testing::HasSubstr;

const Behaviour& BehaviourOf(const FleetConfig& config, size_t provider, size_t endpoint) {
  return config.providers[provider].endpoints[endpoint].behaviour;
}

TEST(FleetConfig, EndpointsInheritFromProviderAndDefaults) {
  auto config = ParseFleetConfig(R"(
providers:
  a:
    tokens_per_second: 50
    endpoints:
      one:
      two: {ttft: 7}
defaults: {ttft: {p50: 100, p99: 400}, tokens: 12}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(BehaviourOf(*config, 0, 0).ttft_ms.p99, 400);
  EXPECT_EQ(BehaviourOf(*config, 0, 1).ttft_ms.p50, 7);
  EXPECT_TRUE(BehaviourOf(*config, 0, 1).ttft_ms.constant());
  EXPECT_EQ(BehaviourOf(*config, 0, 1).tokens_per_second.p50, 50);
  EXPECT_EQ(BehaviourOf(*config, 0, 0).tokens.p50, 12);
}

TEST(FleetConfig, ReportsEveryErrorWithPathAndLine) {
  auto config = ParseFleetConfig(R"(
seeed: 1
providers:
  a:
    colour: red
    tool_error_rate: 1.5
    endpoints:
      one: {faults: [{kind: explode}, {kind: stall, sometimes: 1}]}
)");
  ASSERT_FALSE(config.ok());
  const std::string message(config.status().message());
  EXPECT_THAT(message, HasSubstr("line 2: seeed: unknown key"));
  EXPECT_THAT(message, HasSubstr("line 5: providers.a.colour: unknown key"));
  EXPECT_THAT(message,
              HasSubstr("line 6: providers.a.tool_error_rate: must be a number between 0 and 1"));
  EXPECT_THAT(message,
              HasSubstr("providers.a.endpoints.one.faults[0].kind: unknown fault 'explode'"));
  EXPECT_THAT(message, HasSubstr("faults[1].sometimes: unknown key of a fault"));
}

TEST(FleetConfig, RefusesBrokenYaml) { EXPECT_FALSE(ParseFleetConfig("providers: [").ok()); }

TEST(FleetConfig, RefusingNeedsAPortOfItsOwn) {
  auto config = ParseFleetConfig("providers: {a: {refuse: true, endpoints: {m: }}}");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("own_port"));
  EXPECT_TRUE(
      ParseFleetConfig("providers: {a: {own_port: true, refuse: true, endpoints: {m: }}}").ok());
}

TEST(FleetConfig, SchedulesAreOrderedAndValidated) {
  auto config = ParseFleetConfig(R"(
providers:
  a:
    endpoints: {m: {schedule: [{at: 60, set: {ttft: 1}}]}}
    schedule: [{at: 30, set: {tool_error_rate: 0.5}}]
schedule: [{at: 45, provider: a, set: {faults: [{kind: stall}]}}]
)");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->schedule.size(), 3u);
  EXPECT_EQ(config->schedule[0].at, 30);
  EXPECT_EQ(config->schedule[2].model, "m");
  EXPECT_FALSE(
      ParseFleetConfig("providers: {a: {endpoints: {m: }, schedule: [{at: 1, set: {tfft: 1}}]}}")
          .ok());
}

TEST(FleetSettings, LeaveTheBehaviourAloneOnError) {
  Behaviour behaviour;
  EXPECT_FALSE(ApplySettingsText(R"({"tool_error_rate": 0.5, "ttft": "soon"})", &behaviour).ok());
  EXPECT_EQ(behaviour.tool_error_rate, 0);
  EXPECT_TRUE(
      ApplySettingsText(
          R"({"tool_error_rate": 0.5, "faults": [{"kind": "status", "status": 429}]})", &behaviour)
          .ok());
  EXPECT_EQ(behaviour.tool_error_rate, 0.5);
  EXPECT_EQ(behaviour.faults[0].status, 429);
}

TEST(FleetSettings, FaultsHaveTimesOfActivity) {
  Behaviour behaviour;
  ASSERT_TRUE(ApplySettingsText("faults: [{kind: stall, from: 10, until: 50, every: 20, lasts: 5}]",
                                &behaviour)
                  .ok());
  const Fault& fault = behaviour.faults[0];
  EXPECT_FALSE(fault.Active(9));
  EXPECT_TRUE(fault.Active(14));
  EXPECT_FALSE(fault.Active(16));
  EXPECT_TRUE(fault.Active(31));
  EXPECT_FALSE(fault.Active(51));
}

TEST(FleetDistribution, LogNormalHasItsMedianAndTail) {
  const Distribution distribution{100, 400};
  Rng rng(3);
  int above_median = 0;
  int above_p99 = 0;
  for (int i = 0; i < 20000; ++i) {
    const double x = distribution.Sample(rng);
    above_median += x > 100;
    above_p99 += x > 400;
  }
  EXPECT_NEAR(above_median / 20000.0, 0.5, 0.02);
  EXPECT_NEAR(above_p99 / 20000.0, 0.01, 0.004);
}

}  // namespace
}  // namespace signalbox::fleet
