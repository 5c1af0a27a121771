#include "services/signalbox/benchmark/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "services/signalbox/benchmark/discovery.h"
#include "services/signalbox/benchmark/report.h"
#include "services/signalbox/benchmark/runner.h"

namespace signalbox::benchmark {
namespace {

using Kind = Finding::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

config::v1::BenchmarkSuite SuiteOf(int cases) {
  config::v1::BenchmarkSuite suite;
  suite.set_name("s");
  for (int i = 0; i < cases; ++i) {
    suite.add_cases()->set_id(absl::StrCat("case", i));
    suite.mutable_cases(i)->set_kind(config::v1::BENCHMARK_KIND_NESTED);
  }
  return suite;
}

std::vector<Endpoint> Endpoints(int n) {
  std::vector<Endpoint> endpoints;
  for (int i = 0; i < n; ++i)
    endpoints.push_back({absl::StrCat("m@p", i), "m", absl::StrCat("p", i)});
  return endpoints;
}

// Answers everything in the order asked.
template <typename Answer>
void RunAll(Plan* plan, Answer answer) {
  while (!plan->finished()) {
    std::vector<Task> tasks;
    while (const auto task = plan->Next()) tasks.push_back(*task);
    if (tasks.empty()) break;
    for (const Task& task : tasks) plan->Done(task, answer(task));
  }
}

TEST(Plan, AsksEveryCaseOfEveryEndpointAsOftenAsWanted) {
  const auto suite = SuiteOf(5);
  PlanOptions options;
  options.repeat = 2;
  Plan plan(suite, Endpoints(3), options);
  RunAll(&plan, [](const Task& task) {
    return Finding{task.endpoint == 1 ? Kind::kFailed : Kind::kPassed, "wrong", 10};
  });
  EXPECT_TRUE(plan.finished());
  EXPECT_EQ(plan.requests(), 30);
  EXPECT_EQ(plan.cost_nano(), 300);
  for (const EndpointResult& result : plan.results()) {
    EXPECT_EQ(result.total, 10);
    EXPECT_THAT(result.cases, SizeIs(5));
    EXPECT_EQ(result.kinds.at("nested").total, 10);
  }
  EXPECT_EQ(plan.results()[0].passed, 10);
  EXPECT_EQ(plan.results()[1].passed, 0);
  EXPECT_THAT(plan.results()[1].misses, SizeIs(10));
}

TEST(Plan, KeepsToItsConcurrency) {
  const auto suite = SuiteOf(5);
  PlanOptions options;
  options.concurrency = 2;
  Plan plan(suite, Endpoints(3), options);
  const auto first = plan.Next();
  ASSERT_TRUE(first && plan.Next());
  EXPECT_FALSE(plan.Next());
  plan.Done(*first, {Kind::kPassed, "", 0});
  EXPECT_TRUE(plan.Next());
}

TEST(Plan, BudgetEndsItWithEveryEndpointAskedTheSame) {
  const auto suite = SuiteOf(50);
  PlanOptions options;
  options.budget_nano = 1'200;
  options.concurrency = 1;
  Plan plan(suite, Endpoints(4), options);
  RunAll(&plan, [](const Task&) { return Finding{Kind::kPassed, "", 100}; });
  plan.Next();
  EXPECT_TRUE(plan.finished());
  EXPECT_EQ(plan.cost_nano(), 1'200);
  EXPECT_EQ(plan.stopped(), "the budget is spent");
  for (const EndpointResult& result : plan.results()) EXPECT_EQ(result.total, 3);
}

TEST(Plan, BudgetCountsWhatIsUnderWay) {
  const auto suite = SuiteOf(50);
  PlanOptions options;
  options.budget_nano = 1'000;
  options.concurrency = 8;
  Plan plan(suite, Endpoints(1), options);
  plan.Done(*plan.Next(), {Kind::kPassed, "", 400});
  EXPECT_TRUE(plan.Next());
  EXPECT_TRUE(plan.Next());
  EXPECT_FALSE(plan.Next()) << "400 spent and 800 under way";
}

TEST(Plan, StopsAfterSoManyRequestsOrWhenTold) {
  const auto suite = SuiteOf(50);
  PlanOptions options;
  options.max_requests = 7;
  Plan plan(suite, Endpoints(2), options);
  RunAll(&plan, [](const Task&) { return Finding{Kind::kPassed, "", 0}; });
  EXPECT_TRUE(plan.finished());
  EXPECT_EQ(plan.requests(), 7);
  Plan told(suite, Endpoints(2), {});
  const auto task = told.Next();
  told.Stop("interrupted");
  EXPECT_FALSE(told.finished());
  told.Done(*task, {Kind::kPassed, "", 0});
  EXPECT_TRUE(told.finished());
  EXPECT_EQ(told.stopped(), "interrupted");
}

TEST(Plan, OutagesAreNoWrongAnswersAndEndpointsThatStaySilentAreLeftAlone) {
  const auto suite = SuiteOf(20);
  Plan plan(suite, Endpoints(3), {});
  RunAll(&plan, [](const Task& task) {
    if (task.endpoint == 0) return Finding{Kind::kUnanswered, "503", 0};
    if (task.endpoint == 1) return Finding{Kind::kUnreachable, "404", 0};
    return Finding{task.item % 5 == 0 ? Kind::kUnanswered : Kind::kPassed, "429", 0};
  });
  EXPECT_TRUE(plan.results()[0].left_alone);
  EXPECT_EQ(plan.results()[0].total, 0);
  EXPECT_LE(plan.results()[0].unanswered, 8);
  EXPECT_TRUE(plan.results()[1].left_alone);
  EXPECT_LE(plan.results()[1].unanswered, 4);
  EXPECT_FALSE(plan.results()[2].left_alone);
  EXPECT_EQ(plan.results()[2].total, 16);
  EXPECT_EQ(plan.results()[2].passed, 16);
}

TEST(Plan, WithoutEndpointsIsFinishedAtOnce) {
  const auto suite = SuiteOf(5);
  Plan plan(suite, {}, {});
  EXPECT_FALSE(plan.Next());
  EXPECT_TRUE(plan.finished());
}

TEST(Report, RecordsEndpointsThatAnswered) {
  const auto suite = SuiteOf(4);
  Plan plan(suite, Endpoints(2), {});
  RunAll(&plan, [](const Task& task) {
    if (task.endpoint == 0) return Finding{Kind::kUnreachable, "404", 0};
    return Finding{task.item == 2 ? Kind::kFailed : Kind::kPassed, "f: a is wrong", 5};
  });
  const RunInfo run{"s", "run1", 1, absl::UnixEpoch(), absl::FromUnixMillis(5)};
  const auto results = ResultsOf(run, plan);
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results[0].endpoint_id(), "m@p1");
  EXPECT_EQ(results[0].passed(), 3);
  EXPECT_EQ(results[0].total(), 4);
  EXPECT_EQ(results[0].cases(), 4);
  EXPECT_EQ(results[0].cost_nano(), 20);
  EXPECT_EQ(results[0].finished_unix_ms(), 5);
  EXPECT_THAT(TableOf(plan), HasSubstr("f: a is wrong (1)"));
  EXPECT_THAT(JsonOf(run, plan), HasSubstr(R"("case":"case2")"));
}

TEST(FindingOf, TellsWrongAnswersFromNone) {
  config::v1::BenchmarkCase item;
  const auto kind = [&](int status, const std::string& body) {
    return FindingOf(item, HttpAnswer{status, body}).kind;
  };
  const std::string words =
      R"({"choices":[{"message":{"content":"Hello."}}],"usage":{"cost":1e-6}})";
  EXPECT_EQ(kind(200, words), Kind::kPassed);
  EXPECT_EQ(FindingOf(item, HttpAnswer{200, words}).cost_nano, 1'000);
  EXPECT_EQ(kind(200, R"({"choices":[{"message":{"content":""}}]})"), Kind::kFailed);
  EXPECT_EQ(kind(200, R"({"error":{"code":504,"message":"late"}})"), Kind::kUnanswered);
  EXPECT_EQ(kind(429, "{}"), Kind::kUnanswered);
  EXPECT_EQ(kind(404, R"({"error":{"message":"no endpoint"}})"), Kind::kUnreachable);
  EXPECT_EQ(kind(401, ""), Kind::kUnreachable);
  EXPECT_EQ(
      kind(502, R"({"error":{"metadata":{"previous_errors":[{"status":"tool_call_invalid"}]}}})"),
      Kind::kFailed);
  EXPECT_EQ(FindingOf(item, absl::UnavailableError("gone")).kind, Kind::kUnanswered);
}

TEST(Discovery, ReadsModelsAndTheirEndpointsWithTools) {
  const auto models = ReadModels(R"({"data":[{"id":"a/b"},{"id":"a/c"}]})");
  ASSERT_TRUE(models.ok());
  EXPECT_THAT(*models, ElementsAre("a/b", "a/c"));
  const auto endpoints = ReadEndpoints(
      R"({"data":{"id":"a/b:free","endpoints":[{"tag":"x/fp8","supported_parameters":["tools"]},
      {"tag":"y","supported_parameters":[]},{"tag":"z","supported_parameters":["stop"]}]}})");
  ASSERT_TRUE(endpoints.ok());
  ASSERT_THAT(*endpoints, SizeIs(2));
  EXPECT_EQ((*endpoints)[0].id, "a/b@x/fp8");
  EXPECT_EQ((*endpoints)[0].model, "a/b:free");
  EXPECT_EQ((*endpoints)[1].tag, "y");
  EXPECT_TRUE(IsWanted((*endpoints)[0], {"x"}));
  EXPECT_TRUE(IsWanted((*endpoints)[0], {"x/fp8"}));
  EXPECT_FALSE(IsWanted((*endpoints)[0], {"x/fp4"}));
  EXPECT_TRUE(IsWanted((*endpoints)[0], {}));
  EXPECT_FALSE(ReadEndpoints(R"({"error":{}})").ok());
}

}  // namespace
}  // namespace signalbox::benchmark
