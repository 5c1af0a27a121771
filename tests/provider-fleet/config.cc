#include "tests/provider-fleet/config.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/settings.h"

namespace signalbox::fleet {
namespace {

// A provider's name is a path segment and never one of the fleet's own.
bool IsProviderName(absl::string_view name) {
  if (name.empty() || name[0] == '_') return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
         absl::string_view::npos;
}

class ConfigReader {
 public:
  ConfigReader(FleetConfig* config, Complaints* complaints)
      : config_(config), complaints_(complaints) {}

  void ReadRoot(const YAML::Node& root) {
    if (!root.IsMap()) return complaints_->Add(root, "", "the configuration is a map");
    // Defaults first, whatever the order in the file.
    if (root["defaults"])
      ApplySettings(root["defaults"], "defaults", &config_->defaults, complaints_);
    for (const auto& member : root) ReadRootMember(member.first.Scalar(), member.second);
    std::stable_sort(
        config_->schedule.begin(), config_->schedule.end(),
        [](const ScheduledChange& a, const ScheduledChange& b) { return a.at < b.at; });
  }

 private:
  template <typename T>
  void Number(const YAML::Node& node, absl::string_view path, double min, double max, T* out) {
    if (auto number = ReadNumber(node, path, min, max, complaints_)) *out = static_cast<T>(*number);
  }

  void ReadRootMember(const std::string& key, const YAML::Node& value) {
    if (key == "defaults") return;
    if (key == "seed") return Number(value, key, 0, 9e15, &config_->seed);
    if (key == "time_scale") return Number(value, key, 1e-3, 1e6, &config_->time_scale);
    if (key == "keep_requests") return Number(value, key, 0, 1e6, &config_->keep_requests);
    if (key == "keep_body_bytes") return Number(value, key, 0, 1e9, &config_->keep_body_bytes);
    if (key == "max_body_bytes") return Number(value, key, 1, 1e9, &config_->max_body_bytes);
    if (key == "schedule") return ReadSchedule(value, key, "*", "*");
    if (key == "providers") return ReadProviders(value);
    complaints_->Add(value, key, "unknown key");
  }

  void ReadProviders(const YAML::Node& map) {
    if (!map.IsMap()) return complaints_->Add(map, "providers", "must be a map of provider names");
    for (const auto& member : map) {
      const std::string name = member.first.Scalar();
      const std::string path = absl::StrCat("providers.", name);
      if (!IsProviderName(name))
        complaints_->Add(member.first, path, "a name has only letters, digits and -_.");
      if (std::any_of(config_->providers.begin(), config_->providers.end(),
                      [&](const ProviderConfig& p) { return p.name == name; })) {
        complaints_->Add(member.first, path, "appears twice");
      }
      ReadProvider(name, member.second, path);
    }
  }

  void ReadProvider(const std::string& name, const YAML::Node& node, const std::string& path) {
    if (!node.IsMap()) return complaints_->Add(node, path, "must be a map");
    ProviderConfig& provider = ProviderNamed(name, *config_);
    for (const auto& member : node) {
      ReadProviderMember(member.first.Scalar(), member.second, path, &provider);
    }
    if (node["endpoints"])
      ReadEndpoints(node["endpoints"], absl::StrCat(path, ".endpoints"), &provider);
    if (provider.endpoints.empty()) complaints_->Add(node, path, "needs endpoints");
    CheckRefusal(node, path, provider);
  }

  void ReadProviderMember(const std::string& key, const YAML::Node& value, const std::string& path,
                          ProviderConfig* provider) {
    const std::string at = absl::StrCat(path, ".", key);
    if (key == "endpoints") return;
    if (key == "schedule") return ReadSchedule(value, at, provider->name, "*");
    if (key == "own_port") {
      if (auto flag = ReadBool(value, at, complaints_)) provider->own_port = *flag;
      return;
    }
    if (!IsSetting(key)) return complaints_->Add(value, at, "unknown key");
    ApplySetting(key, value, at, &provider->defaults, complaints_);
  }

  void ReadEndpoints(const YAML::Node& map, const std::string& path, ProviderConfig* provider) {
    if (!map.IsMap()) return complaints_->Add(map, path, "must be a map of model ids");
    for (const auto& member : map) {
      EndpointConfig endpoint{member.first.Scalar(), provider->defaults, {}};
      const std::string at = absl::StrCat(path, ".", endpoint.model);
      ReadEndpoint(member.second, at, provider->name, &endpoint);
      if (std::any_of(provider->endpoints.begin(), provider->endpoints.end(),
                      [&](const EndpointConfig& e) { return e.model == endpoint.model; })) {
        complaints_->Add(member.first, at, "appears twice");
      }
      provider->endpoints.push_back(std::move(endpoint));
    }
  }

