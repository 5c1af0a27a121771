#include "services/router-decision/module.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace signalbox::router_decision {
namespace {

// Nobody waits for these commands: what matters on the request path does not matter here.
constexpr absl::Duration kCommandTimeout = absl::Seconds(1);
constexpr absl::Duration kDefaultProvidersInterval = absl::Seconds(2);
constexpr absl::Duration kDefaultSnapshotInterval = absl::Seconds(1);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(10);

absl::StatusOr<absl::Duration> Interval(absl::string_view name, bool set,
                                        const google::protobuf::Duration& value,
                                        absl::Duration by_default) {
  if (!set) return by_default;
  const absl::Duration interval = absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
  if (interval >= kShortestInterval) return interval;
  return absl::InvalidArgumentError(
      absl::StrCat("router.", name, ": ", absl::FormatDuration(interval), " is less than 10ms"));
}

struct Settings {
  PolicySettings policy;
  absl::Duration providers_interval;
  absl::Duration snapshot_interval;
};

absl::StatusOr<Settings> SettingsOf(const config::v1::RouterConfig& config) {
  Settings settings;
  ASSIGN_OR_RETURN(settings.policy, ToPolicySettings(config.policy()));
  ASSIGN_OR_RETURN(settings.providers_interval,
                   Interval("providers_interval", config.has_providers_interval(),
                            config.providers_interval(), kDefaultProvidersInterval));
  ASSIGN_OR_RETURN(settings.snapshot_interval,
                   Interval("snapshot_interval", config.has_snapshot_interval(),
                            config.snapshot_interval(), kDefaultSnapshotInterval));
  return settings;
}

uint64_t SeedOrEntropy(uint64_t seed) { return seed != 0 ? seed : Rng::FromEntropy()(); }

}  // namespace

void RouterModule::Check(const config::v1::Config& config, config::Report* report) {
  const absl::Status status = SettingsOf(config.router()).status();
  if (!status.ok()) report->Add("router", status.message());
}

absl::StatusOr<std::unique_ptr<RouterModule>> RouterModule::Create(Options options) {
  ASSIGN_OR_RETURN(const Settings settings, SettingsOf(options.config));
  options.redis.command_timeout = std::max(options.redis.command_timeout, kCommandTimeout);
  return std::unique_ptr<RouterModule>(new RouterModule(std::move(options), settings.policy,
                                                        settings.providers_interval,
                                                        settings.snapshot_interval));
}

RouterModule::RouterModule(Options options, const PolicySettings& policy,
                           absl::Duration providers_interval, absl::Duration snapshot_interval)
    : catalogue_(options.catalogue),
      metrics_(options.metrics),
      snapshots_(std::make_shared<SnapshotHolder>()),
      router_(*snapshots_, options.clock, SeedOrEntropy(options.seed), metrics_),
      shares_(options.metrics),
      render_hook_(options.metrics.OnRender([this] {
        router_.UpdateGauges();
        shares_.Show(*snapshots_->Get());
      })),
      loop_("router"),
      connection_(loop_, options.redis, options.clock,
                  redis::ConnectionMetrics(options.metrics, options.redis.role)),
      scores_(
          connection_, options.redis, options.keys, snapshot_interval,
          [snapshots = snapshots_](store::SnapshotPtr news) {
            snapshots->SetScores(std::move(news));
          },
          options.clock),
      providers_(options.adapter, loop_, providers_interval, *snapshots_, metrics_,
                 std::move(options.on_ready)) {
  snapshots_->SetPolicy(policy);
}

RouterModule::~RouterModule() { Stop(); }

absl::Status RouterModule::Start() {
  std::shared_ptr<const catalogue::Catalogue> now = catalogue_.Get();
  if (now == nullptr)
    return absl::FailedPreconditionError("router-decision: no catalogue is loaded");
  snapshots_->SetCatalogue(std::move(now));
  const std::weak_ptr<SnapshotHolder> listening = snapshots_;
  catalogue_.OnReload([listening](std::shared_ptr<const catalogue::Catalogue> reloaded) {
    if (const auto snapshots = listening.lock()) snapshots->SetCatalogue(std::move(reloaded));
  });
  providers_.Start();
  return absl::OkStatus();
}

void RouterModule::Stop() { providers_.Stop(); }

absl::Status RouterModule::SetPolicy(const config::v1::PolicyConfig& config) {
  ASSIGN_OR_RETURN(const PolicySettings policy, ToPolicySettings(config));
  snapshots_->SetPolicy(policy);
  return absl::OkStatus();
}

}  // namespace signalbox::router_decision
