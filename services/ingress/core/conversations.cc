#include "services/ingress/core/conversations.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/base/stable_hash.h"

namespace signalbox::ingress {
namespace {

using router::v1::Candidate;
using router::v1::RequestFeatures;

// Fewer conversations per shard would make the least recently used of one shard a poor choice.
constexpr size_t kSmallestShard = 1'024;
constexpr size_t kMostShards = 16;

// 0 means "none".
uint64_t NotZero(uint64_t hash) { return hash == 0 ? 1 : hash; }

uint64_t EndpointHash(absl::string_view endpoint_id) { return NotZero(StableHash(endpoint_id)); }

// Whether the remembered endpoint may take the place of `other`, which is of the same model.
bool MayGoBefore(const RequestFeatures& features, const Candidate& remembered,
                 const Candidate& other) {
  if (!features.provider().order().empty() && remembered.draw_group() != other.draw_group())
    return false;
  return features.service_tier() != router::v1::SERVICE_TIER_PRIORITY ||
         remembered.service_tier() == other.service_tier();
}

}  // namespace

Conversation ConversationOf(const ConversationOptions& options, absl::string_view api_key_hash,
                            RequestView* view) {
  RequestFeatures& features = view->features;
  features.clear_session_key();
  Conversation conversation;
  if (options.idle <= absl::ZeroDuration()) return conversation;
  uint64_t client = StableHash(api_key_hash);
  for (const std::string& model : features.models()) client = StableHash(model, client);

  const absl::string_view named =
      view->session_id.empty() ? view->prompt_cache_key : view->session_id;
  const Opening& opening = view->opening;
  const bool first_turn = opening.answers == 0;
  if (!named.empty()) {
    conversation.key = NotZero(StableHash(named, client));
  } else if (opening.tokens >= options.min_opening_tokens) {
    conversation.key = NotZero(client ^ opening.hash);
  } else if (first_turn) {
    conversation.key = NotZero(client ^ opening.hash);
    return conversation;
  } else {
    conversation.key = NotZero(client ^ opening.continued_hash);
    if (opening.answers == 1) conversation.origin = NotZero(client ^ opening.hash);
  }
  conversation.follows = true;
  features.set_session_key(absl::StrCat(absl::Hex(conversation.key, absl::kZeroPad16)));
  return conversation;
}

Conversations::Conversations(const ConversationOptions& options) : idle_(options.idle) {
  const size_t most = std::max<size_t>(options.max_remembered, 1);
  const size_t shards = std::clamp<size_t>(most / kSmallestShard, 1, kMostShards);
  shard_capacity_ = most / shards;
  for (size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<Shard>());
}

Turn Conversations::Arrange(const Conversation& conversation, const RequestFeatures& features,
                            const Circuits& circuits, absl::Duration now, CandidateOrder* order) {
  if (!conversation.follows) return Turn::kFree;
  uint64_t endpoint = Find(conversation.key, now);
  if (endpoint == 0 && conversation.origin != 0) endpoint = Find(conversation.origin, now);
  if (endpoint == 0) return Turn::kPlaced;
  const auto found = absl::c_find_if(*order, [&](const Candidate* candidate) {
    return EndpointHash(candidate->endpoint_id()) == endpoint;
  });
  if (found == order->end()) return Turn::kGone;
  const Candidate& remembered = **found;
  if (circuits.IsOpen(remembered.endpoint_id())) return Turn::kCircuitOpen;
  if (remembered.conversations_leave()) return Turn::kLeft;
  const auto place = std::find_if(order->begin(), found, [&](const Candidate* candidate) {
    return candidate->model_index() == remembered.model_index() &&
           MayGoBefore(features, remembered, *candidate);
  });
  std::rotate(place, found, found + 1);
  return Turn::kKept;
}

void Conversations::Remember(const Conversation& conversation, absl::string_view endpoint_id,
                             absl::Duration now) {
  if (conversation.key == 0) return;
  Shard& shard = ShardOf(conversation.key);
  const Entry entry{conversation.key, EndpointHash(endpoint_id), now};
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.index.find(conversation.key);
  if (found != shard.index.end()) {
    *found->second = entry;
    shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
    return;
  }
  if (shard.entries.size() < shard_capacity_) {
    shard.entries.push_front(entry);
  } else {  // the one not used for longest makes room, and lends its memory
    shard.index.erase(shard.entries.back().key);
    shard.entries.back() = entry;
    shard.entries.splice(shard.entries.begin(), shard.entries, std::prev(shard.entries.end()));
  }
  shard.index[conversation.key] = shard.entries.begin();
}

bool Conversations::Forget(const Conversation& conversation, absl::string_view endpoint_id) {
  const uint64_t endpoint = EndpointHash(endpoint_id);
  const bool was_there = conversation.key != 0 && Erase(conversation.key, endpoint);
  return (conversation.origin != 0 && Erase(conversation.origin, endpoint)) || was_there;
}

uint64_t Conversations::Find(uint64_t key, absl::Duration now) {
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end()) return 0;
  const auto entry = found->second;
  if (now - entry->used > idle_) {
    shard.index.erase(found);
    shard.entries.erase(entry);
    return 0;
  }
  entry->used = std::max(entry->used, now);
  shard.entries.splice(shard.entries.begin(), shard.entries, entry);
  return entry->endpoint;
}

bool Conversations::Erase(uint64_t key, uint64_t endpoint) {
  Shard& shard = ShardOf(key);
  absl::MutexLock lock(&shard.mutex);
  const auto found = shard.index.find(key);
  if (found == shard.index.end() || found->second->endpoint != endpoint) return false;
  shard.entries.erase(found->second);
  shard.index.erase(found);
  return true;
}

size_t Conversations::size() const {
  size_t size = 0;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    absl::MutexLock lock(&shard->mutex);
    size += shard->entries.size();
  }
  return size;
}

}  // namespace signalbox::ingress
