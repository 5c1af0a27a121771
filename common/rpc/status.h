// absl::Status <-> grpc::Status, the ErrorDetail included: it travels as google.rpc.Status in the
// binary details, where every gRPC library finds it.
#ifndef SIGNALBOX_COMMON_RPC_STATUS_H_
#define SIGNALBOX_COMMON_RPC_STATUS_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace signalbox::rpc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace signalbox::rpc

#endif  // SIGNALBOX_COMMON_RPC_STATUS_H_
