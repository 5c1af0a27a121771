#include "services/signalbox/simulate/study.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/rng.h"
#include "common/json/writer.h"

namespace signalbox::simulate {
namespace {

constexpr int kResamples = 1000;
constexpr uint64_t kBootstrapSeed = 7;
constexpr double kPer100k = 1e5;

double ProcessorSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

double Quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  return values[at];
}

struct Run {
  RunResult result;
  double processor_seconds = 0;
};

// One model under one policy: a run per seed.
using Runs = std::vector<Run>;

struct Totals {
  double requests = 0;
  double errors = 0;

  void Add(const RunResult& result) {
    requests += static_cast<double>(result.requests);
    errors += static_cast<double>(result.errors);
  }
  void Add(const Totals& other) {
    requests += other.requests;
    errors += other.errors;
  }
  double error() const { return Ratio(errors, requests); }
  double ReductionAgainst(const Totals& base) const {
    return base.errors > 0 ? 1 - error() / base.error() : 0;
  }
};

struct Sums {
  Totals totals;
  double price = 0;
  double spent = 0;
  std::vector<double> chosen;

  void Add(const RunResult& result) {
    totals.Add(result);
    price += result.price;
    spent += result.spent;
    chosen.resize(result.chosen.size());
    for (size_t i = 0; i < chosen.size(); ++i) chosen[i] += static_cast<double>(result.chosen[i]);
  }
};

Sums SumOf(const Runs& runs) {
  Sums sums;
  for (const Run& run : runs) sums.Add(run.result);
  return sums;
}

enum class Pooling { kMeanOverModels, kAllRequests };

// Models and seeds are drawn with replacement, those of both policies alike.
class Bootstrap {
 public:
  Bootstrap(std::vector<const Runs*> runs, std::vector<const Runs*> base, Pooling pooling)
      : runs_(std::move(runs)), base_(std::move(base)), pooling_(pooling), rng_(kBootstrapSeed) {}

  Interval Run() {
    Interval interval;
    interval.mean = Sample(/*as_it_is=*/true);
    std::vector<double> means;
    for (int i = 0; i < kResamples; ++i) means.push_back(Sample(false));
    interval.low = Quantile(means, 0.025);
    interval.high = Quantile(means, 0.975);
    return interval;
  }

 private:
  size_t Pick(size_t i, size_t count, bool as_it_is) { return as_it_is ? i : rng_.Below(count); }

  double Sample(bool as_it_is) {
    double sum = 0;
    Totals all;
    Totals all_base;
    for (size_t m = 0; m < runs_.size(); ++m) {
      const size_t model = Pick(m, runs_.size(), as_it_is);
      Totals own;
      Totals other;
      for (size_t s = 0; s < runs_[model]->size(); ++s) {
        const size_t seed = Pick(s, runs_[model]->size(), as_it_is);
        own.Add((*runs_[model])[seed].result);
        other.Add((*base_[model])[seed].result);
      }
      sum += own.ReductionAgainst(other);
      all.Add(own);
      all_base.Add(other);
    }
    return pooling_ == Pooling::kAllRequests ? all.ReductionAgainst(all_base)
                                             : sum / static_cast<double>(runs_.size());
  }

