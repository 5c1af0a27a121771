#include "services/ingress/http_api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/ingress/ingress_fixture.h"

namespace signalbox::ingress {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class FakeExchange final : public http::Exchange {
 public:
  explicit FakeExchange(Executor& executor) : executor_(executor) {}
  Executor& executor() override { return executor_; }
  void Respond(http::Response answer) override {
    EXPECT_FALSE(answered);
    answered = finished = true;
    response = std::move(answer);
  }
  void StartStream(int status, http::Headers headers) override {
    EXPECT_FALSE(answered);
    answered = true;
    response.status = status;
    response.headers = std::move(headers);
  }
  void Write(std::string bytes) override { response.body += bytes; }
  void Finish() override { finished = true; }
  void Abort() override { finished = true; }
  size_t Buffered() const override { return buffered; }
  void OnWritable(std::function<void()>) override {}
  void OnClientGone(std::function<void()> callback) override { client_gone = std::move(callback); }

  http::Response response;
  bool answered = false;
  bool finished = false;
  size_t buffered = 0;
  std::function<void()> client_gone;

 private:
  Executor& executor_;
};

class HttpApiTest : public IngressFixture {
 protected:
  HttpApiTest() { MakeApi({}); }
  void MakeApi(const HttpApiOptions& options) {
    api_ = std::make_unique<HttpApi>(options, shared_,
                                     [this](Executor&) -> LoopServices& { return *services_; });
  }

  std::shared_ptr<FakeExchange> Send(const std::string& method, const std::string& target,
                                     const std::string& body = "", http::Headers headers = {}) {
    http::Request request;
    request.method = method;
    const size_t query = target.find('?');
    request.path = target.substr(0, query);
    if (query != std::string::npos) request.query = target.substr(query + 1);
    request.headers = std::move(headers);
    request.body = body;
    auto exchange = std::make_shared<FakeExchange>(executor_);
    api_->Handle(std::move(request), exchange);
    executor_.RunUntilIdle();
    return exchange;
  }
  std::shared_ptr<FakeExchange> Chat(const std::string& body, http::Headers headers = {}) {
    headers.Add("Authorization", "Bearer " + TestKey());
    return Send("POST", "/api/v1/chat/completions", body, std::move(headers));
  }
  static http::Headers WithKey() { return {{"authorization", "Bearer " + TestKey()}}; }

