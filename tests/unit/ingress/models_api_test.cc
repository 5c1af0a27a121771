#include "services/ingress/core/models_api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/seam/error_detail.h"
#include "services/ingress/core/query.h"
#include "tests/unit/ingress/test_catalogue.h"

namespace signalbox::ingress {
namespace {

using nlohmann::json;

class ModelsApiTest : public ::testing::Test {
 protected:
  json List(absl::string_view query) {
    const absl::StatusOr<std::string> body = api_->ListModels(query, "/api/v1");
    EXPECT_TRUE(body.ok()) << body.status();
    return json::parse(body.value_or("{}"));
  }
  const std::shared_ptr<const ModelsApi> api_ = ModelsApi::Build(TestCatalogue());
};

TEST_F(ModelsApiTest, ListsModelsNewestFirstWithTheFreeVariantApart) {
  const json body = List("");
  ASSERT_EQ(body["data"].size(), 3u);
  EXPECT_EQ(body["data"][0]["id"], "acme/newer");
  EXPECT_EQ(body["data"][1]["id"], "acme/model");
  EXPECT_EQ(body["data"][2]["id"], "acme/model:free");
  EXPECT_EQ(body["total_count"], 3);
  EXPECT_TRUE(body["links"]["next"].is_null());
  EXPECT_EQ(json::parse(api_->CountModels())["data"]["count"], 3);
}

TEST_F(ModelsApiTest, GivesEveryFieldTheOfficialClientRequires) {
  const json model = json::parse(*api_->GetModel("acme/model"))["data"];
  for (const char* name :
       {"id", "canonical_slug", "name", "created", "context_length", "architecture", "pricing",
        "top_provider", "per_request_limits", "supported_parameters", "default_parameters",
        "supported_voices", "links"}) {
    EXPECT_TRUE(model.contains(name)) << name;
  }
  EXPECT_EQ(model["pricing"]["prompt"], "0.000001");  // the cheapest
  EXPECT_EQ(model["architecture"]["modality"], "text->text");
  EXPECT_EQ(model["top_provider"]["is_moderated"], false);
  EXPECT_EQ(model["supported_parameters"], json::parse(R"(["temperature","tools"])"));
  EXPECT_TRUE(model["links"]["details"].is_string());
}

TEST_F(ModelsApiTest, PagesByOffsetUntilTheEnd) {
  std::set<std::string> seen;
  std::string query = "limit=2";
  for (int page = 0; page < 5; ++page) {
    const json body = List(query);
    for (const json& model : body["data"]) seen.insert(model["id"].get<std::string>());
    if (body["links"]["next"].is_null()) break;
    const std::string next = body["links"]["next"];
    ASSERT_EQ(next.substr(0, 15), "/api/v1/models?");
    query = next.substr(15);
  }
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_TRUE(List("offset=500")["data"].empty());
}

TEST_F(ModelsApiTest, FiltersBySupportedParameters) {
  const json body = List("supported_parameters=tools%2Ctemperature");
  EXPECT_EQ(body["total_count"], 2);
  EXPECT_EQ(List("supported_parameters=flying")["total_count"], 0);
}

TEST_F(ModelsApiTest, NamesTheBadQueryParameter) {
  EXPECT_EQ(seam::DetailOf(api_->ListModels("offset=-1", "").status()).field(), "offset");
  EXPECT_EQ(seam::DetailOf(api_->ListModels("limit=x", "").status()).field(), "limit");
  EXPECT_EQ(seam::DetailOf(api_->ListModels("limit=0", "").status()).field(), "limit");
}

TEST_F(ModelsApiTest, ListsEndpointsWithEveryRequiredField) {
  const json data = json::parse(*api_->ListEndpoints("acme/model"))["data"];
  for (const char* name : {"id", "name", "created", "description", "architecture", "endpoints"}) {
    EXPECT_TRUE(data.contains(name)) << name;
  }
  ASSERT_EQ(data["endpoints"].size(), 3u);
  for (const json& endpoint : data["endpoints"]) {
    for (const char* name :
         {"name", "model_id", "model_name", "context_length", "max_completion_tokens",
          "max_prompt_tokens", "provider_name", "tag", "quantization", "pricing",
          "supported_parameters", "supports_implicit_caching", "supports_tool_choice",
          "latency_last_30m", "throughput_last_30m", "uptime_last_5m", "uptime_last_30m",
          "uptime_last_1d"}) {
      EXPECT_TRUE(endpoint.contains(name)) << name;
    }
    EXPECT_TRUE(endpoint["context_length"].is_number_integer());
    EXPECT_TRUE(endpoint["supports_tool_choice"]["auto"].is_boolean());
  }
  EXPECT_EQ(json::parse(*api_->ListEndpoints("acme/model:free"))["data"]["endpoints"].size(), 1u);
}

TEST_F(ModelsApiTest, DoesNotKnowOtherModels) {
  EXPECT_EQ(seam::DetailOf(api_->GetModel("acme/none").status()).reason(),
            common::v1::REASON_NOT_FOUND);
  EXPECT_EQ(seam::DetailOf(api_->ListEndpoints("").status()).reason(),
            common::v1::REASON_NOT_FOUND);
}

TEST_F(ModelsApiTest, ListsProviders) {
  const json body = json::parse(api_->providers());
  ASSERT_EQ(body["data"].size(), 3u);
  for (const json& provider : body["data"]) {
    EXPECT_TRUE(provider.contains("name") && provider.contains("slug") &&
                provider.contains("privacy_policy_url"));
  }
}

TEST(Query, DecodesNamesAndValues) {
  EXPECT_EQ(QueryValue("a=1&id=gen%2D1&b=2", "id").value_or(""), "gen-1");
  EXPECT_EQ(QueryValue("a+b=x+y", "a b").value_or(""), "x y");
  EXPECT_EQ(QueryValue("flag", "flag").value_or("?"), "");
  EXPECT_FALSE(QueryValue("", "id").has_value());
  EXPECT_EQ(DecodePercent("100%"), "100%");
  EXPECT_EQ(DecodePercent("%zz%4"), "%zz%4");
}

}  // namespace
}  // namespace signalbox::ingress
