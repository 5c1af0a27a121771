// Decisions kept on this side of the router: reused for equal features while they are valid, and
// the first rung of the ladder when the router is away. The second rung is core/catalogue_order.h.
//
// Thread-compatible: one cache per event loop.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_DECISION_CACHE_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_DECISION_CACHE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/base/rng.h"
#include "services/ingress/core/lru_map.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

using Decision = std::shared_ptr<const router::v1::DecideResponse>;
// Candidates in the order one request tries them; they belong to the decision.
using CandidateOrder = std::vector<const router::v1::Candidate*>;

class DecisionCache {
 public:
  explicit DecisionCache(size_t capacity) : decisions_(capacity) {}

  // What makes two requests equal for routing: all features except the exact prompt length (its
  // order of magnitude counts) and the session. `features` is unchanged on return.
  static std::string KeyOf(router::v1::RequestFeatures* features);

  void Put(const std::string& key, Decision decision, absl::Duration now);
  // A decision that is still valid and carries shares, so that a new draw can be made from it; else
  // null. Decisions without shares are one draw, and repeating a draw would undo the balancing.
  Decision Reusable(const std::string& key, absl::Duration now);
  // The last decision, however old; null = none.
  Decision Last(const std::string& key);

 private:
  struct Entry {
    Decision decision;
    absl::Duration valid_until;
  };
  LruMap<Entry> decisions_;
};

// The decision's own order.
CandidateOrder OrderOf(const router::v1::DecideResponse& decision);
// A new draw of each group's first place, for a reused decision: of a conversation (session_key) by
// its key, as the router draws it (common/base/rendezvous.h). Endpoints whose context is too small
// for this request, which may be longer than the one decided for, are left out.
CandidateOrder RedrawnOrder(const router::v1::DecideResponse& decision,
                            const router::v1::RequestFeatures& features, Rng* rng);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_DECISION_CACHE_H_
