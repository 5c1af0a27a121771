#include "tests/provider-fleet/roster.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/settings.h"

namespace signalbox::fleet {
namespace {

constexpr size_t kMaxCancelTimes = 200;

int64_t MonotonicNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool Matches(absl::string_view pattern, absl::string_view name) {
  return pattern == "*" || pattern == name;
}

}  // namespace

// --- Endpoint ---

Endpoint::Endpoint(std::string provider, EndpointConfig config, uint64_t seed)
    : provider_(std::move(provider)),
      model_(std::move(config.model)),
      seed_(MixSeed(seed, StableHash(absl::StrCat(provider_, "\n", model_)))),
      facts_(std::move(config.facts)),
      behaviour_(std::make_shared<const Behaviour>(std::move(config.behaviour))) {}

std::shared_ptr<const Behaviour> Endpoint::behaviour() const {
  absl::MutexLock lock(&mutex_);
  return behaviour_;
}

absl::Status Endpoint::Apply(absl::string_view settings) {
  absl::MutexLock lock(&mutex_);
  Behaviour changed = *behaviour_;
  absl::Status applied = ApplySettingsText(settings, &changed);
  if (applied.ok()) behaviour_ = std::make_shared<const Behaviour>(std::move(changed));
  return applied;
}

void Endpoint::CountFault(const Fault& fault) {
  ++stats_.faults[static_cast<int>(fault.kind)];
  if (fault.kind != FaultKind::kStatus) return;
  absl::MutexLock lock(&mutex_);
  ++status_counts_[fault.status];
}

void Endpoint::CountAnswer(const Answer& answer, bool tools_offered) {
  if (tools_offered) ++stats_.tool_requests;
  if (!answer.wanted_tools) return;
  ++stats_.tool_calls;
  ++stats_.bad_tool_calls[static_cast<int>(answer.tool_error)];
}

void Endpoint::CountCancelled(double after_ms) {
  ++stats_.cancelled;
  absl::MutexLock lock(&mutex_);
  cancel_ms_.push_back(after_ms);
  if (cancel_ms_.size() > kMaxCancelTimes) cancel_ms_.pop_front();
}

absl::btree_map<std::string, int64_t> Endpoint::FaultCounts() const {
  absl::btree_map<std::string, int64_t> counts;
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    const int64_t count = stats_.faults[kind];
    const bool apart = kind == static_cast<int>(FaultKind::kStatus);
    if (count > 0 && !apart) counts[std::string(FaultName(static_cast<FaultKind>(kind)))] = count;
  }
  absl::MutexLock lock(&mutex_);
  for (const auto& [status, count] : status_counts_)
    counts[absl::StrCat("status_", status)] = count;
  return counts;
}

std::vector<double> Endpoint::CancelTimes() const {
  absl::MutexLock lock(&mutex_);
  return {cancel_ms_.begin(), cancel_ms_.end()};
}

void Endpoint::Reset() {
  sequence_ = 0;
  for (auto* counter : {&stats_.requests, &stats_.answered, &stats_.cancelled,
                        &stats_.tool_requests, &stats_.tool_calls}) {
    *counter = 0;
  }
  stats_.last_request_us = -1;  // `open` stays: it counts what is open now
  for (auto& counter : stats_.bad_tool_calls) counter = 0;
  for (auto& counter : stats_.faults) counter = 0;
  absl::MutexLock lock(&mutex_);
  status_counts_.clear();
  cancel_ms_.clear();
}

// --- Provider ---

Provider::Provider(const ProviderConfig& config, const FleetConfig& fleet)
    : name_(config.name),
      own_port_(config.own_port),
      keep_requests_(static_cast<size_t>(fleet.keep_requests)),
      keep_body_bytes_(static_cast<size_t>(fleet.keep_body_bytes)) {
  for (const EndpointConfig& endpoint : config.endpoints) {
    endpoints_.push_back(std::make_unique<Endpoint>(name_, endpoint, fleet.seed));
    by_model_[endpoint.model] = endpoints_.back().get();
  }
}

Endpoint* Provider::Find(absl::string_view model) const {
  auto it = by_model_.find(model);
  if (it == by_model_.end()) it = by_model_.find("*");
  return it == by_model_.end() ? nullptr : it->second;
}

bool Provider::Refuses(double now) const {
  if (!own_port_) return false;
  return std::any_of(endpoints_.begin(), endpoints_.end(),
                     [now](const auto& endpoint) { return endpoint->behaviour()->Refuses(now); });
}

