#include "services/ingress/core/decision_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/seam/error_detail.h"
#include "tests/unit/ingress/fakes.h"
#include "tests/unit/ingress/test_catalogue.h"

namespace signalbox::ingress {
namespace {

using router::v1::DecideResponse;
using router::v1::RequestFeatures;
using ::testing::ElementsAre;

Decision Shared(DecideResponse decision) {
  return std::make_shared<const DecideResponse>(std::move(decision));
}

DecideResponse TwoCandidates(double first_weight, double second_weight) {
  DecideResponse decision;
  decision.set_valid_for_ms(2'000);
  AddCandidate(&decision, "a")->set_draw_weight(first_weight);
  AddCandidate(&decision, "b")->set_draw_weight(second_weight);
  return decision;
}

RequestFeatures Features(const std::string& model = "acme/model") {
  RequestFeatures features;
  features.add_models(model);
  features.set_prompt_tokens(100);
  features.set_session_key("s");
  return features;
}

std::vector<std::string> Providers(const DecideResponse& decision) {
  std::vector<std::string> slugs;
  for (const router::v1::Candidate& candidate : decision.candidates())
    slugs.push_back(candidate.provider_slug());
  return slugs;
}

TEST(DecisionCache, KeyForgetsTheSessionAndTheExactLengthAndLeavesTheFeaturesAlone) {
  RequestFeatures one = Features();
  RequestFeatures two = Features();
  two.set_prompt_tokens(120);
  two.set_session_key("other");
  EXPECT_EQ(DecisionCache::KeyOf(&one), DecisionCache::KeyOf(&two));
  EXPECT_EQ(two.prompt_tokens(), 120);
  EXPECT_EQ(two.session_key(), "other");
  two.set_prompt_tokens(90'000);
  EXPECT_NE(DecisionCache::KeyOf(&one), DecisionCache::KeyOf(&two));
  two = Features();
  two.mutable_provider()->set_zdr(true);
  EXPECT_NE(DecisionCache::KeyOf(&one), DecisionCache::KeyOf(&two));
}

TEST(DecisionCache, ReusesADecisionWhileItIsValid) {
  DecisionCache cache(10);
  cache.Put("k", Shared(TwoCandidates(0.5, 0.5)), absl::Seconds(10));
  EXPECT_NE(cache.Reusable("k", absl::Seconds(11)), nullptr);
  EXPECT_EQ(cache.Reusable("k", absl::Seconds(12)), nullptr);
  EXPECT_NE(cache.Last("k"), nullptr);
  EXPECT_EQ(cache.Last("other"), nullptr);
}

TEST(DecisionCache, KeepsADecisionThatMayNotBeReusedAsTheLast) {
  DecisionCache cache(10);
  DecideResponse decision = TwoCandidates(0.5, 0.5);
  decision.set_valid_for_ms(0);
  cache.Put("k", Shared(decision), absl::Seconds(10));
  EXPECT_EQ(cache.Reusable("k", absl::Seconds(10)), nullptr);
  EXPECT_NE(cache.Last("k"), nullptr);
}

TEST(RedrawnOrder, DrawsByWeight) {
  const uint64_t seed = 20'260'822;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const DecideResponse decision = TwoCandidates(0.25, 0.75);
  int first = 0;
  for (int i = 0; i < 10'000; ++i) {
    const CandidateOrder order = RedrawnOrder(decision, Features(), &rng);
    ASSERT_EQ(order.size(), 2u);
    first += order[0]->provider_slug() == "a";
  }
  EXPECT_NEAR(first, 2'500, 200);
}

TEST(RedrawnOrder, KeepsAFixedOrderAndLeavesOutWhatIsTooSmall) {
  Rng rng(1);
  DecideResponse decision = TwoCandidates(0, 0);
  EXPECT_EQ(RedrawnOrder(decision, Features(), &rng)[0]->provider_slug(), "a");
  decision.mutable_candidates(0)->set_context_length(50);
  const CandidateOrder order = RedrawnOrder(decision, Features(), &rng);
  ASSERT_EQ(order.size(), 1u);
  EXPECT_EQ(order[0]->provider_slug(), "b");
}

TEST(RedrawnOrder, NeverDrawsAcrossGroups) {
  Rng rng(5);
  DecideResponse decision = TwoCandidates(1e-9, 1e9);
  decision.mutable_candidates(1)->set_draw_group(1);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(RedrawnOrder(decision, Features(), &rng)[0]->provider_slug(), "a");
}

TEST(DecideFromCatalogue, OrdersByPrice) {
  const absl::StatusOr<DecideResponse> decision = DecideFromCatalogue(*TestCatalogue(), Features());
  ASSERT_TRUE(decision.ok());
  EXPECT_THAT(Providers(*decision), ElementsAre("cheap", "private", "dear"));
  EXPECT_EQ(decision->strategy(), "catalogue");
}

TEST(DecideFromCatalogue, ObeysTheRequestsHardConstraints) {
  const auto providers = [](const std::function<void(RequestFeatures&)>& change) {
    RequestFeatures features = Features();
    change(features);
    return Providers(*DecideFromCatalogue(*TestCatalogue(), features));
  };
  EXPECT_THAT(providers([](RequestFeatures& f) { f.mutable_provider()->set_zdr(true); }),
              ElementsAre("private"));
  EXPECT_THAT(
      providers([](RequestFeatures& f) { f.mutable_provider()->set_deny_data_collection(true); }),
      ElementsAre("private", "dear"));
  EXPECT_THAT(providers([](RequestFeatures& f) { f.mutable_provider()->add_only("dear"); }),
              ElementsAre("dear"));
  EXPECT_THAT(providers([](RequestFeatures& f) { f.mutable_provider()->add_ignore("cheap"); }),
              ElementsAre("private", "dear"));
  EXPECT_THAT(providers([](RequestFeatures& f) { f.mutable_provider()->add_order("dear"); }),
              ElementsAre("dear", "cheap", "private"));
  EXPECT_THAT(
      providers([](RequestFeatures& f) { f.mutable_provider()->set_max_prompt_pico(2'000'000); }),
      ElementsAre("cheap"));
  EXPECT_THAT(providers([](RequestFeatures& f) { f.add_parameters("tools"); }),
              ElementsAre("cheap", "dear"));
  EXPECT_THAT(providers([](RequestFeatures& f) { f.set_prompt_tokens(200'000); }), ElementsAre());
  EXPECT_THAT(providers([](RequestFeatures& f) { f.set_models(0, "acme/model:free"); }),
              ElementsAre("dear"));
}

TEST(DecideFromCatalogue, FollowsTheChainOfModelsAndSaysWhenNoneIsKnown) {
  RequestFeatures features = Features("acme/unknown");
  EXPECT_EQ(seam::DetailOf(DecideFromCatalogue(*TestCatalogue(), features).status()).reason(),
            common::v1::REASON_MODEL_NOT_FOUND);
  features.add_models("acme/newer");
  const absl::StatusOr<DecideResponse> decision = DecideFromCatalogue(*TestCatalogue(), features);
  ASSERT_TRUE(decision.ok());
  ASSERT_EQ(decision->candidates_size(), 1);
  EXPECT_EQ(decision->candidates(0).model_index(), 1);
}

}  // namespace
}  // namespace signalbox::ingress
