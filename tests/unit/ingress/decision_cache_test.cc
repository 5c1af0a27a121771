#include "services/ingress/core/decision_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/rendezvous.h"
#include "common/seam/error_detail.h"
#include "services/ingress/core/catalogue_order.h"
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

TEST(RedrawnOrder, DrawsByWeightWithoutAConversation) {
  const uint64_t seed = 20'260'822;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const DecideResponse decision = TwoCandidates(0.25, 0.75);
  int first = 0;
  for (int i = 0; i < 10'000; ++i) {
    RequestFeatures features = Features();
    features.clear_session_key();
    const CandidateOrder order = RedrawnOrder(decision, features, &rng);
    ASSERT_EQ(order.size(), 2u);
    first += order[0]->provider_slug() == "a";
  }
  EXPECT_NEAR(first, 2'500, 200);
}

TEST(RedrawnOrder, PlacesAConversationAlikeEveryTimeAndConversationsByWeight) {
  Rng rng(3);
  const DecideResponse decision = TwoCandidates(0.25, 0.75);
  int first = 0;
  for (int i = 0; i < 10'000; ++i) {
    RequestFeatures features = Features();
    features.set_session_key(absl::StrCat("session ", i));
    const std::string place = RedrawnOrder(decision, features, &rng)[0]->provider_slug();
    EXPECT_EQ(RedrawnOrder(decision, features, &rng)[0]->provider_slug(), place);
    const Rendezvous rendezvous(features.session_key());
    EXPECT_EQ(rendezvous.Key("acme/model@a", 0.25) < rendezvous.Key("acme/model@b", 0.75),
              place == "a");
    first += place == "a";
  }
  EXPECT_NEAR(first, 2'500, 220);
}

TEST(RedrawnOrder, DrawsTheFirstOfAGroupAndPutsTheOthersByWeightAsTheyWere) {
  DecideResponse decision;
  for (const auto& [provider, weight] : std::vector<std::pair<std::string, double>>{
           {"c", 0.2}, {"a", 0.5}, {"b", 0.25}, {"d", 0.05}}) {  // "c" had been drawn
    AddCandidate(&decision, provider)->set_draw_weight(weight);
  }
  Rng rng(11);
  std::map<std::string, std::vector<std::string>> by_first;
  for (int i = 0; i < 1'000; ++i) {
    RequestFeatures features = Features();
    features.clear_session_key();
    std::vector<std::string> providers;
    for (const router::v1::Candidate* candidate : RedrawnOrder(decision, features, &rng))
      providers.push_back(candidate->provider_slug());
    by_first[providers[0]] = providers;
  }
  EXPECT_THAT(by_first["a"], ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(by_first["b"], ElementsAre("b", "a", "c", "d"));
  EXPECT_THAT(by_first["c"], ElementsAre("c", "a", "b", "d"));
  EXPECT_THAT(by_first["d"], ElementsAre("d", "a", "b", "c"));
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

TEST(DecideFromCatalogue, KeepsServiceTiersApart) {
  config::v1::Catalogue source = TestCatalogueSource();
  for (const char* tier : {"flex", "priority"}) {
    config::v1::Endpoint* endpoint = source.mutable_models(0)->add_endpoints();
    endpoint->set_tag(absl::StrCat("dear/", tier));
    endpoint->set_service_tier(tier);
    endpoint->mutable_price()->set_prompt("0.000020");
  }
  const auto catalogue = *catalogue::Catalogue::Build(source);
  const auto tiers = [&](const std::function<void(RequestFeatures&)>& change) {
    RequestFeatures features = Features();
    change(features);
    const DecideResponse decision = DecideFromCatalogue(*catalogue, features).value();
    std::vector<std::string> ids;
    for (const auto& candidate : decision.candidates())
      ids.push_back(candidate.endpoint_id().substr(candidate.endpoint_id().find('@') + 1));
    return ids;
  };
  EXPECT_THAT(tiers([](RequestFeatures&) {}), ElementsAre("cheap", "private", "dear"));
  EXPECT_THAT(tiers([](RequestFeatures& f) { f.set_service_tier(router::v1::SERVICE_TIER_FLEX); }),
              ElementsAre("dear/flex"));
  EXPECT_THAT(
      tiers([](RequestFeatures& f) { f.set_service_tier(router::v1::SERVICE_TIER_PRIORITY); }),
      ElementsAre("dear/priority", "cheap", "private", "dear"));
  EXPECT_THAT(tiers([](RequestFeatures& f) { f.set_models(0, "acme/model:floor"); }),
              ElementsAre("cheap", "private", "dear", "dear/flex"));
  EXPECT_THAT(tiers([](RequestFeatures& f) { f.mutable_provider()->add_only("dear/flex"); }),
              ElementsAre("dear/flex"));
  EXPECT_THAT(tiers([](RequestFeatures& f) { f.mutable_provider()->add_only("dear"); }),
              ElementsAre("dear"));
}

TEST(DecideFromCatalogue, SaysWhatExcludedAnEndpointWithThresholdAndValue) {
  const auto detail = [](const std::function<void(RequestFeatures&)>& change) {
    RequestFeatures features = Features();
    features.mutable_provider()->add_only("cheap");
    change(features);
    const DecideResponse decision = DecideFromCatalogue(*TestCatalogue(), features).value();
    for (const auto& excluded : decision.excluded()) {
      if (excluded.provider_slug() == "cheap")
        return absl::StrCat(excluded.filter(), ": ", excluded.detail());
    }
    return std::string("not excluded");
  };
  EXPECT_EQ(detail([](RequestFeatures& f) { f.set_max_tokens(100'000); }),
            "context_length: context_length 100000 < 100100 needed");
  EXPECT_EQ(detail([](RequestFeatures& f) { f.mutable_provider()->set_max_prompt_pico(500'000); }),
            "max_price: prompt price 0.000001 > 0.0000005");
  EXPECT_EQ(detail([](RequestFeatures& f) { f.set_service_tier(router::v1::SERVICE_TIER_FLEX); }),
            "service_tier: service tier default is not one of those asked for");
  EXPECT_EQ(
      detail([](RequestFeatures& f) { f.mutable_provider()->set_enforce_distillable_text(true); }),
      "distillable: not known to allow distillation; enforce_distillable_text is true");
  EXPECT_EQ(detail([](RequestFeatures& f) { f.mutable_provider()->add_quantizations("fp8"); }),
            "quantizations: quantization unknown is not in provider.quantizations");
  EXPECT_EQ(detail([](RequestFeatures& f) { f.mutable_provider()->add_ignore("cheap"); }),
            "ignore: cheap is in provider.ignore");
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
