#include "tests/provider-fleet/admin.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/script_writer.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;

std::string Dump(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

Script Ok(const json& body) { return WriteResponse(200, "application/json", Dump(body) + "\n"); }

Script Failed(const absl::Status& status) {
  const int code = absl::IsNotFound(status) ? 404 : 400;
  return WriteResponse(code, "application/json",
                       Dump(json{{"error", std::string(status.message())}}) + "\n");
}

json ToolErrors(const EndpointStats& stats) {
  json out = json::object();
  for (int kind = 1; kind < kToolErrorKinds; ++kind) {
    out[std::string(ToolErrorName(static_cast<ToolErrorKind>(kind)))] =
        stats.bad_tool_calls[kind].load();
  }
  return out;
}

int64_t BadToolCalls(const EndpointStats& stats) {
  int64_t bad = 0;
  for (int kind = 1; kind < kToolErrorKinds; ++kind) bad += stats.bad_tool_calls[kind];
  return bad;
}

json EndpointReport(Endpoint& endpoint) {
  const EndpointStats& stats = endpoint.stats();
  json faults = json::object();
  for (const auto& [name, count] : endpoint.FaultCounts()) faults[name] = count;
  const int64_t last_us = stats.last_request_us;
  return {{"requests", stats.requests.load()},
          {"answered", stats.answered.load()},
          {"faults", faults},
          {"tool_requests", stats.tool_requests.load()},
          {"tool_calls", stats.tool_calls.load()},
          {"bad_tool_calls", BadToolCalls(stats)},
          {"tool_errors", ToolErrors(stats)},
          {"cancelled", stats.cancelled.load()},
          {"cancelled_after_ms", endpoint.CancelTimes()},
          {"open", stats.open.load()},
          {"last_request", last_us < 0 ? json() : json(static_cast<double>(last_us) * 1e-6)}};
}

Script Stats(Roster* roster) {
  const double now = roster->clock().Now();
  json providers = json::object();
  for (const auto& provider : roster->providers()) {
    json models = json::object();
    for (const auto& endpoint : provider->endpoints())
      models[endpoint->model()] = EndpointReport(*endpoint);
    providers[provider->name()] = {
        {"port", provider->port()}, {"refusing", provider->Refuses(now)}, {"models", models}};
  }
  return Ok({{"time", now}, {"providers", providers}});
}

json KeptReport(const KeptRequest& kept) {
  json headers = json::object();
  for (const auto& [key, value] : kept.headers) headers[key] = value;
  return {{"at", kept.at},      {"method", kept.method}, {"path", kept.path},
          {"headers", headers}, {"body", kept.body},     {"body_bytes", kept.body_bytes}};
}

Script Requests(const HttpRequest& request, Roster* roster) {
  const std::string name = request.Query("provider");
  const Provider* provider = roster->Find(name);
  if (!provider) return Failed(absl::NotFoundError(absl::StrCat("no provider '", name, "'")));
  json list = json::array();
  for (const KeptRequest& kept : provider->Kept()) list.push_back(KeptReport(kept));
  return Ok({{"provider", name}, {"requests", list}});
}

Script Providers(Roster* roster) {
  json list = json::array();
  for (const auto& provider : roster->providers()) {
    json models = json::array();
    for (const auto& endpoint : provider->endpoints()) {
      const bool anthropic = endpoint->behaviour()->dialect == Dialect::kAnthropic;
      models.push_back(
          {{"id", endpoint->model()}, {"dialect", anthropic ? "anthropic" : "openai"}});
    }
    list.push_back({{"name", provider->name()},
                    {"base_url", absl::StrCat("http://127.0.0.1:", provider->port(), "/",
                                              provider->name(), "/v1")},
                    {"models", models}});
  }
  return Ok({{"providers", list}});
}

Script Set(const json& body, Roster* roster) {
  if (!body.contains("set") || !body["set"].is_object() || !body.contains("provider")) {
    return Failed(absl::InvalidArgumentError("needs provider and set"));
  }
  for (const auto& [key, value] : body.items()) {
    const bool known = key == "set" || ((key == "provider" || key == "model") && value.is_string());
    if (!known)
      return Failed(absl::InvalidArgumentError(absl::StrCat("unknown or not text: ", key)));
  }
  const std::string model = body.contains("model") ? body["model"].get<std::string>() : "*";
  const absl::Status set =
      roster->Set(body["provider"].get<std::string>(), model, Dump(body["set"]));
  return set.ok() ? Ok({{"ok", true}}) : Failed(set);
}

Script Advance(const json& body, Roster* roster) {
  const json seconds = body.contains("seconds") ? body["seconds"] : json();
  if (!seconds.is_number() || seconds.get<double>() < 0 || seconds.get<double>() > 1e9) {
    return Failed(absl::InvalidArgumentError("needs seconds >= 0"));
  }
  roster->Advance(seconds.get<double>());
  return Ok({{"time", roster->clock().Now()}});
}

Script RespondPost(absl::string_view action, const HttpRequest& request, Roster* roster) {
  if (action == "reset") {
    roster->Reset();
    return Ok({{"ok", true}});
  }
  const json body =
      json::parse(request.body.begin(), request.body.end(), nullptr, /*allow_exceptions=*/false);
  if (!body.is_object())
    return Failed(absl::InvalidArgumentError("the body must be a JSON object"));
  if (action == "set") return Set(body, roster);
  if (action == "advance") return Advance(body, roster);
  return Failed(absl::NotFoundError("unknown path"));
}

}  // namespace

Script RespondAdmin(const HttpRequest& request, Roster* roster) {
  const absl::string_view action = request.path.substr(absl::string_view("/_fleet/").size());
  if (request.method == "POST") return RespondPost(action, request, roster);
  if (action == "stats") return Stats(roster);
  if (action == "requests") return Requests(request, roster);
  if (action == "providers") return Providers(roster);
  return Failed(absl::NotFoundError("unknown path"));
}

}  // namespace signalbox::fleet
