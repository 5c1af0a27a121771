#include "services/provider-adapter/core/error_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/seam/error_detail.h"

namespace signalbox::provider_adapter {
namespace {

using common::v1::Reason;
using testing::HasSubstr;
using testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);  // Tue, 14 Nov 2023 22:13:20 GMT

common::v1::ErrorDetail Classify(int status, absl::string_view body) {
  return ClassifyStatus(status, {}, body, kNow);
}

struct Case {
  const char* provider;
  int status;  // 0 = inside a 200
  const char* body;
  Reason reason;
};

// Shapes as the providers document or send them; the words are what counts.
const Case kCases[] = {
    {"OpenAI", 429,
     R"({"error":{"message":"Rate limit reached for gpt-4o in organization org-abc on tokens per min","type":"tokens","param":null,"code":"rate_limit_exceeded"}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"OpenAI", 429,
     R"({"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"OpenAI", 400,
     R"({"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"OpenAI", 401,
     R"({"error":{"message":"Incorrect API key provided: sk-abc***xyz.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}})",
     common::v1::REASON_PROVIDER_AUTH},
    {"OpenAI", 404,
     R"({"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"OpenAI", 400,
     R"({"error":{"message":"Unsupported value: 'messages[0].role'","type":"invalid_request_error","param":"messages[0].role","code":"unsupported_value"}})",
     common::v1::REASON_PROVIDER_REJECTED},
    {"OpenAI", 500,
     R"({"error":{"message":"The server had an error while processing your request","type":"server_error"}})",
     common::v1::REASON_PROVIDER_ERROR},
    {"OpenAI", 503,
     R"({"error":{"message":"The engine is currently overloaded","type":"server_error"}})",
     common::v1::REASON_PROVIDER_OVERLOADED},
    {"OpenAI", 400,
     R"({"error":{"message":"Your request was rejected as a result of our safety system.","type":"image_generation_user_error","code":"moderation_blocked"}})",
     common::v1::REASON_PROVIDER_MODERATED},
    {"Azure", 400,
     R"({"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}})",
     common::v1::REASON_PROVIDER_MODERATED},
    {"Azure", 404,
     R"({"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"Anthropic", 529,
     R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"})",
     common::v1::REASON_PROVIDER_OVERLOADED},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"Anthropic", 400,
     R"({"type":"error","error":{"type":"invalid_request_error","message":"messages: at least one message is required"}})",
     common::v1::REASON_PROVIDER_REJECTED},
    {"Anthropic", 401,
     R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})",
     common::v1::REASON_PROVIDER_AUTH},
    {"Anthropic", 404,
     R"({"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"Anthropic", 429,
     R"({"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit"}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Anthropic", 0,
     R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
     common::v1::REASON_PROVIDER_OVERLOADED},
    {"Anthropic", 0,
     R"({"type":"error","error":{"type":"api_error","message":"Internal server error"}})",
     common::v1::REASON_PROVIDER_ERROR},
    {"Google", 429,
     R"([{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"x","retryDelay":"34s"}]}}])",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Google", 400,
     R"([{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}])",
     common::v1::REASON_PROVIDER_AUTH},
    {"Google", 400,
     R"({"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"Google", 503,
     R"({"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}})",
     common::v1::REASON_PROVIDER_OVERLOADED},
    {"Groq", 413,
     R"({"error":{"message":"Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 9000","type":"tokens","code":"rate_limit_exceeded"}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Groq", 498,
     R"({"error":{"message":"Flex tier capacity exceeded","type":"invalid_request_error","code":"capacity_exceeded"}})",
     common::v1::REASON_PROVIDER_OVERLOADED},
    {"Groq", 400,
     R"({"error":{"message":"The model `x` has been decommissioned and is no longer supported.","type":"invalid_request_error","code":"model_decommissioned"}})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"Groq", 400,
     R"({"error":{"message":"Tool call validation failed","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"{}"}})",
     common::v1::REASON_PROVIDER_REJECTED},
    {"Mistral", 400,
     R"({"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","param":null,"code":"3051"})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"Mistral", 422,
     R"({"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error"})",
     common::v1::REASON_PROVIDER_REJECTED},
    {"Mistral", 401, R"({"detail":"Unauthorized"})", common::v1::REASON_PROVIDER_AUTH},
    {"Mistral", 429, R"({"message":"Requests rate limit exceeded"})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"DeepSeek", 402,
     R"({"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"xAI", 400,
     R"({"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 200000 tokens."})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"xAI", 404,
     R"({"code":"Some requested entity was not found","error":"The model grok-x does not exist"})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"Moonshot", 429,
     R"({"error":{"type":"engine_overloaded_error","message":"The engine is currently overloaded, please try again later"}})",
     common::v1::REASON_PROVIDER_OVERLOADED},
    {"Moonshot", 429,
     R"({"error":{"type":"exceeded_current_quota_error","message":"Your account is suspended, please check your plan"}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"Zhipu", 429, R"({"error":{"code":"1302","message":"too many concurrent requests"}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Zhipu", 429, R"({"error":{"code":"1113","message":"account in arrears"}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"Alibaba", 400,
     R"({"error":{"code":"data_inspection_failed","message":"Input data may contain inappropriate content.","type":"data_inspection_failed"}})",
     common::v1::REASON_PROVIDER_MODERATED},
    {"Alibaba", 400,
     R"({"error":{"code":"invalid_parameter_error","message":"Range of input length should be [1, 30720]","type":"invalid_request_error"}})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"MiniMax", 0,
     R"({"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"MiniMax", 0, R"({"base_resp":{"status_code":1002,"status_msg":"rate limit"}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Together", 429,
     R"({"error":{"message":"You have reached the rate limit","type":"model_rate_limit","param":null,"code":null}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"vLLM", 400,
     R"({"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","param":null,"code":400})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"vLLM", 404,
     R"({"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","code":404})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"TGI", 422,
     R"({"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096","error_type":"validation"})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"llama.cpp", 400,
     R"({"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}})",
     common::v1::REASON_PROVIDER_CONTEXT_LENGTH},
    {"Ollama", 404, R"({"error":"model 'x' not found"})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"Cloudflare", 429,
     R"({"success":false,"errors":[{"code":3040,"message":"Capacity temporarily exceeded, please try again."}]})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Bedrock", 429,
     R"({"message":"Too many requests, please wait before trying again.","__type":"ThrottlingException"})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"Bedrock", 403, R"({"Message":"User is not authorized to perform this action"})",
     common::v1::REASON_PROVIDER_AUTH},
    {"Cohere", 422, R"({"message":"invalid request: field x is not allowed"})",
     common::v1::REASON_PROVIDER_REJECTED},
    {"NVIDIA", 404,
     R"({"status":404,"title":"Not Found","detail":"Function not found for account"})",
     common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"OpenRouter", 429,
     R"({"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"message\":\"insufficient quota\",\"type\":\"insufficient_quota\"}}","provider_name":"X"}}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"OpenRouter", 402,
     R"({"error":{"message":"This request requires more credits, or fewer max_tokens.","code":402}})",
     common::v1::REASON_PROVIDER_QUOTA},
    {"OpenRouter", 403,
     R"({"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged for \"violence\".","metadata":{"reasons":["violence"],"flagged_input":"x"}}})",
     common::v1::REASON_PROVIDER_MODERATED},
    {"OpenRouter", 0, R"({"error":{"code":502,"message":"Upstream error"}})",
     common::v1::REASON_PROVIDER_ERROR},
    {"Apigee", 429,
     R"({"fault":{"faultstring":"Rate limit quota violation","detail":{"errorcode":"policies.ratelimit.QuotaViolation"}}})",
     common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"nginx", 502, "<html><head><title>502 Bad Gateway</title></head><body></body></html>",
     common::v1::REASON_PROVIDER_ERROR},
    {"nginx", 413, "<html><head><title>413 Request Entity Too Large</title></head></html>",
     common::v1::REASON_PROVIDER_REJECTED},
    {"Cloudflare", 524, "error code: 524", common::v1::REASON_PROVIDER_ERROR},
    {"Cloudflare", 403, "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>",
     common::v1::REASON_PROVIDER_AUTH},
    {"plain", 503, "Service Unavailable", common::v1::REASON_PROVIDER_OVERLOADED},
    {"empty", 500, "", common::v1::REASON_PROVIDER_ERROR},
    {"empty", 429, "", common::v1::REASON_PROVIDER_RATE_LIMITED},
    {"timeout", 408, "", common::v1::REASON_PROVIDER_ERROR},
    {"method", 405, "", common::v1::REASON_PROVIDER_ERROR},
    {"redirect", 301, "", common::v1::REASON_PROVIDER_MALFORMED},
    {"legal", 451, "", common::v1::REASON_PROVIDER_MODERATED},
    {"gone", 410, "", common::v1::REASON_PROVIDER_MODEL_MISSING},
    {"odd", 0, R"({"error":true})", common::v1::REASON_PROVIDER_ERROR},
};

