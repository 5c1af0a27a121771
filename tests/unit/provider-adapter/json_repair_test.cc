#include "services/provider-adapter/core/json_repair.h"

#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

struct Mended {
  std::string broken;
  std::string expected;  // as JSON, compared by value
};

TEST(JsonRepair, MendsWhatCanBeReadInOneWay) {
  const std::vector<Mended> table = {
      {"", "{}"},
      {" \n", "{}"},
      {"null", "{}"},
      {"None", "{}"},
      {R"({"a":1,})", R"({"a":1})"},
      {R"({"a":[1,2,],})", R"({"a":[1,2]})"},
      {R"({'city': 'Paris'})", R"({"city":"Paris"})"},
      {R"({'say': '"hi"'})", R"({"say":"\"hi\""})"},
      {R"({'say': 'it\'s'})", R"({"say":"it's"})"},
      {R"({"say": "it\'s"})", R"({"say":"it's"})"},
      {R"({"a": True, "b": False, "c": None})", R"({"a":true,"b":false,"c":null})"},
      {R"({city: "Paris", max_2: 3})", R"({"city":"Paris","max_2":3})"},
      {"{\"code\":\"a\nb\tc\"}", R"({"code":"a\nb\tc"})"},
      {R"({"a":"x")", R"({"a":"x"})"},
      {R"({"a":{"b":["x")", R"({"a":{"b":["x"]}})"},
      {R"({"a":true)", R"({"a":true})"},
      {"{\"a\":12 ", R"({"a":12})"},
      {R"({"a":{"b":1})", R"({"a":{"b":1}})"},
      {R"({"a":[1,2})", R"({"a":[1,2]})"},
      {R"({"a":[{"b":1],"c":2})", R"({"a":[{"b":1}],"c":2})"},
      {R"({"a":1}})", R"({"a":1})"},
      {R"({"a":1}]})", R"({"a":1})"},
      {"```json\n{\"a\":1}\n```", R"({"a":1})"},
      {"```\n{\"a\":1}", R"({"a":1})"},
      {"```{\"a\":1}```", R"({"a":1})"},
      {R"({"a":1}</tool_call>)", R"({"a":1})"},
      {R"({"a":1} That is all.)", R"({"a":1})"},
      {R"({"a":1}{"a":1})", R"({"a":1})"},
      {"{\"a\":1}\n{ \"a\" : 1 }", R"({"a":1})"},
      {R"("{\"city\":\"Paris\"}")", R"({"city":"Paris"})"},
      {R"("{'city':'Paris'}")", R"({"city":"Paris"})"},
      {"\xEF\xBB\xBF{\"a\":1}", R"({"a":1})"},
      {R"({"a":-1.5e+3,})", R"({"a":-1.5e3})"},
      {R"({"a":"\u00e9",})", R"({"a":"é"})"},
      {R"({"a":123456789012345678901234567890,})", R"({"a":123456789012345678901234567890})"},
  };
  for (const Mended& entry : table) {
    const absl::optional<std::string> repaired = RepairArguments(entry.broken);
    ASSERT_TRUE(repaired.has_value()) << entry.broken;
    const json value = json::parse(*repaired, nullptr, false);
    ASSERT_FALSE(value.is_discarded()) << entry.broken << " -> " << *repaired;
    EXPECT_EQ(value, json::parse(entry.expected)) << entry.broken << " -> " << *repaired;
  }
}

TEST(JsonRepair, RefusesWhateverWouldHaveToBeGuessed) {
  const std::vector<std::string> table = {
      R"({"city":"Par)",          // the text may have been longer
      R"({"city":"Paris\)",       // in the middle of an escape
      R"({"count":12)",           // may have been 123
      R"({"list":[1,2)",          // the same
      R"({"a":tru)",              // half a word
      R"({"a":)",                 // no value
      R"({"a")",                  // no value
      R"({"a":1,)",               // something was to follow
      R"({"a":["x",)",            // the same
      R"({"a":1,"b)",             // half a name
      "{",                        // nothing of what was to come
      R"({"a":})",                // no value
      R"({"a":,"b":1})",          // no value
      R"({"a" 1})",               // no colon
      R"({"a":1 "b":2})",         // no comma
      R"({,"a":1})",              // a member is missing
      R"({"a":1,,"b":2})",        // the same
      R"("a":1})",                // no opening brace
      R"({"a":1}{"b":2})",        // two calls in one
      R"({"a":1},{"a":1})",       // a list without brackets
      R"({"a":{"b":1}},"c":2})",  // closed too early
      R"({"a":1} {"b":)",         // another object began
      R"({"a":1} "b": 2)",        // more members
      R"([{"a":1}])",             // a list
      R"("Paris")",               // a text
      R"("{\"city\":\"Par")",     // a text cut inside an object
      "12",
      "true",
      "Paris",                       //
      R"({'it's': 1})",              // where does the name end?
      R"({"a": undefined})",         //
      R"({"a": NaN})",               //
      R"({"a": -})",                 //
      R"({"a": .5})",                //
      R"({"a": 1.})",                //
      R"({"a": 007})",               //
      R"({"a": 12px})",              //
      R"({"a": Paris})",             // a word without quotes
      R"({"re": "\d+"})",            // which backslash was meant?
      R"({"a": "\u12"})",            //
      R"({"text":"he said "hi""})",  // which quote ends it?
      R"({"a":(1)})",                //
      "Sure! {\"a\":1}",             // words first
      "```",                         // a fence around nothing
  };
  for (const std::string& broken : table)
    EXPECT_FALSE(RepairArguments(broken).has_value())
        << broken << " -> " << *RepairArguments(broken);
}

