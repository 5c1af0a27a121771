#include "tests/provider-fleet/schema_value.h"

#include <gtest/gtest.h>

#include <regex>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "tests/provider-fleet/pattern_text.h"
#include "tests/unit/provider-fleet/schema_check.h"

namespace signalbox::fleet {

bool Follows(const nlohmann::json& schema, const nlohmann::json& value) {
  valijson::Schema compiled;
  valijson::SchemaParser parser;
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(schema), compiled);
  valijson::Validator validator;
  return validator.validate(compiled, valijson::adapters::NlohmannJsonAdapter(value), nullptr);
}

namespace {

using nlohmann::json;

class FleetSchemaValue : public testing::TestWithParam<const char*> {};

TEST_P(FleetSchemaValue, FollowsItsSchema) {
  const json schema = json::parse(GetParam());
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    const json value = GenerateValue(schema, rng);
    ASSERT_TRUE(Follows(schema, value)) << "seed " << seed << ": " << value;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Schemas, FleetSchemaValue,
    testing::Values(
        R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a"]})",
        R"({"type":"object","properties":{"n":{"type":"number","minimum":0.001,"maximum":0.005}},"required":["n"]})",
        R"({"type":"integer","exclusiveMinimum":3,"maximum":5})",
        R"({"type":"integer","multipleOf":7,"minimum":10})",
        R"({"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":4})",
        R"({"type":["string","null"],"minLength":5,"maxLength":9})", R"({"enum":["red",3,null]})",
        R"({"const":{"fixed":true}})",
        R"({"type":"string","pattern":"^[A-Z]{2}-\\d{3,5}(alpha|beta)?$"})",
        R"({"anyOf":[{"type":"string"},{"type":"object","required":["x"],"properties":{"x":{"type":"null"}}}]})",
        R"({"allOf":[{"type":"object","required":["p"],"properties":{"p":{"type":"string"}}},
            {"required":["q"],"properties":{"q":{"type":"integer","minimum":5}}}]})",
        R"({"$defs":{"node":{"type":"object","required":["name"],"properties":{"name":{"type":"string"},
            "next":{"$ref":"#/$defs/node"}}}},"$ref":"#/$defs/node"})",
        R"({"type":"object","required":["extra"],"additionalProperties":{"type":"integer"}})",
        R"({"type":"object","properties":{"deep":{"type":"object","properties":{"list":{"type":"array",
            "items":{"type":"object","required":["k"],"properties":{"k":{"enum":["u","v"]}}}}},
            "required":["list"]}},"required":["deep"],"additionalProperties":false})"));

TEST(FleetBreakArguments, MakesAValueThatDoesNotFollow) {
  const json schema = json::parse(
      R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"},"c":{"type":"array"}},
          "required":["a"]})");
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Rng rng(seed);
    json value = GenerateValue(schema, rng);
    ASSERT_TRUE(BreakArguments(schema, &value, rng));
    ASSERT_FALSE(Follows(schema, value)) << "seed " << seed << ": " << value;
  }
}

TEST(FleetBreakArguments, SaysWhenNothingCanBeWrong) {
  Rng rng(1);
  json value = json::object();
  EXPECT_FALSE(BreakArguments(json::object(), &value, rng));
}

TEST(FleetPatternText, MatchesItsPattern) {
  for (const char* pattern :
       {"^\\d{4}-\\d{2}$", "[a-f0-9]{8}", "(foo|bar)+baz?", "^[^,]+$", "\\w+@\\w+\\.com"}) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
      Rng rng(seed);
      const auto text = GenerateMatch(pattern, rng);
      ASSERT_TRUE(text.has_value()) << pattern;
      EXPECT_TRUE(std::regex_search(*text, std::regex(pattern)))
          << pattern << " seed " << seed << ": " << *text;
    }
  }
  Rng rng(1);
  EXPECT_FALSE(GenerateMatch("(?=x)y", rng).has_value());
  EXPECT_FALSE(GenerateMatch("a{2", rng).has_value());
}

}  // namespace
}  // namespace signalbox::fleet
