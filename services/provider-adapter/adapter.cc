#include "services/provider-adapter/adapter.h"

#include <utility>

#include "common/obs/log.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/error_map.h"
#include "services/provider-adapter/core/failed_attempt.h"

namespace signalbox::provider_adapter {
namespace {

namespace v1 = common::v1;

std::string RefusalMessage(v1::Reason reason) {
  switch (reason) {
    case v1::REASON_PROVIDER_SATURATED:
      return "too many requests to this endpoint are in flight";
    case v1::REASON_PROVIDER_AUTH:
      return "the provider refused our key a moment ago; it is not asked again yet";
    case v1::REASON_PROVIDER_QUOTA:
      return "our quota at the provider is used up; it is not asked again yet";
    case v1::REASON_UNAVAILABLE:
      return "this provider-adapter is shutting down";
    case v1::REASON_PROVIDER_NOT_CONFIGURED:
      return "this provider-adapter has no such endpoint, or no key for its provider";
    default:
      return "the attempt could not be started";
  }
}

}  // namespace

struct Adapter::Place {
  std::shared_ptr<const Directory> directory;
  const catalogue::Endpoint* endpoint = nullptr;  // nullptr: not in the catalogue
  const ProviderAccess* access = nullptr;
  EndpointLoad* load = nullptr;

  Place(std::shared_ptr<const Directory> current, const std::string& endpoint_id)
      : directory(std::move(current)) {
    if (directory->catalogue != nullptr) endpoint = directory->catalogue->FindEndpoint(endpoint_id);
    if (endpoint == nullptr) return;
    access = &directory->providers[static_cast<size_t>(endpoint->provider_index)];
    load = directory->loads[static_cast<size_t>(endpoint->index)].get();
  }
  const std::string& slug() const { return endpoint->provider->slug(); }
};

// A Generation with its place in the books.
class Adapter::LiveAttempt final : public seam::Attempt, private GenerationObserver {
 public:
  LiveAttempt(Adapter& adapter, Place place, GenerationSetup setup,
              provider::v1::GenerateRequest request, Upstream& upstream, Executor& executor,
              seam::GenerateSink* sink)
      : adapter_(adapter),
        place_(std::move(place)),
        generation_(std::move(setup), std::move(request), upstream, adapter.clock_, executor, this,
                    sink) {}

  void PauseReading() override { generation_.PauseReading(); }
  void ResumeReading() override { generation_.ResumeReading(); }

 private:
  void OnFinished(const FinishedAttempt& finished) override { adapter_.Finished(place_, finished); }

