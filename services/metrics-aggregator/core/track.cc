#include "services/metrics-aggregator/core/track.h"

#include <algorithm>
#include <cmath>

namespace signalbox::metrics_aggregator {
namespace {

constexpr double kSecondsPerDay = 86'400;
constexpr double kLeastBaseline = 0.001;
constexpr double kHighestRate = 0.95;
// Below this the fast counter says nothing any more.
constexpr double kForgotten = 1e-6;

constexpr double kLittle = 1e-4;
// The ratios are computed anew when the normal rate has moved by so much.
constexpr double kSameRate = 0.05;

}  // namespace

void Track::Evidence::Prepare(double normal_rate, double other_rate) {
  if (std::abs(normal_rate - normal) < kSameRate * normal) return;
  normal = normal_rate;
  bad = std::log(other_rate / normal_rate);
  good = std::log((1 - other_rate) / (1 - normal_rate));
}

void Track::Advance(double seconds) {
  if (seconds <= 0) return;
  // A rate known from n errors has a relative variance of 1/n; drift adds to it.
  const double errors = prior_bad() + slow_.bad;
  const double loss = options_.drift_per_day / kSecondsPerDay * errors * seconds;
  // Between two buckets next to nothing is lost: the series is exact there, and no division.
  slow_.Scale(loss < kLittle ? 1 - loss * (1 - loss) : 1 / (1 + loss));
  if (fast_.all > kForgotten) {
    if (seconds != decay_seconds_) {
      decay_seconds_ = seconds;
      decay_ = std::exp2(-seconds / options_.fast_half_life_seconds);
    }
    fast_.Scale(decay_);
  }
  if (alarmed_) alarm_seconds_ += seconds;
}

void Track::Observe(double all, double bad, bool detect) {
  if (all <= 0) return;
  if (!detect) return slow_.Add(all, bad);
  fast_.Add(all, bad);
  if (alarmed_) {
    WatchRecovery(all, bad);
  } else {
    Detect(all, bad);
  }
}

double Track::SlowMean() const {
  return (slow_.bad + prior_bad()) / (slow_.all + options_.prior_weight);
}

double Track::Baseline() const {
  const double bad = slow_.bad + prior_bad();
  // One more than was seen, and what chance may have kept away.
  const double upper = (bad + std::sqrt(bad) + 1) / (slow_.all + options_.prior_weight + 1);
  return std::max(upper, kLeastBaseline);
}

void Track::Detect(double all, double bad) {
  const double normal = Baseline();
  const double grown = std::max(options_.grown_factor * normal, normal + options_.grown_least);
  suspected_.Add(all, bad);
  if (grown < kHighestRate) {
    grown_evidence_.Prepare(normal, grown);
    grown_ = std::max(0.0, grown_ + grown_evidence_.Of(all, bad));
  }
  if (normal < options_.broken_rate) {
    broken_evidence_.Prepare(normal, options_.broken_rate);
    broken_ = std::max(0.0, broken_ + broken_evidence_.Of(all, bad));
  }
  if (grown_ > options_.grown_limit || broken_ > options_.broken_limit) return RaiseAlarm();
  if ((grown_ == 0 && broken_ == 0) || suspected_.all > options_.longest_suspicion)
    AcceptSuspicion();
}

void Track::AcceptSuspicion() {
  slow_.Add(suspected_.all, suspected_.bad);
  suspected_ = Counts();
  grown_ = broken_ = 0;
}

void Track::RaiseAlarm() {
  alarmed_ = true;
  alarm_seconds_ = 0;
  alarm_rate_ = suspected_.bad / suspected_.all;
  fast_ = suspected_;  // all that was seen since the change
  suspected_ = Counts();
  grown_ = broken_ = recovered_ = 0;
}

void Track::WatchRecovery(double all, double bad) {
  const double normal = Baseline();
  // What was seen at the change is diluted by the good outcomes of the same bucket.
  const double seen = std::max(alarm_rate_, options_.alarm_mean);
  const double broken = std::min(kHighestRate, std::max(seen, normal + options_.grown_least));
  if (normal >= broken) return;
  Evidence evidence;
  evidence.Prepare(normal, broken);
  recovered_ = std::max(0.0, recovered_ - evidence.Of(all, bad));
  if (recovered_ <= options_.recovered_limit) return;
  alarmed_ = false;
  alarm_seconds_ = recovered_ = 0;
  fast_ = Counts();
}

Belief Track::belief() const {
  Belief belief;
  if (alarmed_) {
    const double mean = std::max(options_.alarm_mean, SlowMean());
    belief.bad = options_.alarm_weight * mean;
    belief.good = options_.alarm_weight * (1 - mean);
  } else {
    const double weight = std::min(options_.max_weight, slow_.all + options_.prior_weight);
    belief.bad = weight * SlowMean();
    belief.good = weight * (1 - SlowMean());
  }
  belief.bad += fast_.bad;
  belief.good += fast_.all - fast_.bad;
  return belief;
}

}  // namespace signalbox::metrics_aggregator
