#include "services/metrics-aggregator/core/exacto_rule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace signalbox::metrics_aggregator {
namespace {

using metrics::v1::EndpointScore;
using metrics::v1::EXACTO_TIER_DEPRIORITISED;
using metrics::v1::EXACTO_TIER_GOOD;
using metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA;
using ::testing::HasSubstr;

EndpointScore Peer(const std::string& id, double throughput, int64_t tool_failures,
                   int64_t requests = 1000, int64_t tool_requests = 1000) {
  EndpointScore score;
  score.set_endpoint_id(id);
  score.set_requests_30m(requests);
  score.mutable_throughput_tps()->set_p50(throughput);
  score.set_tool_requests_2h(tool_requests);
  score.set_tool_failures_2h(tool_failures);
  return score;
}

std::vector<EndpointScore> Judge(std::vector<EndpointScore> peers,
                                 const ExactoOptions& options = {}) {
  std::vector<EndpointScore*> pointers;
  for (EndpointScore& peer : peers) pointers.push_back(&peer);
  JudgeModel(pointers, options);
  return peers;
}

TEST(Spread, IsMedianAndScaledMedianAbsoluteDeviation) {
  EXPECT_EQ(SpreadOf({5}).median, 5);
  EXPECT_EQ(SpreadOf({5}).sigma, 0);
  EXPECT_EQ(SpreadOf({1, 2, 3, 4}).median, 2.5);
  EXPECT_NEAR(SpreadOf({1, 1, 2, 2, 4, 6, 9}).sigma, 1.4826, 1e-9);
}

TEST(ExactoRule, DeprioritisesThroughputBelowMedianMinusOneAndAHalfSigma) {
  // Median 50, deviations 0 5 5 10 10, MAD 5: the line is at 50 - 1.5 * 7.413 = 38.88.
  auto peers = Judge({Peer("m@a", 60, 0), Peer("m@b", 55, 0), Peer("m@c", 50, 0),
                      Peer("m@d", 45, 0), Peer("m@e", 39, 0)});
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_GOOD);
  peers = Judge({Peer("m@a", 60, 0), Peer("m@b", 55, 0), Peer("m@c", 50, 0), Peer("m@d", 45, 0),
                 Peer("m@e", 38.8, 0)});
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_DEPRIORITISED);
  EXPECT_THAT(peers[4].exacto_reason(), HasSubstr("throughput 38.80 tok/s is below 38.88 tok/s"));
  EXPECT_THAT(peers[4].exacto_reason(), HasSubstr("median 50.00 - 1.5 x sigma 7.41 over 5 peers"));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(peers[i].exacto_tier(), EXACTO_TIER_GOOD);
}

EndpointScore Measured(const std::string& id, bool low) {
  EndpointScore score = Peer(id, 50, 0);
  score.set_benchmark_cases(60);
  score.set_benchmark_low(low);
  score.set_benchmark_reason(low ? "benchmark 0.700 against 0.950" : "");
  return score;
}

TEST(ExactoRule, ALowBenchmarkDeprioritisesAndAMissingOneIsInsufficientData) {
  const auto peers = Judge({Measured("m@a", false), Measured("m@b", false), Measured("m@c", false),
                            Measured("m@d", true), Peer("m@e", 50, 0)});
  EXPECT_EQ(peers[0].exacto_tier(), EXACTO_TIER_GOOD);
  EXPECT_EQ(peers[3].exacto_tier(), EXACTO_TIER_DEPRIORITISED);
  EXPECT_THAT(peers[3].exacto_reason(), HasSubstr("benchmark 0.700"));
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_INSUFFICIENT_DATA);
}

TEST(ExactoRule, BenchmarksOfFewerThanFourProvidersJudgeNobody) {
  const auto peers = Judge(
      {Measured("m@a", true), Measured("m@b", false), Measured("m@c", false), Peer("m@d", 50, 0)});
  for (const EndpointScore& peer : peers) EXPECT_EQ(peer.exacto_tier(), EXACTO_TIER_GOOD);
}

TEST(ExactoRule, NobodyIsDerankedForOneCellOfThroughput) {
  auto peers =
      Judge({Peer("m@a", 50, 0), Peer("m@b", 50, 0), Peer("m@c", 50, 0), Peer("m@d", 50 / 1.1, 0)});
  EXPECT_EQ(peers[3].exacto_tier(), EXACTO_TIER_GOOD);
  peers = Judge(
      {Peer("m@a", 50, 0), Peer("m@b", 50, 0), Peer("m@c", 50, 0), Peer("m@d", 50 / 1.21, 0)});
  EXPECT_EQ(peers[3].exacto_tier(), EXACTO_TIER_DEPRIORITISED);
}

TEST(ExactoRule, DeprioritisesToolSuccessBelowMedianMinusTwoSigma) {
  // Success 99, 98, 97, 96 %: median 97.5 with the bad one out of it; with it 97, MAD 1: the line
  // is at 94.03 %.
  auto peers = Judge({Peer("m@a", 50, 10), Peer("m@b", 50, 20), Peer("m@c", 50, 30),
                      Peer("m@d", 50, 40), Peer("m@e", 50, 59)});
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_GOOD);
  peers = Judge({Peer("m@a", 50, 10), Peer("m@b", 50, 20), Peer("m@c", 50, 30), Peer("m@d", 50, 40),
                 Peer("m@e", 50, 60)});
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_DEPRIORITISED);
  EXPECT_THAT(peers[4].exacto_reason(), HasSubstr("tool-call success 94.00 % is below 94.03 %"));
}

