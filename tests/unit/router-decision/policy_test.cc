#include "services/router-decision/core/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

using router::v1::DecideResponse;
using router::v1::ProviderPreferences;
using router::v1::RequestFeatures;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Blended prices (a quarter of the completion price): cheap $1, middle $3, dear $9 per million
// tokens.
constexpr absl::string_view kYaml = R"(
providers: [{slug: cheap}, {slug: middle}, {slug: dear}, {slug: gratis}]
models:
- id: a/one
  endpoints:
  - {tag: dear, price: {prompt: 0.000009, completion: 0.000009}}
  - {tag: middle, price: {prompt: 0.000002, completion: 0.000006}, supported_parameters: [tools, max_tokens, verbosity]}
  - {tag: cheap, price: {prompt: 0.000001, completion: 0.000001}, supported_parameters: [tools, response_format]}
- id: a/two
  endpoints:
  - {tag: cheap, price: {prompt: 0.0000005, completion: 0.0000005}}
  - {tag: dear, price: {prompt: 0.000005, completion: 0.000005}}
- id: a/gratis
  endpoints:
  - {tag: gratis}
  - {tag: cheap, price: {prompt: 0.00000001}}
)";

// How often each endpoint comes first.
std::map<std::string, int> FirstPlaces(World& world, const RequestFeatures& features, int draws) {
  std::map<std::string, int> firsts;
  Router router = world.MakeRouter(/*seed=*/20260822);
  for (int i = 0; i < draws; ++i) ++firsts[Tags(*router.DecideNow(features)).front()];
  return firsts;
}

void Break(World& world, absl::string_view endpoint, absl::Duration ago) {
  world.Score(endpoint).set_last_outage_unix_ms(absl::ToUnixMillis(world.clock.Now() - ago));
  world.Publish();
}

TEST(PriceFirst, DrawsByTheInverseSquareOfThePrice) {
  World world(kYaml);
  const int draws = 50'000;
  std::map<std::string, int> firsts = FirstPlaces(world, Request({"a/one"}), draws);
  // Weights 1, 1/9 and 1/81: $1 is nine times as likely as $3, and eighty-one times as likely as
  // $9.
  const double sum = 1.0 + 1.0 / 9 + 1.0 / 81;
  EXPECT_NEAR(firsts["cheap"], draws / sum, 350);  // about four standard deviations
  EXPECT_NEAR(firsts["middle"], draws / sum / 9, 300);
  EXPECT_NEAR(firsts["dear"], draws / sum / 81, 120);
  EXPECT_NEAR(static_cast<double>(firsts["cheap"]) / firsts["middle"], 9, 0.6);
}

TEST(PriceFirst, DrawsTheFallbacksByWeightToo) {
  World world(kYaml);
  Router router = world.MakeRouter(7);
  int middle_second = 0, cheap_first = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::vector<std::string> tags = Tags(*router.DecideNow(Request({"a/one"})));
    if (tags[0] != "cheap") continue;
    ++cheap_first;
    middle_second += tags[1] == "middle";
  }
  EXPECT_NEAR(static_cast<double>(middle_second) / cheap_first, 0.9, 0.01);  // 1/9 against 1/81
}

