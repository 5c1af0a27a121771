// The shipped suite, and what a suite may not hold.
#include "services/signalbox/benchmark/suite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "services/provider-adapter/core/tool_validation.h"
#include "services/signalbox/benchmark/argument_path.h"
#include "services/signalbox/benchmark/grader.h"
#include "services/signalbox/benchmark/prompt.h"

namespace signalbox::benchmark {
namespace {

using config::v1::BenchmarkCase;
using config::v1::BenchmarkSuite;
using config::v1::ExpectedArgument;
using nlohmann::json;
using ::testing::HasSubstr;

constexpr char kShipped[] = "deploy/benchmark/tool-calling.yaml";

// Texts of which one fits each regular expression of the shipped suite.
constexpr const char* kTexts[] = {"Water the plants",
                                  "Alexanderplatz, Berlin",
                                  "2026-03-13T09:00",
                                  "2026-03-16T06:45",
                                  "Budget review",
                                  "pt",
                                  "Stand-up",
                                  "9:15",
                                  "near Piazza Navona",
                                  "ines.prado@example.org",
                                  "Your badge is ready.",
                                  "Take the bins out",
                                  "Dinner is at eight.",
                                  "Geneva",
                                  "Rue Haute 12",
                                  "2.14.0",
                                  "Consulting",
                                  "Licence",
                                  "30 4 * * *",
                                  "We have moved."};

json* Place(json* root, const std::string& path) {
  json* place = root;
  const std::vector<PathStep> steps = ParsePath(path).value();
  for (const PathStep& step : steps)
    place = step.member.empty() ? &(*place)[step.index] : &(*place)[step.member];
  return place;
}

json ValueFor(const ExpectedArgument& expected) {
  switch (expected.value_case()) {
    case ExpectedArgument::kText:
      return expected.text();
    case ExpectedArgument::kNumber:
      if (expected.number() == static_cast<int64_t>(expected.number()))
        return static_cast<int64_t>(expected.number());
      return expected.number();
    case ExpectedArgument::kBoolean:
      return expected.boolean();
    case ExpectedArgument::kJson:
      return json::parse(expected.json());
    case ExpectedArgument::kOneOf:
      return expected.one_of().values(0);
    case ExpectedArgument::kSet:
      return std::vector<std::string>(expected.set().values().begin(),
                                      expected.set().values().end());
    default:
      break;
  }
  for (const char* text : kTexts) {
    if (re2::RE2::FullMatch(text, expected.regex())) return text;
  }
  ADD_FAILURE() << "no text of the test matches " << expected.regex();
  return nullptr;
}

Answer RightAnswer(const BenchmarkCase& item) {
  Answer answer;
  if (item.calls().empty()) answer.text = "There is nothing to call here.";
  for (const auto& call : item.calls()) {
    json arguments = json::object();
    for (const ExpectedArgument& expected : call.arguments()) {
      if (!expected.absent()) *Place(&arguments, expected.path()) = ValueFor(expected);
    }
    // What the suite leaves open but the schema of a pipeline demands.
    if (call.tool() == "define_pipeline") {
      for (json& step : arguments["steps"]) step.emplace("depends_on", json::array());
    }
    answer.calls.push_back({call.tool(), arguments.dump()});
  }
  return answer;
}

BenchmarkSuite Shipped() {
  const auto suite = LoadSuite(kShipped);
  EXPECT_TRUE(suite.ok()) << suite.status();
  return suite.ok() ? *suite : BenchmarkSuite();
}

TEST(ShippedSuite, HoldsSixtyCasesOfSixKinds) {
  const BenchmarkSuite suite = Shipped();
  EXPECT_GE(suite.cases_size(), 60);
  std::map<std::string, int> kinds;
  for (const BenchmarkCase& item : suite.cases()) ++kinds[KindName(item.kind())];
  EXPECT_EQ(kinds.size(), 6u);
  for (const auto& [kind, count] : kinds) EXPECT_GE(count, 8) << kind;
}

TEST(ShippedSuite, RightAnswersPassAndFollowTheSchemas) {
  const BenchmarkSuite suite = Shipped();
  provider_adapter::ToolSetCache tools;
  for (const BenchmarkCase& item : suite.cases()) {
    const Answer answer = RightAnswer(item);
    const Grade grade = GradeAnswer(item, answer);
    EXPECT_TRUE(grade.passed) << item.id() << ": " << grade.reason;
    provider_adapter::AnswerFacts facts;
    for (const Call& call : answer.calls) {
      facts.tool_calls.emplace_back();
      facts.tool_calls.back().name = call.tool;
      facts.tool_calls.back().arguments = call.arguments;
      facts.tool_calls.back().id = absl::StrCat("c", facts.tool_calls.size());
    }
    facts.finish_reason = answer.calls.empty() ? "stop" : "tool_calls";
    const auto set = tools.Get(RequestBody(suite, item, {"m", "p"}));
    ASSERT_NE(set, nullptr) << item.id();
    const auto verdict = set->Judge(facts);
    EXPECT_LT(verdict.verdict, common::v1::TOOL_CALL_VERDICT_INVALID_JSON)
        << item.id() << ": " << verdict.detail;
  }
}

TEST(ShippedSuite, SpoiltAnswersFail) {
  const BenchmarkSuite suite = Shipped();
  for (const BenchmarkCase& item : suite.cases()) {
    Answer extra = RightAnswer(item);
    extra.calls.push_back({item.tools(0), "{}"});
    EXPECT_FALSE(GradeAnswer(item, extra).passed) << item.id() << " with a call too many";
    if (item.calls().empty()) continue;
    EXPECT_FALSE(GradeAnswer(item, {"I would rather not.", {}, 0}).passed) << item.id();
    Answer truncated = RightAnswer(item);
    truncated.calls[0].arguments.pop_back();
    EXPECT_FALSE(GradeAnswer(item, truncated).passed) << item.id() << " with truncated JSON";
    Answer empty = RightAnswer(item);
    empty.calls[0].arguments = "{}";
    EXPECT_FALSE(GradeAnswer(item, empty).passed) << item.id() << " without arguments";
  }
}

TEST(ShippedSuite, PromptsAreTheSameForTheSameSeedAndSayNothingElse) {
  const BenchmarkSuite suite = Shipped();
  for (const BenchmarkCase& item : suite.cases()) {
    PromptOptions options{"m", "p"};
    const std::string body = RequestBody(suite, item, options);
    EXPECT_EQ(body, RequestBody(suite, item, options));
    EXPECT_TRUE(json::accept(body)) << item.id();
    EXPECT_EQ(json::parse(body)["provider"].dump(), R"({"allow_fallbacks":false,"order":["p"]})");
    EXPECT_EQ(body.find("{{"), std::string::npos) << item.id();
    options.seed = 2;
    if (item.kind() != config::v1::BENCHMARK_KIND_LONG_CONTEXT) continue;
    EXPECT_NE(body, RequestBody(suite, item, options)) << item.id();
  }
}

TEST(Filler, HasTheLengthAskedForAndNoDigit) {
  for (const size_t length : {0, 1, 100, 40'000}) {
    const std::string text = Filler(length, 7);
    EXPECT_EQ(text.size(), length);
    EXPECT_EQ(text.find_first_of("0123456789"), std::string::npos);
  }
  EXPECT_NE(Filler(500, 1), Filler(500, 2));
  const std::string mixed = WithFiller("a {{filler 10}} b {{filler 20}} c", 1);
  EXPECT_EQ(mixed.size(), std::string("a  b  c").size() + 30);
}

TEST(Suite, ReportsEveryProblemWithItsLine) {
  const auto suite = ParseSuite(R"(name: "bad name"
tools:
  - {name: f, parameters: '{"type": "object"'}
cases:
  - id: one
    kind: right_tool
    tools: [g]
    tool_choice: perhaps
    messages: [{role: robot, content: x}]
    calls:
      - tool: f
        arguments: [{path: "a[", text: x}, {path: b, regex: "("}, {path: c}]
  - id: one
    kind: no_call
    tools: [f]
    messages: [{role: user, content: x}]
    calls: [{tool: f}]
)",
                                "suite.yaml");
  ASSERT_FALSE(suite.ok());
  const std::string problems(suite.status().message());
  for (const char* expected :
       {"suite.yaml:1", "name: 1 to 64", "tools[0].parameters: is no JSON object",
        "cases[0].tools: unknown tool g", "cases[0].tool_choice", "cases[0].messages[0].role",
        "cases[0].calls[0].tool: is not among", "suite.yaml:12", "arguments[0].path",
        "arguments[1].regex", "arguments[2]: says nothing", "cases[1].id: missing, or given twice",
        "cases[1]: calls are expected exactly where"}) {
    EXPECT_THAT(problems, HasSubstr(expected));
  }
  EXPECT_THAT(std::string(ParseSuite("name: x\ncase: []\n", "s.yaml").status().message()),
              HasSubstr("did you mean cases?"));
}

}  // namespace
}  // namespace signalbox::benchmark
