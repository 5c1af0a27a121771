#include "services/metrics-aggregator/core/estimator.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "services/metrics-aggregator/core/sketch.h"

namespace signalbox::metrics_aggregator {
namespace {

using metrics::v1::EndpointScore;
using metrics::v1::Posterior;
using store::BucketId;
using store::Resolution;

constexpr double kNoBenchmark = -1;

// Where each resolution's part of the time line begins, Unix seconds.
struct Tiling {
  explicit Tiling(absl::Time now) {
    const int64_t seconds = absl::ToUnixSeconds(now);
    seconds_from = (seconds - absl::ToInt64Seconds(absl::Minutes(19))) / 60 * 60;
    minutes_from = (seconds - absl::ToInt64Seconds(absl::Hours(2))) / 3600 * 3600;
    end = seconds + 1;
  }
  int64_t begin_of(Resolution resolution) const {
    if (resolution == Resolution::kTenSeconds) return seconds_from;
    return resolution == Resolution::kMinute ? minutes_from : 0;
  }
  int64_t end_of(Resolution resolution) const {
    if (resolution == Resolution::kTenSeconds) return end;
    return resolution == Resolution::kMinute ? seconds_from : minutes_from;
  }
  int64_t seconds_from;
  int64_t minutes_from;
  int64_t end;
};

bool IsOutage(const Tally& tally, const EstimatorOptions& options) {
  return tally.fail >= options.outage_min_failures &&
         static_cast<double>(tally.fail) >=
             options.outage_failure_share * static_cast<double>(tally.attempts());
}

// Outages as the 10-second buckets show them.
class Circuit {
 public:
  explicit Circuit(const EstimatorOptions& options) : options_(options) {}

  void Observe(const Tally& tally, int64_t now_seconds) {
    const int64_t width = store::WidthSeconds(Resolution::kTenSeconds);
    if (IsOutage(tally, options_)) {
      last_outage_ = std::min((tally.index + 1) * width, now_seconds);
      // Neighbouring buckets are one outage.
      if (tally.index > last_index_ + 1) ++outages_;
      last_index_ = tally.index;
      open_until_ = last_outage_ + absl::ToInt64Seconds(OpenFor());
    } else if (tally.ok > 0) {
      outages_ = 0;
    }
  }
  int64_t last_outage_millis() const { return last_outage_ * 1000; }
  int64_t open_until_millis(int64_t now_seconds) const {
    return open_until_ > now_seconds ? open_until_ * 1000 : 0;
  }

 private:
  absl::Duration OpenFor() const {
    const int doublings = std::clamp(outages_ - 1, 0, 16);
    return std::min(options_.circuit_max_open, options_.circuit_open * (1 << doublings));
  }

  const EstimatorOptions& options_;
  int outages_ = 0;
  int64_t last_index_ = -10;
  int64_t last_outage_ = 0;
  int64_t open_until_ = 0;
};

// 429s among requests, the last ones counting most.
class Saturation {
 public:
  explicit Saturation(const EstimatorOptions& options) : options_(options) {}
  void Observe(const Tally& tally, double age_seconds) {
    const double weight = std::exp2(-age_seconds / options_.saturation_half_life_seconds);
    requests_ += weight * static_cast<double>(tally.requests);
    limited_ += weight * static_cast<double>(tally.rate_limited);
  }
  double share() const { return limited_ / (requests_ + options_.saturation_prior_requests); }

 private:
  const EstimatorOptions& options_;
  double requests_ = 0;
  double limited_ = 0;
};

class Estimation {
 public:
  Estimation(const EndpointWindow& window, absl::Time now, const EstimatorOptions& options)
      : now_seconds_(absl::ToUnixSeconds(now)),
        tools_(options.tools),
        failures_(options.failures),
        circuit_(options),
        saturation_(options) {
    const Tiling tiling(now);
    for (Resolution resolution : {Resolution::kHour, Resolution::kMinute, Resolution::kTenSeconds})
      Follow(window, resolution, tiling);
    AdvanceTo(now_seconds_);
  }

  void Fill(EndpointScore* score) const {
    *score->mutable_tool_error() = ToPosterior(tools_.belief());
    *score->mutable_failure() = ToPosterior(failures_.belief());
    score->set_last_outage_unix_ms(circuit_.last_outage_millis());
    score->set_circuit_open_until_unix_ms(circuit_.open_until_millis(now_seconds_));
    score->set_rate_limited(saturation_.share());
    score->set_tool_outcomes(tool_outcomes_);
    if (tools_.alarmed()) {
      score->set_tool_alarm_unix_ms((now_seconds_ - static_cast<int64_t>(tools_.alarm_seconds())) *
                                    1000);
    }
  }

