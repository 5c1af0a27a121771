#include "services/ingress/settlement.h"

#include <gtest/gtest.h>

#include "tests/support/manual_executor.h"
#include "tests/unit/ingress/fakes.h"

namespace signalbox::ingress {
namespace {

class SettlementTest : public ::testing::Test {
 protected:
  SettlementTest() : executor_(clock_) { Make({}); }
  void Make(const SettlementOptions& options) {
    settlement_ =
        std::make_unique<Settlement>(options, store_, executor_, clock_, metrics_, Rng(3));
  }
  // Does not wait for the store's answer.
  void Finish(const std::string& id, const std::string& key_hash = "hash") {
    settlement_->Settle({id, key_hash, NanoUsd{5}, clock_.Now(), "{}"});
  }
  void Settle(const std::string& id) {
    Finish(id);
    executor_.RunUntilIdle();
  }

  FakeClock clock_;
  testing::ManualExecutor executor_;
  FakeGenerationStore store_;
  IngressMetrics metrics_;
  std::unique_ptr<Settlement> settlement_;
};

TEST_F(SettlementTest, StoresAtOnce) {
  Settle("gen-1");
  EXPECT_EQ(store_.stored.at("gen-1").cost.value, 5);
  EXPECT_EQ(settlement_->pending(), 0u);
  EXPECT_EQ(metrics_.settle_pending.load(), 0);
}

TEST_F(SettlementTest, OffersAgainUntilTheStoreIsBackAndLosesNothing) {
  store_.away = true;
  for (int i = 0; i < 300; ++i) Settle("gen-" + std::to_string(i));
  EXPECT_EQ(settlement_->pending(), 300u);
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(settlement_->pending(), 300u);
  store_.away = false;
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(store_.stored.size(), 300u);
  EXPECT_EQ(settlement_->pending(), 0u);
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(SettlementTest, DoesNotStormAnAbsentStore) {
  store_.away = true;
  for (int i = 0; i < 1'000; ++i) Settle("gen-" + std::to_string(i));
  store_.puts = 0;
  executor_.Advance(absl::Seconds(60));
  EXPECT_LT(store_.puts, 64 * 120);
}

TEST_F(SettlementTest, OffersWhatFinishesMeanwhileTogether) {
  for (int i = 0; i < 10; ++i) Finish("gen-" + std::to_string(i));
  EXPECT_EQ(store_.stored.size(), 1u) << "the first at once, the others after it is answered";
  executor_.Advance(SettlementOptions().pause);
  EXPECT_EQ(store_.stored.size(), 10u);
  EXPECT_EQ(store_.puts, 2);
  EXPECT_EQ(settlement_->pending(), 0u);
  EXPECT_EQ(metrics_.settle_pending.load(), 0);
}

TEST_F(SettlementTest, OffersABatchPerPauseAndALoneOneAtOnce) {
  Settle("gen-1");
  Settle("gen-2");
  Settle("gen-3");
  EXPECT_EQ(store_.stored.size(), 1u);
  executor_.Advance(SettlementOptions().pause);
  EXPECT_EQ(store_.stored.size(), 3u);
  EXPECT_EQ(store_.puts, 2);
  executor_.Advance(SettlementOptions().pause);
  EXPECT_EQ(executor_.timers(), 0u);
  Settle("gen-4");
  EXPECT_EQ(store_.stored.size(), 4u);
}

TEST_F(SettlementTest, BatchesAreBounded) {
  SettlementOptions options;
  options.max_batch = 3;
  Make(options);
  for (int i = 0; i < 10; ++i) Finish("gen-" + std::to_string(i));
  executor_.Advance(2 * options.pause);
  EXPECT_EQ(store_.stored.size(), 1u + 3u + 3u);
  executor_.Advance(options.pause);
  EXPECT_EQ(store_.stored.size(), 10u);
}

TEST_F(SettlementTest, WhatTheStoreRefusesDoesNotKeepTheOthersFromIt) {
  SettlementOptions options;
  options.max_batch = 3;
  Make(options);
  store_.refused_key = "broken";
  for (int i = 0; i < 10; ++i) Finish("broken-" + std::to_string(i), "broken");
  for (int i = 0; i < 10; ++i) Finish("gen-" + std::to_string(i));
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(store_.stored.size(), 10u);
  EXPECT_EQ(settlement_->pending(), 10u);
  EXPECT_EQ(metrics_.settle_pending.load(), 10);
  store_.refused_key = "";
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(store_.stored.size(), 20u);
  EXPECT_EQ(settlement_->pending(), 0u);
}

TEST_F(SettlementTest, DropsTheOldestWhenTheJournalIsFull) {
  SettlementOptions options;
  options.max_pending = 2;
  Make(options);
  store_.away = true;
  for (const char* id : {"gen-1", "gen-2", "gen-3"}) Settle(id);
  EXPECT_EQ(metrics_.settle_pending.load(), 2);
  store_.away = false;
  executor_.Advance(absl::Minutes(1));
  EXPECT_EQ(store_.stored.count("gen-1"), 0u);
  EXPECT_EQ(store_.stored.count("gen-3"), 1u);
}

TEST_F(SettlementTest, SurvivesAnAnswerThatComesAfterItsEnd) {
  Finish("gen-1");
  settlement_.reset();
  executor_.RunUntilIdle();
  EXPECT_EQ(metrics_.settle_pending.load(), 0);
}

}  // namespace
}  // namespace signalbox::ingress
