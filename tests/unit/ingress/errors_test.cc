#include "services/ingress/core/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using common::v1::Reason;
using nlohmann::json;

std::vector<Reason> AllReasons() {
  std::vector<Reason> reasons;
  for (int value = common::v1::Reason_MIN; value <= common::v1::Reason_MAX; ++value) {
    if (common::v1::Reason_IsValid(value)) reasons.push_back(static_cast<Reason>(value));
  }
  return reasons;
}

Failure FailureWith(Reason reason) {
  Failure failure;
  failure.detail.set_reason(reason);
  failure.detail.set_public_message("what happened");
  failure.detail.set_provider("Acme");
  failure.detail.set_upstream_status(418);
  failure.detail.set_upstream_message("provider's \"own\" words");
  failure.requested_models = {"a/b"};
  return failure;
}

TEST(Errors, EveryReasonMakesTheShapeTheStrictestClientTakes) {
  for (const Reason reason : AllReasons()) {
    const ErrorAnswer answer = ToErrorAnswer(FailureWith(reason));
    const json body = json::parse(answer.body);
    const json& error = body.at("error");
    EXPECT_TRUE(error.at("code").is_number_integer());
    EXPECT_EQ(error.at("code"), answer.status) << seam::ReasonName(reason);
    EXPECT_TRUE(error.at("message").is_string() && !error.at("message").get<std::string>().empty());
    EXPECT_TRUE(error.at("metadata").is_object());
    EXPECT_TRUE(error.at("metadata").at("error_type").is_string());
    EXPECT_GE(answer.status, 400);
    EXPECT_LT(answer.status, 600);
  }
}

TEST(Errors, BlameTheClientOnlyForWhatTheClientCanChange) {
  const std::set<Reason> clients = {
      common::v1::REASON_INVALID_REQUEST,        common::v1::REASON_PAYLOAD_TOO_LARGE,
      common::v1::REASON_MODEL_NOT_FOUND,        common::v1::REASON_NO_ENDPOINTS,
      common::v1::REASON_NOT_AVAILABLE,          common::v1::REASON_UNAUTHENTICATED,
      common::v1::REASON_PERMISSION_DENIED,      common::v1::REASON_PAYMENT_REQUIRED,
      common::v1::REASON_RATE_LIMITED,           common::v1::REASON_NOT_FOUND,
      common::v1::REASON_PROVIDER_RATE_LIMITED,  common::v1::REASON_PROVIDER_REJECTED,
      common::v1::REASON_PROVIDER_MODERATED,     common::v1::REASON_PROVIDER_CONTEXT_LENGTH,
      common::v1::REASON_PROVIDER_MODEL_MISSING, common::v1::REASON_CANCELLED};
  for (const Reason reason : AllReasons()) {
    EXPECT_EQ(MeaningOf(reason).status<500, clients.count(reason)> 0) << seam::ReasonName(reason);
  }
}

TEST(Errors, OurCredentialsAtAProviderAreNeverTheClientsProblem) {
  for (const Reason reason : {common::v1::REASON_PROVIDER_AUTH, common::v1::REASON_PROVIDER_QUOTA,
                              common::v1::REASON_PROVIDER_NOT_CONFIGURED}) {
    const ErrorAnswer answer = ToErrorAnswer(FailureWith(reason));
    EXPECT_EQ(answer.status, 502);
    EXPECT_EQ(answer.body.find("own"), std::string::npos)
        << answer.body;  // no word of the provider
  }
}

TEST(Errors, ADefectTellsNothing) {
  for (const Reason reason : {common::v1::REASON_INTERNAL, common::v1::REASON_UNSPECIFIED}) {
    const std::string body = ToErrorAnswer(FailureWith(reason)).body;
    EXPECT_EQ(body.find("what happened"), std::string::npos);
    EXPECT_EQ(body.find("Acme"), std::string::npos);
    EXPECT_EQ(json::parse(body)["error"]["code"], 500);
  }
}

TEST(Errors, PassTheProvidersWordsToTheRequestingClient) {
  const json error =
      json::parse(ToErrorAnswer(FailureWith(common::v1::REASON_PROVIDER_REJECTED)).body)["error"];
  EXPECT_EQ(error["metadata"]["raw"], "provider's \"own\" words");
  EXPECT_EQ(error["metadata"]["provider_name"], "Acme");
  EXPECT_EQ(error["metadata"]["provider_code"], 418);
}

