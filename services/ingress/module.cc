#include "services/ingress/module.h"

#include <algorithm>
#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/host/address.h"
#include "common/obs/log.h"
#include "services/ingress/gateway_service.h"
#include "services/ingress/http_api.h"
#include "services/ingress/options.h"

namespace signalbox::ingress {
namespace {

constexpr absl::Duration kSettleGrace = absl::Seconds(2);
constexpr absl::Duration kSettlePoll = absl::Milliseconds(5);

// The configuration counts per loop; the loops share one memory, because a conversation may come in
// on any of them.
ConversationOptions ForAllLoops(ConversationOptions options, size_t loops) {
  options.max_remembered *= loops;
  return options;
}

}  // namespace

class IngressModule::Impl {
 public:
  explicit Impl(IngressDeps deps)
      : deps_(std::move(deps)),
        metrics_(deps_.metrics),
        chat_options_(ChatOptionsFrom(deps_.config)),
        api_options_(HttpApiOptionsFrom(deps_.config)),
        conversations_(ForAllLoops(chat_options_.conversations, deps_.loops.size())),
        circuits_(chat_options_.circuits),
        shared_{chat_options_,   deps_.router, deps_.adapter, deps_.keys,     deps_.generations,
                deps_.catalogue, metrics_,     deps_.clock,   conversations_, circuits_},
        api_(api_options_, shared_,
             [this](Executor& loop) -> LoopServices& { return ServicesOf(loop); }) {
    if (deps_.grpc_gateway) {
      gateway_ = std::make_unique<GatewayService>(
          GatewayService::Deps{api_options_.max_in_flight, shared_, [this] { return NextLoop(); },
                               [this] { return api_.Models(); }});
    }
  }

  GatewayService* gateway() { return gateway_.get(); }

  absl::Status Start() {
    ASSIGN_OR_RETURN(http::ServerOptions server_options, ServerOptionsFrom(deps_.config));
    for (size_t i = 0; i < deps_.loops.size(); ++i) {
      loops_.push_back(
          std::make_unique<LoopServices>(shared_, deps_.loops.at(i), Rng::FromEntropy()));
    }
    serving_.store(true, std::memory_order_release);
    listen_host_ = server_options.address;
    const size_t max_connections = server_options.max_connections;
    server_ = std::make_unique<http::Server>(
        deps_.loops, std::move(server_options),
        [this](http::Request request, std::shared_ptr<http::Exchange> exchange) {
          api_.Handle(std::move(request), std::move(exchange));
        });
    RETURN_IF_ERROR(server_->Start());
    metrics_.in_flight_limit.Set(api_options_.max_in_flight);
    metrics_.connections_limit.Set(static_cast<double>(max_connections));
    render_hook_ = deps_.metrics.OnRender([this] { ShowConnections(); });
    obs::Log(obs::kInfo, "ingress_listening").With("address", address());
    return absl::OkStatus();
  }

  std::string address() const { return host::Address{listen_host_, server_->port()}.ToString(); }
  bool started() const { return server_ != nullptr; }

  void AnnounceDrain() {
    if (server_ != nullptr) server_->AnnounceDrain();
  }

  void BeginDrain() {
    if (server_ != nullptr) server_->BeginDrain();
  }

  // Chats over gRPC have no HTTP exchange, catalogue reads are no chats.
  int InFlight() const {
    const int exchanges = server_ != nullptr ? server_->InFlight() : 0;
    return std::max(exchanges, metrics_.in_flight.load());
  }

  void Stop() {
    serving_.store(false, std::memory_order_release);
    OnEveryLoop([](LoopServices& services) { services.calls.AbandonAll(); });
    for (absl::Duration waited; metrics_.settle_pending.load() > 0 && waited < kSettleGrace;
         waited += kSettlePoll) {
      absl::SleepFor(kSettlePoll);
    }
    const int lost = metrics_.settle_pending.load();
    if (lost > 0) obs::Log(obs::kError, "settlements_lost").With("count", lost);
    render_hook_.reset();
    server_.reset();
    for (size_t i = 0; i < loops_.size(); ++i) {
      deps_.loops.at(i).RunAndWait([this, i] { loops_[i].reset(); });
    }
    loops_.clear();
  }

 private:
  LoopServices& ServicesOf(Executor& loop) {
    for (const std::unique_ptr<LoopServices>& services : loops_) {
      if (&services->executor == &loop) return *services;
    }
    return *loops_.front();  // not reached: exchanges live on the loops the server was made with
  }

  LoopServices* NextLoop() {
    if (!serving_.load(std::memory_order_acquire)) return nullptr;
    return loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()].get();
  }

  void ShowConnections() {
    metrics_.connections.Set(server_->Connections());
    const auto refused = static_cast<double>(server_->stats().connections_refused);
    metrics_.connections_refused.Add(refused - metrics_.connections_refused.value());
  }

  template <typename Action>
  void OnEveryLoop(Action action) {
    for (size_t i = 0; i < loops_.size(); ++i) {
      deps_.loops.at(i).RunAndWait([this, i, &action] { action(*loops_[i]); });
    }
  }

  const IngressDeps deps_;
  IngressMetrics metrics_;
  const ChatOptions chat_options_;
  const HttpApiOptions api_options_;
  Conversations conversations_;
  Circuits circuits_;
  const SharedServices shared_;
  HttpApi api_;
  std::vector<std::unique_ptr<LoopServices>> loops_;
  std::atomic<bool> serving_{false};
  std::atomic<size_t> next_{0};
  std::string listen_host_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<GatewayService> gateway_;
  std::shared_ptr<void> render_hook_;
};

IngressModule::IngressModule(IngressDeps deps) : impl_(std::make_unique<Impl>(std::move(deps))) {}
IngressModule::~IngressModule() = default;

std::vector<std::string> IngressModule::GrpcServices() const {
  if (impl_->gateway() == nullptr) return {};
  return {"signalbox.gateway.v1.Gateway"};
}

void IngressModule::Register(grpc::ServerBuilder& builder) {
  if (impl_->gateway() != nullptr) impl_->gateway()->AddTo(builder);
}

absl::Status IngressModule::Start() { return impl_->Start(); }

std::vector<std::pair<std::string, std::string>> IngressModule::Addresses() const {
  if (!impl_->started()) return {};
  return {{"http", impl_->address()}};
}

void IngressModule::AnnounceDrain() { impl_->AnnounceDrain(); }
void IngressModule::BeginDrain() { impl_->BeginDrain(); }
int IngressModule::InFlight() const { return impl_->InFlight(); }
void IngressModule::Stop() { impl_->Stop(); }

}  // namespace signalbox::ingress
