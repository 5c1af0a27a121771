// What the subcommands of `signalbox` share: arguments, the configuration file, exit codes.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_COMMAND_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_COMMAND_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/config/report.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadUsage = 64;

struct Arguments {
  std::map<std::string, std::string>
      flags;  // "--name value" and "--name=value"; a switch has the value "true"
  std::vector<std::string> words;  // everything else, in order

  bool Has(const std::string& name) const { return flags.count(name) > 0; }
  std::string Get(const std::string& name, std::string otherwise = "") const;
};

// Error: a flag that is in neither list, or one of `valued` without a value.
absl::StatusOr<Arguments> ParseArguments(absl::Span<const absl::string_view> arguments,
                                         absl::Span<const absl::string_view> valued,
                                         absl::Span<const absl::string_view> switches);

// The file, with relative catalogue paths made absolute and the private Redis of `signalbox serve`
// filled in when no other is configured. Error: everything that is wrong with it, for people.
absl::StatusOr<config::v1::Config> LoadConfiguration(const std::string& path);

// Adds what is wrong with the services' own numbers.
void CheckServices(const config::v1::Config& config, config::Report* report);

// Prints "signalbox <command>: <message>" to stderr and returns the exit code.
int Fail(absl::string_view command, const absl::Status& status);

int KeysCommand(absl::Span<const absl::string_view> arguments);
int ValidateCommand(absl::Span<const absl::string_view> arguments);
int ExplainCommand(absl::Span<const absl::string_view> arguments);
int BenchmarkCommand(absl::Span<const absl::string_view> arguments);
int SmokeCommand(absl::Span<const absl::string_view> arguments);
int SimulateCommand(absl::Span<const absl::string_view> arguments);
int ServeCommand(int argc, char** argv);

}  // namespace signalbox

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_COMMAND_H_
