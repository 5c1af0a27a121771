#include "services/ingress/http_api.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/writer.h"
#include "common/seam/error_detail.h"
#include "services/ingress/chat_call.h"
#include "services/ingress/core/query.h"
#include "services/ingress/core/tool_call_guard.h"

namespace signalbox::ingress {
namespace {

using json::Writer;

constexpr size_t kMaxSessionIdBytes = 256;
constexpr size_t kMaxGenerationIdBytes = 128;
constexpr size_t kMaxHeaderCopied = 512;
constexpr int kGenerationReads = 4;
constexpr absl::Duration kGenerationReadDelay = absl::Milliseconds(60);  // doubled each time

std::string Bounded(absl::string_view text) {
  return std::string(text.substr(0, kMaxHeaderCopied));
}

absl::Status NotFound(absl::string_view what) {
  return seam::MakeError(common::v1::REASON_NOT_FOUND, what);
}

absl::Status Unavailable(absl::string_view what) {
  return seam::MakeError(common::v1::REASON_UNAVAILABLE, what);
}

// A body without a content type is taken for JSON: some clients send none.
bool IsJson(absl::string_view content_type) {
  return content_type.empty() || absl::StartsWithIgnoreCase(content_type, "application/json") ||
         absl::StrContains(content_type, "+json");
}

http::Response Preflight() {
  return {204,
          {{"Access-Control-Allow-Origin", "*"},
           {"Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"},
           {"Access-Control-Allow-Headers", "*, Authorization"},
           {"Access-Control-Max-Age", "86400"}},
          ""};
}

http::Response MethodNotAllowed(absl::string_view allowed) {
  http::Response response{405, JsonHeaders(), ""};
  response.headers.Add("Allow", allowed);
  response.body = absl::StrCat(R"({"error":{"code":405,"message":"Use )", allowed,
                               R"( for this path.","metadata":{"error_type":"invalid_request"}}})");
  return response;
}

std::string MoneyOrNull(const std::optional<NanoUsd>& amount) {
  return amount.has_value() ? NanoToDecimal(*amount) : "null";
}

std::optional<NanoUsd> Remaining(const std::optional<NanoUsd>& limit, NanoUsd used) {
  if (!limit.has_value()) return std::nullopt;
  return NanoUsd{std::max<int64_t>(0, limit->value - used.value)};
}

std::string KeyJson(const store::KeyRecord& key, const store::KeyUsage& usage) {
  Writer w(1'024);
  w.BeginObject().Key("data").BeginObject().Key("label").String(key.label).Key("name").String(
      key.name);
  w.Key("limit")
      .Raw(MoneyOrNull(key.limit))
      .Key("limit_remaining")
      .Raw(MoneyOrNull(Remaining(key.limit, usage.total)));
  w.Key("limit_reset").Null().Key("include_byok_in_limit").Bool(false);
  w.Key("usage").Raw(NanoToDecimal(usage.total)).Key("usage_daily").Raw(NanoToDecimal(usage.day));
  w.Key("usage_weekly")
      .Raw(NanoToDecimal(usage.week))
      .Key("usage_monthly")
      .Raw(NanoToDecimal(usage.month));
  for (const absl::string_view name :
       {"byok_usage", "byok_usage_daily", "byok_usage_weekly", "byok_usage_monthly"}) {
    w.Key(name).Int(0);
  }
  for (const absl::string_view name : {"is_free_tier", "is_management_key", "is_provisioning_key"})
    w.Key(name).Bool(false);
  for (const absl::string_view name : {"creator_user_id", "organization_id", "workspace_id"})
    w.Key(name).Null();
  if (key.expires.has_value()) {
    w.Key("expires_at")
        .String(
            absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Time(*key.expires), absl::UTCTimeZone()));
  }
  w.Key("allowed_data_regions").BeginArray().EndArray();
  w.Key("free_model_daily_requests")
      .BeginObject()
      .Key("limit")
      .Int(0)
      .Key("remaining")
      .Int(0)
      .Key("used")
      .Int(0)
      .EndObject();
  w.Key("rate_limit").BeginObject().Key("requests").Int(-1).Key("interval").String("10s");
  w.Key("note").String("Keys have no request limit of their own.").EndObject();
  w.EndObject().EndObject();
  return std::move(w).Take();
}

