// Endpoint settings as YAML (or JSON, which is YAML) → Behaviour. One table of keys serves the
// configuration file, scheduled changes and the admin API. Strict: unknown keys, wrong types and
// values out of range are errors that name the path and, in files, the line.
//
// Thread-compatible. No exception leaves these functions. Only the fleet's own .cc files that read
// YAML include this header (yaml-cpp is slow to compile).
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_SETTINGS_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_SETTINGS_H_

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/behaviour.h"

namespace signalbox::fleet {

// Collects every complaint of one document.
class Complaints {
 public:
  void Add(const YAML::Node& node, absl::string_view path, absl::string_view what);
  bool empty() const { return lines_.empty(); }
  // OK when there is none; else kInvalidArgument with one complaint per line.
  absl::Status ToStatus() const;

 private:
  std::vector<std::string> lines_;
};

// Typed reads; a wrong type or range is a complaint and nullopt.
std::optional<double> ReadNumber(const YAML::Node& node, absl::string_view path, double min,
                                 double max, Complaints* complaints);
std::optional<bool> ReadBool(const YAML::Node& node, absl::string_view path,
                             Complaints* complaints);
std::optional<std::string> ReadText(const YAML::Node& node, absl::string_view path,
                                    Complaints* complaints);

// Whether `key` is an endpoint setting.
bool IsSetting(absl::string_view key);
// Applies one setting. REQUIRES: IsSetting(key).
void ApplySetting(absl::string_view key, const YAML::Node& value, absl::string_view path,
                  Behaviour* behaviour, Complaints* complaints);
// Applies a map of settings; unknown keys are complaints.
void ApplySettings(const YAML::Node& map, absl::string_view path, Behaviour* behaviour,
                   Complaints* complaints);

// The same from text, for scheduled and admin changes. `behaviour` is unchanged on error.
absl::Status ApplySettingsText(absl::string_view yaml, Behaviour* behaviour);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_SETTINGS_H_
