#include "services/metrics-aggregator/core/fold.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <vector>

#include "common/base/rng.h"
#include "common/seam/error_detail.h"
#include "services/metrics-aggregator/core/sketch.h"

namespace signalbox::metrics_aggregator {
namespace {

double QuantileOf(const store::Cells& cells, double q) {
  DenseCells dense;
  dense.Add(cells);
  return dense.Quantile(q);
}

using common::v1::Outcome;
using store::Count;
using store::WindowCounts;

Outcome Success() {
  Outcome outcome;
  outcome.set_endpoint_id("m@p");
  outcome.set_ttft_us(250'000);
  outcome.set_duration_us(4'000'000);
  outcome.set_completion_tokens(200);
  return outcome;
}

TEST(Fold, CountsASuccessWithItsSpeed) {
  const WindowCounts counts = Fold(Success());
  EXPECT_EQ(counts[Count::kRequests], 1);
  EXPECT_EQ(counts[Count::kOk], 1);
  EXPECT_EQ(counts[Count::kFail], 0);
  EXPECT_EQ(counts[Count::kOutputTokens], 200);
  EXPECT_EQ(counts[Count::kGenerationMicros], 4'000'000);
  EXPECT_NEAR(QuantileOf(counts.throughput, 0.5), 50, 2.5);
  EXPECT_NEAR(QuantileOf(counts.ttft, 0.5), 250, 12.5);
}

TEST(Fold, PutsEveryReasonIntoOneStanding) {
  const auto* reasons = common::v1::Reason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<common::v1::Reason>(reasons->value(i)->number());
    Outcome outcome = Success();
    outcome.set_failure(reason);
    const WindowCounts counts = Fold(outcome);
    EXPECT_EQ(counts[Count::kRequests],
              counts[Count::kOk] + counts[Count::kFail] + counts[Count::kRateLimited]);
    EXPECT_EQ(counts[Count::kFail] == 1, seam::CountsAgainstAvailability(reason))
        << reasons->value(i)->name();
  }
}

TEST(Fold, KeepsRateLimitsApartAndTheRequestsFaultsOut) {
  Outcome outcome = Success();
  outcome.set_failure(common::v1::REASON_PROVIDER_RATE_LIMITED);
  EXPECT_EQ(Fold(outcome)[Count::kRateLimited], 1);
  EXPECT_EQ(Fold(outcome)[Count::kFail], 0);
  for (auto reason :
       {common::v1::REASON_PROVIDER_REJECTED, common::v1::REASON_PROVIDER_CONTEXT_LENGTH,
        common::v1::REASON_PROVIDER_MODERATED, common::v1::REASON_CANCELLED,
        common::v1::REASON_PROVIDER_SATURATED}) {
    outcome.set_failure(reason);
    EXPECT_TRUE(Fold(outcome).empty()) << reason;
  }
}

TEST(Fold, AnInvalidToolCallIsAnAnswer) {
  Outcome outcome = Success();
  outcome.set_request_class(common::v1::REQUEST_CLASS_TOOLS);
  outcome.set_failure(common::v1::REASON_TOOL_CALL_INVALID);
  outcome.set_finished_with_tool_calls(true);
  outcome.set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH);
  const WindowCounts counts = Fold(outcome);
  EXPECT_EQ(counts[Count::kOk], 1);
  EXPECT_EQ(counts[Count::kToolRequests], 1);
  EXPECT_EQ(counts[Count::kToolBad], 1);
  EXPECT_EQ(counts[Count::kToolSchemaMismatch], 1);
}

TEST(Fold, TheErrorRateHasRequestsFinishedWithToolCallsAsDenominator) {
  using namespace common::v1;
  const struct {
    ToolCallVerdict verdict;
    bool finished;
    int64_t requests, bad;
    Count kind;
  } kCases[] = {
      {TOOL_CALL_VERDICT_VALID, true, 1, 0, Count::kOk},
      {TOOL_CALL_VERDICT_NO_CALL, false, 0, 0, Count::kOk},
      {TOOL_CALL_VERDICT_UNSPECIFIED, true, 0, 0, Count::kOk},
      {TOOL_CALL_VERDICT_INVALID_JSON, true, 1, 1, Count::kToolInvalidJson},
      {TOOL_CALL_VERDICT_UNKNOWN_NAME, true, 1, 1, Count::kToolUnknownName},
      {TOOL_CALL_VERDICT_SCHEMA_MISMATCH, true, 1, 1, Count::kToolSchemaMismatch},
      {TOOL_CALL_VERDICT_EMPTY, true, 1, 1, Count::kToolEmpty},
      {TOOL_CALL_VERDICT_MALFORMED, true, 1, 1, Count::kToolMalformed},
      {TOOL_CALL_VERDICT_LEAKED, false, 0, 0, Count::kToolLeaked},
      {TOOL_CALL_VERDICT_CHOICE_IGNORED, false, 0, 0, Count::kToolChoiceIgnored},
  };
  for (const auto& test : kCases) {
    Outcome outcome = Success();
    outcome.set_request_class(REQUEST_CLASS_TOOLS);
    outcome.set_tool_call_verdict(test.verdict);
    outcome.set_finished_with_tool_calls(test.finished);
    const WindowCounts counts = Fold(outcome);
    EXPECT_EQ(counts[Count::kToolsOffered], 1);
    EXPECT_EQ(counts[Count::kToolRequests], test.requests) << test.verdict;
    EXPECT_EQ(counts[Count::kToolBad], test.bad) << test.verdict;
    EXPECT_EQ(counts[test.kind], 1) << test.verdict;
  }
}

TEST(Fold, AnswersWithoutTokensOrTimesHaveNoSpeed) {
  Outcome outcome;
  outcome.set_endpoint_id("m@p");
  const WindowCounts counts = Fold(outcome);
  EXPECT_EQ(counts[Count::kOk], 1);
  EXPECT_TRUE(counts.ttft.empty());
  EXPECT_TRUE(counts.throughput.empty());
}

TEST(Fold, AnySplitOverReplicasGivesTheSameCounts) {
  constexpr uint64_t kSeed = 12;
  SCOPED_TRACE(kSeed);
  Rng rng(kSeed);
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 2000; ++i) {
    Outcome outcome = Success();
    outcome.set_endpoint_id(std::string("m@p") + static_cast<char>('a' + rng.Below(5)));
    outcome.set_ttft_us(1 + static_cast<int64_t>(rng.Below(5'000'000)));
    outcome.set_failure(static_cast<common::v1::Reason>(rng.Below(2) * (20 + rng.Below(18))));
    outcome.set_tool_call_verdict(static_cast<common::v1::ToolCallVerdict>(rng.Below(10)));
    outcome.set_finished_with_tool_calls(rng.Below(2) == 0);
    outcomes.push_back(outcome);
  }
  EndpointDeltas whole;
  for (const Outcome& outcome : outcomes) whole[outcome.endpoint_id()].Add(Fold(outcome));
  for (size_t replicas = 1; replicas <= 5; ++replicas) {
    std::vector<EndpointDeltas> parts(replicas);
    for (const Outcome& outcome : outcomes)
      parts[rng.Below(replicas)][outcome.endpoint_id()].Add(Fold(outcome));
    EndpointDeltas sum;
    for (const EndpointDeltas& part : parts) Merge(part, &sum);
    ASSERT_TRUE(sum == whole);
  }
}

TEST(Fold, KnowsEndpointIdsThatMayBePartOfAKey) {
  EXPECT_TRUE(IsEndpointId("z-ai/glm-5:free@deepinfra/fp8"));
  EXPECT_FALSE(IsEndpointId(""));
  EXPECT_FALSE(IsEndpointId("a{b}"));
  EXPECT_FALSE(IsEndpointId("a b"));
  EXPECT_FALSE(IsEndpointId("a\nb"));
  EXPECT_FALSE(IsEndpointId(std::string(201, 'a')));
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