  const std::vector<const Runs*> runs_;
  const std::vector<const Runs*> base_;
  const Pooling pooling_;
  Rng rng_;
};

// The mean over models of each part's error rate.
std::vector<double> ErrorByTime(const std::vector<const Runs*>& runs) {
  std::vector<double> errors(kParts);
  for (size_t part = 0; part < kParts; ++part) {
    double models = 0;
    for (const Runs* model : runs) {
      double requests = 0;
      double bad = 0;
      for (const Run& run : *model) {
        requests += static_cast<double>(run.result.parts[part].requests);
        bad += static_cast<double>(run.result.parts[part].errors);
      }
      if (requests == 0) continue;
      errors[part] += bad / requests;
      models += 1;
    }
    errors[part] = Ratio(errors[part], models);
  }
  return errors;
}

void SumUpBreaks(const std::vector<const Runs*>& runs, PolicyResult* policy) {
  std::vector<double> reactions;
  std::vector<double> returns;
  std::vector<double> failed;
  for (const Runs* model : runs) {
    for (const Run& run : *model) {
      if (!run.result.broke) continue;
      const double never = std::numeric_limits<double>::infinity();
      reactions.push_back(run.result.reaction_seconds.value_or(never));
      returns.push_back(run.result.return_seconds.value_or(never));
      failed.push_back(static_cast<double>(run.result.failed_in_break));
    }
  }
  policy->breaks = static_cast<int>(reactions.size());
  if (reactions.empty()) return;
  policy->reaction_p50 = Quantile(reactions, 0.5);
  policy->reaction_p90 = Quantile(reactions, 0.9);
  policy->return_p50 = Quantile(returns, 0.5);
  policy->failed_in_break = Quantile(failed, 0.5);
}

class Summary {
 public:
  Summary(const std::vector<std::string>& models, const std::vector<std::vector<Runs>>& runs,
          const StudyOptions& options)
      : models_(models), runs_(runs), options_(options) {}

  PolicyResult Of(size_t policy) const {
    PolicyResult result;
    result.policy = options_.policies[policy].name;
    std::vector<const Runs*> own;
    std::vector<const Runs*> base;
    double outcomes = 0;
    double alarms = 0;
    double processor = 0;
    int64_t moved = 0;
    for (size_t m = 0; m < models_.size(); ++m) {
      own.push_back(&runs_[m][policy]);
      base.push_back(&runs_[m][0]);
      result.models.push_back(ModelOf(models_[m], *own.back(), *base.back()));
      for (const Run& run : *own.back()) {
        outcomes += static_cast<double>(run.result.outcomes);
        alarms += static_cast<double>(run.result.false_alarms);
        processor += run.processor_seconds;
        result.turns += run.result.turns;
        moved += run.result.moved;
      }
    }
    const auto count = static_cast<double>(models_.size());
    for (const ModelResult& model : result.models) {
      result.error += model.error / count;
      result.price_ratio += model.price_ratio / count;
      result.spent_ratio += model.spent_ratio / count;
      result.largest_share += model.largest_share / count;
    }
    result.pooled_reduction = Bootstrap(own, base, Pooling::kAllRequests).Run();
    result.reduction = Bootstrap(own, base, Pooling::kMeanOverModels).Run();
    result.false_alarms_per_100k = Ratio(alarms * kPer100k, outcomes);
    result.moved_turns = Ratio(static_cast<double>(moved), static_cast<double>(result.turns));
    result.speed = Ratio(options_.scenario.hours * 3600 * options_.seeds * count, processor);
    result.error_by_time = ErrorByTime(own);
    SumUpBreaks(own, &result);
    return result;
  }

 private:
  static ModelResult ModelOf(const std::string& name, const Runs& runs, const Runs& base_runs) {
    const Sums sums = SumOf(runs);
    const Sums base = SumOf(base_runs);
    ModelResult model;
    model.model = name;
    model.endpoints = static_cast<int>(sums.chosen.size());
    model.error = sums.totals.error();
    model.reduction = Bootstrap({&runs}, {&base_runs}, Pooling::kMeanOverModels).Run();
    // Per request: policies may have served different numbers of them.
    const double paid = Ratio(base.price, base.totals.requests);
    model.price_ratio = Ratio(Ratio(sums.price, sums.totals.requests), paid);
    model.spent_ratio = Ratio(Ratio(sums.spent, sums.totals.requests), paid);
    model.largest_share =
        Ratio(*std::max_element(sums.chosen.begin(), sums.chosen.end()), sums.totals.requests);
    return model;
  }

  const std::vector<std::string>& models_;
  const std::vector<std::vector<Runs>>& runs_;  // by model, policy
  const StudyOptions& options_;
};

std::string Seconds(const std::optional<double>& seconds) {
  if (!seconds.has_value()) return "-";
  return std::isinf(*seconds) ? "never" : absl::StrFormat("%.0f s", *seconds);
}

void AppendNumber(absl::string_view name, double value, json::Writer* json) {
  json->Key(name).Double(value);
}

void AppendInterval(const std::string& name, const Interval& interval, json::Writer* json) {
  AppendNumber(name, interval.mean, json);
  AppendNumber(name + "_low", interval.low, json);
  AppendNumber(name + "_high", interval.high, json);
}

Scenario ScenarioOf(const std::string& model, const StudyOptions& options) {
  Scenario scenario = options.scenario;
  const auto events = options.traces.events.find(model);
  if (events != options.traces.events.end()) scenario.events = events->second;
  const auto arrivals = options.traces.arrivals.find(model);
  if (arrivals != options.traces.arrivals.end()) scenario.arrivals = arrivals->second;
  return scenario;
}

}  // namespace