TEST(ErrorMap, KnowsWhatProvidersMean) {
  for (const Case& c : kCases) {
    const auto detail = c.status == 0 ? ClassifyErrorObject(c.body) : Classify(c.status, c.body);
    EXPECT_EQ(detail.reason(), c.reason) << c.provider << " " << c.status << " " << c.body
                                         << " got " << seam::ReasonName(detail.reason());
    EXPECT_EQ(detail.upstream_status(), c.status == 0 ? 200 : c.status);
    EXPECT_TRUE(detail.retryable());
    EXPECT_FALSE(detail.public_message().empty());
  }
}

TEST(ErrorMap, Issue31QuotaExhaustionIsNotARateLimitAndRateLimitsFailOver) {
  EXPECT_EQ(Classify(429, R"({"error":{"code":"insufficient_quota","message":"x"}})").reason(),
            common::v1::REASON_PROVIDER_QUOTA);
  for (const char* body :
       {"", "{}", R"({"error":{"type":"rate_limit_error","message":"x"}})", "Too Many Requests"}) {
    EXPECT_EQ(Classify(429, body).reason(), common::v1::REASON_PROVIDER_RATE_LIMITED);
  }
}

TEST(ErrorMap, PublicMessagesNeverQuoteTheProvider) {
  const auto detail =
      Classify(400, R"({"error":{"message":"secret prompt text","type":"invalid_request_error"}})");
  EXPECT_THAT(detail.public_message(), Not(HasSubstr("secret")));
  EXPECT_EQ(detail.upstream_message(), "secret prompt text");
}