void Provider::Keep(const HttpRequest& request, double now) {
  if (keep_requests_ == 0) return;
  absl::MutexLock lock(&mutex_);
  if (kept_.size() < keep_requests_) kept_.resize(kept_.size() + 1);
  KeptRequest& kept = kept_[kept_next_++ % keep_requests_];
  kept.at = now;
  kept.method.assign(request.method.data(), request.method.size());
  kept.path.assign(request.path.data(), request.path.size());
  kept.headers.resize(request.headers.size());
  for (size_t i = 0; i < request.headers.size(); ++i) {
    const auto& [key, value] = request.headers[i];
    kept.headers[i].first.assign(key.data(), key.size());
    kept.headers[i].second.assign(value.data(), value.size());
  }
  kept.body_bytes = request.body.size();
  kept.body.assign(request.body.data(), std::min(request.body.size(), keep_body_bytes_));
}

std::vector<KeptRequest> Provider::Kept() const {
  absl::MutexLock lock(&mutex_);
  std::vector<KeptRequest> ordered = kept_;
  if (!ordered.empty() && kept_next_ > ordered.size()) {
    const size_t oldest = kept_next_ % keep_requests_;
    std::rotate(ordered.begin(), ordered.begin() + static_cast<ptrdiff_t>(oldest), ordered.end());
  }
  return ordered;
}

void Provider::Reset() {
  for (const auto& endpoint : endpoints_) endpoint->Reset();
  absl::MutexLock lock(&mutex_);
  kept_.clear();
  kept_next_ = 0;
}

// --- FleetClock ---

FleetClock::FleetClock(double time_scale) : time_scale_(time_scale), start_ns_(MonotonicNs()) {}

double FleetClock::Now() const {
  return static_cast<double>(MonotonicNs() - start_ns_) * 1e-9 * time_scale_ +
         static_cast<double>(advanced_us_.load(std::memory_order_relaxed)) * 1e-6;
}

void FleetClock::Advance(double seconds) { advanced_us_ += static_cast<int64_t>(seconds * 1e6); }

// --- Roster ---

Roster::Roster(FleetConfig config) : config_(std::move(config)), clock_(config_.time_scale) {
  for (const ProviderConfig& provider : config_.providers) {
    providers_.push_back(std::make_unique<Provider>(provider, config_));
    by_name_[provider.name] = providers_.back().get();
  }
}

Provider* Roster::Find(absl::string_view name) const {
  auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

absl::Status Roster::Set(absl::string_view provider, absl::string_view model,
                         absl::string_view settings) {
  Behaviour scratch;
  if (absl::Status valid = ApplySettingsText(settings, &scratch); !valid.ok()) return valid;
  if (const Provider* named = Find(provider); named && scratch.MayRefuse() && !named->own_port()) {
    return absl::InvalidArgumentError(
        absl::StrCat(provider, " has no port of its own to close (own_port: true)"));
  }
  absl::Status applied = SetMatching(provider, model, settings);
  on_change_();
  return applied;
}

absl::Status Roster::SetMatching(absl::string_view provider, absl::string_view model,
                                 absl::string_view settings) {
  absl::MutexLock lock(&mutex_);
  bool matched = false;
  for (const auto& candidate : providers_) {
    if (!Matches(provider, candidate->name())) continue;
    for (const auto& endpoint : candidate->endpoints()) {
      if (!Matches(model, endpoint->model())) continue;
      matched = true;
      if (absl::Status applied = endpoint->Apply(settings); !applied.ok()) return applied;
    }
  }
  if (!matched)
    return absl::NotFoundError(absl::StrCat("no endpoint matches ", provider, " ", model));
  return absl::OkStatus();
}

void Roster::Advance(double seconds) {
  clock_.Advance(seconds);
  ApplySchedule();
  on_change_();
}

void Roster::ApplySchedule() {
  const double now = clock_.Now();
  while (true) {
    const ScheduledChange* change = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      if (next_change_ == config_.schedule.size() || config_.schedule[next_change_].at > now)
        return;
      change = &config_.schedule[next_change_++];
    }
    // Validated when the configuration was read; a pattern that matches nothing changes nothing.
    Set(change->provider, change->model, change->settings).IgnoreError();
  }
}

void Roster::Reset() {
  for (const auto& provider : providers_) provider->Reset();
}

}  // namespace signalbox::fleet
