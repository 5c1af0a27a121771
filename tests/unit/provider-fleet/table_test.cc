#include "tests/provider-fleet/table.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>

#include "tests/provider-fleet/catalogue.h"

namespace signalbox::fleet {
namespace {

constexpr char kTable[] =
    "# a comment\n"
    "model,provider,quantization,tok_s,latency_ms,tool_err_pct,price_completion_per_m\n"
    "x/one,Big Cloud,fp8,50,700,2.5,8.0\n"
    "x/one,Tiny,unknown,,,,\n"
    "x/two,Big Cloud,weird,10,,,1\n"
    "x/one,Tiny,,20,300,50,0.8\n";

TEST(FleetTable, MakesOneProviderPerNameAndOneEndpointPerModel) {
  FleetConfig config;
  ASSERT_TRUE(AddTable(kTable, &config).ok());
  ASSERT_EQ(config.providers.size(), 2u);
  EXPECT_EQ(config.providers[0].name, "big-cloud");
  ASSERT_EQ(config.providers[0].endpoints.size(), 2u);
  const EndpointConfig& one = config.providers[0].endpoints[0];
  EXPECT_EQ(one.behaviour.ttft_ms.p50, 700);
  EXPECT_EQ(one.behaviour.tokens_per_second.p50, 50);
  EXPECT_DOUBLE_EQ(one.behaviour.tool_error_rate, 0.025);
}

TEST(FleetTable, LaterRowsFillMissingValues) {
  FleetConfig config;
  ASSERT_TRUE(AddTable(kTable, &config).ok());
  ASSERT_EQ(config.providers[1].endpoints.size(), 1u);
  EXPECT_DOUBLE_EQ(config.providers[1].endpoints[0].behaviour.tool_error_rate, 0.5);
  EXPECT_EQ(config.providers[1].endpoints[0].facts.quantization, "unknown");
}

TEST(FleetTable, NamesTheLineOfAnError) {
  FleetConfig config;
  const absl::Status bad = AddTable("model,provider,tok_s\na,b,fast\n", &config);
  EXPECT_NE(std::string(bad.message()).find("line 2"), std::string::npos) << bad;
  EXPECT_FALSE(AddTable("name,speed\na,1\n", &config).ok());
}

TEST(FleetTable, ReadsThePublicToolErrorTable) {
  const char* root = std::getenv("SIGNALBOX_SHARED");
  const std::string path =
      std::string(root ? root : "../shared") + "/data/openrouter_endpoint_tool_err_2026-07-07.csv";
  if (!std::ifstream(path)) GTEST_SKIP() << path << " is not here";
  FleetConfig config;
  const absl::Status added = AddTableFile(path, &config);
  ASSERT_TRUE(added.ok()) << added;
  size_t endpoints = 0;
  for (const ProviderConfig& provider : config.providers) endpoints += provider.endpoints.size();
  EXPECT_GT(config.providers.size(), 40u);
  EXPECT_GT(endpoints, 400u);
}

TEST(FleetCatalogue, NamesEveryEndpointWithItsPrice) {
  FleetConfig config;
  ASSERT_TRUE(AddTable(kTable, &config).ok());
  Roster roster(std::move(config));
  roster.Find("tiny")->set_port(1234);
  const YAML::Node catalogue = YAML::Load(CatalogueYaml(roster));
  ASSERT_EQ(catalogue["providers"].size(), 2u);
  EXPECT_EQ(catalogue["providers"][1]["base_url"].Scalar(), "http://127.0.0.1:1234/tiny/v1");
  EXPECT_EQ(catalogue["providers"][1]["dialect"].Scalar(), "openai");
  ASSERT_EQ(catalogue["models"].size(), 2u);
  const YAML::Node offers = catalogue["models"][0]["endpoints"];
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[0]["price"]["completion"].Scalar(), "0.000008");
  EXPECT_EQ(offers[0]["quantization"].Scalar(), "fp8");
  EXPECT_EQ(catalogue["models"][1]["endpoints"][0]["quantization"].Scalar(), "unknown");
}

TEST(FleetCatalogue, WritesPricesAsExactDecimals) {
  EXPECT_EQ(PricePerToken(0.8), "0.0000008");
  EXPECT_EQ(PricePerToken(0), "0");
  EXPECT_EQ(PricePerToken(1.2345), "0.0000012345");
}

}  // namespace
}  // namespace signalbox::fleet
