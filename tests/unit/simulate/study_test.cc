#include "services/signalbox/simulate/study.h"

#include "services/signalbox/simulate/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox::simulate {
namespace {

using ::testing::HasSubstr;

Table SmallTable() {
  return {{"a/one", {{"P", 0.05, 1, 40, 500}, {"Q", 0.01, 1, 40, 500}}},
          {"a/two", {{"P", 0.2, 1, 40, 500}, {"Q", 0.02, 2, 40, 500}, {"R", 0.1, 1, 40, 500}}},
          {"a/single", {{"P", 0.2, 1, 40, 500}}}};
}

StudyOptions Options(int threads) {
  StudyOptions options;
  options.scenario.hours = 0.5;
  options.min_providers = 2;
  options.seeds = 3;
  options.threads = threads;
  for (PolicyKind kind : {PolicyKind::kPrice, PolicyKind::kExacto, PolicyKind::kOracle}) {
    Policy policy;
    policy.name = kind == PolicyKind::kPrice    ? "price"
                  : kind == PolicyKind::kExacto ? "exacto"
                                                : "oracle";
    policy.kind = kind;
    policy.settings.auto_exacto = kind != PolicyKind::kPrice;
    options.policies.push_back(policy);
  }
  return options;
}

TEST(Study, ComparesPoliciesWithTheFirst) {
  const Study study = RunStudy(SmallTable(), {}, Options(1));
  EXPECT_EQ(study.models, 2);  // one provider is no choice
  EXPECT_EQ(study.endpoints, 5);
  ASSERT_EQ(study.policies.size(), 3u);
  EXPECT_EQ(study.policies[0].reduction.mean, 0);
  EXPECT_EQ(study.policies[0].price_ratio, 1);
  const PolicyResult& exacto = study.policies[1];
  const PolicyResult& oracle = study.policies[2];
  EXPECT_GT(exacto.reduction.mean, 0.3);
  EXPECT_GE(oracle.reduction.mean, exacto.reduction.mean);
  EXPECT_LE(exacto.reduction.low, exacto.reduction.mean);
  EXPECT_GE(exacto.reduction.high, exacto.reduction.mean);
  EXPECT_NEAR(exacto.regret, exacto.error - oracle.error, 1e-12);
  EXPECT_EQ(oracle.regret, 0);
}

TEST(Study, DoesNotDependOnTheNumberOfThreads) {
  const Study one = RunStudy(SmallTable(), {}, Options(1));
  const Study three = RunStudy(SmallTable(), {}, Options(3));
  for (size_t i = 0; i < one.policies.size(); ++i) {
    EXPECT_EQ(one.policies[i].error, three.policies[i].error);
    EXPECT_EQ(one.policies[i].reduction.low, three.policies[i].reduction.low);
  }
}

TEST(Study, WritesATableAndJson) {
  const StudyOptions options = Options(1);
  const Study study = RunStudy(SmallTable(), {}, options);
  const std::string text = ToText(study);
  EXPECT_THAT(text, HasSubstr("2 models, 5 endpoints"));
  EXPECT_THAT(text, HasSubstr("a/two"));
  const std::string json = ToJson(study, options);
  EXPECT_THAT(json, HasSubstr("\"policy\":\"exacto\""));
  EXPECT_THAT(json, HasSubstr("\"regret\":"));
  EXPECT_THAT(json, HasSubstr("\"model\":\"a/one\""));
  const std::string svg = ToSvg(study, options.scenario.hours);
  EXPECT_THAT(svg, HasSubstr("mean over 2 models"));
  EXPECT_THAT(svg, HasSubstr(">exacto</text>"));
}

TEST(Study, OfNothingIsEmpty) {
  StudyOptions options = Options(1);
  options.min_providers = 10;
  const Study study = RunStudy(SmallTable(), {}, options);
  EXPECT_EQ(study.models, 0);
  EXPECT_TRUE(study.policies.empty());
}

}  // namespace
}  // namespace signalbox::simulate