TEST(Errors, RetryAfterIsRoundedUpAndOnlyOn429And503) {
  Failure failure = FailureWith(common::v1::REASON_PROVIDER_RATE_LIMITED);
  EXPECT_EQ(ToErrorAnswer(failure).retry_after_seconds, 0);
  failure.detail.set_retry_after_ms(1'001);
  EXPECT_EQ(ToErrorAnswer(failure).retry_after_seconds, 2);
  EXPECT_EQ(json::parse(ToErrorAnswer(failure).body)["error"]["availability"]["retry_after"], 2);
  failure.detail.set_reason(common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(ToErrorAnswer(failure).retry_after_seconds, 0);
  EXPECT_GT(ToErrorAnswer(FailureWith(common::v1::REASON_UNAVAILABLE)).retry_after_seconds, 0);
  EXPECT_GT(ToErrorAnswer(FailureWith(common::v1::REASON_OVERLOADED)).retry_after_seconds, 0);
}

TEST(Errors, ListTheAttempts) {
  Failure failure = FailureWith(common::v1::REASON_PROVIDER_ERROR);
  AttemptNote note;
  note.provider = "Acme";
  note.model = "a/b";
  note.endpoint_id = "a/b@acme";
  note.error.set_reason(common::v1::REASON_PROVIDER_OVERLOADED);
  note.error.set_upstream_status(529);
  failure.attempts = {note, note};
  const json error = json::parse(ToErrorAnswer(failure).body)["error"];
  ASSERT_EQ(error["metadata"]["previous_errors"].size(), 2u);
  EXPECT_EQ(error["metadata"]["previous_errors"][0]["provider"], "Acme");
  EXPECT_EQ(error["metadata"]["previous_errors"][0]["code"], 529);
  EXPECT_EQ(error["metadata"]["previous_errors"][0]["status"], "provider_overloaded");
}

TEST(Errors, SayWhichFilterExcludedWhat) {
  Failure failure = FailureWith(common::v1::REASON_NO_ENDPOINTS);
  for (int i = 0; i < 80; ++i) {
    router::v1::Exclusion exclusion;
    exclusion.set_endpoint_id("a/b@p" + std::to_string(i));
    exclusion.set_provider_slug("p" + std::to_string(i));
    exclusion.set_filter(i % 2 == 0 ? "context_length" : "zdr");
    exclusion.set_detail("why");
    failure.excluded.push_back(exclusion);
  }
  const json error = json::parse(ToErrorAnswer(failure).body)["error"];
  EXPECT_EQ(error["code"], 404);
  EXPECT_EQ(error["metadata"]["excluded"].size(), kMaxExcludedListed);
  EXPECT_EQ(error["metadata"]["excluded_total"], 80);
  EXPECT_EQ(error["metadata"]["excluded"][0]["filter"], "context_length");
  EXPECT_EQ(error["availability"]["code"], "constraint_filtered");
  EXPECT_EQ(error["availability"]["excluded_by"],
            json::parse(R"(["context_length","data_policy:zdr"])"));
  EXPECT_EQ(error["availability"]["requested_models"][0], "a/b");
}

TEST(Errors, TellFirstWhatTheRequestAskedFor) {
  Failure failure = FailureWith(common::v1::REASON_NO_ENDPOINTS);
  const auto add = [&](const char* endpoint, const char* filter, const char* detail) {
    router::v1::Exclusion& exclusion = failure.excluded.emplace_back();
    exclusion.set_endpoint_id(endpoint);
    exclusion.set_filter(filter);
    exclusion.set_detail(detail);
  };
  for (size_t i = 0; i < kMaxExcludedListed; ++i)
    add("a/b@idle", "provider_inactive", "no key is configured for Idle");
  add("a/b@one/flex", "service_tier", "service tier flex is not in [default]");
  add("a/b@one", "zdr", "no zero data retention; zdr is true");
  const json error = json::parse(ToErrorAnswer(failure).body)["error"];
  EXPECT_EQ(error["metadata"]["excluded"][0]["endpoint"], "a/b@one");
  EXPECT_EQ(error["metadata"]["excluded"][0]["detail"], "no zero data retention; zdr is true");
  EXPECT_EQ(error["metadata"]["excluded"][1]["filter"], "service_tier");
  EXPECT_EQ(error["availability"]["constraint"]["field"], "zdr");
  EXPECT_EQ(error["availability"]["constraint"]["detail"], "no zero data retention; zdr is true");
  EXPECT_EQ(error["availability"]["code"], "privacy_restricted");
  add("a/b@two", "max_price", "prompt price 0.000003 > 0.000002");
  EXPECT_EQ(json::parse(ToErrorAnswer(failure).body)["error"]["availability"]["code"],
            "constraint_filtered");
}

TEST(Errors, NameTheOffendingMember) {
  const Failure failure = FailureOf(seam::InvalidField("messages[2].role", "must be a string"));
  const json error = json::parse(ToErrorAnswer(failure).body)["error"];
  EXPECT_EQ(error["code"], 400);
  EXPECT_EQ(error["metadata"]["field"], "messages[2].role");
}

}  // namespace
}  // namespace signalbox::ingress
