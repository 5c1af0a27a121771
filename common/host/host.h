// Host runs a list of modules as a process: admin port, gRPC server, states, readiness, drain. One
// way to be a process, for one module (the cluster's binaries) and for four (`signalbox serve`).
//
//   starting → serving → draining → stopped     (gauge signalbox_host_state{state})
//
// Made, run and destroyed on the main thread. RequestDrain and RequestReload are thread-safe.
#ifndef SIGNALBOX_COMMON_HOST_HOST_H_
#define SIGNALBOX_COMMON_HOST_HOST_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/config/watcher.h"
#include "common/host/address.h"
#include "common/host/module.h"
#include "common/host/readiness.h"
#include "common/obs/metrics.h"
#include "common/rpc/credentials.h"
#include "signalbox/config/v1/host.pb.h"

namespace signalbox::rpc {
class Channels;
}  // namespace signalbox::rpc

namespace signalbox::host {

struct HostOptions {
  std::string service;                       // "router-decision"
  std::function<std::string()> config_text;  // shown by /configz
  Address listen{"127.0.0.1", 0};
  Address admin{"127.0.0.1", 0};
  absl::Duration drain_notice = absl::ZeroDuration();
  absl::Duration drain_timeout = absl::Seconds(600);
  bool reflection = false;
  absl::Duration max_connection_age = absl::Seconds(20);
  rpc::Credentials credentials;  // of the gRPC server and of all channels
  std::string addresses_file;
  // How often watched files are looked at.
  absl::Duration watch_interval = absl::Seconds(5);
};

// Of the process's gRPC connections: mutual TLS where `tls` is set. Error: InvalidArgument.
absl::StatusOr<rpc::Credentials> CredentialsOf(const config::v1::HostConfig& config);

// Defaults where the configuration is silent. Error: InvalidArgument, an address that is none, a
// duration that is not positive, a certificate that cannot be read.
absl::StatusOr<HostOptions> ToHostOptions(std::string service,
                                          const config::v1::HostConfig& config);

class Host {
 public:
  Host(HostOptions options, const Clock& clock, obs::Metrics& metrics);
  ~Host();

  Executor& background();
  config::FileWatcher& watcher();
  Readiness& readiness();
  rpc::Channels& channels();

  // Starts everything, serves until RequestDrain, drains, and destroys the modules. Error:
  // something did not start; what had started is stopped. Once only.
  absl::Status Run(std::vector<std::unique_ptr<Module>> modules);

  // The first call ends Run by a drain, later ones do nothing.
  void RequestDrain();
  // Callbacks of watched files run soon, on `background`.
  void RequestReload();

  // Waits until it serves. False: Run has ended or ends before that.
  bool WaitUntilServing();
  // REQUIRES: serving. grpc_address() is empty when no module has a gRPC service.
  std::string grpc_address() const;
  std::string admin_address() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_HOST_H_
