#include "services/router-decision/router.h"

#include <memory>
#include <utility>

#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/seam/error_detail.h"
#include "services/router-decision/core/filters.h"
#include "services/router-decision/core/model_choice.h"
#include "services/router-decision/core/policy.h"

namespace signalbox::router_decision {

using router::v1::DecideRequest;
using router::v1::DecideResponse;
using router::v1::ExplainRequest;
using router::v1::ExplainResponse;
using router::v1::RequestFeatures;

Router::Router(const SnapshotHolder& snapshots, const Clock& clock, uint64_t seed,
               RouterMetrics metrics)
    : snapshots_(snapshots), clock_(clock), seed_(seed), metrics_(metrics) {}

void Router::Decide(const DecideRequest& request, absl::Duration /*timeout*/,
                    Executor& /*executor*/, DecideCallback done) {
  done(DecideNow(request.features()));
}

void Router::Explain(const ExplainRequest& request, absl::Duration /*timeout*/,
                     Executor& /*executor*/, ExplainCallback done) {
  done(ExplainNow(request));
}

absl::StatusOr<DecideResponse> Router::DecideNow(const RequestFeatures& features) {
  const absl::Duration start = clock_.Monotonic();
  absl::StatusOr<DecideResponse> answer = Answer(features, NextSeed(), Detail::kDecision);
  Count(answer, clock_.Monotonic() - start);
  return answer;
}

absl::StatusOr<ExplainResponse> Router::ExplainNow(const ExplainRequest& request) {
  metrics_.explained.Add();
  const uint64_t seed = request.seed() != 0 ? request.seed() : NextSeed();
  ASSIGN_OR_RETURN(DecideResponse decision, Answer(request.features(), seed, Detail::kExplanation));
  ExplainResponse response;
  response.mutable_decision()->Swap(&decision);
  return response;
}

absl::StatusOr<DecideResponse> Router::Answer(const RequestFeatures& features, uint64_t seed,
                                              Detail detail) const {
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Get();
  if (!snapshot->ready()) {
    return seam::MakeError(common::v1::REASON_UNAVAILABLE, "routing has just started; try again");
  }
  ASSIGN_OR_RETURN(const ModelChoices choices, ChooseModels(snapshot->catalogue(), features));
  const RequestFilters filters(features);
  const absl::Time now = clock_.Now();
  Rng rng(seed);
  const Ranking ranking = Rank(*snapshot, features, filters, choices, now, rng);
  return ToResponse(ranking, filters, *snapshot, now, detail);
}

void Router::UpdateGauges() {
  const std::shared_ptr<const Snapshot> snapshot = snapshots_.Get();
  metrics_.snapshot_version.Set(static_cast<double>(snapshot->version()));
  const absl::Duration age = snapshot->Age(clock_.Now());
  metrics_.snapshot_age.Set(age == absl::InfiniteDuration() ? -1 : absl::ToDoubleSeconds(age));
}

void Router::Count(const absl::StatusOr<DecideResponse>& answer, absl::Duration taken) const {
  metrics_.seconds.Observe(absl::ToDoubleSeconds(taken));
  if (answer.ok()) {
    metrics_.candidates.Observe(answer->candidates_size());
    (answer->candidates().empty() ? metrics_.no_endpoints : metrics_.decided).Add();
    return;
  }
  switch (seam::DetailOf(answer.status()).reason()) {
    case common::v1::REASON_MODEL_NOT_FOUND:
      return metrics_.model_not_found.Add();
    case common::v1::REASON_NOT_AVAILABLE:
      return metrics_.not_available.Add();
    case common::v1::REASON_UNAVAILABLE:
      return metrics_.not_ready.Add();
    default:
      return metrics_.invalid_request.Add();
  }
}

}  // namespace signalbox::router_decision
