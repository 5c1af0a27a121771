#include <memory>
#include <mutex>
#include <utility>

#include "common/rpc/status.h"
#include "common/seam_grpc/join_content.h"
#include "common/seam_grpc/provider_adapter_grpc.h"

namespace signalbox::seam_grpc {
namespace {

using provider::v1::AttemptResult;
using provider::v1::Content;
using provider::v1::GenerateRequest;
using provider::v1::GenerateResponse;

constexpr size_t kHighWatermark = 256 * 1024;
constexpr size_t kLowWatermark = 64 * 1024;

// One Generate call. The attempt lives on `loop_`; gRPC's reactions come on its own threads.
// `mutex_` guards what both touch and is never held while calling into gRPC or the adapter.
class GenerateCall final : public grpc::ServerWriteReactor<GenerateResponse>,
                           public seam::GenerateSink {
 public:
  GenerateCall(const GenerateRequest& request, Executor& loop,
               std::shared_ptr<std::atomic<int>> in_flight)
      : loop_(loop), in_flight_(std::move(in_flight)), streamed_(request.stream()) {
    ++*in_flight_;
  }
  ~GenerateCall() override { --*in_flight_; }

  // `self` keeps the call alive until OnDone and the last task on the loop.
  static void Begin(std::shared_ptr<GenerateCall> self, seam::ProviderAdapter& adapter,
                    const GenerateRequest& request) {
    GenerateCall* const call = self.get();
    call->self_ = self;
    call->loop_.Post([self = std::move(self), &adapter, copy = request]() mutable {
      if (self->IsOver()) return;
      GenerateCall* const sink = self.get();
      sink->attempt_ = adapter.Generate(std::move(copy), sink->loop_, sink);
    });
  }

  // --- seam::GenerateSink, on the loop ---
  void OnContent(Content content) override {
    bool pause = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (over_) return;
      JoinContent(std::move(content), pending_.mutable_content());
      // A whole answer travels in one message with its result.
      if (!streamed_ || writing_) {
        pause = !paused_ && pending_.content().data().size() > kHighWatermark && streamed_;
        paused_ = paused_ || pause;
      } else {
        TakePending();
      }
    }
    if (pause) attempt_->PauseReading();
    WriteIfTaken();
  }

  void OnResult(AttemptResult result) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (over_) return;
      *pending_.mutable_result() = std::move(result);
      if (!writing_) TakePending();
    }
    WriteIfTaken();
  }

  // --- gRPC's threads ---
  void OnWriteDone(bool ok) override {
    bool resume = false;
    bool finish_cancelled = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      writing_ = false;
      if (over_ || !ok) {
        finish_cancelled = !finished_;
        over_ = finished_ = true;
      } else if (pending_.has_content() || pending_.has_result()) {
        TakePending();
        resume = paused_ && !current_.has_result();
      }
      if (resume) paused_ = false;
    }
    if (finish_cancelled) {
      Finish(grpc::Status::CANCELLED);
      return;
    }
    if (resume) PostToAttempt([](seam::Attempt& attempt) { attempt.ResumeReading(); });
    WriteIfTaken();
  }

  void OnCancel() override {
    bool finish = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
      finish = !finished_ && !writing_;  // a write in flight completes first and finishes then
      finished_ = finished_ || finish;
    }
    DropAttempt();
    if (finish) Finish(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    DropAttempt();
    self_.reset();  // may delete this
  }

 private:
  bool IsOver() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return over_;
  }

  // Moves what waits to the message being written. REQUIRES: mutex_ held, !writing_, something
  // pending.
  void TakePending() {
    current_.Clear();
    current_.Swap(&pending_);
    writing_ = taken_ = true;
    if (current_.has_result()) finished_ = true;
  }

  // Only the thread that took the message gets here with taken_ set: no other may write until
  // OnWriteDone.
  void WriteIfTaken() {
    bool last;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!taken_) return;
      taken_ = false;
      last = current_.has_result();
    }
    if (last) {
      StartWriteAndFinish(&current_, grpc::WriteOptions(), grpc::Status::OK);
    } else {
      StartWrite(&current_);
    }
  }

  template <typename Action>
  void PostToAttempt(Action action) {
    std::shared_ptr<GenerateCall> self = self_;
    if (self == nullptr) return;
    loop_.Post([self = std::move(self), action] {
      if (self->attempt_ != nullptr) action(*self->attempt_);
    });
  }

  void DropAttempt() {
    std::shared_ptr<GenerateCall> self = self_;
    if (self == nullptr) return;
    loop_.Post([self = std::move(self)] { self->attempt_.reset(); });
  }

  Executor& loop_;
  const std::shared_ptr<std::atomic<int>> in_flight_;
  const bool streamed_;
  std::shared_ptr<GenerateCall> self_;      // set before the first reaction, dropped in OnDone
  std::unique_ptr<seam::Attempt> attempt_;  // on the loop only

  std::mutex mutex_;
  GenerateResponse pending_;
  GenerateResponse current_;  // owned by gRPC while writing_
  bool writing_ = false;
  bool taken_ = false;     // current_ is filled and its write not yet started
  bool finished_ = false;  // Finish was or is about to be called
  bool over_ = false;      // cancelled or done: nothing more to send
  bool paused_ = false;
};

}  // namespace

grpc::ServerWriteReactor<GenerateResponse>* ProviderAdapterServer::Generate(
    grpc::CallbackServerContext*, const GenerateRequest* request) {
  auto call = std::make_shared<GenerateCall>(*request, next_loop_(), in_flight_);
  GenerateCall* const reactor = call.get();
  GenerateCall::Begin(std::move(call), adapter_, *request);
  return reactor;
}

grpc::ServerUnaryReactor* ProviderAdapterServer::ListProviders(
    grpc::CallbackServerContext* context, const provider::v1::ListProvidersRequest*,
    provider::v1::ListProvidersResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  Executor& loop = next_loop_();
  loop.Post([this, reactor, response, &loop] {
    adapter_.ListProviders(
        absl::InfiniteDuration(), loop,
        [reactor, response](absl::StatusOr<provider::v1::ListProvidersResponse> answer) {
          if (answer.ok()) *response = *std::move(answer);
          reactor->Finish(rpc::ToGrpc(answer.status()));
        });
  });
  return reactor;
}

}  // namespace signalbox::seam_grpc
