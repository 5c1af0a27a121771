#include "services/ingress/core/attempt_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using common::v1::Reason;
using provider::v1::AttemptResult;
using router::v1::Candidate;
using Kind = AttemptPlan::Kind;

struct Spec {
  std::string provider;
  int model_index = 0;
  int context = 100'000;
};

// A plan over candidates made from specs, with a clock the test moves.
class Driver {
 public:
  explicit Driver(std::vector<Spec> specs, AttemptPolicy policy = {}, bool stream = true) {
    CandidateList list;
    for (size_t i = 0; i < specs.size(); ++i) {
      auto candidate = std::make_unique<Candidate>();
      candidate->set_endpoint_id("m" + std::to_string(specs[i].model_index) + "@" +
                                 specs[i].provider + std::to_string(i));
      candidate->set_model("model-" + std::to_string(specs[i].model_index));
      candidate->set_provider_slug(specs[i].provider);
      candidate->set_provider_name(specs[i].provider);
      candidate->set_model_index(specs[i].model_index);
      candidate->set_context_length(specs[i].context);
      list.push_back(candidate.get());
      owned_.push_back(std::move(candidate));
    }
    plan_ = std::make_unique<AttemptPlan>(policy, list, stream, /*max_tokens=*/0, now_);
  }

  AttemptPlan::Step Begin() { return plan_->Begin(now_); }
  AttemptPlan::Step Fail(Reason reason, bool committed = false, int64_t retry_after_ms = 0) {
    AttemptResult result;
    result.mutable_error()->set_reason(reason);
    result.mutable_error()->set_retry_after_ms(retry_after_ms);
    return plan_->OnResult(result, committed, now_);
  }
  AttemptPlan::Step Answer(
      common::v1::ToolCallVerdict verdict = common::v1::TOOL_CALL_VERDICT_UNSPECIFIED) {
    AttemptResult result;
    result.set_finish_reason("stop");
    result.set_tool_call_verdict(verdict);
    return plan_->OnResult(result, /*committed=*/true, now_);
  }
  void Advance(absl::Duration by) { now_ += by; }
  AttemptPlan& plan() { return *plan_; }

