// Command-line flags: they say who the process is. Everything else is configuration.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_HOST_FLAGS_H_
#define SIGNALBOX_COMMON_HOST_FLAGS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox::host {

struct Flags {
  std::string config;     // file; empty = defaults
  std::string listen;     // wins over host.listen
  std::string admin;      // wins over host.admin
  std::string addresses;  // wins over host.addresses_file
  std::string log_level;  // wins over host.log_level
  std::string probe;      // admin address of another process: ask /readyz, exit 0 or 1
  bool reflection = false;
  bool check_config = false;
  bool print_config = false;
  bool describe_config = false;
  bool version = false;
  bool help = false;
  // Values of the program's own flags, in the order given.
  std::vector<std::pair<std::string, std::string>> own;
};

// A flag that only one program has. Its value wins over the file.
struct OwnFlag {
  std::string name;   // "port"
  std::string value;  // what the help shows: "PORT"
  std::string help;
  std::function<absl::Status(absl::string_view value, config::v1::Config* config)> apply;
};

// `--name value` or `--name=value`; a switch is `--name` or `--name=true|false`. Error: unknown
// flag, missing or surplus value, anything that is no flag.
absl::StatusOr<Flags> ParseFlags(absl::Span<const absl::string_view> arguments,
                                 absl::Span<const OwnFlag> own = {});

std::string FlagsHelp(absl::string_view program, absl::Span<const OwnFlag> own = {});

// Puts the values that win over the file into it.
absl::Status ApplyFlags(const Flags& flags, absl::Span<const OwnFlag> own,
                        config::v1::Config* config);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_FLAGS_H_