Study RunStudy(const Table& table, const Table& prior, const StudyOptions& options) {
  std::vector<std::string> models;
  Study study;
  for (const auto& [model, rows] : table) {
    if (rows.size() < static_cast<size_t>(options.min_providers)) continue;
    models.push_back(model);
    study.endpoints += static_cast<int>(rows.size());
  }
  study.models = static_cast<int>(models.size());
  std::vector<std::vector<Runs>> runs(
      models.size(),
      std::vector<Runs>(options.policies.size(), Runs(static_cast<size_t>(options.seeds))));
  const size_t jobs = models.size() * options.policies.size() * static_cast<size_t>(options.seeds);
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t job = next++; job < jobs; job = next++) {
      const size_t seed = job % static_cast<size_t>(options.seeds);
      const size_t policy = job / static_cast<size_t>(options.seeds) % options.policies.size();
      const size_t m = job / static_cast<size_t>(options.seeds) / options.policies.size();
      const auto known = prior.find(models[m]);
      const Scenario scenario = ScenarioOf(models[m], options);
      const double start = ProcessorSeconds();
      Run& run = runs[m][policy][seed];
      run.result = Simulate(models[m], table.at(models[m]),
                            known != prior.end() ? known->second : std::vector<EndpointRow>(),
                            options.policies[policy], scenario, options.first_seed + seed);
      run.processor_seconds = ProcessorSeconds() - start;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options.threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (models.empty()) return study;
  const Summary summary(models, runs, options);
  double oracle = -1;
  for (size_t policy = 0; policy < options.policies.size(); ++policy) {
    study.policies.push_back(summary.Of(policy));
    if (options.policies[policy].kind == PolicyKind::kOracle) oracle = study.policies.back().error;
  }
  for (PolicyResult& policy : study.policies) {
    policy.has_regret = oracle >= 0;
    if (policy.has_regret) policy.regret = policy.error - oracle;
  }
  return study;
}

std::string ToText(const Study& study) {
  std::string text =
      absl::StrFormat("%d models, %d endpoints\n\n%-40s", study.models, study.endpoints, "model");
  for (const PolicyResult& policy : study.policies)
    absl::StrAppendFormat(&text, "%22s", policy.policy);
  absl::StrAppendFormat(&text, "\n%-40s", "");
  for (size_t i = 0; i < study.policies.size(); ++i)
    absl::StrAppendFormat(&text, "%22s", "error  fewer  price");
  text += "\n";
  for (int m = 0; m < study.models; ++m) {
    const auto& first = study.policies[0].models[static_cast<size_t>(m)];
    absl::StrAppendFormat(&text, "%-36s%4d", first.model, first.endpoints);
    for (const PolicyResult& policy : study.policies) {
      const ModelResult& model = policy.models[static_cast<size_t>(m)];
      absl::StrAppendFormat(&text, "%8.2f%%%5.1f%% x%5.2f", 100 * model.error,
                            100 * model.reduction.mean, model.price_ratio);
    }
    text += "\n";
  }
  absl::StrAppendFormat(&text, "\n%-12s%8s%8s%18s%9s%9s%8s%8s%9s%9s%10s%10s%9s%9s%9s\n", "policy",
                        "error", "fewer", "95 % interval", "pooled", "regret", "price", "spent",
                        "largest", "alarms", "moved", "reaction", "p90", "return", "speed");
  for (const PolicyResult& policy : study.policies) {
    absl::StrAppendFormat(
        &text,
        "%-12s%7.2f%%%7.1f%%   [%5.1f%%, %5.1f%%]%8.1f%%%9s  x%5.2f  "
        "x%5.2f%8.0f%%%9.2f%10s%10s%9s%9s%8.0fx\n",
        policy.policy, 100 * policy.error, 100 * policy.reduction.mean, 100 * policy.reduction.low,
        100 * policy.reduction.high, 100 * policy.pooled_reduction.mean,
        policy.has_regret ? absl::StrFormat("%.2fpp", 100 * policy.regret) : "-",
        policy.price_ratio, policy.spent_ratio, 100 * policy.largest_share,
        policy.false_alarms_per_100k,
        policy.turns > 0 ? absl::StrFormat("%.2f%%", 100 * policy.moved_turns) : "-",
        Seconds(policy.reaction_p50), Seconds(policy.reaction_p90), Seconds(policy.return_p50),
        policy.speed);
  }
  text +=
      "\nfewer: tool-call errors against the first policy, mean over models; regret: error above "
      "the oracle's, percentage points;\n"
      "price, spent: per request against the first policy, delivered answers and all attempts; "
      "largest: share of one provider;\n"
      "alarms: false ones per 100,000 outcomes of an endpoint; moved: turns that left their "
      "conversation's endpoint; reaction: from a\n"
      "silent break of the favourite until its share is below 10 %; return: from its recovery "
      "until it has half of its share back;\n"
      "speed: virtual time per processor time, one model.\n";
  return text;
}

