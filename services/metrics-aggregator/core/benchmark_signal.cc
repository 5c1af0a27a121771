#include "services/metrics-aggregator/core/benchmark_signal.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/metrics-aggregator/core/exacto_rule.h"

namespace signalbox::metrics_aggregator {
namespace {

using metrics::v1::EndpointScore;
using Suites = std::map<std::string, store::BenchmarkSums>;

// P(X = k) for k = 0 … total: `total` answers drawn from all of the stratum, of which some are
// right. Grown from its mode by the ratio of neighbours, which neither overflows nor cancels.
std::vector<double> Hypergeometric(const BenchmarkStratum& stratum) {
  const int64_t drawn = stratum.total;
  const int64_t right = stratum.passed + stratum.peers_passed;
  const int64_t wrong = drawn + stratum.peers_total - right;
  const int64_t least = std::max<int64_t>(0, drawn - wrong);
  const int64_t most = std::min(drawn, right);
  const int64_t mode = std::clamp((drawn + 1) * (right + 1) / (right + wrong + 2), least, most);
  const auto ratio = [&](int64_t k) {  // P(k + 1) / P(k)
    return static_cast<double>(right - k) * static_cast<double>(drawn - k) /
           (static_cast<double>(k + 1) * static_cast<double>(wrong - drawn + k + 1));
  };
  std::vector<double> probability(drawn + 1, 0.0);
  probability[mode] = 1;
  for (int64_t k = mode; k < most; ++k) probability[k + 1] = probability[k] * ratio(k);
  for (int64_t k = mode; k > least; --k) probability[k - 1] = probability[k] / ratio(k - 1);
  const double sum = std::accumulate(probability.begin(), probability.end(), 0.0);
  for (double& value : probability) value /= sum;
  return probability;
}

std::vector<double> Convolved(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> sum(a.size() + b.size() - 1, 0.0);
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] == 0) continue;
    for (size_t j = 0; j < b.size(); ++j) sum[i + j] += a[i] * b[j];
  }
  return sum;
}

// What the answers are worth as answers to different cases, at most `cap`.
store::BenchmarkSums Effective(const store::BenchmarkSums& sums, double correlation, int64_t cap) {
  const double repeats =
      static_cast<double>(sums.total) / static_cast<double>(std::max<int64_t>(1, sums.cases));
  const double worth = static_cast<double>(sums.total) / (1 + (repeats - 1) * correlation);
  const int64_t total = std::min(cap, static_cast<int64_t>(worth));
  const double share = static_cast<double>(sums.passed) / static_cast<double>(sums.total);
  const auto passed = static_cast<int64_t>(std::lround(share * static_cast<double>(total)));
  return {passed, total, total};
}

// One endpoint as the comparison sees it.
struct Measured {
  std::string endpoint;
  Suites effective;
  int64_t effective_cases = 0;
};

struct Comparison {
  std::vector<BenchmarkStratum> strata;
  int peers = 0;
  std::string why_not;  // empty: it can be judged

  BenchmarkStratum Total() const {
    BenchmarkStratum sum;
    for (const BenchmarkStratum& stratum : strata) {
      sum.passed += stratum.passed;
      sum.total += stratum.total;
      sum.peers_passed += stratum.peers_passed;
      sum.peers_total += stratum.peers_total;
    }
    return sum;
  }
};

Measured Measure(const std::string& endpoint, const Suites& suites,
                 const BenchmarkOptions& options) {
  Measured measured{endpoint, {}, 0};
  for (const auto& [suite, sums] : suites) {
    if (sums.total <= 0) continue;
    const store::BenchmarkSums effective =
        Effective(sums, options.repeat_correlation, options.max_cases);
    measured.effective[suite] = effective;
    measured.effective_cases += effective.total;
  }
  return measured;
}

// The stratum of one suite; peers_total 0 = too few peers have results in it.
BenchmarkStratum StratumOf(const Measured& endpoint, const std::string& suite,
                           const std::vector<Measured>& model, const BenchmarkOptions& options,
                           int* peers) {
  const store::BenchmarkSums& own = endpoint.effective.at(suite);
  BenchmarkStratum stratum{own.passed, own.total, 0, 0};
  *peers = 0;
  for (const Measured& other : model) {
    const auto found = other.effective.find(suite);
    if (&other == &endpoint || found == other.effective.end() ||
        other.effective_cases < options.min_cases) {
      continue;
    }
    ++*peers;
    stratum.peers_passed += found->second.passed;
    stratum.peers_total += found->second.total;
  }
  if (*peers < options.min_peers) stratum.peers_passed = stratum.peers_total = 0;
  return stratum;
}

Comparison Compare(const Measured& endpoint, const std::vector<Measured>& model,
                   const BenchmarkOptions& options) {
  Comparison comparison;
  if (endpoint.effective_cases < options.min_cases) {
    comparison.why_not = absl::StrCat("not judged: worth ", endpoint.effective_cases, " of ",
                                      options.min_cases, " cases");
    return comparison;
  }
  int64_t compared = 0;
  int most_peers = 0;
  for (const auto& [suite, sums] : endpoint.effective) {
    int peers = 0;
    const BenchmarkStratum stratum = StratumOf(endpoint, suite, model, options, &peers);
    most_peers = std::max(most_peers, peers);
    if (stratum.peers_total == 0) continue;
    comparison.strata.push_back(stratum);
    compared += stratum.total;
  }
  comparison.peers = most_peers;
  if (most_peers < options.min_peers) {
    comparison.why_not =
        absl::StrCat("not judged: ", most_peers, " of ", options.min_peers, " peers measured");
  } else if (compared < options.min_cases) {
    comparison.why_not = absl::StrCat("not judged: worth ", compared, " of ", options.min_cases,
                                      " cases in suites its peers ran");
  }
  return comparison;
}