  std::unique_ptr<HttpApi> api_;
};

constexpr char kStreamBody[] =
    R"({"model":"acme/model","stream":true,"messages":[{"role":"user","content":"hello"}]})";
constexpr char kPlainBody[] =
    R"({"model":"acme/model","messages":[{"role":"user","content":"hello"}]})";

TEST_F(HttpApiTest, StreamsEventsWithTheHeadersClientsAndProxiesNeed) {
  const auto exchange = Chat(kStreamBody);
  EXPECT_FALSE(exchange->answered);
  adapter_.last().Content("data: {\"x\":1}\n\n");
  EXPECT_TRUE(exchange->answered);
  adapter_.last().Answer();
  EXPECT_EQ(exchange->response.status, 200);
  EXPECT_EQ(exchange->response.headers.Get("content-type"), "text/event-stream");
  EXPECT_EQ(exchange->response.headers.Get("cache-control"), "no-cache");
  EXPECT_THAT(std::string(exchange->response.headers.Get("x-generation-id")), HasSubstr("gen-"));
  EXPECT_THAT(std::string(exchange->response.headers.Get("server-timing")),
              HasSubstr("gateway;dur="));
  EXPECT_THAT(exchange->response.body, ::testing::StartsWith("data: {\"x\":1}\n\n"));
  EXPECT_THAT(exchange->response.body, ::testing::EndsWith("data: [DONE]\n\n"));
  EXPECT_TRUE(exchange->finished);
}

TEST_F(HttpApiTest, AnswersUnderTheAliasAndWithTheOtherKeyHeader) {
  const auto exchange =
      Send("POST", "/v1/chat/completions", kPlainBody,
           {{"x-api-key", TestKey()}, {"content-type", "application/json; charset=utf-8"}});
  adapter_.last().Content(R"({"id":"x"})");
  adapter_.last().Answer();
  EXPECT_EQ(exchange->response.status, 200);
  EXPECT_EQ(exchange->response.headers.Get("content-type"), "application/json");
  EXPECT_TRUE(json::parse(exchange->response.body).contains("usage"));
}

TEST_F(HttpApiTest, EndsABrokenStreamWithoutDone) {
  const auto exchange = Chat(kStreamBody);
  adapter_.last().Content("data: {\"x\":1}\n\n");
  adapter_.last().Fail(common::v1::REASON_PROVIDER_CUT);
  EXPECT_THAT(exchange->response.body, HasSubstr("\"error\""));
  EXPECT_THAT(exchange->response.body, ::testing::Not(HasSubstr("[DONE]")));
  EXPECT_TRUE(exchange->finished);
}

TEST_F(HttpApiTest, FailsWithStatusRetryAfterAndGenerationId) {
  const auto exchange = Chat(kPlainBody);
  for (int i = 0; i < 2; ++i) {
    provider::v1::AttemptResult result;
    result.mutable_error()->set_reason(common::v1::REASON_PROVIDER_RATE_LIMITED);
    result.mutable_error()->set_retry_after_ms(2'500 + i);
    adapter_.last().Result(std::move(result));
  }
  EXPECT_EQ(exchange->response.status, 429);
  EXPECT_EQ(exchange->response.headers.Get("retry-after"), "3");
  EXPECT_FALSE(exchange->response.headers.Get("x-generation-id").empty());
  EXPECT_EQ(json::parse(exchange->response.body)["error"]["metadata"]["previous_errors"].size(),
            2u);
}

TEST_F(HttpApiTest, SendsTheKeepAliveCommentClientsKnow) {
  const auto exchange = Chat(kStreamBody);
  executor_.Advance(absl::Seconds(10));
  EXPECT_EQ(exchange->response.body, ": OPENROUTER PROCESSING\n\n");
  exchange->client_gone();
}

TEST_F(HttpApiTest, PausesTheProviderAboveTheBuffer) {
  const auto exchange = Chat(kStreamBody);
  exchange->buffered = 64 * 1024 + 1;
  adapter_.last().Content("data: {}\n\n");
  EXPECT_TRUE(adapter_.last().paused);
  exchange->client_gone();
}

TEST_F(HttpApiTest, SaysUnauthorizedWithoutAKeyAndUnavailableWhenItCannotKnow) {
  EXPECT_EQ(Send("POST", "/api/v1/chat/completions", kPlainBody)->response.status, 401);
  EXPECT_EQ(Send("GET", "/api/v1/key")->response.status, 401);
  EXPECT_EQ(Send("GET", "/api/v1/generation?id=gen-1")->response.status, 401);
  keys_.away = true;
  const auto exchange = Chat(kPlainBody);
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(exchange->response.status, 503);
  EXPECT_FALSE(exchange->response.headers.Get("retry-after").empty());
}

TEST_F(HttpApiTest, ShedsLoadBeforeReadingTheBody) {
  HttpApiOptions options;
  options.max_in_flight = 1;
  MakeApi(options);
  const auto running = Chat(kStreamBody);
  const auto shed = Chat("not even JSON");
  EXPECT_EQ(shed->response.status, 503);
  EXPECT_FALSE(shed->response.headers.Get("retry-after").empty());
  running->client_gone();
  EXPECT_EQ(Chat("not even JSON")->response.status, 400);
}

TEST_F(HttpApiTest, RefusesOtherContentTypes) {
  const auto exchange = Chat(kPlainBody, {{"Content-Type", "text/plain"}});
  EXPECT_EQ(exchange->response.status, 400);
  EXPECT_EQ(json::parse(exchange->response.body)["error"]["metadata"]["field"], "Content-Type");
}

TEST_F(HttpApiTest, ServesTheCatalogueWithoutAKey) {
  EXPECT_EQ(json::parse(Send("GET", "/api/v1/models")->response.body)["total_count"], 3);
  EXPECT_EQ(json::parse(Send("GET", "/v1/models?limit=1")->response.body)["links"]["next"],
            "/v1/models?offset=1&limit=1");
  EXPECT_EQ(json::parse(Send("GET", "/api/v1/models/count")->response.body)["data"]["count"], 3);
  EXPECT_EQ(json::parse(Send("GET", "/api/v1/models/acme/model")->response.body)["data"]["id"],
            "acme/model");
  EXPECT_EQ(
      json::parse(
          Send("GET", "/api/v1/models/acme/model/endpoints")->response.body)["data"]["endpoints"]
          .size(),
      3u);
  EXPECT_EQ(json::parse(Send("GET", "/api/v1/models/acme%2Fmodel%3Afree/endpoints")
                            ->response.body)["data"]["endpoints"]
                .size(),
            1u);
  EXPECT_EQ(json::parse(Send("GET", "/api/v1/providers")->response.body)["data"].size(), 3u);
  EXPECT_EQ(Send("HEAD", "/api/v1/models")->response.status, 200);
  EXPECT_EQ(Send("GET", "/api/v1/models/acme/none")->response.status, 404);
  EXPECT_EQ(Send("GET", "/api/v1/models?limit=no")->response.status, 400);
}

TEST_F(HttpApiTest, RebuildsTheCatalogueAnswersWhenItChanges) {
  const auto before = api_->Models();
  EXPECT_EQ(api_->Models(), before);
  catalogue_ = TestCatalogue();
  EXPECT_NE(api_->Models(), before);
  catalogue_ = nullptr;
  EXPECT_EQ(Send("GET", "/api/v1/models")->response.status, 503);
}

TEST_F(HttpApiTest, ShowsWhatAKeyMayAndHasSpent) {
  store::KeyRecord record = RecordOf(TestKey());
  record.limit = NanoUsd{5'000'000'000};
  keys_.Add(record);
  keys_.usage.total = NanoUsd{1'500'000'000};
  keys_.usage.day = NanoUsd{1};
  const auto exchange = Send("GET", "/api/v1/key", "", WithKey());
  ASSERT_EQ(exchange->response.status, 200);
  const json data = json::parse(exchange->response.body)["data"];
  for (const char* name : {"label",
                           "limit",
                           "limit_remaining",
                           "limit_reset",
                           "include_byok_in_limit",
                           "usage",
                           "usage_daily",
                           "usage_weekly",
                           "usage_monthly",
                           "byok_usage",
                           "byok_usage_daily",
                           "byok_usage_weekly",
                           "byok_usage_monthly",
                           "is_free_tier",
                           "is_management_key",
                           "is_provisioning_key",
                           "creator_user_id",
                           "organization_id",
                           "workspace_id",
                           "allowed_data_regions",
                           "free_model_daily_requests",
                           "rate_limit"}) {
    EXPECT_TRUE(data.contains(name)) << name;
  }
  EXPECT_EQ(data["limit"], 5);
  EXPECT_DOUBLE_EQ(data["limit_remaining"].get<double>(), 3.5);
  EXPECT_DOUBLE_EQ(data["usage_daily"].get<double>(), 1e-9);
  EXPECT_THAT(exchange->response.body, ::testing::Not(HasSubstr(TestKey())));
}

TEST_F(HttpApiTest, ReadsAGenerationOnlyOfItsOwnKey) {
  generations_.stored["gen-1"] = {RecordOf(TestKey()).hash, NanoUsd{1}, R"({"id":"gen-1"})"};
  const auto own = Send("GET", "/api/v1/generation?id=gen-1", "", WithKey());
  EXPECT_EQ(own->response.body, R"({"data":{"id":"gen-1"}})");
  keys_.Add(RecordOf(TestKey('b')));
  const auto other = Send("GET", "/api/v1/generation?id=gen-1", "", {{"x-api-key", TestKey('b')}});
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(other->response.status, 404);
  EXPECT_EQ(Send("GET", "/api/v1/generation", "", WithKey())->response.status, 400);
  generations_.away = true;
  EXPECT_EQ(Send("GET", "/api/v1/generation?id=gen-1", "", WithKey())->response.status, 503);
}

TEST_F(HttpApiTest, WaitsAMomentForAGenerationThatIsBeingStored) {
  const auto exchange = Send("GET", "/api/v1/generation?id=gen-2", "", WithKey());
  EXPECT_FALSE(exchange->answered);
  generations_.stored["gen-2"] = {RecordOf(TestKey()).hash, NanoUsd{1}, R"({"id":"gen-2"})"};
  executor_.Advance(absl::Milliseconds(150));
  EXPECT_EQ(exchange->response.status, 200);
}

TEST_F(HttpApiTest, AnswersUnknownPathsAndMethodsInTheSameShape) {
  for (const char* target : {"/", "/api/v1", "/api/v2/models", "/api/v1/unknown", "/api/v1/models/",
                             "/chat/completions"}) {
    const auto exchange = Send("GET", target);
    if (std::string(target) == "/api/v1/models/") {
      EXPECT_EQ(exchange->response.status, 200);  // a trailing slash
      continue;
    }
    EXPECT_EQ(exchange->response.status, 404) << target;
    EXPECT_EQ(json::parse(exchange->response.body)["error"]["code"], 404);
  }
  const auto wrong = Send("GET", "/api/v1/chat/completions");
  EXPECT_EQ(wrong->response.status, 405);
  EXPECT_EQ(wrong->response.headers.Get("allow"), "POST");
  EXPECT_EQ(json::parse(wrong->response.body)["error"]["code"], 405);
  EXPECT_EQ(Send("DELETE", "/api/v1/models")->response.status, 405);
}

TEST_F(HttpApiTest, AnswersPreflights) {
  const auto exchange = Send("OPTIONS", "/api/v1/chat/completions");
  EXPECT_EQ(exchange->response.status, 204);
  EXPECT_EQ(exchange->response.headers.Get("access-control-allow-origin"), "*");
}

TEST_F(HttpApiTest, RefusesASessionIdThatIsTooLong) {
  EXPECT_EQ(Chat(kPlainBody, {{"x-session-id", std::string(257, 's')}})->response.status, 400);
}

TEST_F(HttpApiTest, TakesTheToolCallGuardOfTheHeaderAndRefusesOtherWords) {
  const auto refused = Chat(kPlainBody, {{"X-Signalbox-Tool-Call-Guard", "on"}});
  EXPECT_EQ(refused->response.status, 400);
  EXPECT_EQ(json::parse(refused->response.body)["error"]["metadata"]["field"],
            "X-Signalbox-Tool-Call-Guard");
  EXPECT_TRUE(adapter_.calls.empty());
  Chat(kPlainBody, {{"X-Signalbox-Tool-Call-Guard", "enforce"}});
  EXPECT_EQ(adapter_.calls.size(), 1u);
}

TEST(ServerError, HasTheErrorShape) {
  const http::Response response = HttpApi::ServerError(413, "body too large");
  EXPECT_EQ(response.status, 413);
  EXPECT_EQ(json::parse(response.body)["error"]["metadata"]["error_type"], "payload_too_large");
}

}  // namespace
}  // namespace signalbox::ingress