 private:
  static Posterior ToPosterior(const Belief& belief) {
    Posterior posterior;
    posterior.set_mean(belief.mean());
    posterior.set_weight(belief.weight());
    return posterior;
  }

  void AdvanceTo(int64_t seconds) {
    if (at_ != 0 && seconds > at_) {
      tools_.Advance(static_cast<double>(seconds - at_));
      failures_.Advance(static_cast<double>(seconds - at_));
    }
    at_ = seconds;
  }

  void Follow(const EndpointWindow& window, Resolution resolution, const Tiling& tiling) {
    const int64_t width = store::WidthSeconds(resolution);
    const bool detect = resolution != Resolution::kHour;
    for (const Tally& tally : window.tallies(resolution)) {
      const int64_t start = tally.index * width;
      if (start < tiling.begin_of(resolution)) continue;
      if (start >= tiling.end_of(resolution)) break;
      // A bucket is looked at as of its end: what comes before it has aged by then.
      AdvanceTo(std::min(start + width, now_seconds_));
      Observe(tally, detect);
      if (resolution == Resolution::kTenSeconds) {
        circuit_.Observe(tally, now_seconds_);
        saturation_.Observe(tally, static_cast<double>(now_seconds_ - at_));
      }
    }
  }

  void Observe(const Tally& tally, bool detect) {
    tool_outcomes_ += tally.tool_requests;
    tools_.Observe(static_cast<double>(tally.tool_requests), static_cast<double>(tally.tool_bad),
                   detect);
    failures_.Observe(static_cast<double>(tally.attempts()), static_cast<double>(tally.fail),
                      false);
  }

  const int64_t now_seconds_;
  int64_t at_ = 0;
  int64_t tool_outcomes_ = 0;
  Track tools_;
  Track failures_;
  Circuit circuit_;
  Saturation saturation_;
};

void FillCounts(const EndpointWindow& window, absl::Time now, EndpointScore* score) {
  const TallySum minutes_5 = window.Sum(Resolution::kTenSeconds, absl::Minutes(5), now);
  const TallySum minutes_30 = window.Sum(Resolution::kMinute, absl::Minutes(30), now);
  const TallySum hours_2 = window.Sum(Resolution::kMinute, absl::Hours(2), now);
  const TallySum day = window.Sum(Resolution::kHour, absl::Hours(24), now);
  score->set_attempts_5m(minutes_5.attempts());
  score->set_failures_5m(minutes_5.fail);
  score->set_rate_limited_5m(minutes_5.rate_limited);
  score->set_attempts_30m(minutes_30.attempts());
  score->set_failures_30m(minutes_30.fail);
  score->set_requests_30m(minutes_30.requests);
  score->set_attempts_1d(day.attempts());
  score->set_failures_1d(day.fail);
  score->set_tool_requests_2h(hours_2.tool_requests);
  score->set_tool_failures_2h(hours_2.tool_bad);
  if (day.list_cost_nano > 0) {
    score->set_price_factor(static_cast<double>(day.cost_nano) /
                            static_cast<double>(day.list_cost_nano));
  }
}

void FillSpeed(const EndpointWindow& window, absl::Time now, const EstimatorOptions& options,
               EndpointScore* score) {
  DenseCells ttft;
  DenseCells throughput;
  window.SumCells(Resolution::kMinute, now, &ttft, &throughput);
  *score->mutable_throughput_tps() = throughput.Percentiles();
  *score->mutable_ttft_ms() = ttft.Percentiles();
  DenseCells recent_ttft;
  DenseCells recent_throughput;
  window.SumCells(Resolution::kTenSeconds, now, &recent_ttft, &recent_throughput);
  if (recent_throughput.total() >= options.min_recent_answers)
    *score->mutable_throughput_5m_tps() = recent_throughput.ReachedBy();
  if (recent_ttft.total() >= options.min_recent_answers)
    *score->mutable_ttft_5m_ms() = recent_ttft.Percentiles();
}

}  // namespace

EstimatorOptions::EstimatorOptions() {
  failures.prior_mean = 0.01;
  failures.prior_weight = 20;
  failures.max_weight = 500;
  failures.drift_per_day = 3;  // outages come and go within hours
}

metrics::v1::Posterior PriorOf(const TrackOptions& options) {
  Posterior prior;
  prior.set_mean(options.prior_mean);
  prior.set_weight(options.prior_weight);
  return prior;
}

EndpointScore Estimate(absl::string_view endpoint_id, const EndpointWindow& window, absl::Time now,
                       const EstimatorOptions& options) {
  EndpointScore score;
  score.set_endpoint_id(std::string(endpoint_id));
  FillCounts(window, now, &score);
  FillSpeed(window, now, options, &score);
  Estimation(window, now, options).Fill(&score);
  score.set_benchmark(kNoBenchmark);
  return score;
}

}  // namespace signalbox::metrics_aggregator