// Headers of the client that a provider may need to see.
std::map<std::string, std::string> ForwardHeaders(const http::Headers& headers) {
  std::map<std::string, std::string> forward;
  for (const absl::string_view name : {"anthropic-beta", "x-anthropic-beta"}) {
    const absl::string_view value = headers.Get(name);
    if (!value.empty()) forward["anthropic-beta"] = Bounded(value);
  }
  return forward;
}

class GenerationRead : public std::enable_shared_from_this<GenerationRead> {
 public:
  using Done = std::function<void(absl::StatusOr<std::string>)>;
  GenerationRead(LoopServices& services, std::string id, std::string key_hash, Done done)
      : services_(services),
        id_(std::move(id)),
        key_hash_(std::move(key_hash)),
        done_(std::move(done)) {}

  void Ask() {
    services_.shared.generations.Get(
        services_.executor, id_, key_hash_,
        [self = shared_from_this()](absl::StatusOr<std::optional<std::string>> answer) {
          self->OnAnswer(std::move(answer));
        });
  }

 private:
  void OnAnswer(absl::StatusOr<std::optional<std::string>> answer) {
    if (!answer.ok()) {
      done_(Unavailable("The store of generations is temporarily unavailable."));
    } else if (answer->has_value()) {
      done_(absl::StrCat("{\"data\":", **answer, "}"));
    } else if (++reads_ == kGenerationReads) {
      done_(NotFound("No such generation of this key."));
    } else {
      services_.executor.RunAfter(kGenerationReadDelay * (1 << reads_),
                                  [self = shared_from_this()] { self->Ask(); });
    }
  }

  LoopServices& services_;
  const std::string id_;
  const std::string key_hash_;
  const Done done_;
  int reads_ = 0;
};

}  // namespace

void ReadGeneration(LoopServices& services, const std::string& id, const std::string& key_hash,
                    std::function<void(absl::StatusOr<std::string>)> done) {
  if (id.empty() || id.size() > kMaxGenerationIdBytes) {
    done(seam::InvalidField("id", "must be the id of a generation"));
    return;
  }
  std::make_shared<GenerationRead>(services, id, key_hash, std::move(done))->Ask();
}

struct HttpApi::Route {
  Method method = Method::kOther;
  bool found = false;
  absl::string_view verb = "GET";
  std::string model;  // "author/slug"
  absl::string_view base;
};

HttpApi::HttpApi(const HttpApiOptions& options, const SharedServices& shared,
                 LoopServicesOf services_of)
    : options_(options), shared_(shared), services_of_(std::move(services_of)) {}

HttpApi::Route HttpApi::Match(absl::string_view path) {
  Route route;
  absl::string_view rest = path;
  if (absl::ConsumePrefix(&rest, "/api/v1/")) {
    route.base = "/api/v1";
  } else if (absl::ConsumePrefix(&rest, "/v1/")) {
    route.base = "/v1";
  } else {
    return route;
  }
  absl::ConsumeSuffix(&rest, "/");
  const auto found = [&](Method method, absl::string_view verb = "GET") {
    route.method = method;
    route.verb = verb;
    route.found = true;
    return route;
  };
  if (rest == "chat/completions") return found(Method::kChat, "POST");
  if (rest == "models") return found(Method::kModels);
  if (rest == "models/count") return found(Method::kCount);
  if (rest == "providers") return found(Method::kProviders);
  if (rest == "key" || rest == "auth/key") return found(Method::kKey);
  if (rest == "generation") return found(Method::kGeneration);
  if (!absl::ConsumePrefix(&rest, "models/")) return route;
  const bool endpoints = absl::ConsumeSuffix(&rest, "/endpoints");
  route.model = DecodePercent(rest);
  if (route.model.empty()) return route;
  return found(endpoints ? Method::kEndpoints : Method::kModel);
}

