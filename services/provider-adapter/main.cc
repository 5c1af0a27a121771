// The provider-adapter as a process.
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/catalogue/open.h"
#include "common/host/main.h"
#include "common/host/wrap_module.h"
#include "common/rpc/channels.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"
#include "common/seam_grpc/provider_adapter_grpc.h"
#include "services/provider-adapter/module.h"

namespace signalbox::provider_adapter {
namespace {

struct Parts {
  Parts(const host::Env& env, std::unique_ptr<catalogue::CatalogueHolder> loaded)
      : catalogue(std::move(loaded)),
        loops("upstream", env.config.adapter().threads()),
        aggregator(env.channels.To(env.config.adapter().aggregator_address(),
                                   rpc::Channels::Kind::kStreaming)) {}
  const std::unique_ptr<catalogue::CatalogueHolder> catalogue;
  net::EventLoopGroup loops;
  seam_grpc::MetricsAggregatorClient aggregator;
};

absl::StatusOr<host::Modules> Create(const host::Env& env) {
  if (env.config.adapter().aggregator_address().empty()) {
    return absl::InvalidArgumentError(
        "adapter.aggregator_address: not set; expected \"host:port\"");
  }
  ASSIGN_OR_RETURN(auto catalogue,
                   catalogue::Open(env.config, env.config_folder, env.watcher, env.metrics));
  auto parts = std::make_shared<Parts>(env, std::move(catalogue));
  auto module = std::make_unique<AdapterModule>(AdapterModule::Options{
      env.config.adapter(), parts->loops, parts->aggregator, *parts->catalogue, env.environment,
      env.background, env.clock, env.metrics});
  auto service = std::make_unique<seam_grpc::ProviderAdapterServer>(
      module->adapter(), [&loops = parts->loops]() -> Executor& { return loops.Next(); });
  const auto in_flight = [server = service.get()] { return server->InFlight(); };
  host::Modules modules;
  modules.push_back(host::Keeping(
      host::WithGrpcService(std::move(module), "signalbox.provider.v1.ProviderAdapter",
                            std::move(service), in_flight),
      std::move(parts)));
  return modules;
}

}  // namespace
}  // namespace signalbox::provider_adapter

int main(int argc, char** argv) {
  return signalbox::host::Main(
      argc, argv, {"provider-adapter", signalbox::provider_adapter::Create, nullptr, {}});
}
