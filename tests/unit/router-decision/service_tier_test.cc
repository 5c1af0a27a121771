#include "services/router-decision/core/service_tier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

using router::v1::RequestFeatures;
using router::v1::ServiceTier;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr absl::string_view kYaml = R"(
providers:
- {slug: shop, name: Shop}
- {slug: other}
models:
- id: a/b
  endpoints:
  - {tag: shop, price: {prompt: 0.000004, completion: 0.000004}}
  - {tag: shop/fp8, price: {prompt: 0.000003, completion: 0.000003}}
  - {tag: shop/flex, service_tier: flex, price: {prompt: 0.000002, completion: 0.000002}}
  - {tag: shop/priority, service_tier: priority, price: {prompt: 0.000008, completion: 0.000008}}
  - {tag: other, price: {prompt: 0.000005, completion: 0.000005}}
)";

RequestFeatures With(const char* model, ServiceTier tier) {
  RequestFeatures features = Request({model});
  features.set_service_tier(tier);
  return features;
}

TEST(ServiceTier, AdmitsWhatTheRequestAsksFor) {
  World world(kYaml);
  const auto tags = [&](const char* model, ServiceTier tier) {
    return Tags(world.Decide(With(model, tier)));
  };
  const auto standard = UnorderedElementsAre("shop", "shop/fp8", "other");
  EXPECT_THAT(tags("a/b", router::v1::SERVICE_TIER_UNSPECIFIED), standard);
  EXPECT_THAT(tags("a/b", router::v1::SERVICE_TIER_DEFAULT), standard);
  EXPECT_THAT(tags("a/b", router::v1::SERVICE_TIER_FLEX), UnorderedElementsAre("shop/flex"));
  EXPECT_THAT(tags("a/b", router::v1::SERVICE_TIER_PRIORITY),
              UnorderedElementsAre("shop", "shop/fp8", "other", "shop/priority"));
  EXPECT_THAT(tags("a/b:floor", router::v1::SERVICE_TIER_UNSPECIFIED),
              UnorderedElementsAre("shop", "shop/fp8", "other", "shop/flex"));
  EXPECT_THAT(tags("a/b:nitro", router::v1::SERVICE_TIER_UNSPECIFIED),
              UnorderedElementsAre("shop", "shop/fp8", "other", "shop/priority"));
  // The request's own word wins over the variant.
  EXPECT_THAT(tags("a/b:floor", router::v1::SERVICE_TIER_DEFAULT), standard);
  EXPECT_THAT(tags("a/b:nitro", router::v1::SERVICE_TIER_FLEX), UnorderedElementsAre("shop/flex"));
}

TEST(ServiceTier, ABaseSlugLeavesTierEndpointsOutUnlessTheTierIsAskedFor) {
  World world(kYaml);
  const auto only = [&](const char* entry, ServiceTier tier) {
    RequestFeatures features = With("a/b", tier);
    features.mutable_provider()->add_only(entry);
    return Tags(world.Decide(features));
  };
  EXPECT_THAT(only("shop", router::v1::SERVICE_TIER_UNSPECIFIED),
              UnorderedElementsAre("shop", "shop/fp8"));
  EXPECT_THAT(only("shop/priority", router::v1::SERVICE_TIER_UNSPECIFIED),
              UnorderedElementsAre("shop/priority"));
  EXPECT_THAT(only("Shop", router::v1::SERVICE_TIER_FLEX), UnorderedElementsAre("shop/flex"));
  EXPECT_THAT(only("other", router::v1::SERVICE_TIER_FLEX), IsEmpty());

  RequestFeatures features = With("a/b", router::v1::SERVICE_TIER_PRIORITY);
  features.mutable_provider()->add_ignore("shop");
  EXPECT_THAT(Tags(world.Decide(features)), UnorderedElementsAre("other"));
}

TEST(ServiceTier, ATagInOrderAdmitsAndPlacesItsEndpoint) {
  World world(kYaml);
  RequestFeatures features = Request({"a/b"});
  features.mutable_provider()->add_order("shop");
  features.mutable_provider()->add_order("shop/flex");
  features.mutable_provider()->add_order("other");
  const std::vector<std::string> tags = Tags(world.Decide(features));
  ASSERT_EQ(tags.size(), 4u);
  EXPECT_EQ(tags[2], "shop/flex");
  EXPECT_EQ(tags[3], "other");
}

TEST(ServiceTier, PutsPriorityEndpointsFirstOnlyWhenPriorityIsAskedFor) {
  const RequestFeatures asked = With("a/b", router::v1::SERVICE_TIER_PRIORITY);
  EXPECT_LT(ServiceTierRank("priority", asked), ServiceTierRank("", asked));
  const RequestFeatures not_asked = With("a/b:nitro", router::v1::SERVICE_TIER_UNSPECIFIED);
  EXPECT_EQ(ServiceTierRank("priority", not_asked), ServiceTierRank("", not_asked));
}

TEST(ServiceTier, OrdersPriorityEndpointsBeforeCheaperStandardOnes) {
  World world(kYaml);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const RequestFeatures features = With("a/b", router::v1::SERVICE_TIER_PRIORITY);
    EXPECT_EQ(Tags(world.Decide(features, seed)).front(), "shop/priority") << "seed " << seed;
  }
}

TEST(ServiceTier, ExplainsTheTierAndTheTiersAdmitted) {
  World world(kYaml);
  const auto detail = [&](const RequestFeatures& features, absl::string_view tag) {
    const router::v1::DecideResponse explained = world.Explain(features);
    for (const router::v1::Exclusion& excluded : explained.excluded()) {
      if (excluded.endpoint_id() == absl::StrCat("a/b@", tag))
        return absl::StrCat(excluded.filter(), ": ", excluded.detail());
    }
    return std::string("not excluded");
  };
  EXPECT_EQ(detail(Request({"a/b"}), "shop/flex"),
            "service_tier: service tier flex is not in [default]");
  EXPECT_EQ(detail(Request({"a/b:floor"}), "shop/priority"),
            "service_tier: service tier priority is not in [default, flex]");
  EXPECT_EQ(detail(With("a/b", router::v1::SERVICE_TIER_FLEX), "shop"),
            "service_tier: service tier default is not in [flex]");
  EXPECT_EQ(detail(With("a/b", router::v1::SERVICE_TIER_PRIORITY), "shop/flex"),
            "service_tier: service tier flex is not in [default, priority]");
}

}  // namespace
}  // namespace signalbox::router_decision
