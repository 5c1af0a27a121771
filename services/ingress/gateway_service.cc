#include "services/ingress/gateway_service.h"

#include <grpcpp/server_builder.h>

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/strip.h"
#include "common/rpc/status.h"
#include "common/seam/error_detail.h"
#include "services/ingress/chat_call.h"
#include "services/ingress/core/tool_call_guard.h"
#include "services/ingress/http_api.h"
#include "signalbox/gateway/v1/gateway.grpc.pb.h"

namespace signalbox::ingress {
namespace {

using gateway::v1::ChatResponse;

constexpr size_t kHighWatermark = 64 * 1024;
constexpr size_t kLowWatermark = 16 * 1024;
constexpr size_t kMaxSessionIdBytes = 256;

std::string Metadata(const grpc::CallbackServerContext& context, const char* name) {
  const auto found = context.client_metadata().find(name);
  return found == context.client_metadata().end()
             ? ""
             : std::string(found->second.data(), found->second.size());
}

std::string SecretOf(const grpc::CallbackServerContext& context) {
  return std::string(
      SecretFrom(Metadata(context, "authorization"), Metadata(context, "x-api-key")));
}

// A defect tells nothing over gRPC either.
grpc::Status ToGrpc(const common::v1::ErrorDetail& detail) {
  if (MeaningOf(detail.reason()).status != 500) return rpc::ToGrpc(seam::ToStatus(detail));
  return rpc::ToGrpc(seam::MakeError(common::v1::REASON_INTERNAL, "internal error"));
}

// "data: {…}\n\ndata: {…}\n\n" -> the objects. Returns their bytes.
size_t AddChunks(absl::string_view events, ChatResponse::Chunks* chunks) {
  size_t bytes = 0;
  while (!events.empty()) {
    const size_t end = events.find("\n\n");
    absl::string_view event = events.substr(0, end);
    events.remove_prefix(end == absl::string_view::npos ? events.size() : end + 2);
    if (!absl::ConsumePrefix(&event, "data: ")) continue;
    chunks->add_json(event.data(), event.size());
    bytes += event.size();
  }
  return bytes;
}

void FillSummary(const ChatSummary& from, gateway::v1::Summary* to) {
  to->set_generation_id(from.generation_id);
  to->set_model(from.model);
  to->set_provider(from.provider);
  *to->mutable_usage() = from.usage;
  to->set_cost_nano(from.cost.value);
  to->set_attempts(from.attempts);
  if (from.error.reason() != common::v1::REASON_UNSPECIFIED) *to->mutable_error() = from.error;
}

// One Chat call. The request lives on `loop_` and sends from there; gRPC's reactions come on its
// own threads. `mutex_` guards what both touch and is never held while calling into gRPC or the
// request. Each write that is due is taken out of the queue under the mutex by whoever then starts
// it, so that there is never more than one.
class ChatReactor final : public grpc::ServerWriteReactor<ChatResponse>,
                          public std::enable_shared_from_this<ChatReactor> {
 public:
  explicit ChatReactor(Executor& loop) : loop_(loop) {}

  // Keeps the reactor until OnDone. REQUIRES: no reaction has run yet.
  void KeepAlive() { self_ = shared_from_this(); }

  // --- on the loop ---
  void OnClientGone(std::function<void()> callback) {
    bool gone = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      on_gone_ = std::move(callback);
      gone = over_;
    }
    if (gone) PostGone();
  }
  void OnWritable(std::function<void()> callback) {
    const std::lock_guard<std::mutex> lock(mutex_);
    on_writable_ = std::move(callback);
  }
  bool Congested() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return waiting_bytes_ > kHighWatermark;
  }
  // Chunks that wait for the same write go as one message.
  void SendChunks(absl::string_view events) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (over_) return;
      if (queue_.empty() || !queue_.back().has_chunks()) queue_.emplace_back();
      waiting_bytes_ += AddChunks(events, queue_.back().mutable_chunks());
      above_high_ = above_high_ || waiting_bytes_ > kHighWatermark;
    }
    Continue();
  }
  void Send(ChatResponse message) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (over_) return;
      queue_.push_back(std::move(message));
    }
    Continue();
  }
  // After what is queued.
  void End(grpc::Status status) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ending_ = true;
      status_ = std::move(status);
    }
    Continue();
  }

  // --- gRPC's threads ---
  void OnWriteDone(bool ok) override {
    bool writable = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      writing_ = false;
      if (!ok) over_ = true;
      writable = above_high_ && waiting_bytes_ < kLowWatermark && !over_;
      if (writable) above_high_ = false;
    }
    if (!ok) PostGone();
    if (writable) Post([](ChatReactor& self) { return self.on_writable_; });
    Continue();
  }
  void OnCancel() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      over_ = true;
    }
    PostGone();
    Continue();
  }
  void OnDone() override { self_.reset(); }

 private:
  // Starts the next write, or finishes when nothing is left to write.
  void Continue() {
    bool finish = false;
    grpc::Status status;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (writing_ || finished_) return;
      if (over_ || queue_.empty()) {
        finish = finished_ = over_ || ending_;
        if (!finish) return;
        status = over_ ? grpc::Status::CANCELLED : status_;
      } else {
        writing_ = true;
        current_ = std::move(queue_.front());
        queue_.pop_front();
        if (current_.has_chunks()) waiting_bytes_ = 0;  // all chunks that wait are in one message
      }
    }
    if (finish) {
      Finish(status);
    } else {
      StartWrite(&current_);
    }
  }

  void PostGone() {
    Post([](ChatReactor& self) { return std::exchange(self.on_gone_, nullptr); });
  }

  // Runs the callback that `take` picks, on the loop.
  template <typename Take>
  void Post(Take take) {
    loop_.Post([self = shared_from_this(), take] {
      std::function<void()> callback;
      {
        const std::lock_guard<std::mutex> lock(self->mutex_);
        callback = take(*self);
      }
      if (callback) callback();
    });
  }

  Executor& loop_;
  std::shared_ptr<ChatReactor> self_;  // set before the first reaction, dropped in OnDone

  mutable std::mutex mutex_;
  std::deque<ChatResponse> queue_;
  ChatResponse current_;      // owned by gRPC while writing_
  size_t waiting_bytes_ = 0;  // chunks in the queue
  bool above_high_ = false;
  bool writing_ = false;
  bool ending_ = false;    // nothing more will be queued
  bool finished_ = false;  // Finish was or is about to be called
  bool over_ = false;      // the client has gone
  grpc::Status status_;    // how it ends
  std::function<void()> on_gone_;
  std::function<void()> on_writable_;
};

