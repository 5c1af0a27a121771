// The router-decision as a process.
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/catalogue/open.h"
#include "common/host/main.h"
#include "common/host/wrap_module.h"
#include "common/rpc/channels.h"
#include "common/seam_grpc/provider_adapter_grpc.h"
#include "common/seam_grpc/router_decision_grpc.h"
#include "common/store/connect.h"
#include "services/router-decision/module.h"

namespace signalbox::router_decision {
namespace {

struct Parts {
  Parts(const host::Env& env, std::unique_ptr<catalogue::CatalogueHolder> loaded)
      : catalogue(std::move(loaded)),
        adapter(
            env.channels.To(env.config.router().adapter_address(), rpc::Channels::Kind::kUnary)) {}
  const std::unique_ptr<catalogue::CatalogueHolder> catalogue;
  seam_grpc::ProviderAdapterClient adapter;  // asked for the active providers, nothing else
};

absl::StatusOr<host::Modules> Create(const host::Env& env) {
  if (env.config.router().adapter_address().empty()) {
    return absl::InvalidArgumentError("router.adapter_address: not set; expected \"host:port\"");
  }
  ASSIGN_OR_RETURN(const redis::Options scores,
                   store::RedisOptions(env.config.redis(), store::Role::kScores, env.environment));
  ASSIGN_OR_RETURN(auto catalogue,
                   catalogue::Open(env.config, env.config_folder, env.watcher, env.metrics));
  auto parts = std::make_shared<Parts>(env, std::move(catalogue));
  RouterModule::Options options{env.config.router(),
                                scores,
                                store::KeysOf(env.config.redis()),
                                parts->adapter,
                                *parts->catalogue,
                                env.clock,
                                env.metrics};
  options.on_ready = [latch = env.readiness.AddLatch("providers")]() mutable { latch.Release(); };
  ASSIGN_OR_RETURN(auto module, RouterModule::Create(std::move(options)));
  env.live_config.OnReload([raw = module.get()](const config::v1::Config& config) {
    (void)raw->SetPolicy(config.router().policy());  // checked before
  });
  auto service = std::make_unique<seam_grpc::RouterDecisionServer>(module->router());
  host::Modules modules;
  modules.push_back(
      host::Keeping(host::WithGrpcService(std::move(module), "signalbox.router.v1.RouterDecision",
                                          std::move(service)),
                    std::move(parts)));
  return modules;
}

}  // namespace
}  // namespace signalbox::router_decision

int main(int argc, char** argv) {
  return signalbox::host::Main(argc, argv,
                               {"router-decision",
                                signalbox::router_decision::Create,
                                signalbox::router_decision::RouterModule::Check,
                                {}});
}
