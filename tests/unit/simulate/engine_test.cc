#include "services/signalbox/simulate/engine.h"

#include <gtest/gtest.h>

#include <numeric>

namespace signalbox::simulate {
namespace {

const std::vector<EndpointRow> kRows = {{"Cheap", 0.10, 1.0, 40, 500},
                                        {"Good", 0.005, 1.2, 40, 500},
                                        {"Dear", 0.02, 3.0, 40, 500},
                                        {"Bad", 0.4, 1.1, 40, 500}};

Policy PolicyOf(PolicyKind kind) {
  Policy policy;
  policy.kind = kind;
  policy.settings.adjusted_price = {0, 0, 0, 0};
  policy.settings.auto_exacto = kind != PolicyKind::kPrice;
  policy.settings.documented_exacto =
      kind == PolicyKind::kDocumented || kind == PolicyKind::kSuccess;
  return policy;
}

Scenario Short() {
  Scenario scenario;
  scenario.hours = 1;
  return scenario;
}

RunResult RunOf(const Policy& policy, const Scenario& scenario, uint64_t seed = 1,
                const std::vector<EndpointRow>& prior = {}) {
  return Simulate("a/model", kRows, prior, policy, scenario, seed);
}

double ErrorOf(const RunResult& result) {
  return static_cast<double>(result.errors) / static_cast<double>(result.requests);
}

TEST(Engine, PriceFirstChoosesByTheInverseSquareOfThePrice) {
  const RunResult result = RunOf(PolicyOf(PolicyKind::kPrice), Short());
  EXPECT_NEAR(static_cast<double>(result.requests), 3600, 200);
  EXPECT_EQ(std::accumulate(result.chosen.begin(), result.chosen.end(), int64_t{0}),
            result.requests);
  EXPECT_NEAR(static_cast<double>(result.chosen[0]) / static_cast<double>(result.chosen[1]), 1.44,
              0.15);
  EXPECT_NEAR(static_cast<double>(result.chosen[0]) / static_cast<double>(result.chosen[2]), 9, 2);
}

TEST(Engine, TheCheapestAndTheOracleChooseOne) {
  EXPECT_EQ(RunOf(PolicyOf(PolicyKind::kCheapest), Short()).chosen[0],
            RunOf(PolicyOf(PolicyKind::kCheapest), Short()).requests);
  EXPECT_EQ(RunOf(PolicyOf(PolicyKind::kOracle), Short()).chosen[1],
            RunOf(PolicyOf(PolicyKind::kOracle), Short()).requests);
}

TEST(Engine, LearnsWhichEndpointIsGood) {
  const RunResult price = RunOf(PolicyOf(PolicyKind::kPrice), Short());
  const RunResult exacto = RunOf(PolicyOf(PolicyKind::kExacto), Short());
  EXPECT_LT(ErrorOf(exacto), ErrorOf(price) / 5);
  EXPECT_GT(exacto.chosen[1], exacto.requests * 8 / 10);
  EXPECT_GT(exacto.outcomes, 3000);
}

TEST(Engine, StoredHistoryIsWorthSomething) {
  Scenario scenario = Short();
  scenario.rate = 0.05;
  int64_t cold = 0;
  int64_t warm = 0;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    cold += RunOf(PolicyOf(PolicyKind::kExacto), scenario, seed).errors;
    warm += RunOf(PolicyOf(PolicyKind::kExacto), scenario, seed, kRows).errors;
  }
  EXPECT_LT(warm, cold);
}

TEST(Engine, TheSameSeedGivesTheSameRun) {
  const RunResult a = RunOf(PolicyOf(PolicyKind::kExacto), Short(), 7);
  const RunResult b = RunOf(PolicyOf(PolicyKind::kExacto), Short(), 7);
  const RunResult c = RunOf(PolicyOf(PolicyKind::kExacto), Short(), 8);
  EXPECT_EQ(a.chosen, b.chosen);
  EXPECT_EQ(a.errors, b.errors);
  EXPECT_NE(a.chosen, c.chosen);
}

TEST(Engine, LeavesAnEndpointThatBreaksAndComesBackToIt) {
  Scenario scenario;
  scenario.rate = 2;
  scenario.hours = 3;
  scenario.break_favourite = true;
  const RunResult exacto = RunOf(PolicyOf(PolicyKind::kExacto), scenario);
  ASSERT_TRUE(exacto.broke);
  ASSERT_TRUE(exacto.reaction_seconds.has_value());
  EXPECT_LT(*exacto.reaction_seconds, 60);
  EXPECT_LT(exacto.failed_in_break, 60);
  ASSERT_TRUE(exacto.return_seconds.has_value());
  const RunResult price = RunOf(PolicyOf(PolicyKind::kPrice), scenario);
  EXPECT_FALSE(price.reaction_seconds.has_value());
  EXPECT_GT(price.failed_in_break, 5 * exacto.failed_in_break);
}

TEST(Engine, TheGuardHidesBrokenCallsAndTheClientPaysOnce) {
  Policy guarded = PolicyOf(PolicyKind::kExacto);
  guarded.guard = true;
  const RunResult with = RunOf(guarded, Short());
  const RunResult without = RunOf(PolicyOf(PolicyKind::kExacto), Short());
  EXPECT_LT(ErrorOf(with), ErrorOf(without));
  EXPECT_GT(with.attempts, with.requests);
  EXPECT_GT(with.spent, with.price);
  EXPECT_EQ(without.attempts, without.requests);
}

TEST(Engine, ConversationsStay) {
  Scenario scenario = Short();
  scenario.conversation_share = 1;
  const RunResult result = RunOf(PolicyOf(PolicyKind::kExacto), scenario);
  ASSERT_GT(result.turns, 2000);
  EXPECT_LT(static_cast<double>(result.moved), 0.05 * static_cast<double>(result.turns));
}

TEST(Engine, AFullEndpointRefusesAndAnotherServes) {
  Scenario scenario = Short();
  scenario.events = {{0, "Good", -1, 0.2}};
  const RunResult result = RunOf(PolicyOf(PolicyKind::kExacto), scenario);
  EXPECT_NEAR(static_cast<double>(result.requests), 3600, 200);
  EXPECT_LT(result.chosen[1], 3600 * 0.2 + 10);
}

TEST(Engine, EventsChangeTheWorldAndAreNoFalseAlarms) {
  Scenario scenario = Short();
  scenario.events = {{1800, "Good", 0.6, 0}};
  const RunResult result = RunOf(PolicyOf(PolicyKind::kExacto), scenario);
  EXPECT_EQ(result.false_alarms, 0);
  EXPECT_GT(result.chosen[2], 300);
}

TEST(Engine, TracesReplaceTheRate) {
  Scenario scenario = Short();
  scenario.arrivals = {1, 2, 3, 100, 5000};  // the last one is after the end
  EXPECT_EQ(RunOf(PolicyOf(PolicyKind::kExacto), scenario).requests, 4);
}

}  // namespace
}  // namespace signalbox::simulate
