#include "common/host/main.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <iostream>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/config/describe.h"
#include "common/config/loader.h"
#include "common/config/redact.h"
#include "common/host/build_info.h"
#include "common/host/host.h"
#include "common/host/live_config.h"
#include "common/host/probe.h"
#include "common/host/signals.h"
#include "common/obs/log.h"

namespace signalbox::host {
namespace {

constexpr absl::Duration kProbeTimeout = absl::Seconds(2);

// Reads the file and lets the flags win.
config::Report LoadConfig(const Program& program, const Flags& flags, config::v1::Config* config) {
  config::Report report;
  if (!flags.config.empty()) report = config::LoadFile(flags.config, config);
  if (report.ok()) {
    const absl::Status applied = ApplyFlags(flags, program.own_flags, config);
    if (!applied.ok()) report.AddAt({"", 0, 0, "", std::string(applied.message())});
  }
  if (report.ok()) {
    const config::v1::HostConfig& host = config->host();
    for (const auto& [path, value] : {std::make_pair("host.listen", host.listen()),
                                      std::make_pair("host.admin", host.admin())}) {
      const absl::Status valid =
          value.empty() ? absl::OkStatus() : ParseListenAddress(value).status();
      if (!valid.ok()) report.Add(path, valid.message());
    }
    if (!host.log_level().empty() && !obs::ParseLevel(host.log_level()).has_value()) {
      report.Add("host.log_level", "expected debug, info, warning or error");
    }
    if (program.validate) program.validate(*config, &report);
  }
  return report;
}

LiveConfig::Loader ReloaderOf(const Program& program, const Flags& flags) {
  return [&program, &flags]() -> absl::StatusOr<LiveConfig::Snapshot> {
    auto config = std::make_shared<config::v1::Config>();
    const config::Report report = LoadConfig(program, flags, config.get());
    if (!report.ok()) return absl::InvalidArgumentError(report.ToString());
    return config;
  };
}

std::string FolderOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : file.substr(0, slash);
}

// The first signal to end drains; the second ends the process where it stands.
class SignalHandler {
 public:
  explicit SignalHandler(Host& host) : host_(host) {}

  void operator()(int signal) {
    if (signal == SIGHUP) {
      obs::Log(obs::kInfo, "reload_requested");
      return host_.RequestReload();
    }
    if (std::exchange(*asked_, true)) _exit(128 + signal);
    obs::Log(obs::kInfo, "stop_requested").With("signal", signal);
    host_.RequestDrain();
  }

 private:
  Host& host_;
  std::shared_ptr<bool> asked_ = std::make_shared<bool>(false);  // std::function copies
};

absl::Status RunHost(const Program& program, const Flags& flags, const config::v1::Config& config) {
  ASSIGN_OR_RETURN(HostOptions options, ToHostOptions(program.name, config.host()));
  obs::Metrics metrics;
  LiveConfig live(config, ReloaderOf(program, flags), metrics);
  options.config_text = [&live] { return live.Text(); };
  const config::FolderEnvironment environment(config.host().secrets_dir(),
                                              config::Environment::Process());
  Host host(std::move(options), Clock::Real(), metrics);
  if (!flags.config.empty()) live.Watch(host.watcher(), flags.config);
  const SignalThread signals{SignalHandler(host)};
  const Env env{config,  FolderOf(flags.config), Clock::Real(),     environment,
                metrics, host.readiness(),       host.background(), host.watcher(),
                live,    host.channels()};
  auto modules = program.create(env);
  if (!modules.ok()) {
    obs::Log(obs::kError, "start_failed").With("error", modules.status());
    return modules.status();
  }
  const absl::Status ran = host.Run(*std::move(modules));
  // Whatever keeps a module from starting is no fault of the configuration's form.
  return ran.ok() ? ran : absl::UnavailableError(ran.message());
}

// Container runtimes often start programs with a soft limit of 1,024 open files: as many
// connections.
void RaiseFileLimit() {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Serve(const Program& program, const Flags& flags, const config::v1::Config& config) {
  RaiseFileLimit();
  obs::SetLogService(program.name);
  obs::SetLogLevel(obs::ParseLevel(config.host().log_level()).value_or(obs::kInfo));
#ifdef NDEBUG
  // Debian's Abseil is built without NDEBUG and would search for deadlocks at every lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  const absl::Status ran = RunHost(program, flags, config);
  if (ran.ok()) return kExitOk;
  return absl::IsInvalidArgument(ran) ? kExitBadConfig : kExitFailedStart;
}

int Probe(const std::string& address) {
  const absl::Status ready = ProbeReady(address, kProbeTimeout);
  if (!ready.ok()) std::cerr << ready.message() << "\n";
  return ready.ok() ? kExitOk : kExitFailedStart;
}

int Print(const std::string& text) {
  std::cout << text << std::flush;
  return kExitOk;
}

}  // namespace

int Main(int argc, char** argv, const Program& program) {
  BlockSignals();
  const std::vector<absl::string_view> arguments(argv + std::min(argc, 1), argv + argc);
  const auto flags = ParseFlags(arguments, program.own_flags);
  if (!flags.ok()) {
    std::cerr << program.name << ": " << flags.status().message() << "\n";
    return kExitBadConfig;
  }
  if (flags->help) return Print(FlagsHelp(program.name, program.own_flags));
  if (flags->version) return Print(absl::StrCat(program.name, " ", Version(), "\n"));
  if (flags->describe_config)
    return Print(config::DescribeOptions(*config::v1::Config::descriptor()));
  if (!flags->probe.empty()) return Probe(flags->probe);
  config::v1::Config config;
  const config::Report report = LoadConfig(program, *flags, &config);
  if (!report.ok()) {
    std::cerr << report.ToString() << "\n";
    return kExitBadConfig;
  }
  if (flags->print_config) return Print(config::ToRedactedYaml(config));
  if (flags->check_config) return Print("the configuration is good\n");
  return Serve(program, *flags, config);
}

}  // namespace signalbox::host
