#include "services/ingress/core/decision_cache.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/base/rendezvous.h"

namespace signalbox::ingress {
namespace {

using router::v1::Candidate;
using router::v1::DecideResponse;
using router::v1::RequestFeatures;

int64_t NextPowerOfTwo(int64_t value) {
  int64_t power = 1;
  while (power < value) power *= 2;
  return power;
}

bool Fits(int32_t context_length, const RequestFeatures& features) {
  return context_length == 0 || features.prompt_tokens() + features.max_tokens() <= context_length;
}

// Brings the one that rings first to the front of its group. The one drawn before goes back to its
// place by weight; the others stay as they are.
template <typename Ring>
void DrawFirst(CandidateOrder::iterator begin, CandidateOrder::iterator end, Ring ring) {
  auto first = end;
  double earliest = std::numeric_limits<double>::infinity();
  for (auto it = begin; it != end; ++it) {
    if ((*it)->draw_weight() <= 0) continue;
    const double time = ring(**it);
    if (time >= earliest) continue;
    earliest = time;
    first = it;
  }
  if (first == end || first == begin) return;
  const double weight = (*begin)->draw_weight();
  std::rotate(begin, first, first + 1);
  const auto place = std::find_if(
      begin + 2, end, [weight](const Candidate* c) { return c->draw_weight() <= weight; });
  std::rotate(begin + 1, begin + 2, place);
}

}  // namespace

std::string DecisionCache::KeyOf(RequestFeatures* features) {
  const int64_t prompt_tokens = features->prompt_tokens();
  std::string session = std::move(*features->mutable_session_key());
  features->set_prompt_tokens(NextPowerOfTwo(prompt_tokens));
  features->clear_session_key();
  std::string key = features->SerializeAsString();
  features->set_prompt_tokens(prompt_tokens);
  features->set_session_key(std::move(session));
  return key;
}

void DecisionCache::Put(const std::string& key, Decision decision, absl::Duration now) {
  decisions_.Put(key, {decision, now + absl::Milliseconds(decision->valid_for_ms())});
}

Decision DecisionCache::Reusable(const std::string& key, absl::Duration now) {
  const Entry* entry = decisions_.Find(key);
  return entry != nullptr && now < entry->valid_until ? entry->decision : nullptr;
}

Decision DecisionCache::Last(const std::string& key) {
  const Entry* entry = decisions_.Find(key);
  return entry != nullptr ? entry->decision : nullptr;
}

CandidateOrder OrderOf(const DecideResponse& decision) {
  CandidateOrder order;
  order.reserve(decision.candidates_size());
  for (const Candidate& candidate : decision.candidates()) order.push_back(&candidate);
  return order;
}

CandidateOrder RedrawnOrder(const DecideResponse& decision, const RequestFeatures& features,
                            Rng* rng) {
  CandidateOrder order;
  order.reserve(decision.candidates_size());
  for (const Candidate& candidate : decision.candidates()) {
    if (Fits(candidate.context_length(), features)) order.push_back(&candidate);
  }
  const Rendezvous rendezvous(features.session_key());
  const bool placed = !features.session_key().empty();
  // The first of these clocks to ring is drawn with probability proportional to its rate.
  const auto ring = [&](const Candidate& candidate) {
    return placed ? rendezvous.Key(candidate.endpoint_id(), candidate.draw_weight())
                  : -std::log1p(-rng->Uniform()) / candidate.draw_weight();
  };
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = std::find_if(begin, order.end(), [&](const Candidate* candidate) {
      return candidate->draw_group() != (*begin)->draw_group();
    });
    DrawFirst(begin, end, ring);
    begin = end;
  }
  return order;
}

}  // namespace signalbox::ingress
