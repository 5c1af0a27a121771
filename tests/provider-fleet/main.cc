// provider-fleet: see README.md.
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/catalogue.h"
#include "tests/provider-fleet/config.h"
#include "tests/provider-fleet/fleet.h"
#include "tests/provider-fleet/table.h"

namespace signalbox::fleet {
namespace {

constexpr int kExitBadConfiguration = 64;
constexpr int kExitFailedStart = 1;

constexpr char kUsage[] =
    "usage: provider-fleet [--config FILE] [--table CSV] [--listen ADDRESS:PORT] [--port-file "
    "FILE]\n"
    "                      [--threads N] [--seed S] [--emit-catalogue FILE]\n";

struct Flags {
  std::string config, table, port_file, emit_catalogue;
  std::string listen = "127.0.0.1:0";
  std::string threads = "0", seed;
};

std::string* FlagNamed(absl::string_view name, Flags* flags) {
  if (name == "--config") return &flags->config;
  if (name == "--table") return &flags->table;
  if (name == "--listen") return &flags->listen;
  if (name == "--port-file") return &flags->port_file;
  if (name == "--threads") return &flags->threads;
  if (name == "--seed") return &flags->seed;
  if (name == "--emit-catalogue") return &flags->emit_catalogue;
  return nullptr;
}

// "--name value" and "--name=value".
bool ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    std::string* flag = FlagNamed(argument.substr(0, equals), flags);
    if (!flag) return false;
    if (equals != std::string::npos) {
      *flag = argument.substr(equals + 1);
    } else if (i + 1 < argc) {
      *flag = argv[++i];
    } else {
      return false;
    }
  }
  return !flags->config.empty() || !flags->table.empty();
}

absl::StatusOr<FleetConfig> ReadConfig(const Flags& flags) {
  FleetConfig config;
  if (!flags.config.empty()) {
    auto read = ReadFleetConfig(flags.config);
    if (!read.ok()) return read.status();
    config = *std::move(read);
  }
  if (!flags.table.empty()) {
    if (absl::Status added = AddTableFile(flags.table, &config); !added.ok()) return added;
  }
  if (!flags.seed.empty() && !absl::SimpleAtoi(flags.seed, &config.seed)) {
    return absl::InvalidArgumentError("--seed must be a number");
  }
  return config;
}

absl::StatusOr<FleetOptions> ReadOptions(const Flags& flags) {
  FleetOptions options;
  const size_t colon = flags.listen.rfind(':');
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(flags.listen.substr(colon + 1), &options.port) || options.port < 0 ||
      options.port > 65535) {
    return absl::InvalidArgumentError("--listen must be ADDRESS:PORT");
  }
  options.address = flags.listen.substr(0, colon);
  if (!absl::SimpleAtoi(flags.threads, &options.threads) || options.threads < 0 ||
      options.threads > 256) {
    return absl::InvalidArgumentError("--threads must be 0 (one per core) to 256");
  }
  return options;
}

// Thousands of open streams are what it is for.
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Written beside and renamed, so that a reader never sees half a file.
bool WriteFile(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  std::ofstream file(beside, std::ios::trunc);
  file << text;
  file.close();
  return file.good() && std::rename(beside.c_str(), path.c_str()) == 0;
}

std::string ReadyLine(Fleet& fleet) {
  std::string own;
  for (const auto& provider : fleet.roster().providers()) {
    if (!provider->own_port()) continue;
    absl::StrAppend(&own, own.empty() ? "" : ",", "\"", provider->name(), "\":", provider->port());
  }
  return absl::StrCat("{\"event\":\"fleet_ready\",\"port\":", fleet.port(), ",\"own_ports\":{", own,
                      "}}");
}

int Fail(const absl::Status& status, int code) {
  std::fprintf(stderr, "provider-fleet: %s\n", std::string(status.message()).c_str());
  return code;
}

int Announce(Fleet& fleet, const Flags& flags) {
  if (!flags.emit_catalogue.empty() &&
      !WriteFile(flags.emit_catalogue, CatalogueYaml(fleet.roster()))) {
    return Fail(absl::UnavailableError("cannot write " + flags.emit_catalogue), kExitFailedStart);
  }
  if (!flags.port_file.empty() && !WriteFile(flags.port_file, absl::StrCat(fleet.port(), "\n"))) {
    return Fail(absl::UnavailableError("cannot write " + flags.port_file), kExitFailedStart);
  }
  std::printf("%s\n", ReadyLine(fleet).c_str());
  std::fflush(stdout);
  return 0;
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!ParseFlags(argc, argv, &flags)) {
    std::fputs(kUsage, stderr);
    return kExitBadConfiguration;
  }
  auto config = ReadConfig(flags);
  if (!config.ok()) return Fail(config.status(), kExitBadConfiguration);
  auto options = ReadOptions(flags);
  if (!options.ok()) return Fail(options.status(), kExitBadConfiguration);
  RaiseFileLimit();
  sigset_t stop;  // blocked before any thread exists, so that sigwait below gets them
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  auto fleet = Fleet::Start(*std::move(config), *options);
  if (!fleet.ok()) return Fail(fleet.status(), kExitFailedStart);
  if (const int failed = Announce(**fleet, flags)) return failed;
  int signal = 0;
  sigwait(&stop, &signal);
  return 0;
}

}  // namespace
}  // namespace signalbox::fleet

int main(int argc, char** argv) { return signalbox::fleet::Main(argc, argv); }
