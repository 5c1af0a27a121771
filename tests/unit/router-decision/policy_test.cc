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

TEST(PriceFirst, TheFallbacksFollowByPrice) {
  World world(kYaml);
  for (uint64_t seed = 1; seed < 200; ++seed) {
    const std::vector<std::string> tags = Tags(world.Decide(Request({"a/one"}), seed));
    const auto second = tags[0] == "cheap" ? "middle" : "cheap";
    EXPECT_EQ(tags[1], second) << "seed " << seed;
  }
}

TEST(PriceFirst, PricesInWhatGoesWrong) {
  World world(kYaml);
  // Of three attempts at the cheap one half fail: 1 / 0.5^4 = 16 times its price, above the dear
  // one's.
  world.Score("a/one@cheap").mutable_failure()->set_mean(0.5);
  world.Score("a/one@cheap").mutable_failure()->set_weight(200);
  world.Publish();
  const DecideResponse response = world.Explain(Request({"a/one"}));
  EXPECT_EQ(response.candidates(2).provider_slug(), "cheap");
  EXPECT_NEAR(static_cast<double>(response.candidates(2).score().adjusted_price_pico()), 16e6, 2e5);
  EXPECT_EQ(response.candidates(2).score().order_price_pico(), 1'000'000);
}

TEST(PriceFirst, UptimeTiersComeOneAfterTheOther) {
  World world(kYaml);
  const auto uptime = [&](absl::string_view endpoint, int64_t attempts, int64_t failures) {
    world.Score(endpoint).set_attempts_30m(attempts);
    world.Score(endpoint).set_failures_30m(failures);
  };
  uptime("a/one@cheap", 100, 25);   // 75 %
  uptime("a/one@middle", 100, 10);  // 90 %
  uptime("a/one@dear", 99, 50);     // too few attempts to say
  world.Publish();
  const DecideResponse response = world.Explain(Request({"a/one"}));
  EXPECT_THAT(Tags(response), ElementsAre("dear", "middle", "cheap"));
  EXPECT_EQ(response.candidates(1).score().tier(), "degraded");
  EXPECT_EQ(response.candidates(2).score().tier(), "fallback_only");
  EXPECT_THAT(response.candidates(2).score().reason(), HasSubstr("uptime below 80 %"));
  // An explicit sort is the client's own choice.
  EXPECT_EQ(Tags(world.Decide(Request({"a/one:floor"}))).front(), "cheap");
}

TEST(Order, AnOpenCircuitGoesLast) {
  World world(kYaml);
  world.Score("a/one@cheap")
      .set_circuit_open_until_unix_ms(absl::ToUnixMillis(world.clock.Now() + absl::Seconds(12)));
  world.Publish();
  const DecideResponse response = world.Explain(Request({"a/one:floor"}));
  EXPECT_EQ(Tags(response).back(), "cheap");
  EXPECT_THAT(response.candidates(2).score().reason(), HasSubstr("circuit open for 12 s more"));
  EXPECT_TRUE(response.candidates(2).conversations_leave());
  EXPECT_FALSE(response.candidates(0).conversations_leave());
}

TEST(Order, EndpointsThatMissTheSpeedAskedForComeAfter) {
  World world(kYaml);
  world.Score("a/one@cheap").mutable_throughput_5m_tps()->set_p50(20);
  world.Score("a/one@dear").mutable_throughput_5m_tps()->set_p50(80);
  world.Publish();
  RequestFeatures features = Request({"a/one"});
  features.mutable_provider()->mutable_preferred_min_throughput_tps()->set_p50(50);
  const DecideResponse response = world.Explain(features);
  EXPECT_EQ(response.candidates(0).provider_slug(), "dear");
  EXPECT_EQ(response.candidates_size(), 3);
  EXPECT_THAT(response.candidates(2).score().reason(),
              HasSubstr("at least 50.0 tokens/s preferred"));
}

