// Auto Exacto against price-first on the public table of tool-call error rates, shorter than the
// runs of docs/routing.md. Skips where the table is not at hand.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "services/signalbox/simulate/study.h"

namespace signalbox::simulate {
namespace {

constexpr char kTable[] = "/data/openrouter_endpoint_tool_err_2026-07-07.csv";

Policy PolicyOf(PolicyKind kind) {
  Policy policy;
  policy.kind = kind;
  policy.settings.adjusted_price = {0, 0, 0, 0};
  policy.settings.auto_exacto = kind != PolicyKind::kPrice;
  return policy;
}

class Acceptance : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("SIGNALBOX_SHARED");
    const auto table = ReadTable(std::string(root != nullptr ? root : "../shared") + kTable);
    if (!table.ok()) GTEST_SKIP() << table.status();
    table_ = *table;
    options_.seeds = 1;
    options_.threads = 2;
    for (PolicyKind kind : {PolicyKind::kPrice, PolicyKind::kExacto, PolicyKind::kOracle})
      options_.policies.push_back(PolicyOf(kind));
  }
  const PolicyResult& Exacto() { return study_.policies[1]; }
  const PolicyResult& Oracle() { return study_.policies[2]; }

  Table table_;
  StudyOptions options_;
  Study study_;
};

TEST_F(Acceptance, RemovesMostErrorsForALittleMoreMoney) {
  options_.scenario.hours = 3;
  study_ = RunStudy(table_, {}, options_);
  EXPECT_EQ(study_.models, 24);
  EXPECT_GT(Exacto().reduction.mean, 0.75);
  EXPECT_GT(Exacto().reduction.mean, 0.9 * Oracle().reduction.mean);
  EXPECT_LT(Exacto().price_ratio, 1.6);
  EXPECT_LT(Exacto().false_alarms_per_100k, 2);
}

TEST_F(Acceptance, LearnsFromFewRequests) {
  options_.scenario.rate = 0.05;
  options_.scenario.hours = 24;
  study_ = RunStudy(table_, {}, options_);
  EXPECT_GT(Exacto().reduction.mean, 0.65);
}

TEST_F(Acceptance, LeavesABrokenFavouriteWithinAMinute) {
  options_.scenario.rate = 2;
  options_.scenario.hours = 1;
  options_.scenario.break_favourite = true;
  study_ = RunStudy(table_, {}, options_);
  EXPECT_EQ(Exacto().breaks, 24);
  EXPECT_LT(*Exacto().reaction_p50, 45);
  EXPECT_LT(*Exacto().reaction_p90, 80);
}

TEST_F(Acceptance, TheGuardHidesNearlyAllThatIsLeft) {
  options_.scenario.hours = 2;
  options_.policies[1].guard = true;
  study_ = RunStudy(table_, {}, options_);
  EXPECT_GT(Exacto().reduction.mean, 0.92);
}

}  // namespace
}  // namespace signalbox::simulate