 private:
  using CandidateList = std::vector<const Candidate*>;
  std::vector<std::unique_ptr<Candidate>> owned_;
  absl::Duration now_ = absl::Seconds(1'000);
  std::unique_ptr<AttemptPlan> plan_;
};

std::vector<Reason> AllReasons() {
  std::vector<Reason> reasons;
  for (int value = common::v1::Reason_MIN; value <= common::v1::Reason_MAX; ++value) {
    if (common::v1::Reason_IsValid(value)) reasons.push_back(static_cast<Reason>(value));
  }
  return reasons;
}

const std::set<Reason>& EndAtOnce() {
  static const auto* const reasons = new std::set<Reason>{
      common::v1::REASON_INVALID_REQUEST,  common::v1::REASON_PAYLOAD_TOO_LARGE,
      common::v1::REASON_MODEL_NOT_FOUND,  common::v1::REASON_NO_ENDPOINTS,
      common::v1::REASON_NOT_AVAILABLE,    common::v1::REASON_PERMISSION_DENIED,
      common::v1::REASON_PAYMENT_REQUIRED, common::v1::REASON_NOT_FOUND,
      common::v1::REASON_CANCELLED};
  return *reasons;
}

const std::set<Reason>& AdapterTrouble() {
  static const auto* const reasons = new std::set<Reason>{
      common::v1::REASON_UNAVAILABLE, common::v1::REASON_OVERLOADED, common::v1::REASON_DRAINING,
      common::v1::REASON_UNAUTHENTICATED, common::v1::REASON_RATE_LIMITED};
  return *reasons;
}

TEST(AttemptPlan, StartsWithTheFirstCandidateAndDeliversItsAnswer) {
  Driver driver({{"a"}, {"b"}});
  const AttemptPlan::Step step = driver.Begin();
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_EQ(step.candidate, 0);
  EXPECT_EQ(step.attempt, 1);
  EXPECT_EQ(driver.Answer().kind, Kind::kDeliver);
}

TEST(AttemptPlan, MovesOnForEveryReasonThatIsNotTheClientsMistake) {
  for (const Reason reason : AllReasons()) {
    Driver driver({{"a"}, {"b", 1, 200'000}});
    driver.Begin();
    const AttemptPlan::Step step = driver.Fail(reason);
    const std::string name(seam::ReasonName(reason));
    if (EndAtOnce().count(reason) > 0) {
      EXPECT_EQ(step.kind, Kind::kFail) << name;
      EXPECT_EQ(step.error.reason(), reason) << name;
    } else if (AdapterTrouble().count(reason) > 0) {
      EXPECT_EQ(step.kind, Kind::kStart) << name;
      EXPECT_EQ(step.candidate, 0) << name;
      EXPECT_GT(step.delay, absl::ZeroDuration()) << name;
    } else {
      EXPECT_EQ(step.kind, Kind::kStart) << name;
      EXPECT_EQ(step.candidate, 1) << name;
      EXPECT_EQ(step.delay, absl::ZeroDuration()) << name;
    }
  }
}

TEST(AttemptPlan, NeverSwitchesAfterContentWhateverTheReason) {
  for (const Reason reason : AllReasons()) {
    Driver driver({{"a"}, {"b"}});
    driver.Begin();
    const AttemptPlan::Step step = driver.Fail(reason, /*committed=*/true);
    EXPECT_EQ(step.kind, Kind::kBreak) << seam::ReasonName(reason);
    EXPECT_EQ(step.error.reason(), reason);
  }
}

TEST(AttemptPlan, FailsWithTheReasonWhenNoCandidateIsLeft) {
  const std::set<Reason> again = {
      common::v1::REASON_PROVIDER_UNREACHABLE, common::v1::REASON_PROVIDER_RESET,
      common::v1::REASON_PROVIDER_CUT,         common::v1::REASON_PROVIDER_OVERLOADED,
      common::v1::REASON_PROVIDER_ERROR,       common::v1::REASON_PROVIDER_MALFORMED,
      common::v1::REASON_PROVIDER_EMPTY};
  for (const Reason reason : AllReasons()) {
    if (AdapterTrouble().count(reason) > 0) continue;
    if (reason == common::v1::REASON_TOOL_CALL_INVALID) continue;  // there is an answer to deliver
    Driver driver({{"a"}});
    driver.Begin();
    AttemptPlan::Step step = driver.Fail(reason);
    if (again.count(reason) > 0) {
      ASSERT_EQ(step.kind, Kind::kStart) << seam::ReasonName(reason);
      EXPECT_EQ(step.candidate, 0);
      EXPECT_EQ(step.delay, AttemptPolicy().retry_delay);
      step = driver.Fail(reason);
    }
    EXPECT_EQ(step.kind, Kind::kFail) << seam::ReasonName(reason);
    EXPECT_EQ(step.error.reason(), reason);
  }
}

TEST(AttemptPlan, TriesEveryEndpointBeforeAskingOneAgain) {
  Driver driver({{"a"}, {"b"}});
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_ERROR).candidate, 1);
  const AttemptPlan::Step again = driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  EXPECT_EQ(again.candidate, 0);
  EXPECT_EQ(again.attempt, 3);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_ERROR).kind, Kind::kFail);
}

TEST(AttemptPlan, DoesNotAskAnEndpointAgainThatNamedATime) {
  Driver driver({{"a"}});
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_OVERLOADED, false, 5'000).kind, Kind::kFail);
}

TEST(AttemptPlan, StopsAtTheAttemptLimit) {
  AttemptPolicy policy;
  policy.max_attempts = 3;
  Driver driver({{"a"}, {"b"}, {"c"}, {"d"}, {"e"}}, policy);
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_ERROR).kind, Kind::kStart);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_ERROR).kind, Kind::kStart);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_ERROR).kind, Kind::kFail);
  EXPECT_EQ(driver.plan().notes().size(), 3u);
}

TEST(AttemptPlan, StopsAtTheLimitPerProvider) {
  Driver driver({{"a"}, {"a"}, {"a"}, {"b"}});
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT).candidate, 1);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT).candidate, 3);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT).kind, Kind::kFail);
}

