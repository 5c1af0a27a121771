// Conversations stay at the endpoint that serves them, whose prompt cache knows them.
//
// Two means, neither needs another process:
//  - A place. A conversation named by the client (session id, prompt_cache_key) or by a long
//  opening
//    has a place among the endpoints from its first turn, drawn from its key (common/base/
//    rendezvous.h): every router and ingress finds the same one. An opening too short to be cached
//    by any provider is drawn freely, like any request, and has a place from its second turn on.
//  - Memory. The endpoint that answered goes first when the conversation goes on, as long as it may
//    serve, its circuit is closed and the router does not advise to leave it.
//
// Later turns of conversations with short openings are told apart by their first answer; the second
// turn goes where the first turn of that opening was served last.
//
// Conversations is thread-safe, one per process: turns come in on any loop. Keys and endpoints are
// kept as hashes, at most about 100 bytes per conversation.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_CONVERSATIONS_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_CONVERSATIONS_H_

#include <cstdint>
#include <list>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "services/ingress/core/circuits.h"
#include "services/ingress/core/decision_cache.h"
#include "services/ingress/core/request_view.h"

namespace signalbox::ingress {

struct ConversationOptions {
  absl::Duration idle = absl::Minutes(10);  // zero = conversations are not followed
  size_t max_remembered = 50'000;
  int64_t min_opening_tokens = 1'024;
};

// Which conversation a request belongs to. Keys are hashes; 0 = none.
struct Conversation {
  uint64_t key = 0;      // what its endpoint is remembered under
  uint64_t origin = 0;   // where to look when nothing is remembered under `key`
  bool follows = false;  // goes where it is remembered to have been
};

// Gives the features their session_key when the conversation has a place. `api_key_hash` keeps the
// conversations of different clients apart.
Conversation ConversationOf(const ConversationOptions& options, absl::string_view api_key_hash,
                            RequestView* view);

// What became of a turn's place.
enum class Turn {
  kFree,         // drawn like any request
  kPlaced,       // nothing remembered: by its key
  kKept,         // where it was
  kCircuitOpen,  // moved: the endpoint fails
  kLeft,         // moved: the router advises so
  kGone,         // moved: the endpoint cannot serve this turn
};
constexpr int kTurns = 6;

class Conversations {
 public:
  explicit Conversations(const ConversationOptions& options);

  // Puts the endpoint that serves the conversation first among the candidates of its model. With
  // provider.order it goes first only among equals (one draw group), with the tier "priority" only
  // within its tier.
  Turn Arrange(const Conversation& conversation, const router::v1::RequestFeatures& features,
               const Circuits& circuits, absl::Duration now, CandidateOrder* order);

  // The endpoint has answered.
  void Remember(const Conversation& conversation, absl::string_view endpoint_id,
                absl::Duration now);
  // The endpoint has failed. True when the conversation was remembered to be there.
  bool Forget(const Conversation& conversation, absl::string_view endpoint_id);

  size_t size() const;

 private:
  struct Entry {
    uint64_t key = 0;
    uint64_t endpoint = 0;
    absl::Duration used;
  };
  struct Shard {
    mutable absl::Mutex mutex;
    std::list<Entry> entries ABSL_GUARDED_BY(mutex);  // most recently used first
    absl::flat_hash_map<uint64_t, std::list<Entry>::iterator> index ABSL_GUARDED_BY(mutex);
  };

  Shard& ShardOf(uint64_t key) const { return *shards_[(key >> 32) % shards_.size()]; }
  // 0 = not remembered. Counts as use.
  uint64_t Find(uint64_t key, absl::Duration now);
  bool Erase(uint64_t key, uint64_t endpoint);

  const absl::Duration idle_;
  std::vector<std::unique_ptr<Shard>> shards_;
  size_t shard_capacity_ = 0;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_CONVERSATIONS_H_
