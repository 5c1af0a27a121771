#include "common/obs/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/obs/process_metrics.h"

namespace signalbox::obs {
namespace {

constexpr absl::string_view kAllowedLabels[] = {
    "service", "method", "provider", "model", "endpoint", "outcome",  "reason",  "status",
    "class",   "signal", "kind",     "state", "role",     "topology", "process", "version"};
constexpr char kOther[] = "other";
constexpr char kSeriesRefused[] = "signalbox_obs_series_refused_total";

// A wrong registration is a programmer error that every run meets at its start.
void Require(bool condition, absl::string_view name, absl::string_view rule) {
  if (condition) return;
  std::fprintf(stderr, "metric %s: %s\n", std::string(name).c_str(), std::string(rule).c_str());
  std::abort();
}

void CheckName(absl::string_view name) {
  Require(absl::StartsWith(name, "signalbox_") || absl::StartsWith(name, "gen_ai_"), name,
          "the name must start with signalbox_ or gen_ai_");
  Require(absl::c_all_of(
              name,
              [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_'; }),
          name, "the name may hold only a-z, 0-9 and _");
}

void CheckLabels(absl::string_view name, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    Require(absl::c_linear_search(kAllowedLabels, key), name,
            absl::StrCat("label ", key, " is not one of ", absl::StrJoin(kAllowedLabels, " ")));
  }
}

// One family of prometheus-cpp with the bound on its label sets.
template <typename Handle, typename Child, typename... Arguments>
class BoundedFamily final : public Family<Handle> {
 public:
  BoundedFamily(std::string name, std::vector<std::string> keys, prometheus::Family<Child>& family,
                size_t max_label_sets, std::function<void(absl::string_view)> on_refused,
                Arguments... arguments)
      : name_(std::move(name)),
        keys_(std::move(keys)),
        family_(family),
        max_label_sets_(max_label_sets),
        on_refused_(std::move(on_refused)),
        arguments_(std::move(arguments)...) {}

  using Family<Handle>::With;
  Handle With(LabelValues values) override {
    Require(values.size() == keys_.size(), name_, "wrong number of label values");
    const std::string key = absl::StrJoin(values, "\x1f");
    bool refused = false;
    Child* child = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      const auto found = children_.find(key);
      if (found != children_.end()) return Handle(found->second);
      refused = children_.size() >= max_label_sets_;
      if (refused) {
        const std::vector<absl::string_view> other(keys_.size(), kOther);
        child = Make(other);  // beside the bound, made once
      } else {
        child = Make(values);
        children_.emplace(key, child);
      }
    }
    if (refused) on_refused_(name_);
    return Handle(child);
  }

  void Remove(LabelValues values) override {
    absl::MutexLock lock(&mutex_);
    const auto found = children_.find(absl::StrJoin(values, "\x1f"));
    if (found == children_.end()) return;
    family_.Remove(found->second);
    children_.erase(found);
  }

  const std::vector<std::string>& keys() const { return keys_; }

 private:
  // prometheus-cpp returns the existing child for a known label set.
  Child* Make(LabelValues values) {
    prometheus::Labels labels;
    for (size_t i = 0; i < keys_.size(); ++i) labels.emplace(keys_[i], std::string(values[i]));
    return std::apply([&](const auto&... arguments) { return &family_.Add(labels, arguments...); },
                      arguments_);
  }

  const std::string name_;
  const std::vector<std::string> keys_;
  prometheus::Family<Child>& family_;
  const size_t max_label_sets_;
  const std::function<void(absl::string_view)> on_refused_;
  const std::tuple<Arguments...> arguments_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Child*> children_ ABSL_GUARDED_BY(mutex_);
};

using Counters = BoundedFamily<Counter, prometheus::Counter>;
using Gauges = BoundedFamily<Gauge, prometheus::Gauge>;
using Histograms = BoundedFamily<Histogram, prometheus::Histogram, std::vector<double>>;

std::vector<std::string> ToStrings(Metrics::Keys keys) { return {keys.begin(), keys.end()}; }

void SortSeries(std::vector<prometheus::MetricFamily>* families) {
  absl::c_sort(*families, [](const auto& a, const auto& b) { return a.name < b.name; });
  for (prometheus::MetricFamily& family : *families) {
    for (prometheus::ClientMetric& metric : family.metric) absl::c_sort(metric.label);
    absl::c_sort(family.metric, [](const auto& a, const auto& b) { return a.label < b.label; });
  }
}

}  // namespace

void Counter::Add(double amount) const {
  if (child_ != nullptr) child_->Increment(amount);
}
double Counter::value() const { return child_ == nullptr ? 0 : child_->Value(); }
void Gauge::Set(double value) const {
  if (child_ != nullptr) child_->Set(value);
}
void Gauge::Add(double amount) const {
  if (child_ != nullptr) child_->Increment(amount);
}
double Gauge::value() const { return child_ == nullptr ? 0 : child_->Value(); }
void Histogram::Observe(double value) const {
  if (child_ != nullptr) child_->Observe(value);
}

const std::vector<double>& LatencyBuckets() {
  static const auto* const buckets = new std::vector<double>{
      0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10};
  return *buckets;
}

const std::vector<double>& UpstreamBuckets() {
  static const auto* const buckets = new std::vector<double>{
      0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600};
  return *buckets;
}

class Metrics::State {
 public:
  explicit State(Options options) : options_(options), process_(*this) {}

