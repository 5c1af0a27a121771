#include "services/router-decision/core/snapshot.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace signalbox::router_decision {
namespace {

using metrics::v1::EndpointScore;

constexpr absl::string_view kQuantizations[] = {"int4",  "int8", "fp4",  "mxfp4",
                                                "nvfp4", "fp6",  "fp8",  "mxfp8",
                                                "fp16",  "bf16", "fp32", "unknown"};

// An endpoint that costs nothing is drawn as if it cost this: it beats every priced one, and
// several share evenly.
constexpr double kLowestPricePico = 1;

int64_t OrderPrice(const common::v1::Pricing& pricing, double completion_weight) {
  return std::llround((1 - completion_weight) * static_cast<double>(pricing.prompt_pico()) +
                      completion_weight * static_cast<double>(pricing.completion_pico()));
}

void JoinScore(const EndpointScore& score, EndpointFacts& facts) {
  facts.score = &score;
  facts.throughput_tps = score.throughput_tps().p50();
  facts.ttft_ms = score.ttft_ms().p50();
  facts.last_outage_unix_ms = score.last_outage_unix_ms();
  if (score.exacto_tier() != metrics::v1::EXACTO_TIER_UNSPECIFIED)
    facts.exacto_tier = score.exacto_tier();
}

EndpointFacts FactsOf(const catalogue::Endpoint& endpoint, const PolicySettings& policy) {
  EndpointFacts facts;
  facts.endpoint = &endpoint;
  facts.free = endpoint.config->free();
  facts.supports_tools = endpoint.SupportsParameter("tools");
  facts.supports_response_format = endpoint.SupportsParameter("response_format") ||
                                   endpoint.SupportsParameter("structured_outputs");
  facts.supports_verbosity = endpoint.SupportsParameter("verbosity");
  facts.quantization_bit = QuantizationBit(endpoint.quantization);
  facts.order_price_pico = OrderPrice(endpoint.pricing, policy.completion_weight);
  const double price = std::max(static_cast<double>(facts.order_price_pico), kLowestPricePico);
  facts.draw_weight = std::pow(price, -policy.price_exponent);
  return facts;
}

bool IsNewer(const metrics::v1::ScoreSnapshot& now, const metrics::v1::ScoreSnapshot* before) {
  return before == nullptr || now.version() > before->version() ||
         now.computed_unix_ms() > before->computed_unix_ms();
}

}  // namespace

uint32_t QuantizationBit(absl::string_view name) {
  const auto* found = std::find(std::begin(kQuantizations), std::end(kQuantizations), name);
  return found == std::end(kQuantizations) ? 0
                                           : uint32_t{1} << (found - std::begin(kQuantizations));
}

uint32_t QuantizationsCoveredBy(absl::string_view name) {
  uint32_t bits = QuantizationBit(name);
  if (name == "fp4") bits |= QuantizationBit("mxfp4") | QuantizationBit("nvfp4");
  if (name == "fp8") bits |= QuantizationBit("mxfp8");
  return bits;
}

Snapshot::Snapshot(Inputs inputs) : inputs_(std::move(inputs)) {
  if (inputs_.catalogue == nullptr) return;
  absl::flat_hash_map<absl::string_view, const EndpointScore*> scores;
  if (inputs_.scores != nullptr) {
    for (const EndpointScore& score : inputs_.scores->endpoints())
      scores.emplace(score.endpoint_id(), &score);
  }
  facts_.reserve(inputs_.catalogue->endpoints().size());
  for (const catalogue::Endpoint& endpoint : inputs_.catalogue->endpoints()) {
    EndpointFacts& facts = facts_.emplace_back(FactsOf(endpoint, inputs_.policy));
    facts.active = inputs_.active_providers != nullptr &&
                   inputs_.active_providers->contains(endpoint.provider->slug());
    if (const auto score = scores.find(endpoint.id); score != scores.end())
      JoinScore(*score->second, facts);
  }
}

absl::Duration Snapshot::Age(absl::Time now) const {
  if (inputs_.scores == nullptr) return absl::ZeroDuration();
  return std::max(absl::ZeroDuration(),
                  now - absl::FromUnixMillis(inputs_.scores->computed_unix_ms()));
}

SnapshotHolder::SnapshotHolder() : current_(std::make_shared<Snapshot>(Snapshot::Inputs())) {}

void SnapshotHolder::SetCatalogue(std::shared_ptr<const catalogue::Catalogue> catalogue) {
  absl::MutexLock lock(&inputs_mutex_);
  inputs_.catalogue = std::move(catalogue);
  Publish();
}

void SnapshotHolder::SetScores(std::shared_ptr<const metrics::v1::ScoreSnapshot> scores) {
  absl::MutexLock lock(&inputs_mutex_);
  if (scores == nullptr || !IsNewer(*scores, inputs_.scores.get())) return;
  inputs_.scores = std::move(scores);
  Publish();
}

void SnapshotHolder::SetActiveProviders(absl::flat_hash_set<std::string> slugs) {
  absl::MutexLock lock(&inputs_mutex_);
  if (inputs_.active_providers != nullptr && *inputs_.active_providers == slugs) return;
  inputs_.active_providers =
      std::make_shared<const absl::flat_hash_set<std::string>>(std::move(slugs));
  Publish();
}

void SnapshotHolder::SetPolicy(const PolicySettings& policy) {
  absl::MutexLock lock(&inputs_mutex_);
  inputs_.policy = policy;
  Publish();
}

std::shared_ptr<const Snapshot> SnapshotHolder::Get() const {
  absl::MutexLock lock(&current_mutex_);
  return current_;
}

void SnapshotHolder::Publish() {
  auto next = std::make_shared<const Snapshot>(inputs_);
  absl::MutexLock lock(&current_mutex_);
  current_.swap(next);  // the old one dies outside, when `next` goes
}

}  // namespace signalbox::router_decision
