// Every series of the adapter; the only file here that knows a metric's name.
//
// Thread-safe. A default-made AdapterMetrics counts nothing (tests).
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_METRICS_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_METRICS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/http/client.h"
#include "common/obs/metrics.h"
#include "services/provider-adapter/core/generation.h"

namespace signalbox::provider_adapter {

class AdapterMetrics {
 public:
  AdapterMetrics() = default;
  explicit AdapterMetrics(obs::Metrics& metrics);

  void AttemptStarted(const std::string& provider);
  // REQUIRES: AttemptStarted was called for it.
  void AttemptFinished(const std::string& provider, const FinishedAttempt& finished);
  // An attempt that was never sent.
  void AttemptRefused(const std::string& provider, common::v1::Reason reason);
  void SetQuarantined(const std::string& provider, bool quarantined);

  void OutcomesReported(int64_t count);
  // `reason`: queue_full, not_taken, drain.
  void OutcomesDropped(absl::string_view reason, int64_t count);
  void SetPendingOutcomes(int64_t count);

  void SetPool(const http::Client::Stats& totals);
  // Runs before every scrape while the returned object lives; null without metrics.
  std::shared_ptr<void> OnRender(std::function<void()> update);

 private:
  struct PerProvider {
    obs::Counter ok;
    obs::Histogram ttft;
    obs::Histogram throughput;
    obs::Histogram duration;
    obs::Gauge in_flight;
  };
  PerProvider Of(const std::string& provider);

  obs::Metrics* const metrics_ = nullptr;
  obs::CounterFamily* attempts_ = nullptr;
  obs::CounterFamily* verdicts_ = nullptr;
  obs::CounterFamily* guard_ = nullptr;
  obs::CounterFamily* dropped_ = nullptr;
  obs::HistogramFamily* ttft_ = nullptr;
  obs::HistogramFamily* throughput_ = nullptr;
  obs::HistogramFamily* duration_ = nullptr;
  obs::GaugeFamily* in_flight_ = nullptr;
  obs::GaugeFamily* quarantined_ = nullptr;
  obs::Counter reported_;
  obs::Gauge pending_;
  obs::GaugeFamily* connections_ = nullptr;
  obs::CounterFamily* pool_events_ = nullptr;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, PerProvider> providers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_METRICS_H_
