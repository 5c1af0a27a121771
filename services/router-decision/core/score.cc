#include "services/router-decision/core/score.h"

#include <algorithm>
#include <cmath>

namespace signalbox::router_decision {
namespace {

using metrics::v1::EndpointScore;
using metrics::v1::Posterior;

// Before any snapshot was seen.
constexpr double kToolErrorPrior = 0.08;
constexpr double kToolErrorPriorWeight = 4;
constexpr double kFailurePrior = 0.01;
// A rate of one would divide by zero.
constexpr double kHighestRate = 0.99;
constexpr double kClearLoss = 0.01;
constexpr double kNinetyPercent = 1.2816;  // quantile of the standard normal

double Mean(const Posterior& own, const Posterior* prior, double fallback) {
  if (own.weight() > 0) return own.mean();
  return prior != nullptr && prior->weight() > 0 ? prior->mean() : fallback;
}

double Weight(const Posterior& own, const Posterior* prior) {
  if (own.weight() > 0) return own.weight();
  return prior != nullptr && prior->weight() > 0 ? prior->weight() : kToolErrorPriorWeight;
}

double Variance(const Standing& standing) {
  return standing.tool_error * (1 - standing.tool_error) / (standing.tool_error_weight + 1);
}

double LogAbove(double value, double reference) {
  return value > reference && reference > 0 ? std::log(value / reference) : 0;
}

double Slowness(const Standing& standing, const Peers& peers) {
  return standing.throughput_tps > 0 ? std::max(1.0, peers.median_tps / standing.throughput_tps)
                                     : 1;
}

}  // namespace

Standing StandingOf(const EndpointScore* score, const metrics::v1::ScoreSnapshot* snapshot,
                    double list_price, const PolicySettings& policy) {
  const EndpointScore& known = score != nullptr ? *score : EndpointScore::default_instance();
  const Posterior* tool_prior = snapshot != nullptr ? &snapshot->tool_error_prior() : nullptr;
  const Posterior* failure_prior = snapshot != nullptr ? &snapshot->failure_prior() : nullptr;
  Standing standing;
  standing.tool_error = Mean(known.tool_error(), tool_prior, kToolErrorPrior);
  standing.tool_error_weight = Weight(known.tool_error(), tool_prior);
  standing.failure = Mean(known.failure(), failure_prior, kFailurePrior);
  standing.rate_limited = known.rate_limited();
  standing.call_excess = known.call_excess();
  standing.price = list_price * (known.price_factor() > 0 ? known.price_factor() : 1);
  standing.throughput_tps = known.throughput_tps().p50();
  standing.benchmark_low = known.benchmark_low();
  standing.tool_alarm = known.tool_alarm_unix_ms() > 0;
  standing.on_probation = known.tool_outcomes() < policy.probation_outcomes;
  return standing;
}

Lottery::Ticket TicketOf(const Standing& standing, const Peers& peers, const ScoreWeights& weights,
                         double certainty) {
  Lottery::Ticket ticket;
  ticket.mean = standing.tool_error;
  // The gamma distribution with the mean and variance of the Beta posterior.
  ticket.shape =
      certainty * standing.tool_error * standing.tool_error / std::max(Variance(standing), 1e-12);
  ticket.offset = standing.call_excess +
                  weights.price * LogAbove(standing.price, peers.lowest_price) +
                  weights.speed * std::log(Slowness(standing, peers)) +
                  (standing.benchmark_low ? weights.benchmark : 0) +
                  weights.saturation * standing.rate_limited + weights.failure * standing.failure;
  return ticket;
}

double AdjustedPrice(const Standing& standing, const Peers& peers,
                     const AdjustedPriceSettings& settings, bool tools) {
  const auto success = [](double rate) { return 1 - std::clamp(rate, 0.0, kHighestRate); };
  double price = standing.price;
  price /= std::pow(success(standing.failure), settings.failure_exponent);
  price /= std::pow(success(standing.rate_limited), settings.saturation_exponent);
  if (tools) {
    price /=
        std::pow(success(standing.tool_error + standing.call_excess), settings.tool_error_exponent);
  }
  return price * std::pow(Slowness(standing, peers), settings.slowness_exponent);
}

bool ClearlyWorse(const Standing& standing, const Standing& best) {
  const double difference = standing.tool_error + standing.call_excess -
                            (best.tool_error + best.call_excess) - kClearLoss;
  return difference > 0 &&
         difference > kNinetyPercent * std::sqrt(Variance(standing) + Variance(best));
}

}  // namespace signalbox::router_decision
