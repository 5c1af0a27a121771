#include "common/catalogue/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/catalogue/holder.h"
#include "common/config/loader.h"

namespace signalbox::catalogue {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

config::v1::Catalogue Parse(absl::string_view yaml) {
  config::v1::Catalogue catalogue;
  const config::Report report = config::LoadYaml(yaml, "test.yaml", &catalogue);
  EXPECT_TRUE(report.ok()) << report.ToString();
  return catalogue;
}

std::shared_ptr<const Catalogue> MustBuild(absl::string_view yaml) {
  absl::StatusOr<std::shared_ptr<const Catalogue>> catalogue = Catalogue::Build(Parse(yaml));
  EXPECT_TRUE(catalogue.ok()) << catalogue.status();
  return catalogue.ok() ? *catalogue : nullptr;
}

std::string ErrorOf(absl::string_view yaml) {
  absl::StatusOr<std::shared_ptr<const Catalogue>> catalogue = Catalogue::Build(Parse(yaml));
  EXPECT_EQ(catalogue.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(catalogue.status().message());
}

constexpr absl::string_view kTwoProviders = R"(
providers:
- {slug: alpha, name: Alpha, base_url: "https://alpha.example/v1/", key: {env: ALPHA_KEY}, zero_data_retention: true}
- {slug: beta, base_url: "http://127.0.0.1:9000", needs_no_key: true, collects_data: true, disabled: true}
models:
- id: maker/one
  canonical_slug: maker/one-20260101
  aliases: ["~maker/latest"]
  context_length: 8000
  endpoints:
  - {tag: alpha/fp8, upstream_model: one-v1, quantization: fp8, price: {prompt: 0.0000005, completion: 0.000002},
     context_length: 4000, max_completion_tokens: 1000, supported_parameters: [tools, max_tokens, tools]}
  - {tag: beta, collects_data: false, price: {cache_read: 0, request: 0.01}}
- id: maker/two
)";

TEST(Catalogue, ResolvesWhatAnEndpointInherits) {
  const auto catalogue = MustBuild(kTwoProviders);
  const Endpoint* alpha = catalogue->FindEndpoint("maker/one@alpha/fp8");
  ASSERT_NE(alpha, nullptr);
  EXPECT_EQ(alpha->provider->name(), "Alpha");
  EXPECT_EQ(alpha->upstream_model, "one-v1");
  EXPECT_EQ(alpha->context_length, 4000);
  EXPECT_EQ(alpha->pricing.prompt_pico(), 500'000);
  EXPECT_EQ(alpha->pricing.cache_read_pico(), -1);
  EXPECT_THAT(alpha->parameters, ElementsAre("max_tokens", "tools"));
  EXPECT_TRUE(alpha->zero_data_retention);
  EXPECT_FALSE(alpha->disabled);

  const Endpoint* beta = catalogue->FindEndpoint("maker/one@beta");
  ASSERT_NE(beta, nullptr);
  EXPECT_EQ(beta->upstream_model, "maker/one");
  EXPECT_EQ(beta->context_length, 8000);
  EXPECT_EQ(beta->quantization, "unknown");
  EXPECT_EQ(beta->pricing.cache_read_pico(), 0);
  EXPECT_EQ(beta->pricing.request_pico(), 10'000'000'000);
  EXPECT_FALSE(beta->collects_data);
  EXPECT_TRUE(beta->disabled);
  EXPECT_EQ(beta->index, 1);
  EXPECT_EQ(beta->provider_index, 1);
}

TEST(Catalogue, MakesImpliedFactsExplicit) {
  const auto catalogue = MustBuild(kTwoProviders);
  EXPECT_EQ(catalogue->FindProvider("alpha")->base_url(), "https://alpha.example/v1");
  EXPECT_EQ(catalogue->FindProvider("alpha")->dialect(), config::v1::DIALECT_OPENAI);
  EXPECT_EQ(catalogue->FindProvider("beta")->name(), "beta");
  EXPECT_THAT(catalogue->FindModel("maker/two")->input_modalities(), ElementsAre("text"));
  EXPECT_EQ(catalogue->FindModel("maker/two")->name(), "maker/two");
}

TEST(Catalogue, FindsModelsByIdAliasAndCanonicalSlug) {
  const auto catalogue = MustBuild(kTwoProviders);
  const config::v1::Model* one = catalogue->FindModel("maker/one");
  ASSERT_NE(one, nullptr);
  EXPECT_EQ(catalogue->FindModel("~maker/latest"), one);
  EXPECT_EQ(catalogue->FindModel("maker/one-20260101"), one);
  EXPECT_EQ(catalogue->FindModel("maker/three"), nullptr);
  EXPECT_EQ(catalogue->EndpointsOf("~maker/latest").size(), 2u);
  EXPECT_THAT(catalogue->EndpointsOf("maker/two"), IsEmpty());
  EXPECT_THAT(catalogue->EndpointsOf("maker/three"), IsEmpty());
  EXPECT_EQ(catalogue->ProviderIndex("gamma"), -1);
}

TEST(Catalogue, EndpointsOfOneModelLieTogether) {
  const auto catalogue = MustBuild(absl::StrCat(kTwoProviders, R"(  endpoints: [{tag: alpha}]
- {id: maker/one, endpoints: [{tag: alpha/fast}]}
)"));
  const absl::Span<const Endpoint* const> endpoints = catalogue->EndpointsOf("maker/one");
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ(endpoints[2]->index, 2);
  EXPECT_EQ(endpoints[2]->id, "maker/one@alpha/fast");
  EXPECT_EQ(catalogue->FindEndpoint("maker/two@alpha")->index, 3);
}

TEST(Catalogue, AnEndpointWithoutParametersSupportsAll) {
  Endpoint endpoint;
  EXPECT_TRUE(endpoint.SupportsParameter("tools"));
  endpoint.parameters = {"max_tokens"};
  EXPECT_FALSE(endpoint.SupportsParameter("tools"));
  EXPECT_TRUE(endpoint.SupportsParameter("max_tokens"));
}

TEST(Catalogue, AnEndpointThatCollectsDoesNotInheritZeroRetention) {
  const auto catalogue = MustBuild(R"(
providers: [{slug: alpha, zero_data_retention: true}]
models: [{id: a/b, endpoints: [{tag: alpha, collects_data: true}]}]
)");
  EXPECT_FALSE(catalogue->FindEndpoint("a/b@alpha")->zero_data_retention);
}

TEST(Catalogue, ReportsEveryProblemAtOnce) {
  const std::string error = ErrorOf(R"(
providers:
- {slug: Alpha, base_url: "ftp://x", key: {env: A}}
- {slug: beta, base_url: "https://beta.example"}
- {slug: beta, needs_no_key: true}
models:
- {id: nomaker, context_length: -1}
- {id: a/b, context_length: 10, endpoints: [
    {tag: beta, price: {prompt: cheap}, max_completion_tokens: 11, quantization: fp7},
    {tag: beta, provider: other, supported_parameters: ["to ols"]},
    {tag: gamma, free: true, price: {prompt: 0.1}}]}
)");
  for (absl::string_view expected :
       {"providers[0].slug", "providers[0].base_url", "provider \"beta\" is defined twice",
        "providers[2].base_url", "models[0].id", "models[0].context_length: -1 is negative",
        "models[1].endpoints[0].price.prompt", "11 is more than the context length 10",
        "\"fp7\" is not one of int4", "two endpoints with tag \"beta\"",
        "models[1].endpoints[1].provider", "models[1].endpoints[1].supported_parameters[0]",
        "provider \"gamma\" is not defined", "contradicts free: true"}) {
    EXPECT_THAT(error, HasSubstr(std::string(expected)));
  }
}

TEST(Catalogue, RefusesContradictoryProviders) {
  EXPECT_THAT(
      ErrorOf("providers: [{slug: a, base_url: 'http://a', key: {env: K}, needs_no_key: true}]"),
      HasSubstr("needs_no_key: contradicts key"));
  EXPECT_THAT(ErrorOf("providers: [{slug: a, collects_data: true, zero_data_retention: true}]"),
              HasSubstr("contradicts collects_data"));
  EXPECT_THAT(ErrorOf("providers: [{slug: a, quirks: {path: chat, key_header: 'x y'}}]"),
              ::testing::AllOf(HasSubstr("quirks.path"), HasSubstr("quirks.key_header")));
}

class BaseUrls : public ::testing::TestWithParam<std::pair<const char*, bool>> {};

TEST_P(BaseUrls, AreChecked) {
  config::v1::Catalogue catalogue = Parse("providers: [{slug: a}]");
  catalogue.mutable_providers(0)->set_base_url(GetParam().first);
  EXPECT_EQ(Catalogue::Build(catalogue).ok(), GetParam().second);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BaseUrls,
    ::testing::Values(std::pair{"https://api.example/v1", true},
                      std::pair{"http://127.0.0.1:8000", true},
                      std::pair{"http://[::1]:8000/v1", true}, std::pair{"https://", false},
                      std::pair{"https:///v1", false}, std::pair{"api.example/v1", false},
                      std::pair{"https://api.example/v1?x=1", false},
                      std::pair{"https://${HOST}/v1", false},
                      std::pair{"https://user@host/v1", false}, std::pair{"https://a b", false}));

TEST(Catalogue, RefusesNamesWithTwoMeanings) {
  EXPECT_THAT(ErrorOf("models: [{id: a/b, aliases: [a/c]}, {id: a/c}]"),
              HasSubstr("\"a/c\" is a model of its own"));
  EXPECT_THAT(ErrorOf("models: [{id: a/b, aliases: [a/x]}, {id: a/c, canonical_slug: a/x}]"),
              HasSubstr("\"a/x\" already means model \"a/b\""));
  EXPECT_THAT(ErrorOf("models: [{id: a/b, aliases: ['a/b:free']}]"),
              HasSubstr("models[0].aliases[0]"));
  EXPECT_THAT(ErrorOf("models: [{id: a/b, name: B}, {id: a/b, name: C}]"),
              HasSubstr("is defined twice"));
}

TEST(ModelNames, SplitIntoIdAndVariants) {
  EXPECT_EQ(ParseModelName("z-ai/glm-5").id, "z-ai/glm-5");
  EXPECT_THAT(ParseModelName("z-ai/glm-5").variants, IsEmpty());
  const ModelName name = ParseModelName("z-ai/glm-5:nitro:free");
  EXPECT_EQ(name.id, "z-ai/glm-5");
  EXPECT_THAT(name.variants, ElementsAre("nitro", "free"));
  EXPECT_THAT(ParseModelName("a/b:").variants, ElementsAre(""));
}

// A folder of its own below the test's temporary directory.
class CatalogueFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(::testing::TempDir(), "/catalogue_test_",
                           ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, absl::string_view text) {
    const std::string path = absl::StrCat(folder_, "/", name);
    std::ofstream(path) << text;
    return path;
  }
  std::string folder_;
};

TEST_F(CatalogueFiles, AnOperatorsFileAddsToTheShippedOne) {
  const std::string shipped = Write("shipped.yaml", kTwoProviders);
  const std::string own = Write("own.yaml", R"(
providers: [{slug: house, base_url: "http://10.0.0.5:8000/v1", needs_no_key: true}]
models: [{id: maker/one, endpoints: [{tag: house}]}]
)");
  const auto catalogue = Catalogue::Load({shipped, own});
  ASSERT_TRUE(catalogue.ok()) << catalogue.status();
  EXPECT_EQ((*catalogue)->EndpointsOf("maker/one").size(), 3u);
  EXPECT_EQ((*catalogue)->FindEndpoint("maker/one@house")->context_length, 8000);
}

TEST_F(CatalogueFiles, ProblemsNameFileAndLine) {
  const std::string path =
      Write("bad.yaml", "providers:\n- slug: a\n- slug: b\n  base_url: nowhere\n");
  const auto catalogue = Catalogue::Load({path});
  ASSERT_FALSE(catalogue.ok());
  EXPECT_THAT(std::string(catalogue.status().message()), HasSubstr("bad.yaml:4:"));
}

TEST_F(CatalogueFiles, AFailedReloadKeepsTheLastGoodCatalogue) {
  const std::string path = Write("catalogue.yaml", kTwoProviders);
  obs::Metrics metrics;
  CatalogueHolder holder({path}, &metrics);
  ASSERT_TRUE(holder.Reload().ok());
  const std::shared_ptr<const Catalogue> first = holder.Get();
  Write("catalogue.yaml", "models: [{id: broken}]");
  EXPECT_FALSE(holder.Reload().ok());
  EXPECT_EQ(holder.Get(), first);
  EXPECT_TRUE(holder.stale());
  Write("catalogue.yaml", "models: [{id: a/b}]");
  EXPECT_TRUE(holder.Reload().ok());
  EXPECT_NE(holder.Get()->FindModel("a/b"), nullptr);
  EXPECT_FALSE(holder.stale());
}

}  // namespace
}  // namespace signalbox::catalogue
