// What every unary binding needs: a call object that lives until gRPC's callback and answers on the
// caller's executor, and an executor for servers whose implementation answers at once.
#ifndef SIGNALBOX_COMMON_SEAM_GRPC_UNARY_CALL_H_
#define SIGNALBOX_COMMON_SEAM_GRPC_UNARY_CALL_H_

#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/executor.h"
#include "common/rpc/status.h"

namespace signalbox::seam_grpc {

// Runs everything inside the call, on the calling thread. It has no timers: implementations served
// by it have no use for any.
class InlineExecutor final : public Executor {
 public:
  void Post(Task task) override { task(); }
  void Dispatch(Task task) override { task(); }
  TimerId RunAfter(absl::Duration, Task) override { return 0; }
  void Cancel(TimerId) override {}
  bool IsCurrent() const override { return true; }
};

inline void SetTimeout(grpc::ClientContext* context, absl::Duration timeout) {
  if (timeout == absl::InfiniteDuration()) return;
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(timeout));
}

// `start(context, request, response, callback)` is the stub's async method. `deliver` runs once,
// wherever gRPC calls back.
template <typename Request, typename Response, typename Start>
void StartUnary(const Request& request, absl::Duration timeout, Start start,
                std::function<void(absl::StatusOr<Response>)> deliver) {
  struct Call {
    grpc::ClientContext context;
    Request request;
    Response response;
  };
  auto call = std::make_shared<Call>();
  call->request = request;
  SetTimeout(&call->context, timeout);
  Call* const raw = call.get();
  start(&raw->context, &raw->request, &raw->response,
        [call = std::move(call), deliver = std::move(deliver)](const grpc::Status& status) {
          if (status.ok()) {
            deliver(std::move(call->response));
          } else {
            deliver(rpc::FromGrpc(status));
          }
        });
}

}  // namespace signalbox::seam_grpc

#endif  // SIGNALBOX_COMMON_SEAM_GRPC_UNARY_CALL_H_
