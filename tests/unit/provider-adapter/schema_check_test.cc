#include "services/provider-adapter/core/schema_check.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "services/provider-adapter/core/schema_flatten.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

// "valid", "unchecked" (the schema was not compiled) or "<keyword>@<pointer>".
std::string Outcome(const std::string& schema, const std::string& value) {
  const auto compiled = CompiledSchema::Compile(schema);
  if (compiled == nullptr) return "unchecked";
  json parsed = json::parse(value);
  NormaliseNumbers(&parsed);
  const auto fault = compiled->Check(parsed, 8);
  return fault.has_value() ? absl::StrCat(fault->what, "@", fault->pointer) : "valid";
}

struct Case {
  const char* name;
  const char* schema;
  const char* value;
  const char* outcome;
};

class Draft7 : public ::testing::TestWithParam<Case> {};
TEST_P(Draft7, Holds) {
  EXPECT_EQ(Outcome(GetParam().schema, GetParam().value), GetParam().outcome);
}
std::string CaseName(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    Keywords, Draft7,
    ::testing::Values(
        Case{"Empty", "{}", "{}", "valid"}, Case{"True", "true", "{}", "valid"},
        Case{"False", "false", "{}", "schema@"},
        Case{"TypeList", R"({"properties":{"a":{"type":["string","null"]}}})", R"({"a":null})",
             "valid"},
        Case{"TypeListFails", R"({"properties":{"a":{"type":["string","null"]}}})", R"({"a":1})",
             "type@/a"},
        Case{"NullableAdmitsNull", R"({"properties":{"a":{"type":"string","nullable":true}}})",
             R"({"a":null})", "valid"},
        Case{"IntegerIsANumber", R"({"properties":{"a":{"type":"number"}}})", R"({"a":2.0})",
             "valid"},
        Case{"BooleanIsNoInteger", R"({"properties":{"a":{"type":"integer"}}})", R"({"a":true})",
             "type@/a"},
        Case{"Const", R"({"properties":{"a":{"const":2.0}}})", R"({"a":2})", "valid"},
        Case{"ConstFails", R"({"properties":{"a":{"const":"x"}}})", R"({"a":"y"})", "const@/a"},
        Case{"EnumOfObjects", R"({"enum":[{"a":1},{"b":[2]}]})", R"({"b":[2]})", "valid"},
        Case{"EnumNull", R"({"properties":{"a":{"enum":[null,1]}}})", R"({"a":null})", "valid"},
        Case{"EnumZeroIsNotFalse", R"({"properties":{"a":{"enum":[0]}}})", R"({"a":false})",
             "enum@/a"},
        Case{"NestedArray", R"({"properties":{"a":{"type":"array","items":{"type":"integer"}}}})",
             R"({"a":[1,"x"]})", "type@/a/1"},
        Case{"TupleItems",
             R"({"properties":{"a":{"items":[{"type":"string"}],"additionalItems":false}}})",
             R"({"a":["x",2]})", "additionalItems@/a"},
        Case{"Contains", R"({"properties":{"a":{"contains":{"type":"null"}}}})", R"({"a":[1]})",
             "contains@/a"},
        Case{"MinItems", R"({"properties":{"a":{"minItems":1}}})", R"({"a":[]})", "minItems@/a"},
        Case{"UniqueItems", R"({"properties":{"a":{"uniqueItems":true}}})",
             R"({"a":[1,{"x":1},{"x":1}]})", "uniqueItems@/a"},
        Case{"UniqueItemsHolds", R"({"properties":{"a":{"uniqueItems":true}}})",
             R"({"a":[1,2,"1",[1],null]})", "valid"},
        Case{"ExclusiveMinimum", R"({"properties":{"a":{"exclusiveMinimum":0}}})", R"({"a":0})",
             "exclusiveMinimum@/a"},
        Case{"DraftFourExclusiveIsIgnored",
             R"({"properties":{"a":{"minimum":0,"exclusiveMinimum":true}}})", R"({"a":0})",
             "valid"},
        Case{"MultipleOf", R"({"properties":{"a":{"multipleOf":5}}})", R"({"a":7})",
             "multipleOf@/a"},
        Case{"FractionalMultipleOfIsNotChecked", R"({"properties":{"a":{"multipleOf":0.01}}})",
             R"({"a":19.99})", "valid"},
        Case{"MultipleOfZeroIsNotChecked", R"({"properties":{"a":{"multipleOf":0}}})", R"({"a":7})",
             "valid"},
        Case{"LengthCountsCharacters", R"({"properties":{"a":{"maxLength":2}}})", R"({"a":"äö"})",
             "valid"},
        Case{"MaxLength", R"({"properties":{"a":{"maxLength":2}}})", R"({"a":"abc"})",
             "maxLength@/a"},
        Case{"Pattern", R"({"properties":{"a":{"pattern":"^\\d{3}$"}}})", R"({"a":"12"})",
             "pattern@/a"},
        Case{"PatternHolds", R"({"properties":{"a":{"pattern":"^\\d{3}$"}}})", R"({"a":"123"})",
             "valid"},
        Case{"PatternIgnoresNumbers", R"({"properties":{"a":{"pattern":"x"}}})", R"({"a":1})",
             "valid"},
        Case{"LookAheadIsNotChecked", R"({"properties":{"a":{"pattern":"^(?=x)y"}}})",
             R"({"a":"z"})", "valid"},
        Case{"FormatIsNotChecked", R"({"properties":{"a":{"type":"string","format":"date"}}})",
             R"({"a":"soon"})", "valid"},
        Case{"AdditionalSchema", R"({"additionalProperties":{"type":"integer"}})", R"({"a":"x"})",
             "type@/a"},
        Case{"PatternPropertiesAreNotChecked",
             R"({"patternProperties":{"^x":{}},"additionalProperties":false})", R"({"y":1})",
             "valid"},
        Case{"PropertyNames", R"({"propertyNames":{"maxLength":2}})", R"({"abc":1})", "schema@"},
        Case{"MaxProperties", R"({"maxProperties":1})", R"({"a":1,"b":2})", "maxProperties@"},
        Case{"Dependencies", R"({"dependencies":{"a":["b"]}})", R"({"a":1})",
             "dependencies: member \"b\"@"},
        Case{"DependentSchema", R"({"dependencies":{"a":{"required":["b"]}}})", R"({"a":1})",
             "required member \"b\"@"},
        Case{"RequiredTrueInsideMemberIsIgnored",
             R"({"properties":{"a":{"type":"string","required":true}}})", "{}", "valid"},
        Case{"UnknownKeywordsAreIgnored",
             R"({"strict":true,"examples":[1],"title":7,"description":8,"$schema":"x"})", "{}",
             "valid"},
        Case{"IdChangesNothing",
             R"({"$id":"http://x/y","id":"http://z","properties":{"id":{"type":"string"}}})",
             R"({"id":1})", "type@/id"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Combinations, Draft7,
    ::testing::Values(Case{"AnyOf",
                           R"({"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}})",
                           R"({"a":null})", "valid"},
                      Case{"AnyOfFails",
                           R"({"properties":{"a":{"anyOf":[{"type":"string"},{"type":"null"}]}}})",
                           R"({"a":1})", "type@/a"},
                      Case{"OneOfTwice", R"({"oneOf":[{"type":"object"},{}]})", "{}", "oneOf@"},
                      Case{"AllOf", R"({"allOf":[{"required":["a"]},{"required":["b"]}]})",
                           R"({"a":1})", "required member \"b\"@"},
                      Case{"Not", R"({"not":{"required":["a"]}})", R"({"a":1})", "not@"},
                      Case{"IfThen", R"({"if":{"required":["a"]},"then":{"required":["b"]}})",
                           R"({"a":1})", "required member \"b\"@"},
                      Case{"IfElse", R"({"if":{"required":["a"]},"else":{"required":["b"]}})", "{}",
                           "required member \"b\"@"},
                      Case{"IfHolds", R"({"if":{"required":["a"]},"then":{"required":["b"]}})",
                           R"({"a":1,"b":2})", "valid"},
                      Case{"ThenWithoutIf", R"({"then":{"required":["b"]}})", "{}", "valid"},
                      Case{"EmptyAnyOf", R"({"anyOf":[]})", "{}", "unchecked"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    References, Draft7,
    ::testing::Values(
        Case{
            "Definitions",
            R"({"properties":{"a":{"$ref":"#/definitions/p"}},"definitions":{"p":{"type":"string"}}})",
            R"({"a":1})", "type@/a"},
        Case{"Defs", R"({"properties":{"a":{"$ref":"#/$defs/p"}},"$defs":{"p":{"type":"string"}}})",
             R"({"a":1})", "type@/a"},
        Case{
            "Chain",
            R"({"properties":{"a":{"$ref":"#/$defs/p"}},"$defs":{"p":{"$ref":"#/$defs/q"},"q":{"type":"string"}}})",
            R"({"a":1})", "type@/a"},
        Case{"ToAnotherMember",
             R"({"properties":{"a":{"$ref":"#/properties/b"},"b":{"if":{"type":"string"},
             "then":{"minLength":2}}}})",
             R"({"a":"x"})", "minLength@/a"},
        Case{"Escaped",
             R"({"properties":{"a":{"$ref":"#/$defs/x~1y"}},"$defs":{"x/y":{"type":"string"}}})",
             R"({"a":1})", "type@/a"},
        Case{"Recursive",
             R"({"type":"object","properties":{"next":{"$ref":"#"},"v":{"type":"integer"}}})",
             R"({"next":{"next":{"v":"x"}}})", "type@/next/next/v"},
        Case{
            "Tree",
            R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"kids":{"type":"array",
             "items":{"$ref":"#/$defs/n"}}},"required":["kids"]}}})",
            R"({"kids":[{"kids":[{}]}]})", "required member \"kids\"@/kids/0/kids/0"},
        Case{"Remote", R"({"$ref":"https://example.com/x.json"})", "{}", "unchecked"},
        Case{"Dangling", R"({"properties":{"a":{"$ref":"#/$defs/none"}}})", R"({"a":1})",
             "unchecked"},
        Case{"SelfLoop", R"({"$ref":"#"})", "{}", "unchecked"},
        Case{"TwoLoop",
             R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}})",
             "{}", "unchecked"},
        Case{"AllOfLoop", R"({"allOf":[{"$ref":"#"}]})", "{}", "unchecked"},
        Case{"NotLoop", R"({"properties":{"a":{"not":{"$ref":"#/properties/a"}}}})", R"({"a":1})",
             "unchecked"},
        Case{"IndirectLoop",
             R"({"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"oneOf":[{"$ref":"#"}]}}})", "{}",
             "unchecked"}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    NotASchema, Draft7,
    ::testing::Values(Case{"Text", R"("x")", "{}", "unchecked"},
                      Case{"Number", "1", "{}", "unchecked"},
                      Case{"BrokenJson", "{", "{}", "unchecked"},
                      Case{"Nothing", "", "{}", "unchecked"},
                      Case{"UnknownType", R"({"type":"any"})", "{}", "unchecked"},
                      Case{"PropertiesList", R"({"properties":[]})", "{}", "unchecked"},
                      Case{"NegativeCount", R"({"minItems":-1})", "{}", "unchecked"},
                      Case{"TextLimit", R"({"minimum":"1"})", "{}", "unchecked"},
                      Case{"MemberIsText", R"({"properties":{"a":"string"}})", "{}", "unchecked"}),
    CaseName);

