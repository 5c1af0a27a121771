#include "services/signalbox/benchmark/grader.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "services/signalbox/benchmark/argument_path.h"
#include "services/signalbox/benchmark/suite.h"

namespace signalbox::benchmark {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A case with one or more expected calls of f, given as text format of ExpectedCall's arguments.
config::v1::BenchmarkCase CaseOf(const std::vector<std::string>& calls) {
  config::v1::BenchmarkCase item;
  for (const std::string& call : calls) {
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(call, item.add_calls()));
    item.mutable_calls()->rbegin()->set_tool("f");
  }
  return item;
}

Grade GradeCalls(const std::vector<std::string>& expected, const std::vector<Call>& calls) {
  Answer answer;
  answer.calls = calls;
  return GradeAnswer(CaseOf(expected), answer);
}

bool Passes(const std::string& expected, const std::string& arguments) {
  return GradeCalls({expected}, {{"f", arguments}}).passed;
}

TEST(Grader, NumbersAreComparedWithTolerance) {
  const std::string expected = R"(arguments { path: "a" number: 2.5 tolerance: 0.1 })";
  EXPECT_TRUE(Passes(expected, R"({"a": 2.5})"));
  EXPECT_TRUE(Passes(expected, R"({"a": 2.6})"));
  EXPECT_FALSE(Passes(expected, R"({"a": 2.7})"));
  EXPECT_FALSE(Passes(expected, R"({"a": "2.5"})"));
  EXPECT_TRUE(Passes(R"(arguments { path: "a" number: 4 })", R"({"a": 4.0})"));
}

TEST(Grader, TextIsExactUnlessCaseIsIgnored) {
  EXPECT_TRUE(Passes(R"(arguments { path: "a" text: "Oslo" })", R"({"a": " Oslo"})"));
  EXPECT_FALSE(Passes(R"(arguments { path: "a" text: "Oslo" })", R"({"a": "oslo"})"));
  EXPECT_TRUE(
      Passes(R"(arguments { path: "a" text: "Oslo" ignore_case: true })", R"({"a": "OSLO"})"));
  EXPECT_FALSE(Passes(R"(arguments { path: "a" text: "1" })", R"({"a": 1})"));
  EXPECT_TRUE(Passes(R"(arguments { path: "a" one_of { values: ["x", "y"] } })", R"({"a": "y"})"));
  EXPECT_FALSE(Passes(R"(arguments { path: "a" one_of { values: ["x", "y"] } })", R"({"a": "z"})"));
}

TEST(Grader, RegexCoversTheWholeText) {
  EXPECT_TRUE(Passes(R"(arguments { path: "a" regex: "0?9:15" })", R"({"a": "09:15"})"));
  EXPECT_FALSE(Passes(R"(arguments { path: "a" regex: "0?9:15" })", R"({"a": "09:15:00"})"));
}

TEST(Grader, SetsAndJsonDoNotCareForOrder) {
  EXPECT_TRUE(
      Passes(R"(arguments { path: "a" set { values: ["x", "y"] } })", R"({"a": ["y", "x"]})"));
  EXPECT_FALSE(
      Passes(R"(arguments { path: "a" set { values: ["x", "y"] } })", R"({"a": ["x", "y", "y"]})"));
  EXPECT_TRUE(Passes(R"(arguments { path: "a" set { values: ["1", "2"] } })", R"({"a": [2, 1]})"));
  const std::string expected = R"(arguments { path: "a" json: '{"b": 1, "c": [true, null]}' })";
  EXPECT_TRUE(Passes(expected, R"({"a": {"c": [true, null], "b": 1.0}})"));
  EXPECT_FALSE(Passes(expected, R"({"a": {"c": [null, true], "b": 1}})"));
  EXPECT_FALSE(Passes(expected, R"({"a": {"c": [true, null], "b": 1, "d": 2}})"));
}

TEST(Grader, ArgumentsNobodyAskedForAreWrongUnlessAllowed) {
  const std::string expected = R"(arguments { path: "a.b[1]" boolean: true })";
  EXPECT_TRUE(Passes(R"(arguments { path: "a" json: '{"b": [1]}' })", R"({"a": {"b": [1]}})"));
  EXPECT_FALSE(Passes(expected, R"({"a": {"b": [false, true]}})"));
  EXPECT_TRUE(Passes(expected + " others_allowed: true", R"({"a": {"b": [false, true]}})"));
  EXPECT_TRUE(Passes(expected, R"({"a": {"b": [null, true], "c": {}}})"));  // says nothing more
  EXPECT_THAT(GradeCalls({expected}, {{"f", R"({"a":{"b":[null,true]},"x":[{"y":1}]})"}}).reason,
              HasSubstr("x[0].y was not asked for"));
}

