// Channels to the cluster's services, made in one place with the arguments that were measured to
// matter, and released in one place: the last reference to a channel must be dropped on the main
// thread, never on a gRPC callback thread (gRPC 1.51 joins its own thread then and aborts).
//
// Thread-compatible: used while wiring, on the main thread.
#ifndef SIGNALBOX_COMMON_RPC_CHANNELS_H_
#define SIGNALBOX_COMMON_RPC_CHANNELS_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/credentials.h"

namespace signalbox::rpc {

class Channels {
 public:
  enum class Kind {
    kUnary,      // idempotent unary calls: retried by gRPC when never processed
    kStreaming,  // Generate, Report: no retries; small windows so that back-pressure reaches the
                 // source
  };

  explicit Channels(Credentials credentials = {}) : credentials_(std::move(credentials)) {}

  // `address` is "host:port" or "dns:///name:port"; with several addresses calls go round robin
  // over the healthy ones.
  std::shared_ptr<grpc::Channel> To(const std::string& address, Kind kind);

  // Drops all channels. REQUIRES: main thread, no call alive.
  void Release() { channels_.clear(); }

 private:
  const Credentials credentials_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

}  // namespace signalbox::rpc

#endif  // SIGNALBOX_COMMON_RPC_CHANNELS_H_
