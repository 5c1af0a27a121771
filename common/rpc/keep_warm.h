// gRPC 1.51's callback threads nap: after 1 s without an event they sleep 100 ms at a time, and the
// next call waits for the rest of the nap (p50 52 ms at one call per 1.05 s, measured). One tiny
// call to ourselves every 300 ms keeps them awake.
//
// One per process with a gRPC server. Created and destroyed on the main thread.
#ifndef SIGNALBOX_COMMON_RPC_KEEP_WARM_H_
#define SIGNALBOX_COMMON_RPC_KEEP_WARM_H_

#include <memory>
#include <string>

#include "common/rpc/credentials.h"

namespace signalbox::rpc {

class KeepWarm {
 public:
  // `self` is the address of this process's own gRPC server.
  KeepWarm(const std::string& self, const Credentials& credentials);
  ~KeepWarm();  // waits for the last call

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::rpc

#endif  // SIGNALBOX_COMMON_RPC_KEEP_WARM_H_
