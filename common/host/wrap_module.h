// Modules put around modules. A service's logic knows nothing of gRPC, and a module takes what it
// needs by reference; whoever wires a process adds the service and the things referred to here.
#ifndef SIGNALBOX_COMMON_HOST_WRAP_MODULE_H_
#define SIGNALBOX_COMMON_HOST_WRAP_MODULE_H_

#include <functional>
#include <memory>
#include <string>

#include "common/host/module.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace signalbox::host {

// Registers `service` under its full name, for health checks. The service is destroyed before the
// module. `in_flight`, if set, counts calls of the service beside the module's own.
std::unique_ptr<Module> WithGrpcService(std::unique_ptr<Module> module, std::string full_name,
                                        std::unique_ptr<grpc::Service> service,
                                        std::function<int()> in_flight = nullptr);

// Keeps `parts`, which the module refers to, alive until the module is gone.
std::unique_ptr<Module> Keeping(std::unique_ptr<Module> module, std::shared_ptr<void> parts);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_WRAP_MODULE_H_
