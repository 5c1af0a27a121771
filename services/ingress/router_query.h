// Asks for the order of endpoints and never comes back empty-handed for want of a router: a valid
// decision kept here is reused, the router is asked otherwise, and when it cannot be asked the last
// decision for equal features serves, then the catalogue. The order is then this request's: a
// conversation stays where it is, and endpoints that fail here and now go last.
//
// Threads: on the event loop of `services`.
#ifndef SIGNALBOX_SERVICES_INGRESS_ROUTER_QUERY_H_
#define SIGNALBOX_SERVICES_INGRESS_ROUTER_QUERY_H_

#include <functional>

#include "absl/status/statusor.h"
#include "services/ingress/core/conversations.h"
#include "services/ingress/core/decision_cache.h"
#include "services/ingress/loop_services.h"

namespace signalbox::ingress {

struct Route {
  Decision decision;     // never null
  CandidateOrder order;  // empty = nothing fits, decision->excluded says why
};

// `explain`: with the scores of all candidates and all exclusions; never from the cache. `features`
// lives until `done` was called, which happens inside the call or later on the loop; `done` may be
// called after `services` ended its work, so it owns what it uses.
void QueryRouter(LoopServices& services, router::v1::RequestFeatures& features,
                 const Conversation& conversation, bool explain,
                 std::function<void(absl::StatusOr<Route>)> done);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_ROUTER_QUERY_H_