  Adapter& adapter_;
  const Place place_;
  Generation generation_;  // last: tells the observer when it is destroyed unfinished
};

Adapter::Adapter(AdapterSettings settings, std::vector<Loop> loops, ProviderDirectory& directory,
                 seam::OutcomeSink& outcomes, const Clock& clock, AdapterMetrics& metrics)
    : settings_(std::move(settings)),
      directory_(directory),
      outcomes_(outcomes),
      clock_(clock),
      metrics_(metrics) {
  for (Loop& loop : loops) upstreams_[loop.executor] = std::move(loop.upstream);
}

Adapter::~Adapter() = default;

v1::Reason Adapter::Admit(const Place& place) const {
  if (draining_.load(std::memory_order_relaxed)) return v1::REASON_UNAVAILABLE;
  if (place.endpoint == nullptr || place.endpoint->disabled || !place.access->active) {
    return v1::REASON_PROVIDER_NOT_CONFIGURED;
  }
  const v1::Reason quarantine = place.access->health->QuarantinedFor(clock_.Monotonic());
  if (quarantine != v1::REASON_UNSPECIFIED) return quarantine;
  const int32_t of_provider = place.endpoint->provider->max_in_flight();
  const int limit = of_provider > 0 ? of_provider : settings_.max_in_flight_per_endpoint;
  return place.load->Enter(limit) ? v1::REASON_UNSPECIFIED : v1::REASON_PROVIDER_SATURATED;
}

std::unique_ptr<seam::Attempt> Adapter::Generate(provider::v1::GenerateRequest request,
                                                 Executor& executor, seam::GenerateSink* sink) {
  Place place(directory_.Get(), request.endpoint_id());
  const auto upstream = upstreams_.find(&executor);
  if (upstream == upstreams_.end())
    return Refuse(place, v1::REASON_INTERNAL, request, executor, sink);
  const v1::Reason refused = Admit(place);
  if (refused != v1::REASON_UNSPECIFIED) return Refuse(place, refused, request, executor, sink);

  in_flight_.fetch_add(1);
  metrics_.AttemptStarted(place.slug());
  GenerationSetup setup;
  setup.keep_alive = place.directory;
  setup.endpoint = place.endpoint;
  setup.dialect = &DialectFor(place.endpoint->provider->dialect());
  setup.origin = place.access->origin;
  setup.key = place.access->key;
  if (request.request_class() != v1::REQUEST_CLASS_PLAIN) setup.tools = tools_.Get(request.body());
  setup.limits = LimitsOf(settings_, *place.endpoint, request);
  return std::make_unique<LiveAttempt>(*this, std::move(place), std::move(setup),
                                       std::move(request), *upstream->second, executor, sink);
}

std::unique_ptr<seam::Attempt> Adapter::Refuse(const Place& place, v1::Reason reason,
                                               const provider::v1::GenerateRequest& request,
                                               Executor& executor, seam::GenerateSink* sink) {
  v1::ErrorDetail error;
  error.set_reason(reason);
  // What this adapter cannot do at the moment another one may.
  error.set_retryable(reason == v1::REASON_UNAVAILABLE || IsRetryable(reason));
  error.set_endpoint_id(request.endpoint_id());
  error.set_public_message(RefusalMessage(reason));
  if (place.endpoint != nullptr) {
    error.set_provider(place.endpoint->provider->name());
    metrics_.AttemptRefused(place.slug(), reason);
  }
  // A key that does not work says something about the endpoint as seen from here, and our own
  // limits do; a missing configuration does not.
  if (place.endpoint != nullptr && reason != v1::REASON_PROVIDER_NOT_CONFIGURED &&
      reason != v1::REASON_UNAVAILABLE && reason != v1::REASON_INTERNAL) {
    v1::Outcome outcome;
    outcome.set_endpoint_id(place.endpoint->id);
    outcome.set_request_class(request.request_class());
    outcome.set_failure(reason);
    outcome.set_finished_unix_ms(absl::ToUnixMillis(clock_.Now()));
    outcome.set_streamed(request.stream());
    outcomes_.Report(std::move(outcome));
  }
  return std::make_unique<FailedAttempt>(std::move(error), executor, sink);
}

void Adapter::Finished(const Place& place, const FinishedAttempt& finished) {
  place.load->Leave();
  in_flight_.fetch_sub(1);
  metrics_.AttemptFinished(place.slug(), finished);
  NoteKeyHealth(place, finished.error.reason());
  outcomes_.Report(finished.outcome);
}

void Adapter::NoteKeyHealth(const Place& place, v1::Reason reason) {
  const bool auth = reason == v1::REASON_PROVIDER_AUTH;
  if (!auth && reason != v1::REASON_PROVIDER_QUOTA) return;
  const absl::Duration length = auth ? settings_.auth_quarantine : settings_.quota_quarantine;
  if (!place.access->health->Quarantine(reason, clock_.Monotonic(), length)) return;
  metrics_.SetQuarantined(place.slug(), true);
  obs::Log(obs::kWarning, "provider_key_quarantined")
      .With("provider", place.slug())
      .With("reason", seam::ReasonName(reason))
      .With("for", length);
}

void Adapter::UpdateGauges() {
  const std::shared_ptr<const Directory> directory = directory_.Get();
  const absl::Duration now = clock_.Monotonic();
  for (size_t i = 0; i < directory->providers.size(); ++i) {
    const ProviderAccess& access = directory->providers[i];
    if (!access.active) continue;
    metrics_.SetQuarantined(directory->catalogue->providers()[i]->slug(),
                            access.health->QuarantinedFor(now) != v1::REASON_UNSPECIFIED);
  }
}

void Adapter::ListProviders(absl::Duration /*timeout*/, Executor& executor,
                            ListProvidersCallback done) {
  provider::v1::ListProvidersResponse response;
  const std::shared_ptr<const Directory> directory = directory_.Get();
  const absl::Duration now = clock_.Monotonic();
  for (size_t i = 0; i < directory->providers.size(); ++i) {
    const ProviderAccess& access = directory->providers[i];
    provider::v1::ListProvidersResponse::Provider* provider = response.add_providers();
    provider->set_slug(directory->catalogue->providers()[i]->slug());
    provider->set_active(access.active &&
                         access.health->QuarantinedFor(now) == v1::REASON_UNSPECIFIED);
  }
  executor.Post([done = std::move(done), response = std::move(response)] { done(response); });
}

}  // namespace signalbox::provider_adapter