class GrpcFront final : public ChatFront {
 public:
  explicit GrpcFront(std::shared_ptr<ChatReactor> reactor) : reactor_(std::move(reactor)) {}

  void OnClientGone(std::function<void()> callback) override {
    reactor_->OnClientGone(std::move(callback));
  }
  bool Congested() const override { return reactor_->Congested(); }
  void OnWritable(std::function<void()> callback) override {
    reactor_->OnWritable(std::move(callback));
  }
  void BeginStream(const AnswerHead&) override {}
  void WriteEvents(std::string events) override { reactor_->SendChunks(events); }
  void WriteKeepAlive() override {}  // HTTP/2 has pings for that
  void FinishStream(std::string last_events, const ChatSummary& summary) override {
    reactor_->SendChunks(last_events);
    SendSummary(summary);
    reactor_->End(grpc::Status::OK);
  }
  void BreakStream(std::string error_event, const ChatSummary& summary) override {
    reactor_->SendChunks(error_event);
    SendSummary(summary);
    reactor_->End(ToGrpc(summary.error));
  }
  void Complete(const AnswerHead&, std::string completion, const ChatSummary& summary) override {
    ChatResponse message;
    message.set_completion(std::move(completion));
    reactor_->Send(std::move(message));
    SendSummary(summary);
    reactor_->End(grpc::Status::OK);
  }
  void Fail(const AnswerHead&, const Failure& failure) override {
    reactor_->End(ToGrpc(failure.detail));
  }

 private:
  void SendSummary(const ChatSummary& summary) {
    ChatResponse message;
    FillSummary(summary, message.mutable_summary());
    reactor_->Send(std::move(message));
  }

