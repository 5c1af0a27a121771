// The metrics-aggregator as a process.
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/host/main.h"
#include "common/host/wrap_module.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"
#include "common/store/connect.h"
#include "services/metrics-aggregator/module.h"

namespace signalbox::metrics_aggregator {
namespace {

absl::StatusOr<host::Modules> Create(const host::Env& env) {
  ASSIGN_OR_RETURN(const redis::Options redis,
                   store::RedisOptions(env.config.redis(), store::Role::kScores, env.environment));
  ASSIGN_OR_RETURN(auto module, AggregatorModule::Create({env.config.aggregator(), redis,
                                                          store::KeysOf(env.config.redis()),
                                                          env.clock, env.metrics}));
  env.live_config.OnReload([raw = module.get()](const config::v1::Config& config) {
    (void)raw->SetEstimator(config.aggregator());  // checked before
  });
  auto service = std::make_unique<seam_grpc::MetricsAggregatorServer>(module->aggregator());
  host::Modules modules;
  modules.push_back(host::WithGrpcService(
      std::move(module), "signalbox.metrics.v1.MetricsAggregator", std::move(service)));
  return modules;
}

}  // namespace
}  // namespace signalbox::metrics_aggregator

int main(int argc, char** argv) {
  return signalbox::host::Main(argc, argv,
                               {"metrics-aggregator",
                                signalbox::metrics_aggregator::Create,
                                signalbox::metrics_aggregator::AggregatorModule::Check,
                                {}});
}
