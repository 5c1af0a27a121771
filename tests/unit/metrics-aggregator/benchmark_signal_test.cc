#include "services/metrics-aggregator/core/benchmark_signal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"

namespace signalbox::metrics_aggregator {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kSuite[] = "suite";

// `cases` answers to different cases.
store::BenchmarkSums Sums(int64_t passed, int64_t cases) { return {passed, cases, cases}; }

store::BenchmarkResults Model(const std::vector<int64_t>& passed, int64_t cases) {
  store::BenchmarkResults results;
  for (size_t i = 0; i < passed.size(); ++i)
    results[absl::StrCat("m@p", i)][kSuite] = Sums(passed[i], cases);
  return results;
}

TEST(LowerMidP, IsTheExactProbabilityOfASmallTable) {
  // Three of six are right; none of them is among our three: 1 way of 20, half of it counts.
  EXPECT_NEAR(LowerMidP({{0, 3, 3, 3}}), 0.5 / 20, 1e-12);
  // One of them is: 1 + 9 ways, the nine by half.
  EXPECT_NEAR(LowerMidP({{1, 3, 2, 3}}), (1 + 9 / 2.0) / 20, 1e-12);
}

TEST(LowerMidP, OfEqualsIsAboutOneHalf) {
  EXPECT_NEAR(LowerMidP({{90, 100, 450, 500}}), 0.5, 0.1);
  EXPECT_NEAR(LowerMidP({{60, 60, 240, 240}}), 0.5, 1e-9);  // nothing can be learnt
}

TEST(LowerMidP, AddsUpSuites) {
  const double one = LowerMidP({{50, 60, 228, 240}});
  const double two = LowerMidP({{50, 60, 228, 240}, {50, 60, 228, 240}});
  EXPECT_LT(two, one);
  // An endpoint that ran only the hard suite is compared within it.
  EXPECT_GT(LowerMidP({{30, 60, 120, 240}}), 0.3);
}

TEST(BenjaminiHochberg, AdjustsAsInTheTextbook) {
  EXPECT_THAT(AdjustedByBenjaminiHochberg({0.01, 0.04, 0.03, 0.005}),
              ElementsAre(DoubleNear(0.02, 1e-9), DoubleNear(0.04, 1e-9), DoubleNear(0.04, 1e-9),
                          DoubleNear(0.02, 1e-9)));
  EXPECT_TRUE(AdjustedByBenjaminiHochberg({}).empty());
}

TEST(JudgeBenchmarks, FindsTheEndpointThatIsWorse) {
  const BenchmarkTable table = JudgeBenchmarks(Model({57, 58, 42, 57, 58}, 60));
  for (const auto& [endpoint, verdict] : table)
    EXPECT_EQ(verdict.low, endpoint == "m@p2") << endpoint << ": " << verdict.reason;
  const BenchmarkVerdict& low = table.at("m@p2");
  EXPECT_DOUBLE_EQ(low.accuracy, 0.7);
  EXPECT_EQ(low.cases, 60);
  EXPECT_THAT(low.reason,
              HasSubstr("benchmark 0.700 (worth 60 cases) against 0.958 (240) of 4 peers, q "));
}

TEST(JudgeBenchmarks, SaysWhyItDoesNotJudge) {
  const BenchmarkTable few_cases = JudgeBenchmarks(Model({10, 44, 44, 44, 44}, 44));
  EXPECT_FALSE(few_cases.at("m@p0").low);
  EXPECT_EQ(few_cases.at("m@p0").reason, "not judged: worth 44 of 45 cases");
  const BenchmarkTable few_peers = JudgeBenchmarks(Model({10, 58, 58}, 60));
  EXPECT_FALSE(few_peers.at("m@p0").low);
  EXPECT_EQ(few_peers.at("m@p0").reason, "not judged: 2 of 3 peers measured");
}

TEST(JudgeBenchmarks, ComparesOnlyWithinASuite) {
  store::BenchmarkResults results = Model({58, 58, 58, 58}, 60);
  results["m@hard"]["other suite"] = Sums(20, 60);
  const BenchmarkTable table = JudgeBenchmarks(results);
  EXPECT_FALSE(table.at("m@hard").low);
  EXPECT_THAT(table.at("m@hard").reason, HasSubstr("0 of 3 peers"));
}

TEST(JudgeBenchmarks, GreatNumbersDoNotMakeATrifleMatter) {
  const BenchmarkTable table =
      JudgeBenchmarks(Model({955'000, 968'000, 968'000, 968'000, 968'000}, 1'000'000));
  EXPECT_FALSE(table.at("m@p0").low) << table.at("m@p0").reason;
}

TEST(JudgeBenchmarks, RepetitionsAreWorthLessThanNewCases) {
  store::BenchmarkResults results = Model({0, 0, 0, 0, 0}, 60);
  for (auto& [endpoint, suites] : results) suites[kSuite] = {960, 1'000, 10};
  results["m@p0"][kSuite].passed = 700;
  // A thousand answers to ten cases are worth about twenty.
  const BenchmarkTable table = JudgeBenchmarks(results);
  EXPECT_FALSE(table.at("m@p0").low);
  EXPECT_THAT(table.at("m@p0").reason, HasSubstr("of 45 cases"));
}

// Worlds of models whose endpoints are alike, or of which one is worse.
class World {
 public:
  explicit World(uint64_t seed) : rng_(seed) {}

  // Answers of `repeats` runs; an endpoint gives its first answer to a case again with probability
  // `stubborn`. Cases differ in difficulty and are the same for all endpoints of all models.
  store::BenchmarkResults Run(int models, int endpoints, int cases, int repeats, double stubborn,
                              double worst_penalty = 0) {
    std::vector<double> difficulty;
    for (int c = 0; c < cases; ++c) difficulty.push_back(0.75 + 0.25 * rng_.Uniform());
    store::BenchmarkResults results;
    for (int m = 0; m < models; ++m) {
      for (int e = 0; e < endpoints; ++e) {
        const double penalty = m == 0 && e == 0 ? worst_penalty : 0;
        store::BenchmarkSums& sums = results[absl::StrCat("m", m, "@p", e)][kSuite];
        for (const double p : difficulty) Ask(p - penalty, repeats, stubborn, &sums);
        sums.cases = cases;
      }
    }
    return results;
  }

 private:
  void Ask(double p, int repeats, double stubborn, store::BenchmarkSums* sums) {
    const bool first = rng_.Uniform() < p;
    for (int r = 0; r < repeats; ++r) {
      const bool right = r == 0 || rng_.Uniform() < stubborn ? first : rng_.Uniform() < p;
      sums->passed += right ? 1 : 0;
      ++sums->total;
    }
  }

  Rng rng_;
};

int CountLow(const BenchmarkTable& table) {
  int low = 0;
  for (const auto& [endpoint, verdict] : table) low += verdict.low ? 1 : 0;
  return low;
}

// Families (all endpoints of an installation) of `seeds` in which anyone is called low.
int FalseFamilies(int seeds, int models, int endpoints, int cases, int repeats, double stubborn) {
  int wrong = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    World world(seed);
    wrong += CountLow(JudgeBenchmarks(world.Run(models, endpoints, cases, repeats, stubborn))) > 0;
  }
  return wrong;
}

TEST(JudgeBenchmarks, CallsNobodyLowAmongEqualsInMoreThanFivePerCentOfFamilies) {
  constexpr int kSeeds = 500;
  const int large = FalseFamilies(kSeeds, 20, 6, 69, 1, 0);
  const int one_model = FalseFamilies(kSeeds, 1, 12, 69, 1, 0);
  const int least = FalseFamilies(kSeeds, 1, 4, 45, 1, 0);
  RecordProperty("of_500_with_20_models_of_6", large);
  RecordProperty("of_500_with_1_model_of_12", one_model);
  RecordProperty("of_500_with_1_model_of_4_at_45_cases", least);
  EXPECT_LE(large, kSeeds / 20);
  EXPECT_LE(one_model, kSeeds / 20);
  EXPECT_LE(least, kSeeds / 20);
}

TEST(JudgeBenchmarks, IsNotFooledByStubbornEndpointsThatAreAskedManyTimes) {
  // Daily runs of a month; two thirds of an endpoint's answers repeat its first one.
  constexpr int kSeeds = 200;
  const int month = FalseFamilies(kSeeds, 5, 6, 69, 30, 0.66);
  RecordProperty("of_200_after_a_month", month);
  EXPECT_LE(month, kSeeds / 20);
}

// Seeds of 200 in which one endpoint, worse by `penalty`, is found.
int Found(double penalty, int repeats, double stubborn) {
  int found = 0;
  for (int seed = 1; seed <= 200; ++seed) {
    World world(seed);
    found += JudgeBenchmarks(world.Run(5, 6, 69, repeats, stubborn, penalty)).at("m0@p0").low;
  }
  return found;
}

TEST(JudgeBenchmarks, HasThePowerToFindWhatMatters) {
  const int one_run = Found(0.25, 1, 0);
  const int month = Found(0.15, 30, 0.66);
  RecordProperty("of_200_25_points_worse_one_run", one_run);
  RecordProperty("of_200_15_points_worse_month", month);
  EXPECT_GE(one_run, 170);
  EXPECT_GE(month, 140);
}

TEST(ApplyBenchmarks, SetsTheFieldsAndAddsEndpointsWithoutTraffic) {
  metrics::v1::ScoreSnapshot snapshot;
  for (const char* id : {"m@b", "m@d"}) {
    snapshot.add_endpoints()->set_endpoint_id(id);
    snapshot.mutable_endpoints()->rbegin()->set_benchmark(-1);
  }
  ApplyBenchmarks({{"m@a", {0.9, 60, false, "fine"}}, {"m@d", {0.5, 50, true, "low"}}}, &snapshot);
  ASSERT_EQ(snapshot.endpoints_size(), 3);
  EXPECT_EQ(snapshot.endpoints(0).endpoint_id(), "m@a");
  EXPECT_EQ(snapshot.endpoints(0).exacto_tier(), metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA);
  EXPECT_DOUBLE_EQ(snapshot.endpoints(0).benchmark(), 0.9);
  EXPECT_EQ(snapshot.endpoints(1).endpoint_id(), "m@b");
  EXPECT_DOUBLE_EQ(snapshot.endpoints(1).benchmark(), -1);
  EXPECT_EQ(snapshot.endpoints(2).benchmark_cases(), 50);
  EXPECT_TRUE(snapshot.endpoints(2).benchmark_low());
  EXPECT_EQ(snapshot.endpoints(2).benchmark_reason(), "low");
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
