// What is believed of one yes-or-no signal of an endpoint ("the answer held an invalid tool call"),
// followed through its buckets from the oldest to the newest:
//
//   slow    everything seen, forgotten at the pace at which such rates were seen to drift; the
//           prior stands behind it, so that an endpoint nobody has tried is worth trying
//   fast    the last minutes, counted once more, so that a slow change shows
//   alarm   two CUSUM detectors (Page 1954) for sudden changes: one for a rate that grew a few
//           times, one for a breakdown. An alarm drops what was believed before the change: what
//           counts is what came since, and while it stands slow is frozen. A third detector,
//           working the other way, ends it.
//
// A function of the buckets and their times alone: no clock, no randomness.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TRACK_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TRACK_H_

namespace signalbox::metrics_aggregator {

struct TrackOptions {
  // Beta prior of an endpoint nothing is known of.
  double prior_mean = 0.08;
  double prior_weight = 4;
  // Variance that the logarithm of a rate gains in a day.
  double drift_per_day = 0.03;
  // Outcomes that slow is worth at most.
  double max_weight = 3000;
  double fast_half_life_seconds = 480;
  // Detectors: the rate they look for, and the log-likelihood ratio at which they speak.
  double grown_factor = 4;
  double grown_least = 0.08;  // … and at least so much more
  double grown_limit = 11;
  double broken_rate = 0.5;
  double broken_limit = 12.5;
  double recovered_limit = 4;
  // While an alarm stands: the prior behind what came since.
  double alarm_mean = 0.25;
  double alarm_weight = 4;
  // A suspicion that neither grows nor fades is taken into slow after so many outcomes.
  double longest_suspicion = 2000;
};

struct Belief {  // Beta(bad, good)
  double bad = 0;
  double good = 0;

  double weight() const { return bad + good; }
  double mean() const { return bad / (bad + good); }
};

class Track {
 public:
  // `options` outlives the track.
  explicit Track(const TrackOptions& options) : options_(options) {}

  // Time passes between two buckets.
  void Advance(double seconds);
  // A bucket's outcomes. With `detect` false it only adds to slow: buckets too coarse, or too long
  // ago, to tell a change by. REQUIRES: 0 <= bad <= all.
  void Observe(double all, double bad, bool detect);

  Belief belief() const;
  bool alarmed() const { return alarmed_; }
  // Since the alarm was raised; 0 without one.
  double alarm_seconds() const { return alarm_seconds_; }

 private:
  struct Counts {
    double all = 0;
    double bad = 0;
    void Add(double more, double more_bad) {
      all += more;
      bad += more_bad;
    }
    void Scale(double factor) {
      all *= factor;
      bad *= factor;
    }
  };

  // Log-likelihood ratios of one outcome, bad or good: the rate looked for against the normal one.
  struct Evidence {
    double normal = 0;  // for which the ratios hold; 0 = not computed
    double bad = 0;
    double good = 0;
    void Prepare(double normal_rate, double other_rate);
    double Of(double all, double bad_ones) const {
      return bad_ones * bad + (all - bad_ones) * good;
    }
  };

  double prior_bad() const { return options_.prior_mean * options_.prior_weight; }
  double SlowMean() const;
  // The rate that the detectors take for normal: somewhat above the mean as long as that rests on
  // little.
  double Baseline() const;
  void Detect(double all, double bad);
  void RaiseAlarm();
  void WatchRecovery(double all, double bad);
  void AcceptSuspicion();

  const TrackOptions& options_;
  // How much of fast is left after the time that passed last: mostly the same.
  double decay_seconds_ = 0;
  double decay_ = 1;
  Counts slow_;
  Counts fast_;
  Counts suspected_;  // seen since the detectors were last at rest, not yet in slow
  Evidence grown_evidence_;
  Evidence broken_evidence_;
  double grown_ = 0;
  double broken_ = 0;
  double recovered_ = 0;
  bool alarmed_ = false;
  double alarm_rate_ = 0;  // what was seen between the change and the alarm
  double alarm_seconds_ = 0;
};

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_TRACK_H_
