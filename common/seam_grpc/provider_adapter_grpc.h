// ProviderAdapter over gRPC: the server binding and the client stub of one seam.
#ifndef SIGNALBOX_COMMON_SEAM_GRPC_PROVIDER_ADAPTER_GRPC_H_
#define SIGNALBOX_COMMON_SEAM_GRPC_PROVIDER_ADAPTER_GRPC_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <functional>
#include <memory>

#include "common/seam/provider_adapter.h"
#include "signalbox/provider/v1/provider.grpc.pb.h"

namespace signalbox::seam_grpc {

// Each call is handed to one of the adapter's event loops and lives there; gRPC's threads only
// carry messages. `adapter` must outlive the server. Content that arrives while a write is in
// flight is joined into one message; when more than kHighWatermark waits, reading from the provider
// pauses.
class ProviderAdapterServer final : public provider::v1::ProviderAdapter::CallbackService {
 public:
  // `next_loop` gives the loop of the next call. Thread-safe.
  ProviderAdapterServer(seam::ProviderAdapter& adapter, std::function<Executor&()> next_loop)
      : adapter_(adapter), next_loop_(std::move(next_loop)) {}

  grpc::ServerWriteReactor<provider::v1::GenerateResponse>* Generate(
      grpc::CallbackServerContext* context, const provider::v1::GenerateRequest* request) override;
  grpc::ServerUnaryReactor* ListProviders(grpc::CallbackServerContext* context,
                                          const provider::v1::ListProvidersRequest* request,
                                          provider::v1::ListProvidersResponse* response) override;

  // Calls not yet finished.
  int InFlight() const { return in_flight_->load(); }

 private:
  seam::ProviderAdapter& adapter_;
  const std::function<Executor&()> next_loop_;
  // Shared with the calls: the last of them may end after the server object.
  const std::shared_ptr<std::atomic<int>> in_flight_ = std::make_shared<std::atomic<int>>(0);
};

// The channel's owner keeps it alive longer than the client and every attempt.
class ProviderAdapterClient final : public seam::ProviderAdapter {
 public:
  explicit ProviderAdapterClient(const std::shared_ptr<grpc::Channel>& channel);
  std::unique_ptr<seam::Attempt> Generate(provider::v1::GenerateRequest request, Executor& executor,
                                          seam::GenerateSink* sink) override;
  void ListProviders(absl::Duration timeout, Executor& executor,
                     ListProvidersCallback done) override;

 private:
  std::unique_ptr<provider::v1::ProviderAdapter::StubInterface> stub_;
};

}  // namespace signalbox::seam_grpc

#endif  // SIGNALBOX_COMMON_SEAM_GRPC_PROVIDER_ADAPTER_GRPC_H_