TEST(ErrorMap, UpstreamMessagesHoldNoKeysAndAreBounded) {
  EXPECT_EQ(Classify(401, R"({"error":{"message":"Incorrect API key provided: sk-abc***xyz"}})")
                .upstream_message(),
            "");
  EXPECT_EQ(Classify(500, R"({"error":{"message":"failed for org-123 with sk-live-1"}})")
                .upstream_message(),
            "failed for [redacted] with [redacted]");
  const std::string longish(100'000, 'x');
  EXPECT_LE(Classify(500, longish + " " + longish).upstream_message().size(), 1024u);
  EXPECT_EQ(Classify(500, "bad \xff byte").upstream_message(), "bad ? byte");
  EXPECT_EQ(Classify(502, "<html><title>502 Bad Gateway</title>").upstream_message(),
            "502 Bad Gateway");
}

TEST(ErrorMap, DeeplyNestedOrHugeBodiesAreHarmless) {
  std::string nested = "\"x\"";
  for (int i = 0; i < 30; ++i) nested = "{\"error\":" + nested + "}";
  EXPECT_EQ(Classify(500, nested).reason(), common::v1::REASON_PROVIDER_ERROR);
  EXPECT_EQ(Classify(500, std::string(1'000'000, '[')).reason(), common::v1::REASON_PROVIDER_ERROR);
}

TEST(ErrorMap, TransportTroubleByWhatReachedTheProvider) {
  using Kind = http::ClientError::Kind;
  const auto reason = [](Kind kind, bool received = false) {
    return ClassifyTransport({kind, received, "m"}).reason();
  };
  for (Kind kind : {Kind::kResolve, Kind::kConnect, Kind::kConnectTimeout, Kind::kTls})
    EXPECT_EQ(reason(kind), common::v1::REASON_PROVIDER_UNREACHABLE);
  EXPECT_EQ(reason(Kind::kReset), common::v1::REASON_PROVIDER_RESET);
  EXPECT_EQ(reason(Kind::kReset, true), common::v1::REASON_PROVIDER_CUT);
  for (Kind kind : {Kind::kHeadTimeout, Kind::kIdleTimeout})
    EXPECT_EQ(reason(kind), common::v1::REASON_PROVIDER_TIMEOUT);
  for (Kind kind : {Kind::kProtocol, Kind::kTooLarge})
    EXPECT_EQ(reason(kind), common::v1::REASON_PROVIDER_MALFORMED);
}

TEST(RetryAfter, SecondsDatesAndGarbage) {
  const std::pair<const char*, absl::Duration> cases[] = {
      {"7", absl::Seconds(7)},
      {" 7 ", absl::Seconds(7)},
      {"0", absl::ZeroDuration()},
      {"1.5", absl::Milliseconds(1500)},
      {"-3", absl::ZeroDuration()},
      {"", absl::ZeroDuration()},
      {"soon", absl::ZeroDuration()},
      {"1000000000", absl::Minutes(5)},
      {"99999999999999999999999", absl::Minutes(5)},
      {"Tue, 14 Nov 2023 22:13:50 GMT", absl::Seconds(30)},
      {"Tue, 14 Nov 2023 22:13:00 GMT", absl::ZeroDuration()},
      {"Tue, 14 Nov 2033 22:13:00 GMT", absl::Minutes(5)},
      {"1e9", absl::ZeroDuration()},
      {"nan", absl::ZeroDuration()}};
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(ParseRetryAfter(text, kNow), expected) << text;
}

TEST(RetryAfter, ComesFromHeadersOrGooglesBody) {
  EXPECT_EQ(ClassifyStatus(429, {{"Retry-After", "7"}}, "", kNow).retry_after_ms(), 7000);
  EXPECT_EQ(ClassifyStatus(429, {{"Retry-After", "7"}, {"retry-after-ms", "1200"}}, "", kNow)
                .retry_after_ms(),
            1200);
  EXPECT_EQ(
      Classify(
          429,
          R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34s"}]}})")
          .retry_after_ms(),
      34000);
  EXPECT_EQ(Classify(429, "").retry_after_ms(), 0);
}

TEST(IsRetryable, SeparatesTheClientsFaultsFromEverythingElse) {
  for (int value = common::v1::Reason_MIN; value <= common::v1::Reason_MAX; ++value) {
    if (!common::v1::Reason_IsValid(value)) continue;
    const auto reason = static_cast<Reason>(value);
    const bool provider = value >= 20 && value < 50;
    EXPECT_TRUE(!provider || IsRetryable(reason)) << seam::ReasonName(reason);
  }
  for (Reason reason : {common::v1::REASON_INVALID_REQUEST, common::v1::REASON_UNAUTHENTICATED,
                        common::v1::REASON_PAYMENT_REQUIRED, common::v1::REASON_CANCELLED,
                        common::v1::REASON_INTERNAL}) {
    EXPECT_FALSE(IsRetryable(reason));
  }
  EXPECT_TRUE(IsRetryable(common::v1::REASON_UNAVAILABLE));
}

}  // namespace
}  // namespace signalbox::provider_adapter
