#include "services/signalbox/simulate/engine.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <queue>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/rng.h"
#include "common/base/stable_hash.h"
#include "common/catalogue/catalogue.h"
#include "services/metrics-aggregator/core/estimator.h"
#include "services/metrics-aggregator/core/exacto_rule.h"
#include "services/metrics-aggregator/core/fold.h"
#include "services/metrics-aggregator/core/window.h"
#include "services/router-decision/core/filters.h"
#include "services/router-decision/core/model_choice.h"
#include "services/router-decision/core/policy.h"
#include "services/router-decision/core/snapshot.h"

namespace signalbox::simulate {
namespace {

using metrics_aggregator::EndpointWindow;
using router_decision::Ranked;
using router_decision::Ranking;
using store::BucketId;
using store::Resolution;

// Virtual time starts on a full hour.
constexpr int64_t kEpochSeconds = 1'767'225'600;  // 2026-01-01 00:00 UTC
constexpr double kDocumentedInterval = 300;
constexpr double kRefreshInterval = 10;
constexpr double kHour = 3600;
constexpr double kRefusalSeconds = 0.1;
constexpr double kShareLost = 0.1;
constexpr double kShareReturned = 0.5;
constexpr double kMicros = 1e6;
constexpr double kPicoPerMillionthUsd = 1e6;  // USD per million tokens -> pico-USD per token

absl::Time At(double seconds) {
  return absl::FromUnixSeconds(kEpochSeconds) + absl::Seconds(seconds);
}

std::string SlugOf(absl::string_view name) {
  std::string slug;
  for (char c : name) {
    if (absl::ascii_isalnum(c)) {
      slug.push_back(absl::ascii_tolower(c));
    } else if (!slug.empty() && slug.back() != '-') {
      slug.push_back('-');
    }
  }
  return slug.empty() ? "x" : slug;
}

std::string PriceText(double usd_per_million) {
  // Exact decimals of USD per token.
  const auto pico = std::llround(usd_per_million * kPicoPerMillionthUsd);
  std::string digits = absl::StrCat(pico);
  if (digits.size() < 13) digits.insert(0, 13 - digits.size(), '0');
  digits.insert(digits.size() - 12, ".");
  return digits;
}

std::shared_ptr<const catalogue::Catalogue> CatalogueOf(const std::string& model,
                                                        const std::vector<EndpointRow>& rows) {
  config::v1::Catalogue source;
  config::v1::Model& described = *source.add_models();
  described.set_id("simulated/model");
  described.set_name(model);
  for (size_t i = 0; i < rows.size(); ++i) {
    // The number keeps names apart that have one slug.
    const std::string slug = absl::StrCat(SlugOf(rows[i].provider), "-", i);
    config::v1::Provider& provider = *source.add_providers();
    provider.set_slug(slug);
    provider.set_name(rows[i].provider);
    provider.set_base_url("http://127.0.0.1:1");
    provider.set_dialect(config::v1::DIALECT_OPENAI);
    provider.set_needs_no_key(true);
    config::v1::Endpoint& endpoint = *described.add_endpoints();
    endpoint.set_tag(slug);
    endpoint.mutable_price()->set_prompt(PriceText(rows[i].price));
    endpoint.mutable_price()->set_completion(PriceText(rows[i].price));
    endpoint.set_context_length(1'000'000);
  }
  auto built = catalogue::Catalogue::Build(std::move(source));
  return *built;
}

// The state of an endpoint's world.
struct Truth {
  double tool_error = 0;
  double usual_tool_error = 0;
  double requests_per_second = 0;  // 0 = no limit
  double allowance = 0;            // requests that may pass now (a token bucket of one second)
  double allowance_at = 0;