TEST(ExactoRule, DeranksNothingWithFewerThanFourProviders) {
  // Four endpoints, three providers.
  const auto peers = Judge(
      {Peer("m@a", 50, 0), Peer("m@b", 50, 0), Peer("m@c/fp8", 50, 0), Peer("m@c/fp4", 1, 900)});
  for (const EndpointScore& peer : peers) {
    // The standing of an endpoint nobody has tried: none is ahead of another.
    EXPECT_EQ(peer.exacto_tier(), EXACTO_TIER_INSUFFICIENT_DATA);
    EXPECT_THAT(peer.exacto_reason(), HasSubstr("3 live providers, 4 are needed"));
  }
}

TEST(ExactoRule, EndpointsWithoutTrafficAreNoPeers) {
  const auto peers =
      Judge({Peer("m@a", 50, 0), Peer("m@b", 50, 0), Peer("m@c", 1, 0), Peer("m@d", 0, 0, 0, 0)});
  EXPECT_EQ(peers[2].exacto_tier(), EXACTO_TIER_INSUFFICIENT_DATA);
}

TEST(ExactoRule, TellsInsufficientDataFromGood) {
  const auto peers =
      Judge({Peer("m@a", 50, 0), Peer("m@b", 51, 0), Peer("m@c", 52, 0), Peer("m@d", 53, 0),
             Peer("m@e", 50, 0, 99, 1000), Peer("m@f", 50, 0, 1000, 199)});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(peers[i].exacto_tier(), EXACTO_TIER_GOOD);
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_INSUFFICIENT_DATA);
  EXPECT_THAT(peers[4].exacto_reason(), HasSubstr("99 of 100 requests in 30 minutes"));
  EXPECT_EQ(peers[5].exacto_tier(), EXACTO_TIER_INSUFFICIENT_DATA);
  EXPECT_THAT(peers[5].exacto_reason(), HasSubstr("199 of 200 tool-call requests in 2 hours"));
}

TEST(ExactoRule, OneSignalIsEnoughToBeDeprioritisedWithoutDataForTheOther) {
  const auto peers = Judge({Peer("m@a", 50, 0), Peer("m@b", 51, 0), Peer("m@c", 52, 0),
                            Peer("m@d", 53, 0), Peer("m@e", 5, 0, 1000, 0)});
  EXPECT_EQ(peers[4].exacto_tier(), EXACTO_TIER_DEPRIORITISED);
}

TEST(ExactoRule, ASignalWithFewMeasuredPeersJudgesNobody) {
  const auto peers = Judge(
      {Peer("m@a", 50, 0, 50), Peer("m@b", 51, 0, 50), Peer("m@c", 52, 0), Peer("m@d", 1, 0)});
  EXPECT_EQ(peers[3].exacto_tier(), EXACTO_TIER_GOOD);
}

TEST(ExactoRule, EqualPeersAreAllGood) {
  for (int64_t failures : {0, 1, 333}) {
    const auto peers =
        Judge({Peer("m@a", 50, failures, 1000, 1000), Peer("m@b", 50, failures * 3, 1000, 3000),
               Peer("m@c", 50, failures * 7, 1000, 7000), Peer("m@d", 50, failures, 1000, 1000)});
    for (const EndpointScore& peer : peers)
      EXPECT_EQ(peer.exacto_tier(), EXACTO_TIER_GOOD) << peer.exacto_reason();
  }
}

TEST(ExactoRule, ChangesWithItsOptions) {
  ExactoOptions options;
  options.min_providers = 2;
  options.min_requests_30m = 1;
  options.min_tool_requests_2h = 1;
  const auto peers = Judge(
      {Peer("m@a", 50, 0, 1, 1), Peer("m@b", 50, 0, 1, 1), Peer("m@c", 40, 0, 1, 1)}, options);
  EXPECT_EQ(peers[2].exacto_tier(), EXACTO_TIER_DEPRIORITISED);
}

TEST(ExactoRule, JudgesEachModelByItself) {
  metrics::v1::ScoreSnapshot snapshot;
  for (const char* provider : {"a", "b", "c", "d"}) {
    *snapshot.add_endpoints() = Peer(absl::StrCat("fast@", provider), 100, 0);
    *snapshot.add_endpoints() = Peer(absl::StrCat("slow@", provider), 10, 0);
  }
  JudgeSnapshot({}, &snapshot);
  for (const EndpointScore& score : snapshot.endpoints())
    EXPECT_EQ(score.exacto_tier(), EXACTO_TIER_GOOD);
}

TEST(EndpointNames, HaveModelAndProvider) {
  EXPECT_EQ(ModelOf("z-ai/glm-5:free@deepinfra/fp8"), "z-ai/glm-5:free");
  EXPECT_EQ(ProviderOf("z-ai/glm-5:free@deepinfra/fp8"), "deepinfra");
  EXPECT_EQ(ProviderOf("m@p"), "p");
  EXPECT_EQ(ModelOf("m"), "m");
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