TEST(Conversations, AreDrawnOnceAndForAll) {
  World world(kYaml);
  std::map<std::string, int> firsts;
  for (int i = 0; i < 300; ++i) {
    RequestFeatures features = Request({"a/one"});
    features.set_session_key(std::to_string(i));
    const std::string first = Tags(world.Decide(features, 1)).front();
    ++firsts[first];
    for (uint64_t seed = 2; seed < 5; ++seed)
      EXPECT_EQ(Tags(world.Decide(features, seed)).front(), first) << "session " << i;
  }
  EXPECT_NEAR(firsts["cheap"], 300 / (1 + 1.0 / 9 + 1.0 / 81), 30);
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

// The published rule.
void GiveTiers(World& world) {
  PolicySettings policy;
  policy.documented_exacto = true;
  world.holder.SetPolicy(policy);
  world.Score("a/one@cheap").set_exacto_tier(metrics::v1::EXACTO_TIER_DEPRIORITISED);
  world.Score("a/one@cheap").set_exacto_reason("tool success 0.912 below 0.957");
  world.Score("a/one@dear").set_exacto_tier(metrics::v1::EXACTO_TIER_GOOD);
  world.Publish();  // middle has no score: insufficient data
}

TEST(DocumentedExacto, OrdersToolRequestsByTier) {
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

TEST(DocumentedExacto, DrawsByPriceWithinATier) {
  World world(kYaml);
  PolicySettings policy;
  policy.documented_exacto = true;
  world.holder.SetPolicy(policy);
  std::map<std::string, int> firsts = FirstPlaces(world, ToolRequest({"a/one"}), 20'000);
  EXPECT_NEAR(static_cast<double>(firsts["cheap"]) / firsts["middle"], 9, 1);
}

// What is believed of an endpoint's tool calls.
void Believe(World& world, absl::string_view endpoint, double error, double weight) {
  metrics::v1::EndpointScore& score = world.Score(endpoint);
  score.mutable_tool_error()->set_mean(error);
  score.mutable_tool_error()->set_weight(weight);
  score.set_tool_outcomes(static_cast<int64_t>(weight));
}

TEST(AutoExacto, FollowsTheToolCallsNotThePrice) {
  World world(kYaml);
  Believe(world, "a/one@cheap", 0.2, 1000);
  Believe(world, "a/one@middle", 0.05, 1000);
  Believe(world, "a/one@dear", 0.001, 1000);
  world.Publish();
  std::map<std::string, int> firsts = FirstPlaces(world, ToolRequest({"a/one"}), 1000);
  EXPECT_GT(firsts["dear"], 980);
  const DecideResponse response = world.Explain(ToolRequest({"a/one"}));
  EXPECT_EQ(response.strategy(), "auto_exacto");
  EXPECT_THAT(Tags(response), ElementsAre("dear", "middle", "cheap"));
  EXPECT_GT(response.candidates(0).score().share(), 0.99);
  EXPECT_THAT(response.candidates(2).score().reason(),
              HasSubstr("tool-call error 20.00 % expected (worth 1000 outcomes)"));
  EXPECT_TRUE(response.candidates(2).conversations_leave());
}

TEST(AutoExacto, EqualsAreSettledByThePriceAndExactoIgnoresIt) {
  World world(kYaml);
  for (absl::string_view endpoint : {"a/one@cheap", "a/one@middle", "a/one@dear"})
    Believe(world, endpoint, 0.01, 3000);
  world.Publish();
  EXPECT_GT(FirstPlaces(world, ToolRequest({"a/one"}), 1000)["cheap"], 900);
  std::map<std::string, int> firsts = FirstPlaces(world, ToolRequest({"a/one:exacto"}), 3000);
  EXPECT_NEAR(firsts["dear"], 1000, 150);
}

TEST(AutoExacto, TriesWhatNobodyKnowsWithinTheProbation) {
  World world(kYaml);
  Believe(world, "a/one@cheap", 0.08, 500);
  Believe(world, "a/one@middle", 0.08, 500);
  world.Publish();
  const int draws = 5000;
  std::map<std::string, int> firsts = FirstPlaces(world, ToolRequest({"a/one"}), draws);
  EXPECT_GT(firsts["dear"], draws / 50);
  EXPECT_LT(firsts["dear"], draws * 0.32);
}

TEST(AutoExacto, AnAlarmLeavesAProbe) {
  World world(kYaml);
  Believe(world, "a/one@cheap", 0.4, 20);
  Believe(world, "a/one@middle", 0.01, 1000);
  world.Score("a/one@cheap").set_tool_alarm_unix_ms(1);
  world.Publish();
  const int draws = 10'000;
  std::map<std::string, int> firsts = FirstPlaces(world, ToolRequest({"a/one"}), draws);
  EXPECT_NEAR(firsts["cheap"], draws * 0.01, 60);
  const DecideResponse response = world.Explain(ToolRequest({"a/one"}));
  for (const auto& candidate : response.candidates()) {
    EXPECT_EQ(candidate.conversations_leave(), candidate.provider_slug() == "cheap");
    if (candidate.provider_slug() == "cheap") {
      EXPECT_EQ(candidate.score().tier(), "alarm");
    }
  }
}

TEST(AutoExacto, FiltersLeaveTheSharesOfTheRestInProportion) {
  World world(kYaml);
  Believe(world, "a/one@cheap", 0.001, 3000);
  Believe(world, "a/one@middle", 0.02, 100);
  Believe(world, "a/one@dear", 0.03, 100);
  world.Publish();
  RequestFeatures features = ToolRequest({"a/one"});
  features.mutable_provider()->add_ignore("cheap");
  std::map<std::string, int> firsts = FirstPlaces(world, features, 2000);
  EXPECT_EQ(firsts["cheap"], 0);
  EXPECT_GT(firsts["middle"], 1000);
  EXPECT_GT(firsts["dear"], 0);
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

TEST(DocumentedExacto, AsksForTheTiersWithoutTools) {
  World world(kYaml);
  GiveTiers(world);
  const DecideResponse response = world.Decide(Request({"a/one:exacto"}));
  EXPECT_EQ(response.strategy(), "exacto");
  EXPECT_THAT(Tags(response), ElementsAre("dear", "middle", "cheap"));
}

TEST(DocumentedExacto, AnOutageWeighsMoreThanATier) {
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