// Whatever a cut leaves: every member that comes out is one that went in, with the same value.
void ExpectPartOf(const json& part, const json& whole, const std::string& where) {
  if (part.is_object()) {
    ASSERT_TRUE(whole.is_object()) << where;
    for (const auto& [name, value] : part.items()) {
      ASSERT_TRUE(whole.contains(name)) << where;
      ExpectPartOf(value, whole[name], where);
    }
  } else if (part.is_array()) {
    ASSERT_TRUE(whole.is_array() && part.size() <= whole.size()) << where;
    for (size_t i = 0; i < part.size(); ++i) ExpectPartOf(part[i], whole[i], where);
  } else {
    EXPECT_EQ(part, whole) << where;
  }
}

TEST(JsonRepair, NeverInventsAValueWhereverTheTextIsCut) {
  const std::string text =
      R"({"city":"Par\"is","days":[10,200,-3.5e2],"deep":{"flag":true,"none":null,"s":["a",{"b":1}]},"n":12345})";
  const json whole = json::parse(text);
  int mended = 0;
  for (size_t cut = 1; cut < text.size(); ++cut) {
    const absl::optional<std::string> repaired = RepairArguments(text.substr(0, cut));
    if (!repaired.has_value()) continue;
    ++mended;
    const json value = json::parse(*repaired, nullptr, false);
    ASSERT_FALSE(value.is_discarded()) << *repaired;
    ExpectPartOf(value, whole, text.substr(0, cut));
  }
  EXPECT_GT(mended, 5);
}

TEST(JsonRepair, LeavesAValidObjectAsItIs) {
  const std::string text = R"({"a":"b","c":[1,2.50,{"d":null}],"é":"\u00e9"})";
  EXPECT_EQ(RepairArguments(text), text);
}

TEST(JsonRepair, BoundsDepthAndSize) {
  EXPECT_TRUE(RepairArguments("{\"a\":" + std::string(100, '[') + std::string(100, ']') + ",}"));
  EXPECT_FALSE(RepairArguments("{\"a\":" + std::string(200, '[') + std::string(200, ']') + ",}"));
  EXPECT_FALSE(RepairArguments("{\"a\":\"" + std::string(2 * 1024 * 1024, 'x') + "\",}"));
}

}  // namespace
}  // namespace signalbox::provider_adapter
