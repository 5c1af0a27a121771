#include "services/signalbox/benchmark/discovery.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/parse.h"

namespace signalbox::benchmark {
namespace {

namespace dom = simdjson::dom;

std::string TextAt(dom::element root, const char* member) {
  const auto text = root.at_key(member).get_string();
  return text.error() == simdjson::SUCCESS ? std::string(text.value_unsafe()) : "";
}

bool TakesTools(dom::element endpoint) {
  dom::array parameters;
  if (endpoint.at_key("supported_parameters").get(parameters) != simdjson::SUCCESS ||
      parameters.size() == 0)
    return true;
  return absl::c_any_of(parameters, [](dom::element name) {
    return name.is_string() && name.get_string().value_unsafe() == "tools";
  });
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadModels(absl::string_view body) {
  json::Parser parser;
  const auto root = parser.Parse(body);
  if (!root.ok()) return root.status();
  dom::array data;
  if (root->at_key("data").get(data) != simdjson::SUCCESS)
    return absl::InvalidArgumentError("not a list of models");
  std::vector<std::string> models;
  for (const dom::element model : data) models.push_back(TextAt(model, "id"));
  return models;
}

absl::StatusOr<std::vector<Endpoint>> ReadEndpoints(absl::string_view body) {
  json::Parser parser;
  const auto root = parser.Parse(body);
  if (!root.ok()) return root.status();
  dom::element data;
  dom::array list;
  if (root->at_key("data").get(data) != simdjson::SUCCESS ||
      data.at_key("endpoints").get(list) != simdjson::SUCCESS)
    return absl::InvalidArgumentError("not a list of endpoints");
  const std::string model = TextAt(data, "id");
  std::vector<Endpoint> endpoints;
  for (const dom::element item : list) {
    const std::string tag = TextAt(item, "tag");
    if (!tag.empty() && TakesTools(item)) {
      endpoints.push_back({absl::StrCat(absl::StripSuffix(model, ":free"), "@", tag), model, tag});
    }
  }
  return endpoints;
}

bool IsWanted(const Endpoint& endpoint, const std::vector<std::string>& providers) {
  return providers.empty() || absl::c_any_of(providers, [&](const std::string& name) {
           return endpoint.tag == name || endpoint.tag.substr(0, endpoint.tag.find('/')) == name;
         });
}

}  // namespace signalbox::benchmark