  template <typename Bounded, typename Child, typename... Arguments>
  Bounded& Register(std::map<std::string, std::unique_ptr<Bounded>>* families,
                    absl::string_view type, absl::string_view name, absl::string_view help,
                    std::vector<std::string> keys, Arguments... arguments) {
    CheckLabels(name, keys);
    const std::string key(name);
    absl::MutexLock lock(&mutex_);
    const auto found = families->find(key);
    if (found != families->end()) {
      Require(found->second->keys() == keys, name, "registered before with other labels");
      return *found->second;
    }
    Require(described_.try_emplace(key, FamilyInfo{key, std::string(type), std::string(help), keys})
                .second,
            name, "registered before as another kind");
    auto& family =
        prometheus::detail::Builder<Child>().Name(key).Help(std::string(help)).Register(registry_);
    auto bounded = std::make_unique<Bounded>(
        key, std::move(keys), family, options_.max_label_sets,
        [this](absl::string_view refused) { CountRefused(refused); }, arguments...);
    return *families->emplace(key, std::move(bounded)).first->second;
  }

  std::shared_ptr<void> AddHook(std::function<void()> update) {
    auto hook = std::make_shared<Hook>();
    hook->update = std::move(update);
    absl::MutexLock lock(&hooks_mutex_);
    hooks_.push_back(hook);
    return std::shared_ptr<void>(hook.get(), [hook](void*) {
      absl::MutexLock off(&hook->mutex);  // waits for a running update
      hook->update = nullptr;
    });
  }

  std::string Render() {
    absl::MutexLock lock(&render_mutex_);
    RunHooks();
    process_.Update();
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    SortSeries(&families);
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, families);
    return out.str();
  }

  std::vector<FamilyInfo> Describe() const {
    std::vector<FamilyInfo> all;
    absl::MutexLock lock(&mutex_);
    all.reserve(described_.size());
    for (const auto& [name, info] : described_) all.push_back(info);
    return all;
  }

  std::map<std::string, std::unique_ptr<Counters>> counters;
  std::map<std::string, std::unique_ptr<Gauges>> gauges;
  std::map<std::string, std::unique_ptr<Histograms>> histograms;

 private:
  struct Hook {
    absl::Mutex mutex;
    std::function<void()> update ABSL_GUARDED_BY(mutex);
  };

  // The conventional names of every Prometheus client, hence without our prefix.
  struct ProcessSeries {
    explicit ProcessSeries(State& state)
        : cpu(AddSingle(state, prometheus::BuildCounter(), "counter", "process_cpu_seconds_total",
                        "User and system CPU time, seconds.")),
          memory(AddGauge(state, "process_resident_memory_bytes", "Resident memory, bytes.")),
          open_files(AddGauge(state, "process_open_fds", "Open file descriptors.")),
          max_files(AddGauge(state, "process_max_fds", "Most open file descriptors allowed.")),
          threads(AddGauge(state, "process_threads", "Threads.")),
          start_time(
              AddGauge(state, "process_start_time_seconds", "Start of the process, Unix time.")),
          series_refused(&state.Register<Counters, prometheus::Counter>(
              &state.counters, "counter", kSeriesRefused,
              "Label sets counted as \"other\" because their family is full.", {"kind"})) {}

