// gateway.v1.Gateway: the same life of a request for internal callers that speak gRPC. Its .cc is
// the only file of the service that includes grpcpp.
//
// Threads: gRPC's own on one side, an event loop per call on the other; see gateway_service.cc.
#ifndef SIGNALBOX_SERVICES_INGRESS_GATEWAY_SERVICE_H_
#define SIGNALBOX_SERVICES_INGRESS_GATEWAY_SERVICE_H_

#include <functional>
#include <memory>

#include "services/ingress/core/models_api.h"
#include "services/ingress/loop_services.h"

namespace grpc {
class ServerBuilder;
}  // namespace grpc

namespace signalbox::ingress {

class GatewayService {
 public:
  struct Deps {
    int max_in_flight;
    const SharedServices& shared;
    // The services of the loop the next call shall live on; null before Start and after Stop.
    // Thread-safe.
    std::function<LoopServices*()> next_loop;
    // Thread-safe; null before the first catalogue.
    std::function<std::shared_ptr<const ModelsApi>()> models;
  };

  explicit GatewayService(Deps deps);
  // REQUIRES: the gRPC server has shut down.
  ~GatewayService();

  void AddTo(grpc::ServerBuilder& builder);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_GATEWAY_SERVICE_H_
