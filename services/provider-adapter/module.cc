#include "services/provider-adapter/module.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "common/base/ids.h"
#include "common/base/rng.h"
#include "common/obs/log.h"

namespace signalbox::provider_adapter {
namespace {

constexpr absl::Duration kSecretsInterval = absl::Seconds(2);
constexpr absl::Duration kLastReport = absl::Seconds(2);

OutcomeReporter::Options ReporterOptions(const AdapterSettings& settings) {
  OutcomeReporter::Options options;
  options.reporter_id = NewRandomHex128();
  options.max_pending = static_cast<size_t>(settings.max_pending_outcomes);
  options.interval = settings.report_interval;
  return options;
}

// Looks again and again until the directory is gone.
void WatchSecrets(Executor& executor, const std::weak_ptr<ProviderDirectory>& watched) {
  const std::shared_ptr<ProviderDirectory> directory = watched.lock();
  if (directory == nullptr) return;
  directory->Refresh();
  executor.RunAfter(kSecretsInterval, [&executor, watched] { WatchSecrets(executor, watched); });
}

// Returns when everything that runs on the executor now has run.
void WaitForTasks(Executor& executor) {
  absl::Notification reached;
  executor.Post([&reached] { reached.Notify(); });
  reached.WaitForNotification();
}

}  // namespace

AdapterModule::AdapterModule(const Options& options)
    : options_(options),
      settings_(SettingsOf(options.config)),
      metrics_(options.metrics),
      secrets_(options.environment, options.clock),
      directory_(std::make_shared<ProviderDirectory>(secrets_)),
      reporter_(std::make_unique<OutcomeReporter>(ReporterOptions(settings_), options.aggregator,
                                                  options.background, options.clock,
                                                  Rng::FromEntropy(), metrics_)),
      adapter_(std::make_unique<Adapter>(settings_, MakeLoops(), *directory_, *reporter_,
                                         options.clock, metrics_)) {}

AdapterModule::~AdapterModule() {
  render_hook_.reset();
  adapter_.reset();
  reporter_.reset();
  directory_.reset();
  // A task that has just found one of them alive still uses what the members refer to.
  WaitForTasks(options_.background);
}

std::vector<Adapter::Loop> AdapterModule::MakeLoops() {
  std::vector<Adapter::Loop> loops;
  for (size_t i = 0; i < options_.loops.size(); ++i) {
    net::EventLoop& loop = options_.loops.at(i);
    auto upstream = std::make_unique<HttpUpstream>(loop, ClientOptionsOf(options_.config));
    upstreams_.push_back(upstream.get());
    loops.push_back({&loop, std::move(upstream)});
  }
  return loops;
}

absl::Status AdapterModule::Start() {
  std::shared_ptr<const catalogue::Catalogue> catalogue = options_.catalogue.Get();
  if (catalogue == nullptr)
    return absl::FailedPreconditionError("provider-adapter: no catalogue is loaded");
  directory_->Update(std::move(catalogue));
  const std::weak_ptr<ProviderDirectory> watched = directory_;
  options_.catalogue.OnReload([watched](std::shared_ptr<const catalogue::Catalogue> now) {
    if (const auto directory = watched.lock()) directory->Update(std::move(now));
  });
  Executor& background = options_.background;
  background.Post([&background, watched] { WatchSecrets(background, watched); });
  render_hook_ = metrics_.OnRender([this] {
    adapter_->UpdateGauges();
    TakePoolStats();
  });
  return absl::OkStatus();
}

void AdapterModule::TakePoolStats() {
  http::Client::Stats totals{};
  for (HttpUpstream* upstream : upstreams_) {
    const http::Client::Stats stats = upstream->LastStats();
    upstream->RequestStats();  // for the next scrape
    totals.requests += stats.requests;
    totals.connections_opened += stats.connections_opened;
    totals.connections_reused += stats.connections_reused;
    totals.stale_retries += stats.stale_retries;
    totals.idle += stats.idle;
    totals.active += stats.active;
  }
  metrics_.SetPool(totals);
}

void AdapterModule::Stop() {
  auto flushed = std::make_shared<absl::Notification>();
  reporter_->Flush(kLastReport, [flushed](bool all_taken) {
    if (!all_taken) obs::Log(obs::kWarning, "outcomes_lost_at_stop");
    flushed->Notify();
  });
  flushed->WaitForNotificationWithTimeout(2 * kLastReport);
}

}  // namespace signalbox::provider_adapter
