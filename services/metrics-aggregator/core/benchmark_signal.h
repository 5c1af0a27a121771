// The benchmark signal: is an endpoint worse at a benchmark than the other endpoints of its model,
// beyond noise?
//
// The null hypothesis is that an endpoint is as good as its peers. Suite by suite, given how many
// answers there are and how many of them are right, the number of right ones among the endpoint's
// is hypergeometric; over several suites it is the sum of such numbers. The one-sided mid-p value
// of that exact distribution goes into Benjamini-Hochberg over all endpoints of all models.
// An endpoint is low when it passes with q < 0.05 and also lies at least 2 percentage points below
// its peers, so that great numbers do not turn a trifle into a verdict.
//
// Answers to one case at one endpoint resemble each other: a hundred runs of sixty cases are far
// less than six thousand answers to different cases. Counts are therefore scaled down by the
// design effect 1 + (answers per case - 1) * correlation, and capped.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_BENCHMARK_SIGNAL_H_
#define SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_BENCHMARK_SIGNAL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/store/benchmark_store.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::metrics_aggregator {

struct BenchmarkOptions {
  int64_t min_cases = 45;  // of the endpoint and of each peer, effective
  int min_peers = 3;
  double false_discovery_rate = 0.05;
  double least_difference = 0.02;
  double repeat_correlation = 0.5;
  int64_t max_cases = 500;  // per endpoint and suite
};

struct BenchmarkVerdict {
  double accuracy = 0;  // right answers / answers, of all suites
  int64_t cases = 0;    // answers behind it
  bool low = false;
  // "benchmark 0.783 (60 answers) against 0.961 (240) of 4 peers, q 0.0004", or why there is no
  // judgement.
  std::string reason;
};
// By endpoint.
using BenchmarkTable = std::map<std::string, BenchmarkVerdict>;

BenchmarkTable JudgeBenchmarks(const store::BenchmarkResults& results,
                               const BenchmarkOptions& options = {});

// Sets the benchmark fields of every endpoint of the snapshot. Endpoints that were measured but
// have no traffic are added, so that the signal is there before their first request.
void ApplyBenchmarks(const BenchmarkTable& table, metrics::v1::ScoreSnapshot* snapshot);

// Right answers among answers of one suite, of an endpoint and of its peers.
struct BenchmarkStratum {
  int64_t passed = 0;
  int64_t total = 0;
  int64_t peers_passed = 0;
  int64_t peers_total = 0;
};
// P(X < passed) + P(X = passed) / 2 over the strata together when endpoint and peers are alike.
double LowerMidP(const std::vector<BenchmarkStratum>& strata);

// Which hypotheses are rejected at a false discovery rate: their adjusted q values, in the order
// given.
std::vector<double> AdjustedByBenjaminiHochberg(const std::vector<double>& p_values);

}  // namespace signalbox::metrics_aggregator

#endif  // SIGNALBOX_SERVICES_METRICS_AGGREGATOR_CORE_BENCHMARK_SIGNAL_H_
