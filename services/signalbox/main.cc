// The one user-facing binary.
#include <iostream>
#include <vector>

#include "absl/strings/match.h"
#include "common/obs/log.h"
#include "services/signalbox/command.h"

namespace {

constexpr char kUsage[] =
    R"(signalbox serve      the whole service in one process, with a Redis of its own unless one is configured
signalbox keys       create, list, disable and remove client keys
signalbox validate   check configuration files and catalogues
signalbox explain    why a request would go where it goes
signalbox smoke      one request through a running installation, as a test of it
signalbox simulate   what a routing policy would do with given endpoints
signalbox benchmark  how well endpoints call tools: measure, import, list
signalbox --probe=HOST:PORT   exit code 0 when the admin port there says it is ready
`signalbox COMMAND --help` says more.
)";

}  // namespace

int main(int argc, char** argv) {
  const absl::string_view command = argc > 1 ? argv[1] : "";
  const std::vector<absl::string_view> rest(argv + (argc > 1 ? 2 : argc), argv + argc);
  // The commands print for people; what goes on beneath is of interest only when it goes wrong.
  if (command != "serve") signalbox::obs::SetLogLevel(signalbox::obs::kWarning);
  if (command == "keys") return signalbox::KeysCommand(rest);
  if (command == "validate") return signalbox::ValidateCommand(rest);
  if (command == "explain") return signalbox::ExplainCommand(rest);
  if (command == "smoke") return signalbox::SmokeCommand(rest);
  if (command == "simulate") return signalbox::SimulateCommand(rest);
  if (command == "benchmark") return signalbox::BenchmarkCommand(rest);
  if (command == "serve") return signalbox::ServeCommand(argc - 1, argv + 1);
  if (absl::StartsWith(command, "--probe") || command == "--version")
    return signalbox::ServeCommand(argc, argv);
  const bool asked = command == "--help" || command == "help";
  (asked ? std::cout : std::cerr) << kUsage;
  return asked ? signalbox::kOk : signalbox::kBadUsage;
}
