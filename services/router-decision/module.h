// router-decision as a module of a process: its own event loop for what keeps the snapshot fresh
// (scores from Redis, active providers from the adapter, reloads of the catalogue and the policy),
// and the router itself, which runs on its callers' threads. Knows no gRPC: who offers it over the
// network wraps router() (common/seam_grpc); who links it in uses router().
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_MODULE_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_MODULE_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "common/catalogue/holder.h"
#include "common/config/report.h"
#include "common/host/module.h"
#include "common/net/event_loop.h"
#include "common/obs/metrics.h"
#include "common/redis/connection.h"
#include "common/redis/options.h"
#include "common/seam/provider_adapter.h"
#include "common/store/keys.h"
#include "common/store/snapshot_watcher.h"
#include "services/router-decision/core/snapshot.h"
#include "services/router-decision/metrics.h"
#include "services/router-decision/provider_poller.h"
#include "services/router-decision/router.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox::router_decision {

class RouterModule final : public host::Module {
 public:
  // All references outlive the module.
  struct Options {
    const config::v1::RouterConfig& config;
    redis::Options redis;  // the scores instance, with its password resolved
    store::Keys keys;
    seam::ProviderAdapter& adapter;
    catalogue::CatalogueHolder& catalogue;  // loaded before Start
    const Clock& clock;
    obs::Metrics& metrics;
    // Runs once on the module's loop when the first word of active providers has come: from then on
    // decisions are made.
    std::function<void()> on_ready = [] {};
    uint64_t seed = 0;  // of the draws; 0 = from the operating system
  };
  // Error: INVALID_ARGUMENT naming every bad number of the configuration; Check finds the same.
  static absl::StatusOr<std::unique_ptr<RouterModule>> Create(Options options);
  static void Check(const config::v1::Config& config, config::Report* report);
  ~RouterModule() override;

  absl::string_view name() const override { return "router-decision"; }
  // Works without Redis: endpoints without scores are ordered by price alone. Error: no catalogue
  // is loaded.
  absl::Status Start() override;
  void BeginDrain() override {}
  int InFlight() const override { return 0; }  // decisions are answered inside the call
  void Stop() override;

  // Thread-safe. Valid as long as the module.
  seam::RouterDecision& router() { return router_; }
  // For a reload of the configuration: from the next decision on. Error: a bad number; the old
  // policy stays. Thread-safe.
  absl::Status SetPolicy(const config::v1::PolicyConfig& config);

 private:
  RouterModule(Options options, const PolicySettings& policy, absl::Duration providers_interval,
               absl::Duration snapshot_interval);

  catalogue::CatalogueHolder& catalogue_;
  const RouterMetrics metrics_;
  const std::shared_ptr<SnapshotHolder> snapshots_;  // shared with the catalogue's reload listener
  Router router_;
  ShareGauges shares_;
  std::shared_ptr<void> render_hook_;
  net::EventLoop loop_;
  redis::Connection connection_;
  store::SnapshotWatcher scores_;
  ProviderPoller providers_;
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_MODULE_H_
