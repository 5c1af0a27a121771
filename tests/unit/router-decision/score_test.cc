#include "services/router-decision/core/score.h"

#include <gtest/gtest.h>

#include <cmath>

namespace signalbox::router_decision {
namespace {

const Peers kPeers{.lowest_price = 100, .median_tps = 50};

Standing Usual() {
  Standing standing;
  standing.tool_error = 0.02;
  standing.tool_error_weight = 500;
  standing.price = 100;
  standing.throughput_tps = 50;
  return standing;
}

TEST(Standing, WithoutAScoreIsThePriors) {
  const Standing bare = StandingOf(nullptr, nullptr, 7, PolicySettings());
  EXPECT_GT(bare.tool_error, 0);
  EXPECT_TRUE(bare.on_probation);
  EXPECT_EQ(bare.price, 7);
  metrics::v1::ScoreSnapshot snapshot;
  snapshot.mutable_tool_error_prior()->set_mean(0.25);
  snapshot.mutable_tool_error_prior()->set_weight(3);
  EXPECT_EQ(StandingOf(nullptr, &snapshot, 7, PolicySettings()).tool_error, 0.25);
}

TEST(Standing, TakesThePriceReallyPaid) {
  metrics::v1::EndpointScore score;
  score.set_price_factor(0.6);
  EXPECT_DOUBLE_EQ(StandingOf(&score, nullptr, 100, PolicySettings()).price, 60);
}

TEST(Ticket, ExpectsTheToolErrorWhenNothingElseDiffers) {
  EXPECT_NEAR(TicketOf(Usual(), kPeers, ScoreWeights(), 1).expected(), 0.02, 1e-9);
}

TEST(Ticket, EveryTermMakesItWorse) {
  const double usual = TicketOf(Usual(), kPeers, ScoreWeights(), 1).expected();
  const auto worse = [&](auto change) {
    Standing standing = Usual();
    change(standing);
    return TicketOf(standing, kPeers, ScoreWeights(), 1).expected() - usual;
  };
  EXPECT_NEAR(worse([](Standing& s) { s.price = 271.828; }), ScoreWeights().price, 1e-5);
  EXPECT_NEAR(worse([](Standing& s) { s.throughput_tps = 50 / 2.71828; }), ScoreWeights().speed,
              1e-5);
  EXPECT_NEAR(worse([](Standing& s) { s.benchmark_low = true; }), ScoreWeights().benchmark, 1e-9);
  EXPECT_NEAR(worse([](Standing& s) { s.rate_limited = 0.5; }), 0.5 * ScoreWeights().saturation,
              1e-9);
  EXPECT_NEAR(worse([](Standing& s) { s.failure = 0.2; }), 0.2 * ScoreWeights().failure, 1e-9);
  EXPECT_NEAR(worse([](Standing& s) { s.call_excess = 0.3; }), 0.3, 1e-9);
  // A faster or cheaper one than the reference gains nothing.
  EXPECT_NEAR(worse([](Standing& s) { s.throughput_tps = 500; }), 0, 1e-9);
  EXPECT_NEAR(worse([](Standing& s) { s.throughput_tps = 0; }), 0, 1e-9);
}

TEST(Ticket, CertaintyNarrowsIt) {
  EXPECT_NEAR(TicketOf(Usual(), kPeers, ScoreWeights(), 4).shape /
                  TicketOf(Usual(), kPeers, ScoreWeights(), 1).shape,
              4, 1e-9);
}

TEST(AdjustedPrice, PricesInWhatGoesWrong) {
  const AdjustedPriceSettings settings;
  Standing standing = Usual();
  EXPECT_DOUBLE_EQ(AdjustedPrice(standing, kPeers, settings, false), 100);
  EXPECT_NEAR(AdjustedPrice(standing, kPeers, settings, true), 100 / std::pow(0.98, 4), 1e-9);
  standing.failure = 0.1;
  EXPECT_NEAR(AdjustedPrice(standing, kPeers, settings, false), 100 / std::pow(0.9, 4), 1e-9);
  standing.rate_limited = 0.5;
  EXPECT_NEAR(AdjustedPrice(standing, kPeers, settings, false), 400 / std::pow(0.9, 4), 1e-6);
  standing = Usual();
  standing.throughput_tps = 50.0 / 16;
  EXPECT_NEAR(AdjustedPrice(standing, kPeers, settings, false), 200, 1e-9);
  standing.failure = 1;
  EXPECT_TRUE(std::isfinite(AdjustedPrice(standing, kPeers, settings, false)));
}

TEST(ClearlyWorse, NeedsADifferenceAndCertainty) {
  Standing best = Usual();
  Standing other = Usual();
  other.tool_error = 0.1;
  EXPECT_TRUE(ClearlyWorse(other, best));
  other.tool_error_weight = 5;
  EXPECT_FALSE(ClearlyWorse(other, best));
  other.tool_error_weight = 500;
  other.tool_error = 0.028;
  EXPECT_FALSE(ClearlyWorse(other, best));
  EXPECT_FALSE(ClearlyWorse(best, best));
}

}  // namespace
}  // namespace signalbox::router_decision