TEST(PriceFirst, SharesAreTheProbabilitiesOfBeingFirst) {
  World world(kYaml);
  const DecideResponse response = world.Explain(Request({"a/one"}));
  std::map<std::string, double> shares;
  double sum = 0;
  for (const auto& candidate : response.candidates()) {
    shares[candidate.provider_slug()] = candidate.score().share();
    sum += candidate.score().share();
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_NEAR(shares["cheap"] / shares["middle"], 9, 1e-6);
  EXPECT_NEAR(shares["cheap"] / shares["dear"], 81, 1e-6);
  EXPECT_EQ(response.strategy(), "price");
}

TEST(PriceFirst, AnEndpointThatCostsNothingComesFirst) {
  World world(kYaml);
  EXPECT_EQ(FirstPlaces(world, Request({"a/gratis"}), 1000)["gratis"], 1000);
}

TEST(PriceFirst, TheExponentAndTheCompletionWeightAreConfigured) {
  World world(kYaml);
  PolicySettings policy;
  policy.price_exponent = 0;
  world.holder.SetPolicy(policy);
  EXPECT_NEAR(FirstPlaces(world, Request({"a/one"}), 9000)["dear"], 3000, 200);
  policy.completion_weight = 0;
  world.holder.SetPolicy(policy);
  const DecideResponse response = world.Explain(Request({"a/one:floor"}));
  EXPECT_EQ(response.candidates(1).provider_slug(), "middle");
  EXPECT_EQ(response.candidates(1).score().order_price_pico(), 2'000'000);
}

TEST(Outage, PutsAnEndpointLastForTheWindow) {
  World world(kYaml);
  Break(world, "a/one@cheap", absl::Seconds(29));
  std::map<std::string, int> firsts = FirstPlaces(world, Request({"a/one"}), 2000);
  EXPECT_EQ(firsts["cheap"], 0);
  const DecideResponse response = world.Explain(Request({"a/one"}));
  EXPECT_EQ(Tags(response).back(), "cheap");
  EXPECT_EQ(response.candidates(2).score().tier(), "outage");
  EXPECT_EQ(response.candidates(2).score().share(), 0);
  EXPECT_THAT(response.candidates(2).score().reason(), HasSubstr("significant outage 29 s ago"));
  EXPECT_EQ(response.candidates(0).score().tier(), "stable");

  world.clock.Advance(absl::Seconds(2));
  EXPECT_GT(FirstPlaces(world, Request({"a/one"}), 2000)["cheap"], 1500);
}

TEST(Outage, OfAllLeavesThePriceToDecide) {
  World world(kYaml);
  for (const char* endpoint : {"a/one@cheap", "a/one@middle", "a/one@dear"})
    Break(world, endpoint, absl::Seconds(1));
  EXPECT_GT(FirstPlaces(world, Request({"a/one"}), 1000)["cheap"], 800);
}

TEST(Outage, CountsForSortsButNotForAnExplicitOrder) {
  World world(kYaml);
  Break(world, "a/one@cheap", absl::Seconds(1));
  EXPECT_THAT(Tags(world.Decide(Request({"a/one:floor"}))), ElementsAre("middle", "dear", "cheap"));
  RequestFeatures features = Request({"a/one"});
  features.mutable_provider()->add_order("cheap");
  EXPECT_EQ(Tags(world.Decide(features)).front(), "cheap");
}

TEST(Sorts, FollowTheValueAndPutTheUnknownLast) {
  World world(kYaml);
  world.Score("a/one@dear").mutable_throughput_tps()->set_p50(90);
  world.Score("a/one@middle").mutable_throughput_tps()->set_p50(120);
  world.Score("a/one@middle").mutable_ttft_ms()->set_p50(900);
  world.Score("a/one@cheap").mutable_ttft_ms()->set_p50(300);
  world.Publish();
  RequestFeatures features = Request({"a/one"});
  const auto sorted = [&](ProviderPreferences::Sort sort) {
    features.mutable_provider()->set_sort(sort);
    return world.Decide(features);
  };
  EXPECT_THAT(Tags(sorted(ProviderPreferences::SORT_PRICE)),
              ElementsAre("cheap", "middle", "dear"));
  EXPECT_EQ(sorted(ProviderPreferences::SORT_PRICE).strategy(), "price");
  EXPECT_THAT(Tags(sorted(ProviderPreferences::SORT_THROUGHPUT)),
              ElementsAre("middle", "dear", "cheap"));
  EXPECT_EQ(sorted(ProviderPreferences::SORT_THROUGHPUT).strategy(), "throughput");
  EXPECT_THAT(Tags(sorted(ProviderPreferences::SORT_LATENCY)),
              ElementsAre("cheap", "middle", "dear"));
  EXPECT_EQ(sorted(ProviderPreferences::SORT_LATENCY).strategy(), "latency");
  EXPECT_THAT(Tags(world.Decide(Request({"a/one:nitro"}))), ElementsAre("middle", "dear", "cheap"));
  EXPECT_THAT(world.Explain(Request({"a/one:nitro"})).candidates(2).score().reason(),
              HasSubstr("unknown"));
}

TEST(Order, ComesFirstThenTheRestByPrice) {
  World world(kYaml);
  RequestFeatures features = Request({"a/one"});
  features.mutable_provider()->add_order("dear");
  features.mutable_provider()->add_order("nobody");
  features.mutable_provider()->add_order("middle");
  EXPECT_THAT(Tags(world.Decide(features)), ElementsAre("dear", "middle", "cheap"));
  EXPECT_EQ(world.Decide(features).strategy(), "order");
  features.mutable_provider()->set_allow_fallbacks(false);
  EXPECT_THAT(Tags(world.Decide(features)), ElementsAre("dear", "middle"));
}

TEST(AllowFallbacks, FalseKeepsTheFirstChoiceOfEachModel) {
  World world(kYaml);
  RequestFeatures features = Request({"a/one:floor", "a/two:floor"});
  features.mutable_provider()->set_allow_fallbacks(false);
  const DecideResponse response = world.Explain(features);
  ASSERT_EQ(response.candidates_size(), 2);
  EXPECT_EQ(response.candidates(0).endpoint_id(), "a/one@cheap");
  EXPECT_EQ(response.candidates(1).endpoint_id(), "a/two@cheap");
  ASSERT_EQ(response.excluded_size(), 3);
  EXPECT_EQ(response.excluded(0).filter(), "allow_fallbacks");
}

TEST(Preferences, PutEndpointsThatSupportThemFirst) {
  World world(kYaml);
  RequestFeatures features = Request({"a/one:floor"});
  features.add_parameters("verbosity");
  EXPECT_THAT(Tags(world.Decide(features)),
              ElementsAre("middle", "dear", "cheap"));  // dear states no parameters
  features.set_parameters(0, "response_format");
  EXPECT_THAT(Tags(world.Decide(features)), ElementsAre("cheap", "dear", "middle"));
}

TEST(Models, AreTriedInTheirSequence) {
  World world(kYaml);
  const DecideResponse response = world.Decide(Request({"a/two:floor", "a/one:floor"}));
  std::vector<std::string> ids;
  for (const auto& candidate : response.candidates()) ids.push_back(candidate.endpoint_id());
  EXPECT_THAT(
      ids, ElementsAre("a/two@cheap", "a/two@dear", "a/one@cheap", "a/one@middle", "a/one@dear"));
  EXPECT_EQ(response.candidates(0).model_index(), 0);
  EXPECT_EQ(response.candidates(4).model_index(), 1);
}

TEST(Models, AreSortedTogetherOnRequest) {
  World world(kYaml);
  RequestFeatures features = Request({"a/one:floor", "a/two"});
  features.mutable_provider()->set_sort_across_models(true);
  const DecideResponse response = world.Explain(features);
  std::vector<std::string> ids;
  for (const auto& candidate : response.candidates()) ids.push_back(candidate.endpoint_id());
  EXPECT_THAT(
      ids, ElementsAre("a/two@cheap", "a/one@cheap", "a/one@middle", "a/two@dear", "a/one@dear"));
}

// --- Auto Exacto
// -----------------------------------------------------------------------------------------------------

void GiveTiers(World& world) {
  world.Score("a/one@cheap").set_exacto_tier(metrics::v1::EXACTO_TIER_DEPRIORITISED);
  world.Score("a/one@cheap").set_exacto_reason("tool success 0.912 below 0.957");
  world.Score("a/one@dear").set_exacto_tier(metrics::v1::EXACTO_TIER_GOOD);
  world.Publish();  // middle has no score: insufficient data
}

TEST(AutoExacto, OrdersToolRequestsByTier) {
  World world(kYaml);
  GiveTiers(world);
  for (uint64_t seed = 1; seed < 50; ++seed) {
    EXPECT_THAT(Tags(world.Decide(ToolRequest({"a/one"}), seed)),
                ElementsAre("dear", "middle", "cheap"));
  }
  const DecideResponse response = world.Explain(ToolRequest({"a/one"}));
  EXPECT_EQ(response.strategy(), "auto_exacto");
  EXPECT_EQ(response.candidates(0).score().tier(), "good");
  EXPECT_EQ(response.candidates(0).score().share(), 1);
  EXPECT_EQ(response.candidates(1).score().tier(), "insufficient_data");
  EXPECT_EQ(response.candidates(2).score().tier(), "deprioritised");
  EXPECT_THAT(response.candidates(2).score().reason(), HasSubstr("tool success 0.912 below 0.957"));
}

TEST(AutoExacto, DrawsByPriceWithinATier) {
  World world(kYaml);
  std::map<std::string, int> firsts = FirstPlaces(world, ToolRequest({"a/one"}), 20'000);
  EXPECT_NEAR(static_cast<double>(firsts["cheap"]) / firsts["middle"], 9, 1);
}

TEST(AutoExacto, YieldsToEverySortAndOrder) {
  World world(kYaml);
  GiveTiers(world);
  EXPECT_EQ(Tags(world.Decide(ToolRequest({"a/one:floor"}))).front(), "cheap");
  RequestFeatures features = ToolRequest({"a/one"});
  features.mutable_provider()->set_sort(ProviderPreferences::SORT_PRICE);
  EXPECT_EQ(world.Decide(features).strategy(), "price");
  EXPECT_EQ(Tags(world.Decide(features)).front(), "cheap");
  features.mutable_provider()->clear_sort();
  features.mutable_provider()->add_order("cheap");
  EXPECT_EQ(Tags(world.Decide(features)).front(), "cheap");
}

TEST(AutoExacto, DoesNotApplyToPlainRequestsNorWhenSwitchedOff) {
  World world(kYaml);
  GiveTiers(world);
  EXPECT_GT(FirstPlaces(world, Request({"a/one"}), 1000)["cheap"], 800);
  PolicySettings policy;
  policy.auto_exacto = false;
  world.holder.SetPolicy(policy);
  EXPECT_EQ(world.Decide(ToolRequest({"a/one"})).strategy(), "price");
}

TEST(Exacto, AsksForTheTiersWithoutTools) {
  World world(kYaml);
  GiveTiers(world);
  const DecideResponse response = world.Decide(Request({"a/one:exacto"}));
  EXPECT_EQ(response.strategy(), "exacto");
  EXPECT_THAT(Tags(response), ElementsAre("dear", "middle", "cheap"));
}

TEST(AutoExacto, AnOutageWeighsMoreThanATier) {
  World world(kYaml);
  GiveTiers(world);
  Break(world, "a/one@dear", absl::Seconds(5));
  EXPECT_THAT(Tags(world.Decide(ToolRequest({"a/one"}))), ElementsAre("middle", "cheap", "dear"));
}

// --- Properties
// ------------------------------------------------------------------------------------------------------

// Requests of all kinds, made from a seed.
RequestFeatures RandomRequest(Rng& rng) {
  RequestFeatures features;
  const char* names[] = {"a/one",       "a/two",        "a/gratis",     "a/one:nitro",
                         "a/two:floor", "a/one:exacto", "a/gratis:free"};
  const uint64_t count = 1 + rng.Below(3);
  for (uint64_t i = 0; i < count; ++i) features.add_models(names[rng.Below(std::size(names))]);
  features.set_request_class(rng.Below(2) == 0 ? common::v1::REQUEST_CLASS_PLAIN
                                               : common::v1::REQUEST_CLASS_TOOLS);
  if (rng.Below(3) == 0) features.add_parameters("response_format");
  ProviderPreferences& provider = *features.mutable_provider();
  const char* slugs[] = {"cheap", "middle", "dear", "gratis", "nobody"};
  if (rng.Below(3) == 0) provider.add_order(slugs[rng.Below(5)]);
  if (rng.Below(4) == 0) provider.add_only(slugs[rng.Below(5)]);
  if (rng.Below(4) == 0) provider.add_ignore(slugs[rng.Below(5)]);
  if (rng.Below(3) == 0) provider.set_allow_fallbacks(false);
  if (rng.Below(4) == 0) provider.set_sort_across_models(true);
  if (rng.Below(4) == 0) provider.set_max_prompt_pico(static_cast<int64_t>(rng.Below(4'000'000)));
  provider.set_sort(static_cast<ProviderPreferences::Sort>(rng.Below(5)));
  return features;
}

TEST(Explain, AccountsForEveryEndpointExactlyOnce) {
  World world(kYaml);
  GiveTiers(world);
  Break(world, "a/two@dear", absl::Seconds(3));
  const uint64_t seed = 4711;
  SCOPED_TRACE(seed);
  Rng rng(seed);
  const auto catalogue = CatalogueOf(kYaml);
  for (int round = 0; round < 3000; ++round) {
    const RequestFeatures features = RandomRequest(rng);
    const auto choices = ChooseModels(*catalogue, features);
    ASSERT_TRUE(choices.ok());
    size_t expected = 0;
    for (const ModelChoice& choice : *choices)
      expected += static_cast<size_t>(choice.model->endpoints_size());
    const DecideResponse response = world.Explain(features, rng());
    EXPECT_EQ(static_cast<size_t>(response.candidates_size() + response.excluded_size()), expected)
        << features.ShortDebugString();
    std::set<std::string> candidates;
    for (const auto& candidate : response.candidates()) {
      EXPECT_TRUE(candidates.insert(candidate.endpoint_id()).second) << features.ShortDebugString();
      EXPECT_FALSE(candidate.score().reason().empty());
      EXPECT_FALSE(candidate.score().tier().empty());
    }
    for (const auto& excluded : response.excluded()) {
      EXPECT_FALSE(excluded.filter().empty());
      EXPECT_FALSE(excluded.detail().empty()) << excluded.filter();
    }
  }
}

TEST(Explain, SharesOfEachModelAddUpToOne) {
  World world(kYaml);
  Rng rng(99);
  for (int round = 0; round < 1000; ++round) {
    RequestFeatures features = RandomRequest(rng);
    features.mutable_provider()->set_sort_across_models(false);
    std::map<int, double> sums;
    const DecideResponse response = world.Explain(features, rng());
    for (const auto& candidate : response.candidates())
      sums[candidate.model_index()] += candidate.score().share();
    for (const auto& [model, sum] : sums) EXPECT_NEAR(sum, 1, 1e-9) << features.ShortDebugString();
  }
}

TEST(PolicySettings, TakeDefaultsAndRefuseNonsense) {
  config::v1::PolicyConfig config;
  const auto defaults = ToPolicySettings(config);
  ASSERT_TRUE(defaults.ok());
  EXPECT_EQ(defaults->outage_window, absl::Seconds(30));
  EXPECT_EQ(defaults->price_exponent, 2);
  EXPECT_TRUE(defaults->auto_exacto);
  config.set_price_exponent(-1);
  config.set_completion_weight(1.5);
  config.mutable_valid_for()->set_seconds(-1);
  const std::string error(ToPolicySettings(config).status().message());
  EXPECT_THAT(error, ::testing::AllOf(HasSubstr("price_exponent"), HasSubstr("completion_weight"),
                                      HasSubstr("valid_for")));
}

}  // namespace
}  // namespace signalbox::router_decision