TEST(AttemptPlan, CountsNoAttemptWhereNothingWasTried) {
  AttemptPolicy policy;
  policy.max_attempts = 1;
  std::vector<Spec> specs;
  for (int i = 0; i < 30; ++i) specs.push_back({"p" + std::to_string(i)});
  Driver driver(specs, policy);
  driver.Begin();
  AttemptPlan::Step step;
  for (int i = 1; i < 30; ++i) {
    step = driver.Fail(i % 2 == 0 ? common::v1::REASON_PROVIDER_NOT_CONFIGURED
                                  : common::v1::REASON_PROVIDER_SATURATED);
    ASSERT_EQ(step.candidate, i);
  }
  EXPECT_EQ(driver.Answer().kind, Kind::kDeliver);
}

TEST(AttemptPlan, BoundsTheStepsOverCandidatesThatCostNothing) {
  AttemptPolicy policy;
  policy.max_free_steps = 2;
  Driver driver({{"a"}, {"b"}, {"c"}, {"d"}}, policy);
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_NOT_CONFIGURED).kind, Kind::kStart);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_NOT_CONFIGURED).kind, Kind::kFail);
}

TEST(AttemptPlan, AsksOneOtherProviderAfterARejectionThenTheNextModel) {
  Driver driver({{"a", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"d", 1}});
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_REJECTED).candidate, 2);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_REJECTED).candidate, 4);
  const AttemptPlan::Step step = driver.Fail(common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(step.kind, Kind::kStart);  // the last model's endpoint once more
  const AttemptPlan::Step last = driver.Fail(common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(last.kind, Kind::kFail);
  EXPECT_EQ(last.error.reason(), common::v1::REASON_PROVIDER_REJECTED);
}

TEST(AttemptPlan, LooksForALargerContextThenTheNextModel) {
  Driver driver({{"a", 0, 8'000}, {"b", 0, 8'000}, {"c", 0, 32'000}, {"d", 1, 4'000}});
  driver.Begin();
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_CONTEXT_LENGTH).candidate, 2);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_CONTEXT_LENGTH).candidate, 3);
  const AttemptPlan::Step step = driver.Fail(common::v1::REASON_PROVIDER_CONTEXT_LENGTH);
  EXPECT_EQ(step.kind, Kind::kFail);
  EXPECT_EQ(step.error.reason(), common::v1::REASON_PROVIDER_CONTEXT_LENGTH);
}

TEST(AttemptPlan, WaitsForAnAdapterThatRestartsAndThenGivesUp) {
  Driver driver({{"a"}, {"b"}});
  driver.Begin();
  int retries = 0;
  AttemptPlan::Step step = driver.Fail(common::v1::REASON_UNAVAILABLE);
  for (; step.kind == Kind::kStart && retries < 100; ++retries) {
    EXPECT_EQ(step.candidate, 0);
    driver.Advance(step.delay);
    step = driver.Fail(common::v1::REASON_UNAVAILABLE);
  }
  EXPECT_GT(retries, 5);
  EXPECT_LT(retries, 30);
  EXPECT_EQ(step.kind, Kind::kFail);
  EXPECT_EQ(step.error.reason(), common::v1::REASON_UNAVAILABLE);
  EXPECT_EQ(driver.plan().notes().size(), 1u);  // the same line once
}

TEST(AttemptPlan, DoesNotHoldAnAdaptersAbsenceAgainstTheProvider) {
  AttemptPolicy policy;
  policy.max_attempts = 2;
  Driver driver({{"a"}, {"b"}}, policy);
  driver.Begin();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(driver.Fail(common::v1::REASON_UNAVAILABLE).candidate, 0);
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_ERROR).candidate, 1);
}

TEST(AttemptPlan, GivesTheLastCandidateMoreTime) {
  AttemptPolicy policy;
  policy.first_token_timeout = absl::Seconds(10);
  Driver driver({{"a"}, {"b"}}, policy);
  EXPECT_EQ(driver.Begin().first_token_timeout, absl::Seconds(10));
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT).first_token_timeout,
            absl::Seconds(30));
}

