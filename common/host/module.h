// A module is a service as the host sees it: something that starts, takes work, drains and stops.
// The host knows nothing else of a service, and nothing but the host knows about signals, servers
// and the order of stopping.
//
// All methods are called on the host's main thread, InFlight included; it may be asked many times
// per second.
#ifndef SIGNALBOX_COMMON_HOST_MODULE_H_
#define SIGNALBOX_COMMON_HOST_MODULE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc {
class ServerBuilder;
}  // namespace grpc

namespace signalbox::host {

class Module {
 public:
  virtual ~Module() = default;

  // "router-decision".
  virtual absl::string_view name() const = 0;

  // Full names of its gRPC services ("signalbox.router.v1.RouterDecision"), for health checks. A
  // process in which no module has one runs no gRPC server.
  virtual std::vector<std::string> GrpcServices() const { return {}; }
  // Adds its services to the builder, before Start of any module. The service objects outlive Stop.
  virtual void Register(grpc::ServerBuilder& /*builder*/) {}

  // Modules start in the order given to the host: the innermost first. An error ends the process
  // (exit code 1).
  virtual absl::Status Start() = 0;

  // Addresses it listens on beside gRPC, valid after Start: {"http", "127.0.0.1:8080"}.
  virtual std::vector<std::pair<std::string, std::string>> Addresses() const { return {}; }

  // The process will drain after its notice. Everything is served as before; who can ask clients to
  // go elsewhere does so.
  virtual void AnnounceDrain() {}

  // Takes no new work from outside; what runs goes on. Called from the edge inwards, each module
  // after the one outside it has nothing in flight any more.
  virtual void BeginDrain() = 0;
  // Requests not yet answered.
  virtual int InFlight() const = 0;

  // Flushes and stops for good. Called in reverse order of Start, after the gRPC server has shut
  // down; also for modules that had started when a later one failed to.
  virtual void Stop() = 0;
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_MODULE_H_
