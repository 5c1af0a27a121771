#include "common/host/admin.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/host/build_info.h"
#include "common/obs/log.h"

namespace signalbox::host {
namespace {

constexpr char kIndex[] =
    "GET  /metrics\nGET  /metricz\nGET  /livez\nGET  /readyz\nGET  /configz\nGET  /buildz\n"
    "GET  /logz\nPOST /logz?level=LEVEL\n";

http::Response Text(int status, std::string body,
                    absl::string_view type = "text/plain; charset=utf-8") {
  return http::Response{status, {{"Content-Type", std::string(type)}}, std::move(body)};
}

absl::string_view QueryValue(absl::string_view query, absl::string_view name) {
  for (absl::string_view pair : absl::StrSplit(query, '&')) {
    if (absl::ConsumePrefix(&pair, name) && absl::ConsumePrefix(&pair, "=")) return pair;
  }
  return {};
}

http::Response SetLevel(const http::Request& request) {
  const absl::string_view name = QueryValue(request.query, "level");
  const auto level = obs::ParseLevel(name);
  if (!level.has_value()) return Text(400, "level must be debug, info, warning or error\n");
  obs::SetLogLevel(*level);
  obs::Log(obs::kWarning, "log_level_changed").With("level_now", name);
  return Text(200, absl::StrCat(name, "\n"));
}

// One family per line.
std::string DescribeJson(const obs::Metrics& metrics) {
  std::string json = "[";
  const auto text = [&json](absl::string_view value) {
    obs::AppendJsonString(&json, value, obs::Log::kMaxValueBytes);
  };
  for (const obs::FamilyInfo& family : metrics.Describe()) {
    json += json.size() > 1 ? ",\n{\"name\":" : "\n{\"name\":";
    text(family.name);
    json += ",\"type\":";
    text(family.type);
    json += ",\"help\":";
    text(family.help);
    json += ",\"labels\":[";
    for (size_t i = 0; i < family.labels.size(); ++i) {
      if (i > 0) json += ',';
      text(family.labels[i]);
    }
    json += "]}";
  }
  return json + "\n]\n";
}

http::Response WrongMethod(absl::string_view allowed) {
  http::Response response = Text(405, "method not allowed\n");
  response.headers.Add("Allow", allowed);
  return response;
}

}  // namespace

http::Response AdminPages::Answer(const http::Request& request) const {
  if (request.path == "/logz" && request.method == "POST") return SetLevel(request);
  if (request.method != "GET") return WrongMethod(request.path == "/logz" ? "GET, POST" : "GET");
  return Get(request);
}

http::Response AdminPages::Get(const http::Request& request) const {
  const std::string& path = request.path;
  if (path == "/metrics")
    return Text(200, metrics_.Render(), "text/plain; version=0.0.4; charset=utf-8");
  if (path == "/metricz") return Text(200, DescribeJson(metrics_), "application/json");
  if (path == "/livez") return Text(200, "alive\n");
  if (path == "/readyz") return Ready();
  if (path == "/configz") return Text(200, config_text_());
  if (path == "/buildz") return Text(200, BuildInfoJson(service_), "application/json");
  if (path == "/logz") return Text(200, absl::StrCat(obs::LevelName(obs::GetLogLevel()), "\n"));
  if (path == "/") return Text(200, kIndex);
  return Text(404, absl::StrCat("no such page; there are\n", kIndex));
}

http::Response AdminPages::Ready() const {
  const std::vector<std::string> waiting = readiness_.waiting();
  if (waiting.empty()) return Text(200, "ready\n");
  return Text(503, absl::StrCat("not ready: ", absl::StrJoin(waiting, ", "), "\n"));
}

}  // namespace signalbox::host