TEST(AttemptPlan, WaitsForAWholeAnswerAsLongAsItMayTake) {
  AttemptPolicy policy;
  policy.first_token_timeout = absl::Seconds(10);
  Driver driver({{"a"}, {"b"}}, policy, /*stream=*/false);
  const AttemptPlan::Step step = driver.Begin();
  EXPECT_EQ(step.first_token_timeout,
            absl::Seconds(10));  // a stall is still noticed by the adapter
  EXPECT_GT(step.patience, absl::Seconds(60));
}

TEST(AttemptPlan, NeverPromisesMoreThanTheTimeLeft) {
  AttemptPolicy policy;
  policy.total_timeout = absl::Seconds(15);
  policy.first_token_timeout = absl::Seconds(10);
  Driver driver({{"a"}, {"b"}}, policy);
  EXPECT_EQ(driver.Begin().timeout, absl::Seconds(15));
  driver.Advance(absl::Seconds(10));
  const AttemptPlan::Step step = driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  EXPECT_EQ(step.timeout, absl::Seconds(5));
  EXPECT_EQ(step.first_token_timeout, absl::Seconds(5));
  driver.Advance(absl::Seconds(5));
  const AttemptPlan::Step last = driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT);
  EXPECT_EQ(last.kind, Kind::kFail);
  EXPECT_EQ(last.error.reason(), common::v1::REASON_DEADLINE_EXCEEDED);
}

TEST(AttemptPlan, TellsTheClientsErrorEvenWhenTimeIsUp) {
  AttemptPolicy policy;
  policy.total_timeout = absl::Seconds(5);
  Driver driver({{"a"}, {"b"}}, policy);
  driver.Begin();
  driver.Fail(common::v1::REASON_PROVIDER_REJECTED);
  driver.Advance(absl::Seconds(5));
  EXPECT_EQ(driver.Fail(common::v1::REASON_PROVIDER_TIMEOUT).error.reason(),
            common::v1::REASON_PROVIDER_REJECTED);
}

TEST(AttemptPlan, HoldsAWholeAnswerWithAnInvalidToolCallAndTriesElsewhere) {
  Driver driver({{"a"}, {"b"}}, {}, /*stream=*/false);
  driver.Begin();
  const AttemptPlan::Step step = driver.Answer(common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH);
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_TRUE(step.hold);
  EXPECT_EQ(step.candidate, 1);
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_VALID).kind, Kind::kDeliver);
}

TEST(AttemptPlan, DeliversTheHeldAnswerWhenNoneIsBetter) {
  for (const bool second_fails : {false, true}) {
    Driver driver({{"a"}, {"b"}}, {}, /*stream=*/false);
    driver.Begin();
    driver.Answer(common::v1::TOOL_CALL_VERDICT_LEAKED);
    const AttemptPlan::Step step = second_fails
                                       ? driver.Fail(common::v1::REASON_PROVIDER_ERROR)
                                       : driver.Answer(common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
    EXPECT_EQ(step.kind, Kind::kDeliverHeld);
  }
}

TEST(AttemptPlan, DeliversAnInvalidToolCallWhenThereIsNobodyElseToAsk) {
  Driver driver({{"a"}}, {}, /*stream=*/false);
  driver.Begin();
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_UNKNOWN_NAME).kind, Kind::kDeliver);
}

TEST(AttemptPlan, DeliversAnInvalidToolCallOfAStream) {
  Driver driver({{"a"}, {"b"}}, {}, /*stream=*/true);
  driver.Begin();
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_UNKNOWN_NAME).kind, Kind::kDeliver);
}

TEST(AttemptPlan, BoundsTheAnswersThrownAwayForToolCalls) {
  AttemptPolicy policy;
  policy.max_tool_call_retries = 2;
  Driver driver({{"a"}, {"b"}, {"c"}, {"d"}}, policy, /*stream=*/false);
  driver.Begin();
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_EMPTY).kind, Kind::kStart);
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_EMPTY).kind, Kind::kStart);
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_EMPTY).kind, Kind::kDeliverHeld);
}