  bool TakesRequest(double now) {
    if (requests_per_second <= 0) return true;
    const double most = std::max(1.0, requests_per_second);
    allowance = std::min(most, allowance + (now - allowance_at) * requests_per_second);
    allowance_at = now;
    if (allowance < 1) return false;
    allowance -= 1;
    return true;
  }
};

struct Pending {
  double visible = 0;
  int endpoint = 0;
  common::v1::Outcome outcome;
  bool operator<(const Pending& other) const { return visible > other.visible; }
};

struct Conversation {
  int64_t id = -1;
  int endpoint = -1;
};

class Engine {
 public:
  Engine(const std::string& model, const std::vector<EndpointRow>& rows,
         const std::vector<EndpointRow>& prior, const Policy& policy, const Scenario& scenario,
         uint64_t seed)
      : rows_(rows),
        policy_(policy),
        estimator_(policy.estimator),
        scenario_(scenario),
        seed_(StableHash(model, seed)),
        arrivals_(StableHash("arrivals", seed_)),
        draws_(StableHash("draws", seed_)),
        catalogue_(CatalogueOf(model, rows)),
        windows_(rows.size()),
        alarmed_(rows.size()),
        recent_choices_(rows.size()),
        conversations_(64) {
    result_.chosen.resize(rows.size());
    inputs_.catalogue = catalogue_;
    inputs_.policy = policy.settings;
    auto active = std::make_shared<absl::flat_hash_set<std::string>>();
    for (const config::v1::Provider* provider : catalogue_->providers())
      active->insert(provider->slug());
    inputs_.active_providers = std::move(active);
    features_.add_models("simulated/model");
    features_.set_request_class(common::v1::REQUEST_CLASS_TOOLS);
    if (policy.kind == PolicyKind::kCheapest)
      features_.mutable_provider()->set_sort(router::v1::ProviderPreferences::SORT_PRICE);
    choices_ = *router_decision::ChooseModels(*catalogue_, features_);
    for (const EndpointRow& row : rows) {
      Truth truth;
      truth.tool_error = truth.usual_tool_error = row.tool_error;
      truths_.push_back(truth);
    }
    scores_ = std::make_shared<metrics::v1::ScoreSnapshot>();
    StorePrior(prior);
    Publish(0, /*all=*/true);
  }

  RunResult Run() {
    const double end = scenario_.hours * kHour;
    double now = 0;
    size_t trace = 0;
    while (true) {
      if (scenario_.arrivals.empty()) {
        now += -std::log1p(-arrivals_.Uniform()) / scenario_.rate;
      } else if (trace < scenario_.arrivals.size()) {
        now = scenario_.arrivals[trace++];
      } else {
        break;
      }
      if (now >= end) break;
      Happen(now);
      CatchUp(now);
      Request(now);
    }
    return std::move(result_);
  }

 private:
  bool Learns() const {
    return policy_.kind == PolicyKind::kExacto || policy_.kind == PolicyKind::kDocumented ||
           policy_.kind == PolicyKind::kSuccess;
  }
  bool IsDocumented() const {
    return policy_.kind == PolicyKind::kDocumented || policy_.kind == PolicyKind::kSuccess;
  }

  // What an operator's Redis would still hold of the days before: hour buckets.
  void StorePrior(const std::vector<EndpointRow>& prior) {
    constexpr int kHours = 24;
    const double last = -scenario_.prior_age_hours * kHour;
    for (const EndpointRow& row : prior) {
      const auto same = std::find_if(rows_.begin(), rows_.end(), [&](const EndpointRow& r) {
        return r.provider == row.provider;
      });
      if (same == rows_.end()) continue;
      const auto endpoint = static_cast<size_t>(same - rows_.begin());
      int64_t all_before = 0;
      int64_t bad_before = 0;
      for (int hour = 0; hour < kHours; ++hour) {
        const auto all = static_cast<int64_t>(scenario_.prior_outcomes * (hour + 1) / kHours);
        const int64_t bad = std::llround(static_cast<double>(all) * row.tool_error);
        store::WindowCounts counts;
        counts[store::Count::kRequests] = counts[store::Count::kOk] =
            counts[store::Count::kToolRequests] = all - all_before;
        counts[store::Count::kToolBad] = bad - bad_before;
        all_before = all;
        bad_before = bad;
        windows_[endpoint].Add(BucketId::At(Resolution::kHour, At(last - (kHours - hour) * kHour)),
                               counts);
      }
    }
  }

  // Events up to now.
  void Happen(double now) {
    while (next_event_ < scenario_.events.size() &&
           scenario_.events[next_event_].at_seconds <= now) {
      Apply(scenario_.events[next_event_++]);
    }
    if (!scenario_.break_favourite) return;
    const double break_at = scenario_.hours * kHour / 2;
    if (!result_.broke && now >= break_at) Break(now);
    if (broken_ >= 0 && !recovered_ && now >= break_at + scenario_.break_seconds) {
      recovered_ = true;
      truths_[static_cast<size_t>(broken_)].tool_error =
          truths_[static_cast<size_t>(broken_)].usual_tool_error;
      recovered_at_ = now;
    }
  }

