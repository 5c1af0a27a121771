#include "common/json/parse.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"

namespace signalbox::json {
namespace {

std::string Nested(int depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); }

TEST(Parser, ReadsAnObject) {
  Parser parser;
  auto root = parser.Parse(R"({"a":[1,"é"],"b":null})");
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(int64_t((*root)["a"].at(0)), 1);
  EXPECT_TRUE((*root)["b"].is_null());
}

TEST(Parser, AcceptsTheDeepestAllowedNestingAndNotOneMore) {
  Parser parser(ParseLimits{.max_depth = 8});
  EXPECT_TRUE(parser.Parse(Nested(8)).ok());
  auto too_deep = parser.Parse(Nested(9));
  EXPECT_EQ(too_deep.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(too_deep.status().message(), "nested too deeply"));
  EXPECT_FALSE(parser.Parse(std::string(100'000, '[')).ok());
}

TEST(Parser, ChangedLimitsHoldForTheNextText) {
  Parser parser;
  EXPECT_TRUE(parser.Parse(Nested(20)).ok());
  parser.set_limits({.max_depth = 4, .max_bytes = 50});
  EXPECT_FALSE(parser.Parse(Nested(20)).ok());
  EXPECT_FALSE(parser.Parse("\"" + std::string(60, 'a') + "\"").ok());
}

TEST(Parser, RefusesWhatIsNotJson) {
  Parser parser;
  for (const char* text :
       {"", " ", "{", "{\"a\":}", "{\"a\":1,}", "[1 2]", "nul", "01", "\"\x01\"", "\"\xff\"",
        "{} {}", "1e999", "{\"a\" 1}", "\"\\ud800\"", "'a'", "\xef\xbb\xbf"}) {
    auto result = parser.Parse(text);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(Parser, NeverQuotesTheText) {
  Parser parser;
  auto result = parser.Parse(R"({"secret-prompt": tru})");
  ASSERT_FALSE(result.ok());
  EXPECT_FALSE(absl::StrContains(result.status().message(), "secret"));
}

TEST(Parser, WorksAgainAfterAFailureAndAfterAHugeText) {
  Parser parser;
  EXPECT_FALSE(parser.Parse("{").ok());
  EXPECT_TRUE(parser.Parse("\"" + std::string(3'000'000, 'x') + "\"").ok());
  EXPECT_TRUE(parser.Parse("[1]").ok());
}

TEST(CheckNoDuplicateMembers, NamesTheFirstOneInSmallAndLargeObjects) {
  Parser parser;
  auto small = parser.Parse(R"({"a":1,"b":{"a":1},"a":2})");
  ASSERT_TRUE(small.ok());
  EXPECT_TRUE(absl::StrContains(CheckNoDuplicateMembers(small->get_object()).message(), "\"a\""));
  std::string many = "{";
  for (int i = 0; i < 100; ++i) many += "\"m" + std::to_string(i) + "\":0,";
  auto unique = parser.Parse(many + "\"z\":0}");
  ASSERT_TRUE(unique.ok());
  EXPECT_TRUE(CheckNoDuplicateMembers(unique->get_object()).ok());
  auto twice = parser.Parse(many + "\"m7\":0}");
  ASSERT_TRUE(twice.ok());
  EXPECT_TRUE(absl::StrContains(CheckNoDuplicateMembers(twice->get_object()).message(), "\"m7\""));
}

TEST(CheckNoDuplicateMembers, SeesThroughEscapes) {
  Parser parser;
  auto root = parser.Parse(R"({"model":1,"\u006dodel":2})");
  ASSERT_TRUE(root.ok());
  EXPECT_FALSE(CheckNoDuplicateMembers(root->get_object()).ok());
}

}  // namespace
}  // namespace signalbox::json
