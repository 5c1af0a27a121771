// The provider-adapter itself: the seam's implementation over live providers. Chooses key, dialect
// and limits for an attempt, bounds what is in flight per endpoint, and passes on what the attempt
// taught (outcome, metrics, key health).
//
// Thread-safe; an attempt lives on the event loop it was started on.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_ADAPTER_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_ADAPTER_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "common/base/clock.h"
#include "common/seam/metrics_aggregator.h"
#include "common/seam/provider_adapter.h"
#include "services/provider-adapter/core/adapter_settings.h"
#include "services/provider-adapter/core/provider_directory.h"
#include "services/provider-adapter/core/tool_validation.h"
#include "services/provider-adapter/core/upstream.h"
#include "services/provider-adapter/metrics.h"

namespace signalbox::provider_adapter {

class Adapter final : public seam::ProviderAdapter {
 public:
  struct Loop {
    Executor* executor;
    std::unique_ptr<Upstream> upstream;
  };

  // All references outlive the adapter and its attempts.
  Adapter(AdapterSettings settings, std::vector<Loop> loops, ProviderDirectory& directory,
          seam::OutcomeSink& outcomes, const Clock& clock, AdapterMetrics& metrics);
  ~Adapter() override;  // REQUIRES: no attempt alive

  std::unique_ptr<seam::Attempt> Generate(provider::v1::GenerateRequest request, Executor& executor,
                                          seam::GenerateSink* sink) override;
  void ListProviders(absl::Duration timeout, Executor& executor,
                     ListProvidersCallback done) override;

  // New attempts fail as UNAVAILABLE from now on; those alive go on.
  void BeginDrain() { draining_.store(true); }
  int InFlight() const { return in_flight_.load(); }
  // Sets the gauges that are read, not counted.
  void UpdateGauges();

 private:
  class LiveAttempt;
  // What the attempt needs to know of its place, or why it must not start.
  struct Place;

  common::v1::Reason Admit(const Place& place) const;
  std::unique_ptr<seam::Attempt> Refuse(const Place& place, common::v1::Reason reason,
                                        const provider::v1::GenerateRequest& request,
                                        Executor& executor, seam::GenerateSink* sink);
  void Finished(const Place& place, const FinishedAttempt& finished);
  void NoteKeyHealth(const Place& place, common::v1::Reason reason);

  const AdapterSettings settings_;
  absl::flat_hash_map<const Executor*, std::unique_ptr<Upstream>> upstreams_;
  ProviderDirectory& directory_;
  seam::OutcomeSink& outcomes_;
  const Clock& clock_;
  AdapterMetrics& metrics_;
  ToolSetCache tools_;
  std::atomic<bool> draining_{false};
  std::atomic<int> in_flight_{0};
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_ADAPTER_H_
