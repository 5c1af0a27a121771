#include "services/metrics-aggregator/core/exacto_rule.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace signalbox::metrics_aggregator {
namespace {

using metrics::v1::EndpointScore;

// Makes the deviation of a normal distribution out of a median absolute deviation.
constexpr double kMadToSigma = 1.4826;
// Two equal rates computed from different counts must compare as equal.
constexpr double kRounding = 1e-12;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// nullopt = not enough data.
std::optional<double> ThroughputOf(const EndpointScore& score, const ExactoOptions& options) {
  if (score.requests_30m() < options.min_requests_30m || score.throughput_tps().p50() <= 0)
    return std::nullopt;
  return score.throughput_tps().p50();
}

std::optional<double> ToolSuccessOf(const EndpointScore& score, const ExactoOptions& options) {
  if (score.tool_requests_2h() < options.min_tool_requests_2h || score.tool_requests_2h() <= 0)
    return std::nullopt;
  return 1 - static_cast<double>(score.tool_failures_2h()) /
                 static_cast<double>(score.tool_requests_2h());
}

using Reading = std::optional<double> (*)(const EndpointScore&, const ExactoOptions&);

// One signal over the peers of a model.
struct Signal {
  Reading read;
  double sigmas;
  double resolution;  // least sigma, as a share of the median
  const char* name;
  const char* unit;
  double scale;  // for people
  size_t peers = 0;
  std::optional<Spread> spread;  // absent when too few peers have enough data

  double floor() const { return spread->median - sigmas * spread->sigma; }

  void Measure(absl::Span<EndpointScore* const> endpoints, const ExactoOptions& options) {
    std::vector<double> values;
    absl::flat_hash_set<absl::string_view> providers;
    for (const EndpointScore* score : endpoints) {
      const std::optional<double> value = read(*score, options);
      if (!value.has_value()) continue;
      values.push_back(*value);
      providers.insert(ProviderOf(score->endpoint_id()));
    }
    peers = values.size();
    if (providers.size() < static_cast<size_t>(options.min_providers)) return;
    spread = SpreadOf(std::move(values));
    spread->sigma = std::max(spread->sigma, resolution * spread->median);
  }

  bool Fails(double value) const { return spread.has_value() && value < floor() - kRounding; }

  std::string Explain(double value) const {
    return absl::StrFormat(
        "%s %.2f%s is below %.2f%s (median %.2f - %.3g x sigma %.2f over %d peers)", name,
        value * scale, unit, floor() * scale, unit, spread->median * scale, sigmas,
        spread->sigma * scale, peers);
  }
};

void SetStanding(EndpointScore* score, metrics::v1::ExactoTier tier, std::string reason) {
  score->set_exacto_tier(tier);
  score->set_exacto_reason(std::move(reason));
}

bool IsLive(const EndpointScore& score) {
  return score.requests_30m() > 0 || score.tool_requests_2h() > 0;
}

int LiveProviders(absl::Span<EndpointScore* const> endpoints) {
  absl::flat_hash_set<absl::string_view> providers;
  for (const EndpointScore* score : endpoints) {
    if (IsLive(*score)) providers.insert(ProviderOf(score->endpoint_id()));
  }
  return static_cast<int>(providers.size());
}

std::string Missing(const EndpointScore& score, const ExactoOptions& options) {
  if (!ThroughputOf(score, options).has_value()) {
    return absl::StrCat("insufficient data: ", score.requests_30m(), " of ",
                        options.min_requests_30m, " requests in 30 minutes");
  }
  return absl::StrCat("insufficient data: ", score.tool_requests_2h(), " of ",
                      options.min_tool_requests_2h, " tool-call requests in 2 hours");
}

bool IsMeasured(const EndpointScore& score) { return score.benchmark_cases() > 0; }

bool BenchmarksCount(absl::Span<EndpointScore* const> endpoints, const ExactoOptions& options) {
  absl::flat_hash_set<absl::string_view> providers;
  for (const EndpointScore* score : endpoints) {
    if (IsMeasured(*score)) providers.insert(ProviderOf(score->endpoint_id()));
  }
  return providers.size() >= static_cast<size_t>(options.min_providers);
}

void JudgeOne(EndpointScore* score, absl::Span<const Signal> signals, bool benchmarks_count,
              const ExactoOptions& options) {
  bool enough = true;
  if (benchmarks_count && score->benchmark_low()) {
    return SetStanding(score, metrics::v1::EXACTO_TIER_DEPRIORITISED, score->benchmark_reason());
  }
  for (const Signal& signal : signals) {
    const std::optional<double> value = signal.read(*score, options);
    enough &= value.has_value();
    if (!value.has_value() || !signal.Fails(*value)) continue;
    return SetStanding(score, metrics::v1::EXACTO_TIER_DEPRIORITISED, signal.Explain(*value));
  }
  if (enough && benchmarks_count && !IsMeasured(*score)) {
    return SetStanding(score, metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA,
                       "insufficient data: no benchmark, unlike its peers");
  }
  if (!enough)
    return SetStanding(score, metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA, Missing(*score, options));
  SetStanding(score, metrics::v1::EXACTO_TIER_GOOD, "no signal is below its peers");
}

}  // namespace

absl::string_view ModelOf(absl::string_view endpoint_id) {
  return endpoint_id.substr(0, endpoint_id.find('@'));
}

absl::string_view ProviderOf(absl::string_view endpoint_id) {
  const size_t at = endpoint_id.find('@');
  if (at == absl::string_view::npos) return endpoint_id;
  const absl::string_view tag = endpoint_id.substr(at + 1);
  return tag.substr(0, tag.find('/'));
}

Spread SpreadOf(std::vector<double> values) {
  Spread spread;
  spread.median = Median(values);
  for (double& value : values) value = std::abs(value - spread.median);
  spread.sigma = kMadToSigma * Median(std::move(values));
  return spread;
}

void JudgeModel(absl::Span<EndpointScore* const> endpoints, const ExactoOptions& options) {
  const int providers = LiveProviders(endpoints);
  if (providers < options.min_providers) {
    const std::string reason = absl::StrCat("nothing is deranked: ", providers, " live providers, ",
                                            options.min_providers, " are needed to compare");
    // Not "good": peers that nobody has tried yet have no score at all and must stand as high.
    for (EndpointScore* score : endpoints)
      SetStanding(score, metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA, reason);
    return;
  }
  Signal signals[] = {{ThroughputOf, options.throughput_sigmas, options.throughput_resolution,
                       "throughput", " tok/s", 1, 0, std::nullopt},
                      {ToolSuccessOf, options.tool_success_sigmas, 0, "tool-call success", " %",
                       100, 0, std::nullopt}};
  for (Signal& signal : signals) signal.Measure(endpoints, options);
  const bool benchmarks_count = BenchmarksCount(endpoints, options);
  for (EndpointScore* score : endpoints) JudgeOne(score, signals, benchmarks_count, options);
}

void JudgeSnapshot(const ExactoOptions& options, metrics::v1::ScoreSnapshot* snapshot) {
  std::map<std::string, std::vector<EndpointScore*>> models;
  for (EndpointScore& score : *snapshot->mutable_endpoints()) {
    models[std::string(ModelOf(score.endpoint_id()))].push_back(&score);
  }
  for (auto& [model, endpoints] : models) JudgeModel(endpoints, options);
}

}  // namespace signalbox::metrics_aggregator
