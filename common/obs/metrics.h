// Metrics: typed families of counters, gauges and histograms over prometheus-cpp, rendered by the
// admin port.
//
//   obs::CounterFamily& requests = metrics.Counter("signalbox_ingress_requests_total", "Requests.",
//   {"method", "status"}); const obs::Counter ok = requests.With({"chat", "200"});  // resolved
//   once … ok.Add();                                                // … one atomic addition on the
//   hot path
//
// A label key comes from one closed list and never carries a user, key or request id. A family that
// has reached its bound of label sets hands out the child whose labels all read "other" and counts
// that in signalbox_obs_series_refused_total{kind="<family>"}. Wrong names and labels are
// programmer errors: registration aborts.
//
// Thread-safe. Families live as long as their Metrics; handles are pointers into them, free to
// copy, and a default-made handle does nothing (so that logic can be built without metrics).
#ifndef SIGNALBOX_COMMON_OBS_METRICS_H_
#define SIGNALBOX_COMMON_OBS_METRICS_H_

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace signalbox::obs {

class Counter {
 public:
  Counter() = default;
  explicit Counter(prometheus::Counter* child) : child_(child) {}
  void Add(double amount = 1) const;  // REQUIRES: amount >= 0
  double value() const;

 private:
  prometheus::Counter* child_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  explicit Gauge(prometheus::Gauge* child) : child_(child) {}
  void Set(double value) const;
  void Add(double amount) const;
  double value() const;

 private:
  prometheus::Gauge* child_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(prometheus::Histogram* child) : child_(child) {}
  void Observe(double value) const;

 private:
  prometheus::Histogram* child_ = nullptr;
};

// Label values in the order of the family's keys.
using LabelValues = absl::Span<const absl::string_view>;

// Handle is Counter, Gauge or Histogram. With() costs a lock and a look-up: keep what it returns.
template <typename Handle>
class Family {
 public:
  virtual ~Family() = default;
  // REQUIRES: as many values as the family has keys.
  virtual Handle With(LabelValues values) = 0;
  Handle With(std::initializer_list<absl::string_view> values) {
    return With(LabelValues(values.begin(), values.size()));
  }
  Handle WithNone() { return With(LabelValues()); }
  // Takes a label set out of the family (an endpoint left the catalogue).
  // REQUIRES: its handles are used no more.
  virtual void Remove(LabelValues values) = 0;
};
using CounterFamily = Family<Counter>;
using GaugeFamily = Family<Gauge>;
using HistogramFamily = Family<Histogram>;

// Bucket bounds shared by all families of a kind, in seconds.
const std::vector<double>& LatencyBuckets();  // 50 µs … 10 s: time we add ourselves
const std::vector<double>& UpstreamBuckets();  // 10 ms … 600 s: time to first token, whole attempts

// What a family is, whether or not it has a series yet.
struct FamilyInfo {
  std::string name;
  std::string type;  // "counter", "gauge" or "histogram"
  std::string help;
  std::vector<std::string> labels;  // keys, in the order of the registration
};

class Metrics {
 public:
  struct Options {
    size_t max_label_sets = 10'000;  // per family
  };
  Metrics();
  explicit Metrics(Options options);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Registers a family, or returns the one of that name. REQUIRES: the name is "signalbox_…" or
  // "gen_ai_…" in [a-z0-9_], a counter's ends in "_total", every label key is in AllowedLabels(),
  // an existing family of that name has the same kind and keys.
  using Keys = std::initializer_list<absl::string_view>;
  CounterFamily& Counter(absl::string_view name, absl::string_view help, Keys labels = {});
  GaugeFamily& Gauge(absl::string_view name, absl::string_view help, Keys labels = {});
  HistogramFamily& Histogram(absl::string_view name, absl::string_view help,
                             const std::vector<double>& buckets, Keys labels = {});

  static absl::Span<const absl::string_view> AllowedLabels();

  // Runs before every Render while the returned object lives: the place to set gauges that are
  // read, not counted. The function must not register hooks.
  [[nodiscard]] std::shared_ptr<void> OnRender(std::function<void()> update);

  // All series in the Prometheus text format, families and label sets in order, with the process's
  // own figures (resident memory, CPU seconds, open files, threads, start time).
  std::string Render();

  // Every registered family by name, those of the process included.
  std::vector<FamilyInfo> Describe() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace signalbox::obs

#endif  // SIGNALBOX_COMMON_OBS_METRICS_H_
