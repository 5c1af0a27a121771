#include "common/seam_grpc/router_decision_grpc.h"

#include "common/rpc/status.h"
#include "common/seam_grpc/unary_call.h"

namespace signalbox::seam_grpc {
namespace {

InlineExecutor& Inline() {
  static InlineExecutor* const executor = new InlineExecutor;
  return *executor;
}

template <typename Response>
grpc::Status Store(absl::StatusOr<Response> answer, Response* response) {
  if (!answer.ok()) return rpc::ToGrpc(answer.status());
  *response = *std::move(answer);
  return grpc::Status::OK;
}

}  // namespace

grpc::ServerUnaryReactor* RouterDecisionServer::Decide(grpc::CallbackServerContext* context,
                                                       const router::v1::DecideRequest* request,
                                                       router::v1::DecideResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  router_.Decide(*request, absl::InfiniteDuration(), Inline(),
                 [=](absl::StatusOr<router::v1::DecideResponse> answer) {
                   reactor->Finish(Store(std::move(answer), response));
                 });
  return reactor;
}

grpc::ServerUnaryReactor* RouterDecisionServer::Explain(grpc::CallbackServerContext* context,
                                                        const router::v1::ExplainRequest* request,
                                                        router::v1::ExplainResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  router_.Explain(*request, absl::InfiniteDuration(), Inline(),
                  [=](absl::StatusOr<router::v1::ExplainResponse> answer) {
                    reactor->Finish(Store(std::move(answer), response));
                  });
  return reactor;
}

RouterDecisionClient::RouterDecisionClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(router::v1::RouterDecision::NewStub(channel)) {}

void RouterDecisionClient::Decide(const router::v1::DecideRequest& request, absl::Duration timeout,
                                  Executor& executor, DecideCallback done) {
  StartUnary<router::v1::DecideRequest, router::v1::DecideResponse>(
      request, timeout,
      [this](auto* context, auto* sent, auto* received, auto callback) {
        stub_->async()->Decide(context, sent, received, std::move(callback));
      },
      [&executor, done = std::move(done)](absl::StatusOr<router::v1::DecideResponse> answer) {
        executor.Post([done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
      });
}

void RouterDecisionClient::Explain(const router::v1::ExplainRequest& request,
                                   absl::Duration timeout, Executor& executor,
                                   ExplainCallback done) {
  StartUnary<router::v1::ExplainRequest, router::v1::ExplainResponse>(
      request, timeout,
      [this](auto* context, auto* sent, auto* received, auto callback) {
        stub_->async()->Explain(context, sent, received, std::move(callback));
      },
      [&executor, done = std::move(done)](absl::StatusOr<router::v1::ExplainResponse> answer) {
        executor.Post([done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
      });
}

}  // namespace signalbox::seam_grpc
