// RouterDecision over gRPC: the server binding and the client stub of one seam.
#ifndef SIGNALBOX_COMMON_SEAM_GRPC_ROUTER_DECISION_GRPC_H_
#define SIGNALBOX_COMMON_SEAM_GRPC_ROUTER_DECISION_GRPC_H_

#include <grpcpp/channel.h>

#include <memory>

#include "common/seam/router_decision.h"
#include "signalbox/router/v1/router.grpc.pb.h"

namespace signalbox::seam_grpc {

// Serves an implementation that answers inside the call. Runs on gRPC's callback threads, so the
// implementation must not block. `router` must outlive the server.
class RouterDecisionServer final : public router::v1::RouterDecision::CallbackService {
 public:
  explicit RouterDecisionServer(seam::RouterDecision& router) : router_(router) {}
  grpc::ServerUnaryReactor* Decide(grpc::CallbackServerContext* context,
                                   const router::v1::DecideRequest* request,
                                   router::v1::DecideResponse* response) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const router::v1::ExplainRequest* request,
                                    router::v1::ExplainResponse* response) override;

 private:
  seam::RouterDecision& router_;
};

// The channel's owner keeps it alive longer than the client and every call.
class RouterDecisionClient final : public seam::RouterDecision {
 public:
  explicit RouterDecisionClient(const std::shared_ptr<grpc::Channel>& channel);
  void Decide(const router::v1::DecideRequest& request, absl::Duration timeout, Executor& executor,
              DecideCallback done) override;
  void Explain(const router::v1::ExplainRequest& request, absl::Duration timeout,
               Executor& executor, ExplainCallback done) override;

 private:
  std::unique_ptr<router::v1::RouterDecision::StubInterface> stub_;
};

}  // namespace signalbox::seam_grpc

#endif  // SIGNALBOX_COMMON_SEAM_GRPC_ROUTER_DECISION_GRPC_H_
