#include "services/metrics-aggregator/flusher.h"

#include "services/metrics-aggregator/core/window.h"

namespace signalbox::metrics_aggregator {
namespace {

constexpr int kAppliesAtOnce = 64;

using store::BucketId;
using store::Resolution;
using store::WindowDelta;
using store::WindowStore;

// Bounds the length of one script after a long absence of the store: 5 minutes of buckets.
constexpr size_t kMaxBucketsPerApply = 30;
constexpr size_t kMaxEndpointsPerTouch = 500;

WindowDelta TakeFirst(WindowDelta* waiting) {
  WindowDelta first;
  while (!waiting->empty() && first.size() < kMaxBucketsPerApply)
    first.insert(waiting->extract(waiting->begin()));
  return first;
}

}  // namespace

struct Flusher::Round {
  struct Claim {
    size_t unknown = 0;  // sequences without an answer
    size_t owned = 0;
    size_t foreign = 0;
  };
  std::deque<Group> groups;
  std::vector<Claim> claims;  // of the group at the same place
  size_t calls = 0;
};

Flusher::Flusher(WindowStore& store, std::string owner, Batches& batches, const Clock& clock,
                 const AggregatorMetrics& metrics)
    : store_(store),
      owner_(std::move(owner)),
      batches_(batches),
      clock_(clock),
      metrics_(metrics) {}

bool Flusher::idle() const {
  return calls_ == 0 && batches_.empty() && outlets_.empty() && touched_.empty() && late_.empty();
}

void Flusher::Tick() {
  metrics_.pending_entries.Set(static_cast<double>(batches_.entries()));
  if (calls_ > 0 || idle()) return;
  started_ = clock_.Monotonic();
  ++calls_;  // the round itself, so that it cannot end while it is being started
  if (!batches_.empty()) {
    ClaimAll();
  } else {
    ApplyAll();
  }
  FinishCall();
}

void Flusher::ClaimAll() {
  auto round = std::make_shared<Round>();
  round->groups = batches_.TakeAll();
  round->claims.resize(round->groups.size());
  std::map<std::pair<std::string, uint64_t>, std::vector<std::pair<size_t, uint64_t>>> asked_by_key;
  for (size_t i = 0; i < round->groups.size(); ++i) {
    round->claims[i].unknown = round->groups[i].sequences.size();
    for (uint64_t sequence : round->groups[i].sequences) {
      asked_by_key[{round->groups[i].reporter, sequence / WindowStore::kClaimBlock}].emplace_back(
          i, sequence);
    }
  }
  round->calls = asked_by_key.size();
  for (auto& [key, asked] : asked_by_key) {
    std::vector<uint64_t> sequences;
    for (const auto& [group, sequence] : asked) sequences.push_back(sequence);
    ++calls_;
    store_.Claim(
        key.first, owner_, sequences,
        [this, alive = std::weak_ptr<bool>(alive_), round, asked = asked](const auto& claims) {
          if (alive.expired()) return;
          OnClaimed(*round, asked, claims);
          FinishCall();
        });
  }
}

void Flusher::OnClaimed(Round& round, const std::vector<std::pair<size_t, uint64_t>>& asked,
                        const absl::StatusOr<WindowStore::Claims>& claims) {
  if (claims.ok()) {
    store_epoch_ = claims->now - clock_.Monotonic();
    for (size_t i = 0; i < asked.size(); ++i) {
      Round::Claim& claim = round.claims[asked[i].first];
      --claim.unknown;
      ++(claims->owned[i] ? claim.owned : claim.foreign);
    }
  } else {
    metrics_.flush_failures.Add();
  }
  if (--round.calls == 0) Settle(round);
}

void Flusher::Settle(Round& round) {
  std::deque<Group> unknown;
  for (size_t i = 0; i < round.groups.size(); ++i) {
    const Round::Claim& claim = round.claims[i];
    if (claim.unknown > 0) {
      unknown.push_back(std::move(round.groups[i]));
    } else if (claim.foreign == 0) {
      Enqueue(round.groups[i]);
    } else {
      metrics_.batches_duplicate.Add(static_cast<double>(claim.foreign));
      if (claim.owned > 0)
        metrics_.outcomes_dropped.Add(static_cast<double>(round.groups[i].outcomes));
    }
  }
  batches_.GiveBack(std::move(unknown));
  ApplyAll();
}

void Flusher::Enqueue(const Group& group) {
  for (const auto& [received, deltas] : group.received) {
    const int64_t bucket = BucketId::At(Resolution::kTenSeconds, store_epoch_ + received).index;
    for (const auto& [endpoint, counts] : deltas) outlets_[endpoint].waiting[bucket].Add(counts);
  }
}

void Flusher::ApplyAll() {
  to_apply_.clear();
  for (const auto& [endpoint, outlet] : outlets_) {
    if (!outlet.in_flight) to_apply_.push_back(endpoint);
  }
  ApplyNext();
}

void Flusher::ApplyNext() {
  if (applying_next_) return;  // the store answered inside the call
  applying_next_ = true;
  while (!to_apply_.empty() && applies_ < kAppliesAtOnce) {
    const auto found = outlets_.find(to_apply_.front());
    to_apply_.pop_front();
    if (found != outlets_.end() && !found->second.in_flight) Apply(found->first, found->second);
  }
  applying_next_ = false;
}

void Flusher::Apply(const std::string& endpoint, Outlet& outlet) {
  if (outlet.sending.empty()) {
    outlet.sending = TakeFirst(&outlet.waiting);
    outlet.number = ++last_number_;
  }
  outlet.in_flight = true;
  ++calls_;
  ++applies_;
  store_.Apply(endpoint, owner_, outlet.number, outlet.sending,
               [this, alive = std::weak_ptr<bool>(alive_), endpoint](const absl::Status& status) {
                 if (alive.expired()) return;
                 --applies_;
                 OnApplied(endpoint, status);
                 if (!status.ok()) to_apply_.clear();  // the next round tries all again
                 ApplyNext();
                 FinishCall();
               });
}

void Flusher::OnApplied(const std::string& endpoint, const absl::Status& status) {
  const auto found = outlets_.find(endpoint);
  Outlet& outlet = found->second;
  outlet.in_flight = false;
  if (!status.ok()) return metrics_.flush_failures.Add();
  const absl::Time oldest = BucketId{Resolution::kTenSeconds, outlet.sending.begin()->first}.end();
  const bool late = store_epoch_ + clock_.Monotonic() - oldest > kLateAfter / 2;
  (late ? late_ : touched_).insert(endpoint);
  outlet.sending.clear();
  if (!outlet.waiting.empty()) return Apply(endpoint, outlet);
  outlets_.erase(found);
}

void Flusher::TouchAll() {
  Touch(touched_, /*late=*/false);
  Touch(late_, /*late=*/true);
}

void Flusher::Touch(std::set<std::string>& endpoints, bool late) {
  auto from = endpoints.begin();
  while (from != endpoints.end()) {
    std::vector<std::string> some;
    while (from != endpoints.end() && some.size() < kMaxEndpointsPerTouch) some.push_back(*from++);
    ++calls_;
    store_.Touch(
        some, late,
        [this, alive = std::weak_ptr<bool>(alive_), some, late](const absl::Status& status) {
          if (alive.expired()) return;
          if (status.ok()) {
            for (const std::string& endpoint : some) (late ? late_ : touched_).erase(endpoint);
          } else {
            metrics_.flush_failures.Add();
          }
          --calls_;
          if (calls_ == 0)
            metrics_.flush_seconds.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - started_));
        });
  }
}

// The last answer of a round's claims and applies: now the readers are told.
void Flusher::FinishCall() {
  if (--calls_ > 0) return;
  if (touched_.empty() && late_.empty()) {
    metrics_.flush_seconds.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - started_));
    return;
  }
  TouchAll();
}

}  // namespace signalbox::metrics_aggregator
