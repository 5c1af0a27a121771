// `signalbox serve`: the four services linked into one process. Between them stand the same
// interfaces as in the cluster; here they are called directly, and a request and its upstream
// connection share one event loop.
#include <memory>
#include <utility>

#include "common/base/status_macros.h"
#include "common/catalogue/open.h"
#include "common/host/main.h"
#include "common/host/wrap_module.h"
#include "common/redis/per_loop.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"
#include "common/store/connect.h"
#include "common/store/redis_stores.h"
#include "services/ingress/module.h"
#include "services/metrics-aggregator/module.h"
#include "services/provider-adapter/module.h"
#include "services/router-decision/module.h"
#include "services/signalbox/command.h"
#include "services/signalbox/private_redis.h"

namespace signalbox {
namespace {

// What the modules share; lives longer than all of them. Members in the order of their making.
struct Parts {
  Parts(const host::Env& env, config::v1::RedisConfig redis, const redis::Options& money,
        std::unique_ptr<PrivateRedis> own, std::unique_ptr<catalogue::CatalogueHolder> loaded)
      : private_redis(std::move(own)),
        redis_config(std::move(redis)),
        catalogue(std::move(loaded)),
        loops("edge", env.config.ingress().threads()),
        connections(loops, money, env.clock, redis::ConnectionMetrics(env.metrics, "money")),
        keys(connections, store::KeysOf(redis_config), env.clock),
        generations(connections, store::KeysOf(redis_config)) {}

  const std::unique_ptr<PrivateRedis> private_redis;  // null: another Redis is configured
  const config::v1::RedisConfig redis_config;
  const std::unique_ptr<catalogue::CatalogueHolder> catalogue;
  net::EventLoopGroup loops;
  redis::PerLoop connections;
  store::RedisKeyStore keys;
  store::RedisGenerationStore generations;
};

// Starts the private Redis when no other is configured and names it in `redis`.
absl::StatusOr<std::unique_ptr<PrivateRedis>> OpenRedis(const host::Env& env,
                                                        config::v1::RedisConfig* redis) {
  if (!redis->scores().address().empty() || redis->scores().has_sentinel())
    return std::unique_ptr<PrivateRedis>();
  const std::string& data_dir = env.config.serve().data_dir();
  const std::string folder = env.Path(data_dir.empty() ? "data" : data_dir);
  auto own = std::make_unique<PrivateRedis>(folder);
  RETURN_IF_ERROR(own->Start(env.background));
  redis->mutable_scores()->set_address(PrivateRedis::AddressIn(folder));
  return own;
}

absl::StatusOr<std::shared_ptr<Parts>> MakeParts(const host::Env& env) {
  config::v1::RedisConfig redis = env.config.redis();
  ASSIGN_OR_RETURN(auto own, OpenRedis(env, &redis));
  ASSIGN_OR_RETURN(const redis::Options money,
                   store::RedisOptions(redis, store::Role::kMoney, env.environment));
  ASSIGN_OR_RETURN(auto catalogue,
                   catalogue::Open(env.config, env.config_folder, env.watcher, env.metrics));
  return std::make_shared<Parts>(env, std::move(redis), money, std::move(own),
                                 std::move(catalogue));
}

// The aggregator, offered to the command line (`signalbox benchmark`) where gRPC is on.
std::unique_ptr<host::Module> WithGrpc(
    std::unique_ptr<metrics_aggregator::AggregatorModule> aggregator,
    const config::v1::ServeConfig& serve) {
  if (!serve.grpc()) return aggregator;
  auto service = std::make_unique<seam_grpc::MetricsAggregatorServer>(aggregator->aggregator());
  return host::WithGrpcService(std::move(aggregator), "signalbox.metrics.v1.MetricsAggregator",
                               std::move(service));
}

absl::StatusOr<host::Modules> Create(const host::Env& env) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Parts> parts, MakeParts(env));
  ASSIGN_OR_RETURN(const redis::Options scores,
                   store::RedisOptions(parts->redis_config, store::Role::kScores, env.environment));
  const store::Keys keys = store::KeysOf(parts->redis_config);

  ASSIGN_OR_RETURN(auto aggregator,
                   metrics_aggregator::AggregatorModule::Create(
                       {env.config.aggregator(), scores, keys, env.clock, env.metrics}));
  auto adapter =
      std::make_unique<provider_adapter::AdapterModule>(provider_adapter::AdapterModule::Options{
          env.config.adapter(), parts->loops, aggregator->aggregator(), *parts->catalogue,
          env.environment, env.background, env.clock, env.metrics});
  router_decision::RouterModule::Options options{
      env.config.router(), scores,    keys,       adapter->adapter(),
      *parts->catalogue,   env.clock, env.metrics};
  options.on_ready = [latch = env.readiness.AddLatch("providers")]() mutable { latch.Release(); };
  ASSIGN_OR_RETURN(auto router, router_decision::RouterModule::Create(std::move(options)));
  auto ingress = std::make_unique<ingress::IngressModule>(ingress::IngressDeps{
      env.config.ingress(), parts->loops, router->router(), adapter->adapter(), parts->keys,
      parts->generations, [&holder = *parts->catalogue] { return holder.Get(); }, env.metrics,
      env.clock, env.config.serve().grpc()});

  // The watcher stops before the modules do.
  env.live_config.OnReload(
      [router = router.get(), aggregator = aggregator.get()](const config::v1::Config& config) {
        (void)router->SetPolicy(config.router().policy());  // checked before, both
        (void)aggregator->SetEstimator(config.aggregator());
      });

  // Destroyed from the back: each goes before what it calls.
  host::Modules modules;
  modules.push_back(host::Keeping(WithGrpc(std::move(aggregator), env.config.serve()), parts));
  modules.push_back(host::Keeping(std::move(adapter), parts));
  modules.push_back(host::Keeping(std::move(router), parts));
  modules.push_back(host::Keeping(std::move(ingress), parts));
  return modules;
}

}  // namespace

void CheckServices(const config::v1::Config& config, config::Report* report) {
  router_decision::RouterModule::Check(config, report);
  metrics_aggregator::AggregatorModule::Check(config, report);
}

int ServeCommand(int argc, char** argv) {
  return host::Main(argc, argv, {"signalbox", Create, CheckServices, {}});
}

}  // namespace signalbox
