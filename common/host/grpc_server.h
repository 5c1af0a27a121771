// The process's gRPC server: every argument that the default gets wrong, health per service,
// optional reflection.
//
// Used on the host's main thread, except SetServing, which is thread-safe until Shutdown.
#ifndef SIGNALBOX_COMMON_HOST_GRPC_SERVER_H_
#define SIGNALBOX_COMMON_HOST_GRPC_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/host/address.h"
#include "common/host/module.h"
#include "common/rpc/credentials.h"

namespace signalbox::host {

struct GrpcServerOptions {
  bool reflection = false;
  // Clients look names up again only when a connection ends: ending it now and then spreads them
  // over new replicas. Calls that are open go on.
  absl::Duration max_connection_age = absl::Seconds(20);
  rpc::Credentials credentials;
};

class GrpcServer {
 public:
  // Registers the modules' services; nothing listens yet.
  GrpcServer(GrpcServerOptions options, absl::Span<Module* const> modules);
  ~GrpcServer();

  // Error: the address is in use or not ours.
  absl::Status Start(const Address& listen);
  // With the real port. REQUIRES: started.
  const Address& address() const;

  // What the health service says of all services and of "". False from the start on.
  void SetServing(bool serving);
  // Waits for open calls at most `grace`, then cancels them. Returns when all reactors are done.
  void Shutdown(absl::Duration grace);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_GRPC_SERVER_H_
