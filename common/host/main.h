// The main function of every process: flags, configuration, signals, host.
//
//   int main(int argc, char** argv) {
//     return signalbox::host::Main(argc, argv, {"router-decision",
//     signalbox::router_decision::CreateModules});
//   }
#ifndef SIGNALBOX_COMMON_HOST_MAIN_H_
#define SIGNALBOX_COMMON_HOST_MAIN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/report.h"
#include "common/host/env.h"
#include "common/host/flags.h"
#include "common/host/module.h"

namespace signalbox::host {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailedStart = 1;
inline constexpr int kExitBadConfig = 64;

using Modules = std::vector<std::unique_ptr<Module>>;

struct Program {
  std::string name;
  // The modules in the order of their start, innermost first. INVALID_ARGUMENT ends the process
  // with kExitBadConfig, another error with kExitFailedStart.
  std::function<absl::StatusOr<Modules>(const Env&)> create;
  // Optional: adds what is wrong with the configuration, after it was read and the flags applied.
  std::function<void(const config::v1::Config&, config::Report*)> validate;
  // Optional: flags of this program alone.
  std::vector<OwnFlag> own_flags;
};

// Blocks until the process is to end and returns its exit code. REQUIRES: the first call in main,
// no thread exists.
int Main(int argc, char** argv, const Program& program);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_MAIN_H_
