// The ingress as a module of the host: owns the HTTP server, the gRPC gateway and the per-loop
// services, and nothing of what they talk to.
//
// Threads: as host::Module; requests live on the event loops given to it.
#ifndef SIGNALBOX_SERVICES_INGRESS_MODULE_H_
#define SIGNALBOX_SERVICES_INGRESS_MODULE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/host/module.h"
#include "common/net/event_loop.h"
#include "services/ingress/loop_services.h"
#include "signalbox/config/v1/ingress.pb.h"

namespace signalbox::ingress {

// All references outlive the module.
struct IngressDeps {
  const config::v1::IngressConfig& config;
  net::EventLoopGroup& loops;
  seam::RouterDecision& router;
  seam::ProviderAdapter& adapter;
  store::KeyStore& keys;
  store::GenerationStore& generations;
  CatalogueSource catalogue;
  obs::Metrics& metrics;
  const Clock& clock;
  // Offer gateway.v1.Gateway on the process's gRPC server.
  bool grpc_gateway = false;
};

class IngressModule final : public host::Module {
 public:
  explicit IngressModule(IngressDeps deps);
  ~IngressModule() override;

  absl::string_view name() const override { return "ingress"; }
  std::vector<std::string> GrpcServices() const override;
  void Register(grpc::ServerBuilder& builder) override;
  // Error: http_listen is malformed, or the address is in use.
  absl::Status Start() override;
  std::vector<std::pair<std::string, std::string>> Addresses() const override;
  void AnnounceDrain() override;
  void BeginDrain() override;
  int InFlight() const override;
  // Gives the store a moment to take what was settled last; answers still running end with an
  // error.
  void Stop() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_MODULE_H_
