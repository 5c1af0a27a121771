#include "services/router-decision/core/snapshot.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"

namespace signalbox::router_decision {
namespace {

using metrics::v1::EndpointScore;

constexpr absl::string_view kQuantizations[] = {"int4",  "int8", "fp4",  "mxfp4",
                                                "nvfp4", "fp6",  "fp8",  "mxfp8",
                                                "fp16",  "bf16", "fp32", "unknown"};

// An endpoint that costs nothing is drawn as if it cost this: it beats every priced one, and
// several share evenly.
constexpr double kLowestPricePico = 1;

// Uptime tiers (OpenRouter, "For providers" section 10).
constexpr int64_t kLeastAttempts = 100;
constexpr double kNormalUptime = 0.95;
constexpr double kDegradedUptime = 0.8;

int64_t OrderPrice(const common::v1::Pricing& pricing, double completion_weight) {
  return std::llround((1 - completion_weight) * static_cast<double>(pricing.prompt_pico()) +
                      completion_weight * static_cast<double>(pricing.completion_pico()));
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
  facts.list_price_pico = OrderPrice(endpoint.pricing, policy.completion_weight);
  return facts;
}

// 1 / price^exponent.
double PriceWeight(double price, const PolicySettings& policy) {
  return std::pow(std::max(price, kLowestPricePico), -policy.price_exponent);
}

UptimeTier UptimeOf(const EndpointScore& score) {
  const bool recent = score.attempts_30m() >= kLeastAttempts;
  const int64_t attempts = recent ? score.attempts_30m() : score.attempts_1d();
  if (attempts < kLeastAttempts) return UptimeTier::kNormal;
  const int64_t failures = recent ? score.failures_30m() : score.failures_1d();
  const double uptime = 1 - static_cast<double>(failures) / static_cast<double>(attempts);
  if (uptime >= kNormalUptime) return UptimeTier::kNormal;
  return uptime >= kDegradedUptime ? UptimeTier::kDegraded : UptimeTier::kFallbackOnly;
}

// Takes over what the score says by itself; nullptr: none was published.
void JoinScore(const EndpointScore* score, const metrics::v1::ScoreSnapshot* scores,
               const PolicySettings& policy, EndpointFacts& facts) {
  static const EndpointScore* const kNone = new EndpointScore();
  const EndpointScore& known = score != nullptr ? *score : *kNone;
  facts.score = score;
  facts.throughput_tps = known.throughput_tps().p50();
  facts.ttft_ms = known.ttft_ms().p50();
  facts.last_outage_unix_ms = known.last_outage_unix_ms();
  facts.circuit_open_until_unix_ms = known.circuit_open_until_unix_ms();
  facts.exacto_tier = known.exacto_tier() != metrics::v1::EXACTO_TIER_UNSPECIFIED
                          ? known.exacto_tier()
                          : metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA;
  facts.uptime = UptimeOf(known);
  facts.standing = StandingOf(score, scores, static_cast<double>(facts.list_price_pico), policy);
  facts.order_price_pico = std::llround(facts.standing.price);
}

double Median(absl::InlinedVector<double, 32> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
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

Snapshot::Snapshot(Inputs inputs, const Snapshot* previous) : inputs_(std::move(inputs)) {
  if (inputs_.catalogue == nullptr) return;
  if (previous != nullptr && (previous->inputs_.catalogue != inputs_.catalogue ||
                              previous->inputs_.policy_version != inputs_.policy_version)) {
    previous = nullptr;
  }
  if (previous != nullptr) {
    facts_ = previous->facts_;
  } else {
    facts_.reserve(inputs_.catalogue->endpoints().size());
    for (const catalogue::Endpoint& endpoint : inputs_.catalogue->endpoints())
      facts_.push_back(FactsOf(endpoint, inputs_.policy));
  }
  JoinScores();
  for (const config::v1::Model& model : inputs_.catalogue->source().models())
    Compare(inputs_.catalogue->EndpointsOf(model.id()), previous);
}

void Snapshot::JoinScores() {
  absl::flat_hash_map<absl::string_view, const EndpointScore*> scores;
  if (inputs_.scores != nullptr) {
    for (const EndpointScore& score : inputs_.scores->endpoints())
      scores.emplace(score.endpoint_id(), &score);
  }
  for (EndpointFacts& facts : facts_) {
    const catalogue::Endpoint& endpoint = *facts.endpoint;
    facts.active = inputs_.active_providers != nullptr &&
                   inputs_.active_providers->contains(endpoint.provider->slug());
    const auto score = scores.find(endpoint.id);
    JoinScore(score != scores.end() ? score->second : nullptr, inputs_.scores.get(), inputs_.policy,
              facts);
  }
}

// Sets what depends on a model's other endpoints. Only active ones are compared with.
void Snapshot::Compare(absl::Span<const catalogue::Endpoint* const> endpoints,
                       const Snapshot* previous) {
  const PolicySettings& policy = inputs_.policy;
  absl::InlinedVector<EndpointFacts*, 32> live;
  absl::InlinedVector<double, 32> speeds;
  Peers peers;
  const EndpointFacts* best = nullptr;
  for (const catalogue::Endpoint* endpoint : endpoints) {
    EndpointFacts& facts = facts_[static_cast<size_t>(endpoint->index)];
    facts.scores = nullptr;
    if (!facts.active) continue;
    live.push_back(&facts);
    if (facts.throughput_tps > 0) speeds.push_back(facts.throughput_tps);
    if (facts.standing.price > 0 &&
        (peers.lowest_price == 0 || facts.standing.price < peers.lowest_price))
      peers.lowest_price = facts.standing.price;
    if (best == nullptr || facts.standing.tool_error < best->standing.tool_error) best = &facts;
  }
  if (live.empty()) return;
  peers.median_tps = Median(std::move(speeds));
  auto scores = std::make_shared<ModelScores>();
  for (EndpointFacts* facts : live) {
    facts->seat = static_cast<int>(scores->exacto_tickets.size());
    facts->clearly_worse = ClearlyWorse(facts->standing, best->standing);
    scores->auto_exacto_tickets.push_back(
        TicketOf(facts->standing, peers, policy.auto_exacto_weights, policy.certainty));
    scores->exacto_tickets.push_back(
        TicketOf(facts->standing, peers, policy.exacto_weights, policy.certainty));
    for (bool tools : {false, true}) {
      auto& priced = tools ? facts->tools : facts->plain;
      priced.adjusted_price = AdjustedPrice(facts->standing, peers, policy.adjusted_price, tools);
      priced.weight = PriceWeight(priced.adjusted_price, policy);
    }
  }
  std::shared_ptr<const ModelScores> before;
  if (previous != nullptr)
    before = previous->facts_[static_cast<size_t>(live[0]->endpoint->index)].scores;
  if (before != nullptr && before->auto_exacto_tickets == scores->auto_exacto_tickets &&
      before->exacto_tickets == scores->exacto_tickets) {
    for (EndpointFacts* facts : live) facts->scores = before;
    return;
  }
  if (!policy.documented_exacto) scores->auto_exacto = Lottery(scores->auto_exacto_tickets);
  for (EndpointFacts* facts : live) facts->scores = scores;
}

absl::Duration Snapshot::Age(absl::Time now) const {
  if (inputs_.scores == nullptr) return absl::ZeroDuration();
  return std::max(absl::ZeroDuration(),
                  now - absl::FromUnixMillis(inputs_.scores->computed_unix_ms()));
}

SnapshotHolder::SnapshotHolder()
    : current_(std::make_shared<Snapshot>(Snapshot::Inputs(), nullptr)) {}

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
  ++inputs_.policy_version;
  Publish();
}

std::shared_ptr<const Snapshot> SnapshotHolder::Get() const {
  absl::MutexLock lock(&current_mutex_);
  return current_;
}

void SnapshotHolder::Publish() {
  auto next = std::make_shared<const Snapshot>(inputs_, Get().get());
  absl::MutexLock lock(&current_mutex_);
  current_.swap(next);  // the old one dies outside, when `next` goes
}

}  // namespace signalbox::router_decision
