// The provider-adapter as a module of a process: puts directory, connection pools, reporter and
// adapter together. Knows no gRPC: who offers the adapter over the network wraps adapter()
// (common/seam_grpc); who links it in uses adapter() directly.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_MODULE_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_MODULE_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/catalogue/holder.h"
#include "common/config/secrets.h"
#include "common/host/module.h"
#include "common/net/event_loop.h"
#include "common/obs/metrics.h"
#include "common/seam/metrics_aggregator.h"
#include "services/provider-adapter/adapter.h"
#include "services/provider-adapter/http_upstream.h"
#include "services/provider-adapter/metrics.h"
#include "services/provider-adapter/outcome_reporter.h"
#include "signalbox/config/v1/services.pb.h"

namespace signalbox::provider_adapter {

class AdapterModule : public host::Module {
 public:
  // All references outlive the module.
  struct Options {
    const config::v1::AdapterConfig& config;
    net::EventLoopGroup& loops;  // attempts live on these
    seam::MetricsAggregator& aggregator;
    catalogue::CatalogueHolder& catalogue;  // loaded before Start
    const config::Environment& environment;
    Executor& background;  // reports outcomes, looks at secret files
    const Clock& clock;
    obs::Metrics& metrics;
  };

  explicit AdapterModule(const Options& options);
  ~AdapterModule() override;  // REQUIRES: no attempt alive; not on `background` or one of the loops

  absl::string_view name() const override { return "provider-adapter"; }
  absl::Status Start() override;
  void BeginDrain() override { adapter_->BeginDrain(); }
  int InFlight() const override { return adapter_->InFlight(); }
  // Waits for the last outcomes to be taken, a short while.
  void Stop() override;

  // Valid from construction on; knows providers from Start on.
  seam::ProviderAdapter& adapter() { return *adapter_; }

 private:
  std::vector<Adapter::Loop> MakeLoops();
  void TakePoolStats();

  const Options options_;
  const AdapterSettings settings_;
  AdapterMetrics metrics_;
  config::SecretResolver secrets_;
  std::shared_ptr<ProviderDirectory> directory_;
  std::unique_ptr<OutcomeReporter> reporter_;
  std::vector<HttpUpstream*> upstreams_;  // owned by the adapter
  std::unique_ptr<Adapter> adapter_;
  std::shared_ptr<void> render_hook_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_MODULE_H_
