#include "common/seam/error_detail.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace signalbox::seam {
namespace {

using common::v1::Reason;

std::vector<Reason> AllReasons() {
  std::vector<Reason> reasons;
  for (int value = common::v1::Reason_MIN; value <= common::v1::Reason_MAX; ++value) {
    if (common::v1::Reason_IsValid(value)) reasons.push_back(static_cast<Reason>(value));
  }
  return reasons;
}

TEST(ErrorDetail, SurvivesTheTripThroughAStatus) {
  common::v1::ErrorDetail detail;
  detail.set_reason(common::v1::REASON_PROVIDER_RATE_LIMITED);
  detail.set_endpoint_id("m@p");
  detail.set_retry_after_ms(250);
  detail.set_public_message("slow down");
  const absl::Status status = ToStatus(detail);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "slow down");
  EXPECT_EQ(DetailOf(status).SerializeAsString(), detail.SerializeAsString());
}

TEST(ErrorDetail, EveryReasonHasACodeThatIsAnErrorAndAName) {
  std::set<std::string> names;
  for (const Reason reason : AllReasons()) {
    EXPECT_NE(CodeOf(reason), absl::StatusCode::kOk) << Reason_Name(reason);
    EXPECT_TRUE(names.insert(std::string(ReasonName(reason))).second);
    EXPECT_FALSE(ReasonName(reason).empty());
    EXPECT_EQ(DetailOf(MakeError(reason, "x")).reason(), reason);
  }
  EXPECT_EQ(ReasonName(common::v1::REASON_PROVIDER_CUT), "provider_cut");
}

TEST(ErrorDetail, StatusWithoutDetailIsMaskedWhenItIsOurs) {
  const common::v1::ErrorDetail detail = DetailOf(absl::InternalError("pointer 0x7f at /home/me"));
  EXPECT_EQ(detail.reason(), common::v1::REASON_INTERNAL);
  EXPECT_EQ(detail.public_message(), "internal error");
  EXPECT_TRUE(DetailOf(absl::UnavailableError("dns")).retryable());
}

TEST(ErrorDetail, InvalidFieldNamesTheMember) {
  const common::v1::ErrorDetail detail =
      DetailOf(InvalidField("messages[2].role", "expected a string"));
  EXPECT_EQ(detail.field(), "messages[2].role");
  EXPECT_EQ(detail.public_message(), "messages[2].role: expected a string");
}

TEST(ErrorDetail, ClientFaultsAndRateLimitsDoNotCountAgainstAvailability) {
  for (const Reason reason :
       {common::v1::REASON_PROVIDER_RATE_LIMITED, common::v1::REASON_PROVIDER_REJECTED,
        common::v1::REASON_PROVIDER_CONTEXT_LENGTH, common::v1::REASON_PROVIDER_MODERATED,
        common::v1::REASON_CANCELLED, common::v1::REASON_PROVIDER_SATURATED,
        common::v1::REASON_TOOL_CALL_INVALID, common::v1::REASON_INVALID_REQUEST}) {
    EXPECT_FALSE(CountsAgainstAvailability(reason)) << Reason_Name(reason);
  }
  for (const Reason reason : {common::v1::REASON_PROVIDER_TIMEOUT, common::v1::REASON_PROVIDER_AUTH,
                              common::v1::REASON_PROVIDER_ERROR, common::v1::REASON_PROVIDER_CUT}) {
    EXPECT_TRUE(CountsAgainstAvailability(reason)) << Reason_Name(reason);
  }
}

}  // namespace
}  // namespace signalbox::seam
