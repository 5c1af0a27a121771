#include "services/router-decision/core/lottery.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "services/router-decision/core/gamma_tail.h"

namespace signalbox::router_decision {
namespace {

std::vector<double> SharesOf(const Lottery& lottery, const std::vector<int>& who) {
  std::vector<double> shares(who.size());
  lottery.Shares(who, absl::MakeSpan(shares));
  return shares;
}

std::vector<int> All(size_t count) {
  std::vector<int> all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// What the lottery computes, by drawing.
std::vector<double> DrawnShares(const std::vector<Lottery::Ticket>& tickets,
                                const std::vector<int>& who, int draws, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> wins(who.size());
  for (int i = 0; i < draws; ++i) {
    size_t best = 0;
    double lowest = 1e300;
    for (size_t w = 0; w < who.size(); ++w) {
      const Lottery::Ticket& t = tickets[static_cast<size_t>(who[w])];
      std::gamma_distribution<double> gamma(t.shape, 1 / t.shape);
      const double score = t.offset + t.mean * gamma(random);
      if (score < lowest) {
        lowest = score;
        best = w;
      }
    }
    wins[best] += 1.0 / draws;
  }
  return wins;
}

TEST(GammaTail, AgreesWithKnownDistributions) {
  // Shape 1 is the exponential distribution.
  const GammaTail exponential(1);
  for (double x : {0.01, 0.1, 0.5, 1.0, 2.0, 5.0})
    EXPECT_NEAR(exponential.LogSurvival(x), -x, 0.02 + 0.02 * x) << x;
  EXPECT_EQ(exponential.LogSurvival(0), 0);
  EXPECT_EQ(exponential.LogSurvival(-1), 0);
  // A large shape is nearly normal: half lies above the mean.
  EXPECT_NEAR(std::exp(GammaTail(10'000).LogSurvival(1)), 0.5, 0.01);
  EXPECT_EQ(GammaTail(10'000).LogSurvival(2), GammaTail::kFloor);
}

TEST(GammaTail, NeverRises) {
  for (double shape : {0.02, 0.3, 1.0, 7.0, 300.0, 1e5}) {
    const GammaTail tail(shape);
    float before = 0;
    for (double x = 0; x < 10; x += 0.01) {
      const float now = tail.LogSurvival(x);
      EXPECT_LE(now, before + 1e-4F) << shape << " at " << x;
      before = now;
    }
  }
}

TEST(Lottery, EqualTicketsShareEvenly) {
  const Lottery lottery(std::vector<Lottery::Ticket>(5, {0.01, 0.02, 3}));
  for (double share : SharesOf(lottery, All(5))) EXPECT_NEAR(share, 0.2, 1e-6);
}

TEST(Lottery, SharesAreTheProbabilitiesOfTheLowestScore) {
  std::mt19937_64 random(11);
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    std::vector<Lottery::Ticket> tickets(2 + random() % 12);
    for (Lottery::Ticket& ticket : tickets) {
      ticket.offset = 0.004 * static_cast<double>(random() % 4);
      ticket.mean = std::exp(-7.0 + static_cast<double>(random() % 500) / 100);
      ticket.shape = std::exp(-1.5 + static_cast<double>(random() % 600) / 100);
    }
    const Lottery lottery(tickets);
    // All of them, and what is left without the first half.
    std::vector<int> half = All(tickets.size());
    half.erase(half.begin(), half.begin() + static_cast<std::ptrdiff_t>(half.size() / 2));
    for (const std::vector<int>& who : {All(tickets.size()), half}) {
      const std::vector<double> shares = SharesOf(lottery, who);
      const std::vector<double> drawn = DrawnShares(tickets, who, 40'000, seed);
      for (size_t i = 0; i < who.size(); ++i)
        EXPECT_NEAR(shares[i], drawn[i], 0.04) << "seed " << seed << " ticket " << who[i];
      EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-9);
    }
  }
}

TEST(Lottery, ACertainlyBetterTicketTakesAll) {
  const Lottery lottery(std::vector<Lottery::Ticket>{{0, 0.001, 500}, {0, 0.05, 500}});
  EXPECT_GT(SharesOf(lottery, {0, 1})[0], 0.999);
  // … and without it the other does.
  EXPECT_EQ(SharesOf(lottery, {1})[0], 1);
}

TEST(Lottery, AnUncertainTicketIsTriedAndACertainlyBadOneIsNot) {
  const Lottery lottery(
      std::vector<Lottery::Ticket>{{0, 0.01, 100}, {0, 0.03, 0.3}, {0, 0.03, 100}});
  const std::vector<double> shares = SharesOf(lottery, All(3));
  EXPECT_GT(shares[1], 0.2);
  EXPECT_LT(shares[2], 0.001);
}

TEST(Lottery, OffsetsCount) {
  const Lottery lottery(std::vector<Lottery::Ticket>{{0.02, 0.01, 50}, {0, 0.01, 50}});
  EXPECT_LT(SharesOf(lottery, {0, 1})[0], 0.01);
}

TEST(Lottery, ExtremeTicketsKeepSharesFinite) {
  const Lottery lottery(
      std::vector<Lottery::Ticket>{{0, 0, 1e-9}, {1e6, 1, 1e9}, {0, 1e-12, 1e12}, {10, 0.5, 0.02}});
  double sum = 0;
  for (double share : SharesOf(lottery, All(4))) {
    EXPECT_GE(share, 0);
    sum += share;
  }
  EXPECT_NEAR(sum, 1, 1e-9);
}

}  // namespace
}  // namespace signalbox::router_decision