double Share(int64_t part, int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void Judge(const Comparison& comparison, double q, const BenchmarkOptions& options,
           BenchmarkVerdict* verdict) {
  const BenchmarkStratum total = comparison.Total();
  const double own = Share(total.passed, total.total);
  // What peers would have with the endpoint's mixture of suites.
  double peers = 0;
  for (const BenchmarkStratum& stratum : comparison.strata) {
    peers += Share(stratum.peers_passed, stratum.peers_total) * Share(stratum.total, total.total);
  }
  verdict->low =
      q < options.false_discovery_rate && peers - own >= options.least_difference - 1e-12;
  verdict->reason =
      absl::StrFormat("benchmark %.3f (worth %d cases) against %.3f (%d) of %d peers, q %.2g", own,
                      total.total, peers, total.peers_total, comparison.peers, q);
}

EndpointScore NewScore(const std::string& endpoint) {
  EndpointScore score;
  score.set_endpoint_id(endpoint);
  score.set_exacto_tier(metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA);
  score.set_exacto_reason("no requests yet");
  return score;
}

void SetVerdict(const BenchmarkVerdict& verdict, EndpointScore* score) {
  score->set_benchmark(verdict.accuracy);
  score->set_benchmark_cases(verdict.cases);
  score->set_benchmark_low(verdict.low);
  score->set_benchmark_reason(verdict.reason);
}

}  // namespace

double LowerMidP(const std::vector<BenchmarkStratum>& strata) {
  std::vector<double> distribution = {1.0};
  int64_t observed = 0;
  for (const BenchmarkStratum& stratum : strata) {
    distribution = Convolved(distribution, Hypergeometric(stratum));
    observed += stratum.passed;
  }
  double below = 0;
  for (int64_t k = 0; k < observed; ++k) below += distribution[k];
  return std::clamp(below + distribution[observed] / 2, 0.0, 1.0);
}

std::vector<double> AdjustedByBenjaminiHochberg(const std::vector<double>& p_values) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size(), 1.0);
  double least = 1;
  for (size_t rank = order.size(); rank > 0; --rank) {
    const size_t i = order[rank - 1];
    const double scaled =
        p_values[i] * static_cast<double>(order.size()) / static_cast<double>(rank);
    least = std::min(least, scaled);
    adjusted[i] = least;
  }
  return adjusted;
}

BenchmarkTable JudgeBenchmarks(const store::BenchmarkResults& results,
                               const BenchmarkOptions& options) {
  std::map<std::string, std::vector<Measured>> models;
  BenchmarkTable table;
  for (const auto& [endpoint, suites] : results) {
    BenchmarkVerdict& verdict = table[endpoint];
    int64_t passed = 0;
    for (const auto& [suite, sums] : suites) {
      passed += sums.passed;
      verdict.cases += sums.total;
    }
    verdict.accuracy = Share(passed, verdict.cases);
    models[std::string(ModelOf(endpoint))].push_back(Measure(endpoint, suites, options));
  }
  std::vector<std::pair<BenchmarkVerdict*, Comparison>> judged;
  std::vector<double> p_values;
  for (const auto& [model, endpoints] : models) {
    for (const Measured& endpoint : endpoints) {
      Comparison comparison = Compare(endpoint, endpoints, options);
      BenchmarkVerdict& verdict = table[endpoint.endpoint];
      verdict.reason = comparison.why_not;
      if (!comparison.why_not.empty()) continue;
      p_values.push_back(LowerMidP(comparison.strata));
      judged.emplace_back(&verdict, std::move(comparison));
    }
  }
  const std::vector<double> q_values = AdjustedByBenjaminiHochberg(p_values);
  for (size_t i = 0; i < judged.size(); ++i)
    Judge(judged[i].second, q_values[i], options, judged[i].first);
  return table;
}

void ApplyBenchmarks(const BenchmarkTable& table, metrics::v1::ScoreSnapshot* snapshot) {
  if (table.empty()) return;
  auto left = table.begin();
  std::vector<EndpointScore> missing;
  for (EndpointScore& score : *snapshot->mutable_endpoints()) {
    for (; left != table.end() && left->first < score.endpoint_id(); ++left) {
      missing.push_back(NewScore(left->first));
      SetVerdict(left->second, &missing.back());
    }
    if (left != table.end() && left->first == score.endpoint_id()) {
      SetVerdict(left->second, &score);
      ++left;
    }
  }
  for (; left != table.end(); ++left) {
    missing.push_back(NewScore(left->first));
    SetVerdict(left->second, &missing.back());
  }
  if (missing.empty()) return;
  for (EndpointScore& score : missing) *snapshot->add_endpoints() = std::move(score);
  std::sort(snapshot->mutable_endpoints()->begin(), snapshot->mutable_endpoints()->end(),
            [](const EndpointScore& a, const EndpointScore& b) {
              return a.endpoint_id() < b.endpoint_id();
            });
}

}  // namespace signalbox::metrics_aggregator
