// The ingress as a process.
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/catalogue/open.h"
#include "common/host/main.h"
#include "common/host/wrap_module.h"
#include "common/redis/per_loop.h"
#include "common/rpc/channels.h"
#include "common/seam_grpc/provider_adapter_grpc.h"
#include "common/seam_grpc/router_decision_grpc.h"
#include "common/store/connect.h"
#include "common/store/redis_stores.h"
#include "services/ingress/module.h"

namespace signalbox::ingress {
namespace {

struct Parts {
  Parts(const host::Env& env, const redis::Options& money,
        std::unique_ptr<catalogue::CatalogueHolder> loaded)
      : catalogue(std::move(loaded)),
        loops("edge", env.config.ingress().threads()),
        connections(loops, money, env.clock, redis::ConnectionMetrics(env.metrics, "money")),
        keys(connections, store::KeysOf(env.config.redis()), env.clock),
        generations(connections, store::KeysOf(env.config.redis())),
        router(env.channels.To(env.config.ingress().router_address(), rpc::Channels::Kind::kUnary)),
        adapter(env.channels.To(env.config.ingress().adapter_address(),
                                rpc::Channels::Kind::kStreaming)) {}
  const std::unique_ptr<catalogue::CatalogueHolder> catalogue;
  net::EventLoopGroup loops;
  redis::PerLoop connections;
  store::RedisKeyStore keys;
  store::RedisGenerationStore generations;
  seam_grpc::RouterDecisionClient router;
  seam_grpc::ProviderAdapterClient adapter;
};

absl::StatusOr<host::Modules> Create(const host::Env& env) {
  const config::v1::IngressConfig& config = env.config.ingress();
  if (config.router_address().empty() || config.adapter_address().empty()) {
    return absl::InvalidArgumentError(
        "ingress.router_address, ingress.adapter_address: not set; expected \"host:port\"");
  }
  ASSIGN_OR_RETURN(const redis::Options money,
                   store::RedisOptions(env.config.redis(), store::Role::kMoney, env.environment));
  ASSIGN_OR_RETURN(auto catalogue,
                   catalogue::Open(env.config, env.config_folder, env.watcher, env.metrics));
  auto parts = std::make_shared<Parts>(env, money, std::move(catalogue));
  auto module = std::make_unique<IngressModule>(
      IngressDeps{config, parts->loops, parts->router, parts->adapter, parts->keys,
                  parts->generations, [&holder = *parts->catalogue] { return holder.Get(); },
                  env.metrics, env.clock, /*grpc_gateway=*/true});
  host::Modules modules;
  modules.push_back(host::Keeping(std::move(module), std::move(parts)));
  return modules;
}

}  // namespace
}  // namespace signalbox::ingress

int main(int argc, char** argv) {
  return signalbox::host::Main(argc, argv, {"ingress", signalbox::ingress::Create, nullptr, {}});
}