  void Apply(const Event& event) {
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].provider != event.provider) continue;
      truths_[i].tool_error =
          event.tool_error >= 0 ? event.tool_error : truths_[i].usual_tool_error;
      truths_[i].requests_per_second = event.requests_per_second;
    }
  }

  void Break(double now) {
    result_.broke = true;
    broken_ = static_cast<int>(std::max_element(recent_choices_.begin(), recent_choices_.end()) -
                               recent_choices_.begin());
    truths_[static_cast<size_t>(broken_)].tool_error = scenario_.break_error;
    broke_at_ = now;
    share_before_ = last_share_of_favourite_;
  }

  // Brings outcomes that have become visible into the buckets, and scores up to date. Publications
  // happen on full seconds.
  void CatchUp(double now) {
    if (!Learns()) return;
    const double tick = std::floor(now);
    while (!pending_.empty() && pending_.top().visible <= tick) {
      const Pending& next = pending_.top();
      Count(next);
      pending_.pop();
    }
    const double interval = IsDocumented() ? kDocumentedInterval : kRefreshInterval;
    const bool due = tick - refreshed_at_ >= interval;
    if (due || (!IsDocumented() && dirty_)) Publish(tick, due);
  }

  void Count(const Pending& pending) {
    const absl::Time time = At(pending.visible);
    const store::WindowCounts counts = metrics_aggregator::Fold(pending.outcome);
    EndpointWindow& window = windows_[static_cast<size_t>(pending.endpoint)];
    for (Resolution resolution : store::kResolutions)
      window.Add(BucketId::At(resolution, time), counts);
    changed_.push_back(pending.endpoint);
    dirty_ = true;
    ++result_.outcomes;
  }

  void Publish(double tick, bool all) {
    if (scores_->endpoints().empty()) {
      for (const catalogue::Endpoint& endpoint : catalogue_->endpoints())
        scores_->add_endpoints()->set_endpoint_id(endpoint.id);
      *scores_->mutable_tool_error_prior() = metrics_aggregator::PriorOf(estimator_.tools);
      *scores_->mutable_failure_prior() = metrics_aggregator::PriorOf(estimator_.failures);
    }
    if (all) {
      for (size_t i = 0; i < rows_.size(); ++i) Rescore(static_cast<int>(i), tick);
      refreshed_at_ = tick;
    } else {
      for (int endpoint : changed_) Rescore(endpoint, tick);
    }
    changed_.clear();
    dirty_ = false;
    if (IsDocumented())
      metrics_aggregator::JudgeSnapshot(metrics_aggregator::ExactoOptions(), scores_.get());
    scores_->set_version(scores_->version() + 1);
    scores_->set_computed_unix_ms(absl::ToUnixMillis(At(tick)));
    inputs_.scores = scores_;
    snapshot_ = std::make_shared<const router_decision::Snapshot>(inputs_, snapshot_.get());
  }

  void Rescore(int endpoint, double tick) {
    EndpointWindow& window = windows_[static_cast<size_t>(endpoint)];
    window.Trim(At(tick));
    metrics::v1::EndpointScore& score = *scores_->mutable_endpoints(endpoint);
    score = metrics_aggregator::Estimate(score.endpoint_id(), window, At(tick), estimator_);
    const bool alarmed = score.tool_alarm_unix_ms() > 0;
    if (alarmed && !alarmed_[static_cast<size_t>(endpoint)] &&
        truths_[static_cast<size_t>(endpoint)].tool_error ==
            truths_[static_cast<size_t>(endpoint)].usual_tool_error &&
        endpoint != broken_) {
      ++result_.false_alarms;
    }
    alarmed_[static_cast<size_t>(endpoint)] = alarmed;
  }

  // Candidates in the order in which the request tries them.
  std::vector<int> Order(double now, Conversation* conversation) {
    if (policy_.kind == PolicyKind::kOracle) return OracleOrder();
    features_.set_session_key(conversation != nullptr ? absl::StrCat(seed_, "/", conversation->id)
                                                      : "");
    const router_decision::RequestFilters filters(features_);
    const Ranking ranking =
        router_decision::Rank(*snapshot_, features_, filters, choices_, At(now), draws_);
    std::vector<int> order;
    int kept = -1;
    for (const Ranked& ranked : ranking.candidates) {
      const int endpoint = ranked.facts->endpoint->index;
      order.push_back(endpoint);
      if (endpoint == broken_) WatchShare(ranked.share, now);
      if (broken_ < 0 && endpoint == favourite_) last_share_of_favourite_ = ranked.share;
      if (conversation != nullptr && endpoint == conversation->endpoint &&
          !router_decision::ConversationsLeave(ranked, true, policy_.settings)) {
        kept = endpoint;
      }
    }
    if (policy_.kind == PolicyKind::kSuccess) SortBySuccess(&order);
    if (kept >= 0) {
      const auto at = std::find(order.begin(), order.end(), kept);
      std::rotate(order.begin(), at, at + 1);
    }
    return order;
  }

  std::vector<int> OracleOrder() const {
    std::vector<int> order(rows_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return truths_[static_cast<size_t>(a)].tool_error <
             truths_[static_cast<size_t>(b)].tool_error;
    });
    return order;
  }

  void SortBySuccess(std::vector<int>* order) const {
    const auto key = [&](int endpoint) {
      const metrics::v1::EndpointScore& score = scores_->endpoints(endpoint);
      const double error = score.tool_requests_2h() > 0
                               ? static_cast<double>(score.tool_failures_2h()) /
                                     static_cast<double>(score.tool_requests_2h())
                               : 1;
      return std::make_pair(static_cast<int>(score.exacto_tier()),
                            score.exacto_tier() == metrics::v1::EXACTO_TIER_GOOD ? error : 0);
    };
    std::stable_sort(order->begin(), order->end(), [&](int a, int b) { return key(a) < key(b); });
  }

  void WatchShare(double share, double now) {
    if (policy_.kind == PolicyKind::kSuccess) return;
    if (!result_.reaction_seconds.has_value()) {
      if (share < kShareLost && !recovered_) result_.reaction_seconds = now - broke_at_;
    } else if (recovered_ && !result_.return_seconds.has_value() &&
               share >= kShareReturned * share_before_) {
      result_.return_seconds = now - recovered_at_;
    }
  }

  // The conversation the request is a turn of; nullptr = none.
  Conversation* PickConversation() {
    if (draws_.Uniform() >= scenario_.conversation_share) return nullptr;
    Conversation& conversation = conversations_[draws_.Below(conversations_.size())];
    if (conversation.id < 0 || draws_.Uniform() * scenario_.conversation_turns < 1)
      conversation = {next_conversation_++, -1};
    return &conversation;
  }

  // The same for every policy: luck belongs to request, endpoint and try.
  double Luck(absl::string_view what, int endpoint = 0) const {
    uint64_t hash = StableHash(what, seed_ ^ static_cast<uint64_t>(result_.requests));
    hash = (hash ^ static_cast<uint64_t>(endpoint + 1) * 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9;
    hash ^= hash >> 31;
    hash *= 0x94D049BB133111EB;
    return static_cast<double>((hash ^ (hash >> 29)) >> 11) * 0x1.0p-53;
  }

  double Tokens() const {
    const double radius = std::sqrt(-2 * std::log1p(-Luck("radius")));
    const double normal = radius * std::cos(2 * M_PI * Luck("angle"));
    return std::max(1.0, scenario_.median_tokens * std::exp(scenario_.sigma_tokens * normal));
  }

  void Request(double now) {
    Conversation* conversation = scenario_.conversation_share > 0 ? PickConversation() : nullptr;
    const std::vector<int> order = Order(now, conversation);
    const double tokens = Tokens();
    const bool inherent = Luck("inherent") < scenario_.inherent_failures;
    double start = now;
    int tries = 0;
    bool bad = false;
    bool failed = false;  // an earlier attempt
    int served = -1;
    for (int endpoint : order) {
      Truth& truth = truths_[static_cast<size_t>(endpoint)];
      if (!truth.TakesRequest(start)) {
        Report(endpoint, start, start + kRefusalSeconds, 0, Answer::kLimited, failed);
        continue;
      }
      failed = bad;
      // What fails by the prompt fails everywhere once it has failed.
      bad = Luck("call", endpoint) < truth.tool_error || (failed && inherent);
      served = endpoint;
      const EndpointRow& row = rows_[static_cast<size_t>(endpoint)];
      const double end = start + row.latency_ms / 1000 + tokens / row.throughput_tps;
      Report(endpoint, start, end, tokens, bad ? Answer::kBroken : Answer::kValid, failed);
      ++result_.attempts;
      result_.spent += row.price * tokens;
      if (!bad || !policy_.guard || ++tries > scenario_.max_reissues) break;
      start = end;
    }
    if (served < 0) return;  // all limited: nobody answers, and no policy is to blame
    Deliver(now, served, bad, tokens, conversation);
  }

  void Deliver(double now, int endpoint, bool bad, double tokens, Conversation* conversation) {
    ++result_.requests;
    if (bad) ++result_.errors;
    const auto part = static_cast<size_t>(now / (scenario_.hours * kHour) * kParts);
    ++result_.parts[part].requests;
    if (bad) ++result_.parts[part].errors;
    if (bad && broken_ == endpoint && !recovered_) ++result_.failed_in_break;
    result_.price += rows_[static_cast<size_t>(endpoint)].price * tokens;
    ++result_.chosen[static_cast<size_t>(endpoint)];
    // Recent choices fade with some hundred requests.
    for (double& choices : recent_choices_) choices *= 0.995;
    recent_choices_[static_cast<size_t>(endpoint)] += 1;
    favourite_ = static_cast<int>(std::max_element(recent_choices_.begin(), recent_choices_.end()) -
                                  recent_choices_.begin());
    if (conversation == nullptr) return;
    if (conversation->endpoint >= 0) {
      ++result_.turns;
      if (conversation->endpoint != endpoint) ++result_.moved;
    }
    conversation->endpoint = endpoint;
  }

  enum class Answer { kValid, kBroken, kLimited };

  void Report(int endpoint, double start, double end, double tokens, Answer answer, bool reissued) {
    if (!Learns()) return;
    Pending pending;
    pending.visible = end + scenario_.pipeline_seconds;
    pending.endpoint = endpoint;
    common::v1::Outcome& outcome = pending.outcome;
    outcome.set_request_class(common::v1::REQUEST_CLASS_TOOLS);
    outcome.set_reissued(reissued);
    if (answer == Answer::kLimited) {
      outcome.set_failure(common::v1::REASON_PROVIDER_RATE_LIMITED);
    } else {
      outcome.set_ttft_us(
          static_cast<int64_t>(rows_[static_cast<size_t>(endpoint)].latency_ms * 1000));
      outcome.set_duration_us(static_cast<int64_t>((end - start) * kMicros));
      outcome.set_completion_tokens(static_cast<int64_t>(tokens));
      outcome.set_finished_with_tool_calls(true);
      outcome.set_tool_call_verdict(answer == Answer::kBroken
                                        ? common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH
                                        : common::v1::TOOL_CALL_VERDICT_VALID);
    }
    pending_.push(std::move(pending));
  }

  const std::vector<EndpointRow>& rows_;
  const Policy& policy_;
  const metrics_aggregator::EstimatorOptions& estimator_;
  const Scenario& scenario_;
  const uint64_t seed_;
  Rng arrivals_;
  Rng draws_;
  const std::shared_ptr<const catalogue::Catalogue> catalogue_;
  router::v1::RequestFeatures features_;
  router_decision::ModelChoices choices_;
  router_decision::Snapshot::Inputs inputs_;
  // Changed in place: the snapshot made of it is replaced with every change.
  std::shared_ptr<metrics::v1::ScoreSnapshot> scores_;
  std::shared_ptr<const router_decision::Snapshot> snapshot_;
  std::vector<EndpointWindow> windows_;
  std::vector<Truth> truths_;
  std::vector<bool> alarmed_;
  std::vector<double> recent_choices_;
  std::vector<Conversation> conversations_;
  std::priority_queue<Pending> pending_;
  std::vector<int> changed_;
  size_t next_event_ = 0;
  int64_t next_conversation_ = 0;
  double refreshed_at_ = 0;
  bool dirty_ = false;
  int favourite_ = -1;
  int broken_ = -1;
  bool recovered_ = false;
  double broke_at_ = 0;
  double recovered_at_ = 0;
  double share_before_ = 0;
  double last_share_of_favourite_ = 0;
  RunResult result_;
};

}  // namespace

RunResult Simulate(const std::string& model, const std::vector<EndpointRow>& endpoints,
                   const std::vector<EndpointRow>& prior, const Policy& policy,
                   const Scenario& scenario, uint64_t seed) {
  return Engine(model, endpoints, prior, policy, scenario, seed).Run();
}

}  // namespace signalbox::simulate
