// Error replies of Redis -> absl::Status.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_REDIS_ERROR_MAP_H_
#define SIGNALBOX_COMMON_REDIS_ERROR_MAP_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace signalbox::redis {

// LOADING, BUSY, READONLY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, MOVED, ASK, MISCONF, NOREPLICAS ->
// Unavailable; OOM -> ResourceExhausted; NOAUTH, WRONGPASS, NOPERM -> FailedPrecondition (never a
// code that could be read as the client's own credentials); NOSCRIPT -> NotFound; all else ->
// Internal. The message holds the text, cut at 200 bytes.
absl::Status StatusOfError(absl::string_view error_reply);

// True when another connection may reach a server that can serve: after a failover the old primary
// answers READONLY.
bool WantsReconnect(absl::string_view error_reply);

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_ERROR_MAP_H_
