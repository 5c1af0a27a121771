#include "services/metrics-aggregator/core/peers.h"

#include <gtest/gtest.h>

namespace signalbox::metrics_aggregator {
namespace {

TEST(CallExcess, FindsTheEndpointThatCallsOffItsPeers) {
  const auto excess =
      CallExcess({{1000, 700}, {1000, 690}, {1000, 710}, {1000, 350}, {1000, 950}}, {});
  EXPECT_EQ(excess[0], 0);
  EXPECT_EQ(excess[1], 0);
  EXPECT_EQ(excess[2], 0);
  EXPECT_NEAR(excess[3], 0.35, 1e-9);
  EXPECT_NEAR(excess[4], 0.25, 1e-9);
}

TEST(CallExcess, TakesChanceAndSmallDifferencesForNothing) {
  // 15 points off, but only 100 answers: within four sigma.
  EXPECT_EQ(CallExcess({{1000, 500}, {1000, 500}, {1000, 500}, {100, 65}}, {})[3], 0);
  // Certain, but only 9 points off.
  EXPECT_EQ(CallExcess({{100'000, 50'000}, {100'000, 50'000}, {100'000, 50'000}, {100'000, 59'000}},
                       {})[3],
            0);
}

TEST(CallExcess, ComparesOnlyEndpointsWithEnoughAnswersAndAmongEnoughOfThem) {
  EXPECT_EQ(CallExcess({{1000, 900}, {1000, 900}, {1000, 100}}, {})[2], 0);
  EXPECT_EQ(CallExcess({{1000, 900}, {1000, 900}, {1000, 900}, {99, 0}}, {})[3], 0);
  EXPECT_TRUE(CallExcess({}, {}).empty());
}

TEST(CallExcess, AShareAtTheEdgeIsComparableToo) {
  const auto excess = CallExcess({{1000, 1000}, {1000, 1000}, {1000, 1000}, {1000, 800}}, {});
  EXPECT_EQ(excess[0], 0);
  EXPECT_NEAR(excess[3], 0.2, 1e-9);
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