  const std::shared_ptr<ChatReactor> reactor_;
};

// A call that is refused before it has a loop.
class RefusedChat final : public grpc::ServerWriteReactor<ChatResponse> {
 public:
  explicit RefusedChat(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

grpc::Status NotServing() {
  return rpc::ToGrpc(seam::MakeError(common::v1::REASON_DRAINING,
                                     "The gateway is not serving; ask another instance."));
}

}  // namespace

class GatewayService::Impl final : public gateway::v1::Gateway::CallbackService {
 public:
  explicit Impl(Deps deps) : deps_(std::move(deps)) {}

  grpc::ServerWriteReactor<ChatResponse>* Chat(grpc::CallbackServerContext* context,
                                               const gateway::v1::ChatRequest* request) override {
    LoopServices* const services = deps_.next_loop();
    if (services == nullptr) return new RefusedChat(NotServing());
    if (deps_.shared.metrics.in_flight.load(std::memory_order_relaxed) >= deps_.max_in_flight) {
      deps_.shared.metrics.shed.Add();
      return new RefusedChat(rpc::ToGrpc(
          seam::MakeError(common::v1::REASON_OVERLOADED,
                          "Too many requests are in flight; repeat the request shortly.")));
    }
    if (request->session_id().size() > kMaxSessionIdBytes) {
      return new RefusedChat(
          rpc::ToGrpc(seam::InvalidField("session_id", "must be at most 256 bytes")));
    }
    const std::string guard = Metadata(*context, kToolCallGuardHeader.data());
    if (!guard.empty() && !ToolCallGuardNamed(guard).has_value()) {
      return new RefusedChat(
          rpc::ToGrpc(seam::InvalidField(kToolCallGuardHeader, kToolCallGuardRule)));
    }
    auto reactor = std::make_shared<ChatReactor>(services->executor);
    reactor->KeepAlive();
    ingress::ChatRequest chat;
    if (!guard.empty()) chat.tool_call_guard = *ToolCallGuardNamed(guard);
    chat.body = request->body();
    chat.session_id = request->session_id();
    chat.secret = SecretOf(*context);
    chat.traceparent = Metadata(*context, "traceparent");
    chat.user_agent = Metadata(*context, "user-agent");
    services->executor.Post([services, reactor, chat = std::move(chat)]() mutable {
      ChatCall::Start(*services, std::move(chat), std::make_unique<GrpcFront>(reactor));
    });
    return reactor.get();
  }

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const gateway::v1::ListModelsRequest*,
                                       gateway::v1::ListModelsResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    const std::shared_ptr<const ModelsApi> models = deps_.models();
    if (models == nullptr) {
      reactor->Finish(NotServing());
      return reactor;
    }
    absl::StatusOr<std::string> body = models->ListModels("", "/api/v1");
    if (body.ok()) response->set_json(*std::move(body));
    reactor->Finish(rpc::ToGrpc(body.status()));
    return reactor;
  }

  grpc::ServerUnaryReactor* GetGeneration(grpc::CallbackServerContext* context,
                                          const gateway::v1::GetGenerationRequest* request,
                                          gateway::v1::GetGenerationResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    LoopServices* const services = deps_.next_loop();
    if (services == nullptr) {
      reactor->Finish(NotServing());
      return reactor;
    }
    services->executor.Post([services, reactor, response, id = request->id(),
                             secret = SecretOf(*context)] {
      services->auth.Authenticate(secret, [=](absl::StatusOr<Authenticator::Principal> principal) {
        if (!principal.ok()) {
          reactor->Finish(rpc::ToGrpc(principal.status()));
          return;
        }
        ReadGeneration(*services, id, (*principal)->hash, [=](absl::StatusOr<std::string> body) {
          if (body.ok()) response->set_json(*std::move(body));
          reactor->Finish(rpc::ToGrpc(body.status()));
        });
      });
    });
    return reactor;
  }

 private:
  const Deps deps_;
};

GatewayService::GatewayService(Deps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
GatewayService::~GatewayService() = default;

void GatewayService::AddTo(grpc::ServerBuilder& builder) { builder.RegisterService(impl_.get()); }

}  // namespace signalbox::ingress