TEST(Grader, MissingOptionalAndAbsent) {
  EXPECT_FALSE(Passes(R"(arguments { path: "a" number: 1 })", "{}"));
  EXPECT_TRUE(Passes(R"(arguments { path: "a" number: 1 optional: true })", "{}"));
  EXPECT_TRUE(Passes(R"(arguments { path: "a" number: 1 optional: true })", R"({"a": null})"));
  EXPECT_FALSE(Passes(R"(arguments { path: "a" number: 1 optional: true })", R"({"a": 2})"));
  EXPECT_TRUE(Passes(R"(arguments { path: "a" absent: true })", ""));
  EXPECT_FALSE(Passes(R"(arguments { path: "a" absent: true })", R"({"a": 2})"));
}

TEST(Grader, BrokenArgumentsAreWrong) {
  for (const char* arguments : {"{\"a\": 1", "[1]", "1", "{\"a\": 1}{\"a\": 1}", "null"})
    EXPECT_FALSE(Passes(R"(arguments { path: "a" number: 1 })", arguments)) << arguments;
}

TEST(Grader, ParallelCallsMatchInAnyOrderEachOnce) {
  const std::vector<std::string> expected = {R"(arguments { path: "a" number: 1 tolerance: 5 })",
                                             R"(arguments { path: "a" number: 1 })"};
  // The second call fits both; only one assignment works.
  EXPECT_TRUE(GradeCalls(expected, {{"f", R"({"a":1})"}, {"f", R"({"a":3})"}}).passed);
  EXPECT_TRUE(GradeCalls(expected, {{"f", R"({"a":3})"}, {"f", R"({"a":1})"}}).passed);
  EXPECT_FALSE(GradeCalls(expected, {{"f", R"({"a":3})"}, {"f", R"({"a":3})"}}).passed);
  EXPECT_EQ(GradeCalls(expected, {{"f", R"({"a":1})"}}).reason, "1 calls instead of 2");
}

TEST(Grader, ToolMustBeTheRightOne) {
  const Grade grade = GradeCalls({""}, {{"g", "{}"}});
  EXPECT_FALSE(grade.passed);
  EXPECT_EQ(grade.reason, "called g instead of f");
  EXPECT_EQ(GradeCalls({""}, {}).reason, "called nothing");
}

TEST(Grader, NoCallMeansWordsAndNothingElse) {
  const auto grade = [](Answer answer) { return GradeAnswer(CaseOf({}), answer); };
  EXPECT_TRUE(grade({"A share is a part of a company.", {}, 0}).passed);
  EXPECT_FALSE(grade({"", {{"f", "{}"}}, 0}).passed);
  EXPECT_FALSE(grade({"  ", {}, 0}).passed);
  EXPECT_FALSE(grade({"<tool_call>{\"name\": \"f\"}</tool_call>", {}, 0}).passed);
}

TEST(ReadAnswer, TakesCallsTextAndCost) {
  const auto answer =
      ReadAnswer(R"({"id": "gen-1", "choices": [{"index": 0, "finish_reason": "tool_calls",
    "message": {"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
    "function": {"name": "f", "arguments": "{\"a\": 1}"}}]}}], "usage": {"cost": 0.0025}})");
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->calls.size(), 1u);
  EXPECT_EQ(answer->calls[0].tool, "f");
  EXPECT_EQ(answer->calls[0].arguments, R"({"a": 1})");
  EXPECT_DOUBLE_EQ(answer->cost_usd, 0.0025);
  EXPECT_FALSE(ReadAnswer(R"({"error": {"code": 502, "message": "x"}})").ok());
  EXPECT_FALSE(ReadAnswer("<html>").ok());
}

TEST(ArgumentPath, IsReadOrRefused) {
  const auto path = ParsePath("a.b[2].c");
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(path->size(), 4u);
  EXPECT_EQ((*path)[2].index, 2u);
  for (const char* bad : {"", ".", "a.", "a..b", "a[", "a[x]", "a.[0]", "a[-1]"})
    EXPECT_FALSE(ParsePath(bad).ok()) << bad;
}

}  // namespace
}  // namespace signalbox::benchmark
