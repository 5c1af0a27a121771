#include <memory>
#include <mutex>
#include <utility>

#include "common/rpc/status.h"
#include "common/seam/error_detail.h"
#include "common/seam_grpc/join_content.h"
#include "common/seam_grpc/provider_adapter_grpc.h"
#include "common/seam_grpc/unary_call.h"

namespace signalbox::seam_grpc {
namespace {

using provider::v1::AttemptResult;
using provider::v1::GenerateRequest;
using provider::v1::GenerateResponse;

// Bytes read ahead of the executor; more stays in gRPC's 64 KiB window and so in the adapter.
constexpr size_t kReadAheadBytes = 64 * 1024;

AttemptResult TransportFailure(const grpc::Status& status) {
  AttemptResult result;
  common::v1::ErrorDetail* const error = result.mutable_error();
  *error = seam::DetailOf(rpc::FromGrpc(status));
  // Whatever broke between us and the adapter is our trouble, and another adapter may do better.
  if (error->reason() == common::v1::REASON_INTERNAL ||
      error->reason() == common::v1::REASON_CANCELLED) {
    error->set_reason(common::v1::REASON_UNAVAILABLE);
    error->set_public_message("the provider adapter is temporarily unavailable");
  }
  error->set_retryable(true);
  return result;
}

// One call as seen by gRPC. Lives until OnDone and the last task posted to the executor. The hold
// keeps OnDone back while reads may still be started from outside a reaction (ResumeReading).
class GenerateCall final : public grpc::ClientReadReactor<GenerateResponse> {
 public:
  GenerateCall(GenerateRequest request, Executor& executor, seam::GenerateSink* sink)
      : executor_(executor), request_(std::move(request)), sink_(sink) {
    // An adapter that restarts is waited for, within the attempt's time, instead of failing every
    // request meanwhile.
    context_.set_wait_for_ready(true);
    if (request_.timeout_ms() > 0)
      SetTimeout(&context_, absl::Milliseconds(request_.timeout_ms()) + absl::Seconds(2));
  }

  static void Begin(const std::shared_ptr<GenerateCall>& self,
                    provider::v1::ProviderAdapter::StubInterface& stub) {
    self->self_ = self;
    stub.async()->Generate(&self->context_, &self->request_, self.get());
    self->AddHold();
    self->reading_ = true;
    self->StartRead(&self->incoming_);
    self->StartCall();
  }

  // --- on the executor ---
  void Detach() {  // the attempt was destroyed
    sink_ = nullptr;
    bool release = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      detached_ = true;
      release = TakeHoldIfIdle();
    }
    context_.TryCancel();
    if (release) RemoveHold();
  }
  void SetPaused(bool paused) {
    bool read = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      paused_ = paused;
      read = MayRead();
      if (read) reading_ = true;
    }
    if (read) StartRead(&incoming_);
  }

  // --- gRPC's threads ---
  void OnReadDone(bool ok) override {
    bool read = false, release = false, post = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      reading_ = false;
      if (ok && !detached_) {
        if (incoming_.has_content())
          JoinContent(std::move(*incoming_.mutable_content()), waiting_.mutable_content());
        if (incoming_.has_result())
          *waiting_.mutable_result() = std::move(*incoming_.mutable_result());
        incoming_.Clear();
        post = !std::exchange(posted_, true);
        read = MayRead();
        if (read) reading_ = true;
      } else {
        ended_ = true;
        release = TakeHoldIfIdle();
      }
    }
    if (post) PostDelivery();
    if (read) StartRead(&incoming_);
    if (release) RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    bool post = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!result_seen_ && !waiting_.has_result() && !detached_) {
        *waiting_.mutable_result() = TransportFailure(status);
        post = !std::exchange(posted_, true);
      }
    }
    if (post) PostDelivery();
    self_.reset();  // may delete this
  }

 private:
  // REQUIRES (all three): mutex_ held.
  bool MayRead() const {
    return !reading_ && !ended_ && !detached_ && !paused_ &&
           waiting_.content().data().size() < kReadAheadBytes;
  }
  bool TakeHoldIfIdle() {
    if (reading_ || !holding_ || (!ended_ && !detached_)) return false;
    holding_ = false;
    return true;
  }

  void PostDelivery() {
    executor_.Post([self = self_] { self->Deliver(); });
  }

  // On the executor.
  void Deliver() {
    GenerateResponse ready;
    bool read = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      posted_ = false;
      ready.Swap(&waiting_);
      result_seen_ = result_seen_ || ready.has_result();
      read = MayRead();
      if (read) reading_ = true;
    }
    if (read) StartRead(&incoming_);
    if (ready.has_content() && sink_ != nullptr)
      sink_->OnContent(std::move(*ready.mutable_content()));
    if (ready.has_result() && sink_ != nullptr)
      std::exchange(sink_, nullptr)->OnResult(std::move(*ready.mutable_result()));
  }

  Executor& executor_;
  grpc::ClientContext context_;
  const GenerateRequest request_;
  seam::GenerateSink* sink_;  // on the executor only
  std::shared_ptr<GenerateCall> self_;
  GenerateResponse incoming_;  // gRPC's while reading_

  std::mutex mutex_;
  GenerateResponse waiting_;  // read, not yet delivered
  bool reading_ = false;
  bool posted_ = false;  // a delivery is on its way
  bool paused_ = false;
  bool detached_ = false;
  bool ended_ = false;  // no more reads will succeed
  bool holding_ = true;
  bool result_seen_ = false;
};

class ClientAttempt final : public seam::Attempt {
 public:
  explicit ClientAttempt(std::shared_ptr<GenerateCall> call) : call_(std::move(call)) {}
  ~ClientAttempt() override { call_->Detach(); }
  void PauseReading() override { call_->SetPaused(true); }
  void ResumeReading() override { call_->SetPaused(false); }

 private:
  const std::shared_ptr<GenerateCall> call_;
};

}  // namespace

ProviderAdapterClient::ProviderAdapterClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(provider::v1::ProviderAdapter::NewStub(channel)) {}

std::unique_ptr<seam::Attempt> ProviderAdapterClient::Generate(GenerateRequest request,
                                                               Executor& executor,
                                                               seam::GenerateSink* sink) {
  auto call = std::make_shared<GenerateCall>(std::move(request), executor, sink);
  GenerateCall::Begin(call, *stub_);
  return std::make_unique<ClientAttempt>(std::move(call));
}

void ProviderAdapterClient::ListProviders(absl::Duration timeout, Executor& executor,
                                          ListProvidersCallback done) {
  StartUnary<provider::v1::ListProvidersRequest, provider::v1::ListProvidersResponse>(
      {}, timeout,
      [this](auto* context, auto* sent, auto* received, auto callback) {
        stub_->async()->ListProviders(context, sent, received, std::move(callback));
      },
      [&executor,
       done = std::move(done)](absl::StatusOr<provider::v1::ListProvidersResponse> answer) {
        executor.Post([done, answer = std::move(answer)]() mutable { done(std::move(answer)); });
      });
}

}  // namespace signalbox::seam_grpc