  void ReadEndpoint(const YAML::Node& node, const std::string& path, const std::string& provider,
                    EndpointConfig* endpoint) {
    if (node.IsNull()) return;
    if (!node.IsMap()) return complaints_->Add(node, path, "must be a map");
    for (const auto& member : node) {
      const std::string key = member.first.Scalar();
      const std::string at = absl::StrCat(path, ".", key);
      if (key == "schedule") {
        ReadSchedule(member.second, at, provider, endpoint->model);
      } else if (key == "facts") {
        ReadFacts(member.second, at, &endpoint->facts);
      } else if (IsSetting(key)) {
        ApplySetting(key, member.second, at, &endpoint->behaviour, complaints_);
      } else {
        complaints_->Add(member.second, at, "unknown key");
      }
    }
  }

  void ReadFacts(const YAML::Node& node, const std::string& path, OfferFacts* facts) {
    if (!node.IsMap()) return complaints_->Add(node, path, "must be a map");
    for (const auto& member : node) {
      const std::string key = member.first.Scalar();
      const std::string at = absl::StrCat(path, ".", key);
      if (key == "price_prompt_per_m") {
        Number(member.second, at, 0, 1e6, &facts->price_prompt_per_m);
      } else if (key == "price_completion_per_m") {
        Number(member.second, at, 0, 1e6, &facts->price_completion_per_m);
      } else if (key == "quantization") {
        if (auto text = ReadText(member.second, at, complaints_)) facts->quantization = *text;
      } else {
        complaints_->Add(member.second, at, "unknown key");
      }
    }
  }

  void ReadSchedule(const YAML::Node& list, const std::string& path, const std::string& provider,
                    const std::string& model) {
    if (!list.IsSequence()) return complaints_->Add(list, path, "must be a list");
    for (size_t i = 0; i < list.size(); ++i) {
      ScheduledChange change{0, provider, model, ""};
      ReadChange(list[i], absl::StrCat(path, "[", i, "]"), &change);
      config_->schedule.push_back(std::move(change));
    }
  }

  void ReadChange(const YAML::Node& node, const std::string& path, ScheduledChange* change) {
    if (!node.IsMap() || !node["at"] || !node["set"]) {
      return complaints_->Add(node, path, "a change is a map with at and set");
    }
    for (const auto& member : node) {
      const std::string key = member.first.Scalar();
      const std::string at = absl::StrCat(path, ".", key);
      if (key == "at") {
        Number(member.second, at, 0, 1e9, &change->at);
      } else if (key == "set") {
        Behaviour scratch;
        ApplySettings(member.second, at, &scratch, complaints_);
        change->settings = YAML::Dump(member.second);
      } else if (key == "provider" || key == "model") {
        if (auto text = ReadText(member.second, at, complaints_)) {
          (key == "model" ? change->model : change->provider) = *text;
        }
      } else {
        complaints_->Add(member.second, at, "unknown key");
      }
    }
  }

  void CheckRefusal(const YAML::Node& node, const std::string& path,
                    const ProviderConfig& provider) {
    const bool refuses =
        std::any_of(provider.endpoints.begin(), provider.endpoints.end(),
                    [](const EndpointConfig& e) { return e.behaviour.MayRefuse(); });
    if (refuses && !provider.own_port)
      complaints_->Add(node, path, "refusing connections needs own_port: true");
  }

  FleetConfig* const config_;
  Complaints* const complaints_;
};

}  // namespace

ProviderConfig& ProviderNamed(absl::string_view name, FleetConfig& config) {
  for (ProviderConfig& provider : config.providers) {
    if (provider.name == name) return provider;
  }
  ProviderConfig& added = config.providers.emplace_back();
  added.name = std::string(name);
  added.defaults = config.defaults;
  return added;
}

absl::StatusOr<FleetConfig> ParseFleetConfig(absl::string_view yaml) {
  FleetConfig config;
  Complaints complaints;
  try {
    ConfigReader(&config, &complaints).ReadRoot(YAML::Load(std::string(yaml)));
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(e.what());
  }
  if (!complaints.empty()) return complaints.ToStatus();
  return config;
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

absl::StatusOr<FleetConfig> ReadFleetConfig(const std::string& path) {
  auto text = ReadWholeFile(path);
  if (!text.ok()) return text.status();
  auto config = ParseFleetConfig(*text);
  if (!config.ok())
    return absl::InvalidArgumentError(absl::StrCat(path, ":\n", config.status().message()));
  return config;
}

}  // namespace signalbox::fleet
