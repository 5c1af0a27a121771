// `--probe`: the health check of a container image that holds no other tool.
//
// Blocking; for the command line.
#ifndef SIGNALBOX_COMMON_HOST_PROBE_H_
#define SIGNALBOX_COMMON_HOST_PROBE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace signalbox::host {

// GET /readyz of "host:port". OK: answered 200. UNAVAILABLE: anything else, with the reason.
absl::Status ProbeReady(const std::string& address, absl::Duration timeout);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_PROBE_H_
