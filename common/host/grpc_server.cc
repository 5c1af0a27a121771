#include "common/host/grpc_server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/callback_threads.h"
#include "common/rpc/keep_warm.h"
#include "common/rpc/limits.h"

namespace signalbox::host {
namespace {

constexpr int kMaxConcurrentStreams = 20'000;  // per connection

void SetArguments(absl::Duration max_connection_age, grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(rpc::kMaxMessageBytes);
  builder->SetMaxSendMessageSize(rpc::kMaxMessageBytes);
  // With the default, a second server on the same port starts silently and takes half of the
  // connections.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // The grace of open calls is infinite by default.
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                              static_cast<int>(absl::ToInt64Milliseconds(max_connection_age)));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentStreams);
  // Our clients ping this often, also without calls; the default answers that with GOAWAY
  // "too_many_pings".
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              rpc::kKeepaliveMs / 2);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, rpc::kKeepaliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, rpc::kKeepaliveTimeoutMs);
}

// Both are settings of the process, not of a builder.
void EnablePlugins(bool reflection) {
  grpc::EnableDefaultHealthCheckService(true);
  if (reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
}

}  // namespace

class GrpcServer::Impl {
 public:
  Impl(GrpcServerOptions options, absl::Span<Module* const> modules)
      : options_(std::move(options)), builder_(MakeBuilder(options_)) {
    for (Module* module : modules) {
      module->Register(*builder_);
      for (std::string& service : module->GrpcServices()) services_.push_back(std::move(service));
    }
  }

  absl::Status Start(const Address& listen) {
    int port = 0;
    builder_->AddListeningPort(listen.ToString(), options_.credentials.server, &port);
    server_ = builder_->BuildAndStart();
    if (server_ == nullptr || port <= 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", listen.ToString(), " for gRPC"));
    }
    address_ = Address{listen.host, static_cast<uint16_t>(port)};
    SetServing(false);
    keep_warm_ =
        std::make_unique<rpc::KeepWarm>(address_.Reachable().ToString(), options_.credentials);
    return absl::OkStatus();
  }

  const Address& address() const { return address_; }

  void SetServing(bool serving) {
    grpc::HealthCheckServiceInterface* const health = server_->GetHealthCheckService();
    health->SetServingStatus(serving);  // every service known to it
    health->SetServingStatus("", serving);
    for (const std::string& service : services_) health->SetServingStatus(service, serving);
  }

  void Shutdown(absl::Duration grace) {
    keep_warm_.reset();
    if (server_ != nullptr)
      server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(grace));
  }

 private:
  static std::unique_ptr<grpc::ServerBuilder> MakeBuilder(const GrpcServerOptions& options) {
    EnablePlugins(options.reflection);
    rpc::KeepCallbackThreads();
    auto builder = std::make_unique<grpc::ServerBuilder>();
    SetArguments(options.max_connection_age, builder.get());
    return builder;
  }

  const GrpcServerOptions options_;
  std::unique_ptr<grpc::ServerBuilder> builder_;
  std::vector<std::string> services_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<rpc::KeepWarm> keep_warm_;
  Address address_;
};

GrpcServer::GrpcServer(GrpcServerOptions options, absl::Span<Module* const> modules)
    : impl_(std::make_unique<Impl>(std::move(options), modules)) {}
GrpcServer::~GrpcServer() = default;
absl::Status GrpcServer::Start(const Address& listen) { return impl_->Start(listen); }
const Address& GrpcServer::address() const { return impl_->address(); }
void GrpcServer::SetServing(bool serving) { impl_->SetServing(serving); }
void GrpcServer::Shutdown(absl::Duration grace) { impl_->Shutdown(grace); }

}  // namespace signalbox::host