TEST(AttemptPlan, KeepsInvalidToolCallsWhenTheOperatorSaysSo) {
  AttemptPolicy policy;
  policy.retry_invalid_tool_calls = false;
  Driver driver({{"a"}, {"b"}}, policy, /*stream=*/false);
  driver.Begin();
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_EMPTY).kind, Kind::kDeliver);
}

// What the adapter's guard says of a stream whose calls it does not let through.
AttemptPlan::Step Reject(Driver& driver, bool committed) {
  return driver.Fail(common::v1::REASON_TOOL_CALL_INVALID, committed);
}

AttemptPolicy Guarded() {
  AttemptPolicy policy;
  policy.tool_calls_after_text = true;
  return policy;
}

TEST(AttemptPlanGuard, HoldsARejectedStreamAndTriesElsewhere) {
  Driver driver({{"a"}, {"b"}, {"c"}}, Guarded());
  driver.Begin();
  AttemptPlan::Step step = Reject(driver, /*committed=*/false);
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_TRUE(step.hold);
  EXPECT_FALSE(step.tool_calls_only);
  EXPECT_EQ(step.candidate, 1);
  step = Reject(driver, /*committed=*/false);
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_FALSE(step.hold) << "the first one held wins";
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_VALID).kind, Kind::kDeliver);
  EXPECT_TRUE(driver.plan().notes()[0].invalid_tool_call);
  EXPECT_FALSE(driver.plan().notes()[2].invalid_tool_call);
}

TEST(AttemptPlanGuard, DeliversTheRejectedStreamWhenNoneIsBetter) {
  Driver alone({{"a"}}, Guarded());
  alone.Begin();
  EXPECT_EQ(Reject(alone, false).kind, Kind::kDeliver);
  EXPECT_TRUE(alone.plan().gave_up_on_tool_call());
  Driver two({{"a"}, {"b"}}, Guarded());
  two.Begin();
  Reject(two, false);
  EXPECT_EQ(Reject(two, false).kind, Kind::kDeliverHeld);
  Driver failing({{"a"}, {"b"}}, Guarded());
  failing.Begin();
  Reject(failing, false);
  EXPECT_EQ(failing.Fail(common::v1::REASON_PROVIDER_ERROR).kind, Kind::kDeliverHeld);
}

TEST(AttemptPlanGuard, BoundsTheStreamsThrownAway) {
  AttemptPolicy policy = Guarded();
  policy.max_tool_call_retries = 1;
  Driver driver({{"a"}, {"b"}, {"c"}}, policy);
  driver.Begin();
  EXPECT_EQ(Reject(driver, false).kind, Kind::kStart);
  EXPECT_EQ(Reject(driver, false).kind, Kind::kDeliverHeld);
}

TEST(AttemptPlanGuard, AsksOneOtherAnswerForItsToolCallsBehindText) {
  Driver driver({{"a"}, {"b"}, {"c"}}, Guarded());
  driver.Begin();
  const AttemptPlan::Step step = Reject(driver, /*committed=*/true);
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_TRUE(step.tool_calls_only);
  EXPECT_FALSE(step.hold);
  EXPECT_EQ(driver.Answer(common::v1::TOOL_CALL_VERDICT_VALID).kind, Kind::kDeliver);
}

TEST(AttemptPlanGuard, BreaksWhenThatAnswerHasNoValidCallEither) {
  Driver driver({{"a"}, {"b"}, {"c"}}, Guarded());
  driver.Begin();
  Reject(driver, true);
  const AttemptPlan::Step step = Reject(driver, /*committed=*/false);
  EXPECT_EQ(step.kind, Kind::kBreak);
  EXPECT_EQ(step.error.reason(), common::v1::REASON_TOOL_CALL_INVALID);
}

TEST(AttemptPlanGuard, PassesOverEndpointsThatDoNotAnswerBehindText) {
  Driver driver({{"a"}, {"b"}, {"c"}}, Guarded());
  driver.Begin();
  Reject(driver, true);
  AttemptPlan::Step step = driver.Fail(common::v1::REASON_PROVIDER_AUTH);
  EXPECT_EQ(step.kind, Kind::kStart);
  EXPECT_TRUE(step.tool_calls_only);
  EXPECT_EQ(step.candidate, 2);
  step = driver.Fail(common::v1::REASON_INVALID_REQUEST);
  EXPECT_EQ(step.kind, Kind::kBreak);
  EXPECT_EQ(step.error.reason(), common::v1::REASON_TOOL_CALL_INVALID);
}

