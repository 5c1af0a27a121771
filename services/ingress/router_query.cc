#include "services/ingress/router_query.h"

#include <memory>
#include <string>
#include <utility>

#include "common/obs/log.h"
#include "common/seam/error_detail.h"
#include "services/ingress/core/catalogue_order.h"

namespace signalbox::ingress {
namespace {

using Done = std::function<void(absl::StatusOr<Route>)>;
using router::v1::DecideRequest;
using router::v1::DecideResponse;
using router::v1::ExplainResponse;
using router::v1::RequestFeatures;

obs::LogEvery& AwayLog() {
  static auto* const every = new obs::LogEvery(absl::Seconds(10));
  return *every;
}

// True when the answer says nothing about the request, only about the router.
bool RouterIsAway(const absl::Status& status) {
  switch (seam::DetailOf(status).reason()) {
    case common::v1::REASON_UNAVAILABLE:
    case common::v1::REASON_DEADLINE_EXCEEDED:
    case common::v1::REASON_OVERLOADED:
    case common::v1::REASON_DRAINING:
    case common::v1::REASON_CANCELLED:
    case common::v1::REASON_INTERNAL:
      return true;
    default:
      return false;
  }
}

Route Own(DecideResponse decision) {
  Route route;
  route.decision = std::make_shared<const DecideResponse>(std::move(decision));
  route.order = OrderOf(*route.decision);
  return route;
}

// A route from what is kept here; empty order = none.
Route FromCache(LoopServices& services, Decision decision, const RequestFeatures& features) {
  Route route;
  if (decision == nullptr) return route;
  route.order = RedrawnOrder(*decision, features, &services.rng);
  route.decision = std::move(decision);
  return route;
}

absl::StatusOr<Route> WithoutRouter(LoopServices& services, const std::string& key,
                                    const RequestFeatures& features) {
  Route last = FromCache(services, services.decisions.Last(key), features);
  if (!last.order.empty()) {
    services.shared.metrics.CountDecision(DecisionSource::kLast);
    return last;
  }
  const std::shared_ptr<const catalogue::Catalogue> catalogue = services.shared.catalogue();
  if (catalogue == nullptr) {
    return seam::MakeError(common::v1::REASON_UNAVAILABLE, "Routing is temporarily unavailable.");
  }
  absl::StatusOr<DecideResponse> decision = DecideFromCatalogue(*catalogue, features);
  if (!decision.ok()) return decision.status();
  services.shared.metrics.CountDecision(DecisionSource::kCatalogue);
  return Own(*std::move(decision));
}

// `key` is empty for an explanation, which is not kept.
absl::StatusOr<Route> Conclude(LoopServices& services, const std::string& key,
                               RequestFeatures& features, absl::StatusOr<DecideResponse> answer) {
  if (answer.ok()) {
    services.shared.metrics.CountDecision(DecisionSource::kRouter);
    Route route = Own(*std::move(answer));
    if (!key.empty() && !route.order.empty())
      services.decisions.Put(key, route.decision, services.Now());
    return route;
  }
  if (!RouterIsAway(answer.status())) return answer.status();
  services.router_away_until = services.Now() + services.shared.options.router_retry;
  obs::Log(obs::kWarning, "router_unavailable", AwayLog()).With("error", answer.status());
  return WithoutRouter(services, key.empty() ? DecisionCache::KeyOf(&features) : key, features);
}

// The order of this very request: its conversation's endpoint first, failing ones last.
absl::StatusOr<Route> Arranged(LoopServices& services, const RequestFeatures& features,
                               const Conversation& conversation, absl::StatusOr<Route> route) {
  if (!route.ok() || route->order.empty()) return route;
  const absl::Duration now = services.Now();
  const SharedServices& shared = services.shared;
  shared.metrics.CountTurn(
      shared.conversations.Arrange(conversation, features, shared.circuits, now, &route->order));
  shared.circuits.Demote(now, &route->order);
  return route;
}

}  // namespace

void QueryRouter(LoopServices& services, RequestFeatures& features,
                 const Conversation& conversation, bool explain, Done done) {
  seam::RouterDecision& router = services.shared.router;
  const absl::Duration timeout = services.shared.options.decide_timeout;
  if (explain) {
    router::v1::ExplainRequest request;
    *request.mutable_features() = features;
    router.Explain(
        request, timeout, services.executor,
        [&services, &features, conversation,
         done = std::move(done)](absl::StatusOr<ExplainResponse> answer) {
          absl::StatusOr<DecideResponse> decision =
              answer.ok() ? absl::StatusOr<DecideResponse>(std::move(*answer->mutable_decision()))
                          : absl::StatusOr<DecideResponse>(answer.status());
          done(Arranged(services, features, conversation,
                        Conclude(services, {}, features, std::move(decision))));
        });
    return;
  }
  std::string key = DecisionCache::KeyOf(&features);
  const absl::Duration now = services.Now();
  Route reused = FromCache(services, services.decisions.Reusable(key, now), features);
  if (!reused.order.empty()) {
    services.shared.metrics.CountDecision(DecisionSource::kReused);
    done(Arranged(services, features, conversation, std::move(reused)));
    return;
  }
  if (now < services.router_away_until) {
    done(Arranged(services, features, conversation, WithoutRouter(services, key, features)));
    return;
  }
  DecideRequest request;
  *request.mutable_features() = features;
  router.Decide(request, timeout, services.executor,
                [&services, &features, conversation, key = std::move(key),
                 done = std::move(done)](absl::StatusOr<DecideResponse> answer) {
                  done(Arranged(services, features, conversation,
                                Conclude(services, key, features, std::move(answer))));
                });
}

}  // namespace signalbox::ingress