std::string ToJson(const Study& study, const StudyOptions& options) {
  json::Writer json;
  const Scenario& scenario = options.scenario;
  json.BeginObject().Key("models").Int(study.models).Key("endpoints").Int(study.endpoints);
  json.Key("scenario").BeginObject();
  AppendNumber("rate", scenario.rate, &json);
  AppendNumber("hours", scenario.hours, &json);
  json.Key("seeds").Int(options.seeds).Key("first_seed").UInt(options.first_seed);
  json.Key("guard").Bool(options.policies.back().guard);
  json.Key("break").Bool(scenario.break_favourite);
  AppendNumber("median_tokens", scenario.median_tokens, &json);
  AppendNumber("pipeline_seconds", scenario.pipeline_seconds, &json);
  AppendNumber("conversation_share", scenario.conversation_share, &json);
  json.EndObject().Key("policies").BeginArray();
  for (const PolicyResult& policy : study.policies) {
    json.BeginObject().Key("policy").String(policy.policy);
    AppendNumber("error", policy.error, &json);
    AppendInterval("error_reduction", policy.reduction, &json);
    AppendInterval("pooled_error_reduction", policy.pooled_reduction, &json);
    if (policy.has_regret) AppendNumber("regret", policy.regret, &json);
    AppendNumber("price_ratio", policy.price_ratio, &json);
    AppendNumber("spent_ratio", policy.spent_ratio, &json);
    AppendNumber("largest_share", policy.largest_share, &json);
    AppendNumber("false_alarms_per_100k", policy.false_alarms_per_100k, &json);
    json.Key("turns").Int(policy.turns);
    AppendNumber("moved_turns", policy.moved_turns, &json);
    json.Key("breaks").Int(policy.breaks);
    if (policy.breaks > 0) {
      // A number that is not finite is written as null: never.
      AppendNumber("reaction_p50_seconds", *policy.reaction_p50, &json);
      AppendNumber("reaction_p90_seconds", *policy.reaction_p90, &json);
      AppendNumber("return_p50_seconds", *policy.return_p50, &json);
      AppendNumber("failed_in_break_p50", policy.failed_in_break, &json);
    }
    AppendNumber("times_real_time", policy.speed, &json);
    json.Key("models").BeginArray();
    for (const ModelResult& model : policy.models) {
      json.BeginObject().Key("model").String(model.model).Key("endpoints").Int(model.endpoints);
      AppendNumber("error", model.error, &json);
      AppendInterval("error_reduction", model.reduction, &json);
      AppendNumber("price_ratio", model.price_ratio, &json);
      AppendNumber("largest_share", model.largest_share, &json);
      json.EndObject();
    }
    json.EndArray().EndObject();
  }
  json.EndArray().EndObject();
  return std::move(json).Take() + "\n";
}

}  // namespace signalbox::simulate