    static prometheus::Gauge& AddGauge(State& state, const char* name, const char* help) {
      return AddSingle(state, prometheus::BuildGauge(), "gauge", name, help);
    }
    template <typename Child>
    static Child& AddSingle(State& state, prometheus::detail::Builder<Child> builder,
                            const char* type, const char* name, const char* help) {
      {
        absl::MutexLock lock(&state.mutex_);
        state.described_.emplace(name, FamilyInfo{name, type, help, {}});
      }
      return builder.Name(name).Help(help).Register(state.registry_).Add({});
    }

    void Update() {
      const ProcessFigures figures = ReadProcessFigures();
      cpu.Increment(std::max(0.0, figures.cpu_seconds - cpu.Value()));
      memory.Set(figures.resident_bytes);
      open_files.Set(figures.open_files);
      max_files.Set(figures.max_files);
      threads.Set(figures.threads);
      start_time.Set(figures.start_time_seconds);
    }

    prometheus::Counter& cpu;
    prometheus::Gauge& memory;
    prometheus::Gauge& open_files;
    prometheus::Gauge& max_files;
    prometheus::Gauge& threads;
    prometheus::Gauge& start_time;
    Counters* const series_refused;
  };

  // Not for its own family: that would come back here for ever.
  void CountRefused(absl::string_view family) {
    if (family != kSeriesRefused) process_.series_refused->With({family}).Add();
  }

  void RunHooks() {
    std::vector<std::shared_ptr<Hook>> hooks;
    {
      absl::MutexLock lock(&hooks_mutex_);
      hooks_.erase(std::remove_if(hooks_.begin(), hooks_.end(),
                                  [](const std::weak_ptr<Hook>& hook) { return hook.expired(); }),
                   hooks_.end());
      for (const std::weak_ptr<Hook>& hook : hooks_) {
        if (auto alive = hook.lock()) hooks.push_back(std::move(alive));
      }
    }
    for (const std::shared_ptr<Hook>& hook : hooks) {
      absl::MutexLock lock(&hook->mutex);
      if (hook->update) hook->update();
    }
  }

  const Options options_;
  prometheus::Registry registry_;
  mutable absl::Mutex mutex_;
  std::map<std::string, FamilyInfo> described_ ABSL_GUARDED_BY(mutex_);
  absl::Mutex render_mutex_ ABSL_ACQUIRED_BEFORE(hooks_mutex_);
  absl::Mutex hooks_mutex_;
  std::vector<std::weak_ptr<Hook>> hooks_ ABSL_GUARDED_BY(hooks_mutex_);
  ProcessSeries process_;
};

Metrics::Metrics() : Metrics(Options()) {}
Metrics::Metrics(Options options) : state_(std::make_unique<State>(options)) {}
Metrics::~Metrics() = default;

CounterFamily& Metrics::Counter(absl::string_view name, absl::string_view help, Keys labels) {
  CheckName(name);
  Require(absl::EndsWith(name, "_total"), name, "a counter's name must end in _total");
  return state_->Register<Counters, prometheus::Counter>(&state_->counters, "counter", name, help,
                                                         ToStrings(labels));
}

GaugeFamily& Metrics::Gauge(absl::string_view name, absl::string_view help, Keys labels) {
  CheckName(name);
  return state_->Register<Gauges, prometheus::Gauge>(&state_->gauges, "gauge", name, help,
                                                     ToStrings(labels));
}

HistogramFamily& Metrics::Histogram(absl::string_view name, absl::string_view help,
                                    const std::vector<double>& buckets, Keys labels) {
  CheckName(name);
  Require(!buckets.empty() && absl::c_is_sorted(buckets), name, "buckets must ascend");
  return state_->Register<Histograms, prometheus::Histogram>(&state_->histograms, "histogram", name,
                                                             help, ToStrings(labels), buckets);
}

absl::Span<const absl::string_view> Metrics::AllowedLabels() { return kAllowedLabels; }

std::shared_ptr<void> Metrics::OnRender(std::function<void()> update) {
  return state_->AddHook(std::move(update));
}

std::string Metrics::Render() { return state_->Render(); }

std::vector<FamilyInfo> Metrics::Describe() const { return state_->Describe(); }

}  // namespace signalbox::obs