std::string Repeat(const std::string& piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(CompiledSchema, RefusesDeepNesting) {
  EXPECT_EQ(
      CompiledSchema::Compile(Repeat(R"({"not":)", 100'000) + "{}" + std::string(100'000, '}')),
      nullptr);
  EXPECT_EQ(CompiledSchema::Compile(Repeat(R"({"items":)", 40) + "{}" + std::string(40, '}')),
            nullptr);
  EXPECT_EQ(CompiledSchema::Compile(Repeat(R"({"not":)", 20) + "{}" + std::string(20, '}')),
            nullptr);
  EXPECT_NE(CompiledSchema::Compile(Repeat(R"({"not":)", 12) + "{}" + std::string(12, '}')),
            nullptr);
}

TEST(CompiledSchema, CompilesALongChainOfReferencesOrRefusesIt) {
  for (int length : {30, 250, 900, 5000}) {
    std::string schema = R"({"properties":{"n":{"$ref":"#/$defs/d0"}},"$defs":{)";
    for (int i = 0; i < length; ++i) {
      absl::StrAppend(&schema, "\"d", i, R"(":{"properties":{"n":{"$ref":"#/$defs/d)",
                      (i + 1) % length, "\"}}},");
    }
    schema.back() = '}';
    schema += "}";
    const auto compiled = CompiledSchema::Compile(schema);
    EXPECT_EQ(compiled != nullptr, length <= 30) << length;
  }
}

TEST(CompiledSchema, CompilesLargeSchemasThatShareAFewDefinitions) {
  std::string schema = R"({"$defs":{"p":{"type":"string"},"q":{"type":"integer"}},"properties":{)";
  for (int i = 0; i < 900; ++i) {
    absl::StrAppend(&schema, "\"m", i, "\":{",
                    i % 3 == 0 ? "\"type\":\"string\"}," : R"("$ref":"#/$defs/q"},)");
  }
  schema.back() = '}';
  EXPECT_EQ(Outcome(schema + "}", R"({"m0":"x","m1":1,"m2":"x"})"), "type@/m2");
}

TEST(CompiledSchema, GivesUpOnExponentialWork) {
  // 2^40 looks at one value.
  std::string schema = R"({"anyOf":[{"$ref":"#/$defs/d0"}],"$defs":{)";
  for (int i = 0; i < 12; ++i) {
    absl::StrAppend(&schema, "\"d", i, "\":{\"anyOf\":[",
                    Repeat(absl::StrCat(R"({"$ref":"#/$defs/d)", i + 1, "\"},"), 10), "false]},");
  }
  schema += R"("d12":{"type":"integer"}}})";
  const auto compiled = CompiledSchema::Compile(schema);
  ASSERT_NE(compiled, nullptr);
  EXPECT_FALSE(compiled->Check(json::object(), 1).has_value());
}

TEST(CompiledSchema, GivesUpOnManyUniqueItems) {
  const auto compiled = CompiledSchema::Compile(R"({"properties":{"a":{"uniqueItems":true}}})");
  ASSERT_NE(compiled, nullptr);
  json value = {{"a", json::array()}};
  for (int i = 0; i < 100'000; ++i) value["a"].push_back(7);
  EXPECT_FALSE(compiled->Check(value, 2).has_value());
}

TEST(CompiledSchema, MatchesHostilePatternsInLinearTime) {
  const auto compiled = CompiledSchema::Compile(R"({"properties":{"a":{"pattern":"^(a+)+$"}}})");
  ASSERT_NE(compiled, nullptr);
  const json value = {{"a", std::string(100'000, 'a') + "!"}};
  EXPECT_TRUE(compiled->Check(value, 2).has_value());
}

TEST(CompiledSchema, AcceptsWhatWouldNeedTooMuchStack) {
  const auto compiled = CompiledSchema::Compile(
      Repeat(R"({"allOf":[)", 14) + R"({"properties":{"a":{"$ref":"#"}},"required":["z"]})" +
      Repeat("]}", 14));
  ASSERT_NE(compiled, nullptr);
  EXPECT_FALSE(compiled->Check(json::object(), 60).has_value());
  EXPECT_TRUE(compiled->Check(json::object(), 1).has_value());
}

TEST(CompiledSchema, ChecksTheDeepestValueItAccepts) {
  const auto compiled = CompiledSchema::Compile(
      R"({"allOf":[{"allOf":[{"allOf":[{"properties":{"a":{"$ref":"#"}}}]}]}],"properties":{"z":{"type":"null"}}})");
  ASSERT_NE(compiled, nullptr);
  json value = {{"z", 1}};
  for (int i = 1; i < kMaxValueDepth - 1; ++i) value = json{{"a", value}};
  EXPECT_TRUE(compiled->Check(value, kMaxValueDepth).has_value());
}

TEST(CompiledSchema, BoundsNamesInTheDetail) {
  const auto compiled = CompiledSchema::Compile(R"({"additionalProperties":false})");
  json value;
  value[std::string(5000, 'n') + "\n"] = 1;
  const auto fault = compiled->Check(value, 2);
  ASSERT_TRUE(fault.has_value());
  EXPECT_LT(fault->what.size(), 150u);
}

TEST(NestsDeeperThan, CountsBracketsOutsideStrings) {
  EXPECT_FALSE(NestsDeeperThan(R"({"a":[1,{"b":"[[[[\"[["}]})", 3));
  EXPECT_TRUE(NestsDeeperThan(R"({"a":[1,{"b":1}]})", 2));
  EXPECT_FALSE(NestsDeeperThan("[][][][]", 1));
}

}  // namespace
}  // namespace signalbox::provider_adapter