void HttpApi::Handle(http::Request request, std::shared_ptr<http::Exchange> exchange) {
  const Route route = Match(request.path);
  if (request.method == "OPTIONS") {
    exchange->Respond(Preflight());
    return;
  }
  if (!route.found) {
    RespondError(
        Method::kOther, *exchange,
        NotFound(
            "No such path. The API is under /api/v1, for example POST /api/v1/chat/completions."));
    return;
  }
  const bool head_of_get = request.method == "HEAD" && route.verb == "GET";
  if (request.method != route.verb && !head_of_get) {
    shared_.metrics.CountAnswer(route.method, 405);
    exchange->Respond(MethodNotAllowed(route.verb));
    return;
  }
  Dispatch(route, std::move(request), std::move(exchange));
}

void HttpApi::Dispatch(const Route& route, http::Request request,
                       std::shared_ptr<http::Exchange> exchange) {
  switch (route.method) {
    case Method::kChat:
      Chat(std::move(request), std::move(exchange));
      return;
    case Method::kKey:
      Key(request, std::move(exchange));
      return;
    case Method::kGeneration:
      Generation(request, std::move(exchange));
      return;
    default:
      Catalogue(route, request, *exchange);
  }
}

void HttpApi::Chat(http::Request request, std::shared_ptr<http::Exchange> exchange) {
  if (shared_.metrics.in_flight.load(std::memory_order_relaxed) >= options_.max_in_flight) {
    shared_.metrics.shed.Add();
    RespondError(Method::kChat, *exchange,
                 seam::MakeError(common::v1::REASON_OVERLOADED,
                                 "Too many requests are in flight; repeat the request shortly."));
    return;
  }
  const http::Headers& headers = request.headers;
  if (!IsJson(headers.Get("content-type"))) {
    RespondError(Method::kChat, *exchange,
                 seam::InvalidField("Content-Type", "must be application/json"));
    return;
  }
  const absl::string_view session = headers.Get("x-session-id");
  if (session.size() > kMaxSessionIdBytes) {
    RespondError(Method::kChat, *exchange,
                 seam::InvalidField("x-session-id", "must be at most 256 bytes"));
    return;
  }
  const absl::string_view guard = headers.Get(kToolCallGuardHeader);
  if (!guard.empty() && !ToolCallGuardNamed(guard).has_value()) {
    RespondError(Method::kChat, *exchange,
                 seam::InvalidField("X-Signalbox-Tool-Call-Guard", kToolCallGuardRule));
    return;
  }
  ChatRequest chat;
  if (!guard.empty()) chat.tool_call_guard = *ToolCallGuardNamed(guard);
  chat.secret = std::string(SecretFrom(headers.Get("authorization"), headers.Get("x-api-key")));
  chat.session_id = std::string(session);
  chat.traceparent = Bounded(headers.Get("traceparent"));
  chat.user_agent = Bounded(headers.Get("user-agent"));
  chat.referer = Bounded(headers.Get("http-referer").empty() ? headers.Get("referer")
                                                             : headers.Get("http-referer"));
  chat.forward_headers = ForwardHeaders(headers);
  chat.wants_metadata =
      absl::EqualsIgnoreCase(headers.Get("x-openrouter-metadata"), "enabled") ||
      absl::EqualsIgnoreCase(headers.Get("x-openrouter-experimental-metadata"), "enabled");
  chat.body = std::move(request.body);
  LoopServices& services = services_of_(exchange->executor());
  auto front = std::make_unique<HttpFront>(std::move(exchange), options_.stream_buffer_bytes,
                                           shared_.metrics);
  ChatCall::Start(services, std::move(chat), std::move(front));
}

std::shared_ptr<const ModelsApi> HttpApi::Models() {
  std::shared_ptr<const catalogue::Catalogue> catalogue = shared_.catalogue();
  if (catalogue == nullptr) return nullptr;
  absl::MutexLock lock(&mutex_);
  if (models_ == nullptr || models_->catalogue() != catalogue)
    models_ = ModelsApi::Build(std::move(catalogue));
  return models_;
}

