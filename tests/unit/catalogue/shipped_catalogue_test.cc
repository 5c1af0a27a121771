// The catalogue in deploy/catalogue as an operator gets it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "common/catalogue/catalogue.h"

namespace signalbox::catalogue {
namespace {

const Catalogue& Shipped() {
  static const std::shared_ptr<const Catalogue> catalogue = [] {
    auto loaded = Catalogue::Load({"deploy/catalogue"});
    if (!loaded.ok()) ADD_FAILURE() << loaded.status();
    return loaded.ok() ? *loaded : nullptr;
  }();
  return *catalogue;
}

bool CanBeActive(const config::v1::Provider& provider) {
  return provider.has_key() || provider.needs_no_key();
}

TEST(ShippedCatalogue, IsAsLargeAsPromised) {
  EXPECT_GE(Shipped().source().models_size(), 400);
  EXPECT_GE(Shipped().providers().size(), 60u);
  EXPECT_GE(Shipped().endpoints().size(), 1000u);
  ASSERT_FALSE(Shipped().source().sources().empty());
  for (const config::v1::Source& source : Shipped().source().sources()) {
    EXPECT_FALSE(source.name().empty());
    EXPECT_FALSE(source.as_of().empty());
  }
}

TEST(ShippedCatalogue, LoadsInWellUnderASecond) {
  const absl::Time start = absl::Now();
  ASSERT_TRUE(Catalogue::Load({"deploy/catalogue"}).ok());
  const absl::Duration taken = absl::Now() - start;
  RecordProperty("load_ms", static_cast<int>(absl::ToInt64Milliseconds(taken)));
  EXPECT_LT(taken, absl::Seconds(5))
      << "generous for sanitizers and busy machines; about 0.2 s in a release build";
}

TEST(ShippedCatalogue, EveryEndpointThatCanBeActiveIsComplete) {
  int active = 0;
  for (const Endpoint& endpoint : Shipped().endpoints()) {
    if (!CanBeActive(*endpoint.provider)) continue;
    ++active;
    EXPECT_FALSE(endpoint.provider->base_url().empty()) << endpoint.id;
    EXPECT_NE(endpoint.provider->dialect(), config::v1::DIALECT_UNSPECIFIED) << endpoint.id;
    EXPECT_FALSE(endpoint.upstream_model.empty()) << endpoint.id;
    EXPECT_GT(endpoint.context_length, 0) << endpoint.id;
    EXPECT_FALSE(endpoint.parameters.empty()) << endpoint.id;
    EXPECT_FALSE(endpoint.config->price().prompt().empty()) << endpoint.id;
    EXPECT_FALSE(endpoint.config->price().completion().empty()) << endpoint.id;
  }
  EXPECT_GE(active, 600);
}

TEST(ShippedCatalogue, OnlyFreeEndpointsOfProvidersWithKeysCostNothing) {
  for (const Endpoint& endpoint : Shipped().endpoints()) {
    const bool costs = endpoint.pricing.prompt_pico() > 0 || endpoint.pricing.completion_pico() > 0;
    EXPECT_TRUE(costs || endpoint.config->free() || endpoint.provider->slug() == "google-ai-studio")
        << endpoint.id;
  }
}

TEST(ShippedCatalogue, EveryModelCanBeHadSomewhereOrSaysSo) {
  std::set<std::string> nowhere;
  for (const config::v1::Model& model : Shipped().source().models()) {
    if (model.endpoints().empty()) nowhere.insert(model.id());
  }
  EXPECT_LE(nowhere.size(), 10u) << ::testing::PrintToString(nowhere);
}

TEST(ShippedCatalogue, KnowsFamiliarModels) {
  EXPECT_NE(Shipped().FindModel("openai/gpt-4o-mini"), nullptr);
  EXPECT_NE(Shipped().FindModel("z-ai/glm-5"), nullptr);
  EXPECT_GE(Shipped().EndpointsOf("z-ai/glm-5").size(), 8u);
  EXPECT_NE(Shipped().FindModel("~anthropic/claude-opus-latest"), nullptr);
  const Endpoint* claude = Shipped().FindEndpoint("anthropic/claude-opus-4.5@anthropic");
  ASSERT_NE(claude, nullptr);
  EXPECT_EQ(claude->provider->dialect(), config::v1::DIALECT_ANTHROPIC);
  EXPECT_TRUE(absl::StartsWith(claude->upstream_model, "claude-opus-4-5"))
      << claude->upstream_model;
}

}  // namespace
}  // namespace signalbox::catalogue
