#include "common/json/writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/unit/json/random_json.h"

namespace signalbox::json {
namespace {

TEST(Writer, PutsCommasWhereTheyBelong) {
  Writer w;
  w.BeginObject()
      .Key("id")
      .String("x")
      .Key("n")
      .Int(-3)
      .Key("list")
      .BeginArray()
      .Int(1)
      .UInt(2)
      .BeginObject()
      .EndObject();
  w.BeginArray()
      .EndArray()
      .EndArray()
      .Key("t")
      .Bool(true)
      .Key("z")
      .Null()
      .Key("r")
      .Raw("{\"a\":1}")
      .EndObject();
  EXPECT_EQ(std::move(w).Take(),
            R"({"id":"x","n":-3,"list":[1,2,{},[]],"t":true,"z":null,"r":{"a":1}})");
}

TEST(Writer, AStringThatEndsInABraceDoesNotConfuseIt) {
  Writer w;
  w.BeginArray().String("{").String(",").String(":").EndArray();
  EXPECT_EQ(w.text(), R"(["{",",",":"])");
}

TEST(Writer, DoublesReadBackEqual) {
  for (double value : {0.0, 1.0, -0.1, 1e300, 5e-324, 0.30000000000000004, 123456789.125}) {
    Writer w;
    w.Double(value);
    EXPECT_EQ(std::strtod(w.text().c_str(), nullptr), value);
    EXPECT_EQ(nlohmann::json::parse(w.text()).get<double>(), value);
  }
  Writer w;
  w.BeginArray().Double(NAN).Double(INFINITY).EndArray();
  EXPECT_EQ(w.text(), "[null,null]");
}

TEST(AppendQuoted, EscapesWhatMustBe) {
  EXPECT_EQ(Quoted(absl::string_view("a\"\\\n\r\t\b\f\0\x1f/é", 13)),
            "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0000\\u001f/é\"");
}

TEST(AppendQuoted, InvalidUtf8BecomesTheReplacementCharacter) {
  EXPECT_EQ(Quoted("a\xff"
                   "b\xe2\x82"),
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(Quoted("\xed\xa0\x80é"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdé\"");
}

TEST(AppendQuoted, AnyBytesGiveValidJson) {
  constexpr uint64_t kSeed = 99;
  Rng rng(kSeed);
  for (int round = 0; round < 5000; ++round) {
    const std::string quoted = Quoted(RandomText(rng));
    EXPECT_TRUE(nlohmann::json::accept(quoted)) << quoted << " seed " << kSeed;
  }
}

}  // namespace
}  // namespace signalbox::json