void HttpApi::Catalogue(const Route& route, const http::Request& request,
                        http::Exchange& exchange) {
  const std::shared_ptr<const ModelsApi> models = Models();
  if (models == nullptr) {
    RespondError(route.method, exchange, Unavailable("The catalogue is not loaded yet."));
    return;
  }
  absl::StatusOr<std::string> body;
  switch (route.method) {
    case Method::kModels:
      body = models->ListModels(request.query, route.base);
      break;
    case Method::kCount:
      body = models->CountModels();
      break;
    case Method::kProviders:
      body = models->providers();
      break;
    case Method::kModel:
      body = models->GetModel(route.model);
      break;
    default:
      body = models->ListEndpoints(route.model);
  }
  if (!body.ok()) {
    RespondError(route.method, exchange, body.status());
    return;
  }
  RespondJson(route.method, exchange, *std::move(body));
}

void HttpApi::Key(const http::Request& request, std::shared_ptr<http::Exchange> exchange) {
  LoopServices& services = services_of_(exchange->executor());
  const absl::string_view secret =
      SecretFrom(request.headers.Get("authorization"), request.headers.Get("x-api-key"));
  services.auth.Authenticate(secret, [this, &services, exchange](
                                         absl::StatusOr<Authenticator::Principal> principal) {
    if (!principal.ok()) {
      RespondError(Method::kKey, *exchange, principal.status());
      return;
    }
    const Authenticator::Principal key = *std::move(principal);
    shared_.keys.Usage(services.executor, key->hash,
                       [this, exchange, key](absl::StatusOr<store::KeyUsage> usage) {
                         if (!usage.ok()) {
                           RespondError(Method::kKey, *exchange,
                                        Unavailable("The key's usage is temporarily unavailable."));
                           return;
                         }
                         RespondJson(Method::kKey, *exchange, KeyJson(*key, *usage));
                       });
  });
}

void HttpApi::Generation(const http::Request& request, std::shared_ptr<http::Exchange> exchange) {
  LoopServices& services = services_of_(exchange->executor());
  const absl::string_view secret =
      SecretFrom(request.headers.Get("authorization"), request.headers.Get("x-api-key"));
  const std::string id = QueryValue(request.query, "id").value_or("");
  services.auth.Authenticate(
      secret, [this, &services, id, exchange](absl::StatusOr<Authenticator::Principal> principal) {
        if (!principal.ok()) {
          RespondError(Method::kGeneration, *exchange, principal.status());
          return;
        }
        ReadGeneration(services, id, (*principal)->hash,
                       [this, exchange](absl::StatusOr<std::string> body) {
                         if (body.ok()) {
                           RespondJson(Method::kGeneration, *exchange, *std::move(body));
                         } else {
                           RespondError(Method::kGeneration, *exchange, body.status());
                         }
                       });
      });
}

void HttpApi::RespondError(Method method, http::Exchange& exchange, const absl::Status& status) {
  http::Response response = ErrorResponse(FailureOf(status), AnswerHead());
  shared_.metrics.CountAnswer(method, response.status);
  exchange.Respond(std::move(response));
}

void HttpApi::RespondJson(Method method, http::Exchange& exchange, std::string body) {
  shared_.metrics.CountAnswer(method, 200);
  exchange.Respond({200, JsonHeaders(), std::move(body)});
}

http::Response HttpApi::ServerError(int status, absl::string_view reason) {
  const absl::string_view type = status == 408   ? "timeout"
                                 : status == 413 ? "payload_too_large"
                                                 : "invalid_request";
  Writer w(256);
  w.BeginObject().Key("error").BeginObject().Key("code").Int(status).Key("message").String(reason);
  w.Key("metadata")
      .BeginObject()
      .Key("error_type")
      .String(type)
      .EndObject()
      .EndObject()
      .EndObject();
  return {status, JsonHeaders(), std::move(w).Take()};
}

}  // namespace signalbox::ingress