TEST(AttemptPlanGuard, BreaksAtOnceBehindTextWhereNobodyElseCanBeAsked) {
  Driver alone({{"a"}}, Guarded());
  alone.Begin();
  EXPECT_EQ(Reject(alone, true).kind, Kind::kBreak);
  Driver unguarded({{"a"}, {"b"}});
  unguarded.Begin();
  EXPECT_EQ(Reject(unguarded, true).kind, Kind::kBreak);
}

TEST(AttemptPlanGuard, BreaksWhenTheCallsThemselvesBreakOff) {
  Driver driver({{"a"}, {"b"}, {"c"}}, Guarded());
  driver.Begin();
  Reject(driver, true);
  EXPECT_EQ(driver.Fail(common::v1::REASON_UNAVAILABLE, /*committed=*/true).kind, Kind::kBreak);
}

TEST(AttemptPlanGuard, TakesAMendedCallForAGoodOne) {
  AttemptResult result;
  result.set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
  EXPECT_TRUE(HasInvalidToolCall(result));
  result.set_tool_call_repaired(true);
  EXPECT_FALSE(HasInvalidToolCall(result));
}

AttemptNote Note(Reason reason, int64_t retry_after_ms = 0) {
  AttemptNote note;
  note.error.set_reason(reason);
  note.error.set_retry_after_ms(retry_after_ms);
  return note;
}

TEST(MostUsefulError, PrefersWhatTheClientCanActOn) {
  const auto best = [](std::vector<AttemptNote> notes) { return MostUsefulError(notes).reason(); };
  EXPECT_EQ(best({Note(common::v1::REASON_PROVIDER_CONTEXT_LENGTH),
                  Note(common::v1::REASON_PROVIDER_ERROR)}),
            common::v1::REASON_PROVIDER_CONTEXT_LENGTH);
  EXPECT_EQ(best({Note(common::v1::REASON_PROVIDER_OVERLOADED),
                  Note(common::v1::REASON_PROVIDER_REJECTED)}),
            common::v1::REASON_PROVIDER_REJECTED);
}

TEST(MostUsefulError, SaysRateLimitedOnlyWhenNothingWorseHappened) {
  const auto best = [](std::vector<AttemptNote> notes) { return MostUsefulError(notes).reason(); };
  EXPECT_EQ(best({Note(common::v1::REASON_PROVIDER_RATE_LIMITED),
                  Note(common::v1::REASON_PROVIDER_RATE_LIMITED)}),
            common::v1::REASON_PROVIDER_RATE_LIMITED);
  EXPECT_EQ(best({Note(common::v1::REASON_PROVIDER_RATE_LIMITED),
                  Note(common::v1::REASON_PROVIDER_ERROR)}),
            common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(best({Note(common::v1::REASON_PROVIDER_RATE_LIMITED),
                  Note(common::v1::REASON_PROVIDER_AUTH)}),
            common::v1::REASON_PROVIDER_RATE_LIMITED);
}

TEST(MostUsefulError, GivesTheSmallestHintOnlyWhenEveryAttemptGaveOne) {
  EXPECT_EQ(MostUsefulError({Note(common::v1::REASON_PROVIDER_RATE_LIMITED, 9'000),
                             Note(common::v1::REASON_PROVIDER_RATE_LIMITED, 4'000)})
                .retry_after_ms(),
            4'000);
  EXPECT_EQ(MostUsefulError({Note(common::v1::REASON_PROVIDER_RATE_LIMITED, 9'000),
                             Note(common::v1::REASON_PROVIDER_RATE_LIMITED)})
                .retry_after_ms(),
            0);
  EXPECT_EQ(MostUsefulError({Note(common::v1::REASON_PROVIDER_NOT_CONFIGURED),
                             Note(common::v1::REASON_PROVIDER_RATE_LIMITED, 7'000)})
                .retry_after_ms(),
            7'000);
}

}  // namespace
}  // namespace signalbox::ingress
