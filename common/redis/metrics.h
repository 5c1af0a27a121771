// The metrics of a Redis client, by role ("scores", "money"). The only place that knows their
// names.
//
// Thread-safe; handles point into the Metrics they were made from.
#ifndef SIGNALBOX_COMMON_REDIS_METRICS_H_
#define SIGNALBOX_COMMON_REDIS_METRICS_H_

#include "absl/strings/string_view.h"
#include "common/obs/metrics.h"

namespace signalbox::redis {

// Default-made: counts nothing.
struct ConnectionMetrics {
  ConnectionMetrics() = default;
  ConnectionMetrics(obs::Metrics& metrics, absl::string_view role);

  obs::Counter answered;   // a reply came in time, error replies included
  obs::Counter timed_out;  // deadline passed, result unknown
  obs::Counter lost;       // connection gone before the reply, result unknown
  obs::Counter refused;    // never sent: breaker open or queue full
  obs::Counter reconnects;
  obs::Counter script_loads;
  obs::Counter unreplicated;  // writes that not enough replicas took in time
  obs::Gauge configured;      // connections this process keeps
  obs::Gauge connected;       // … those ready to serve
  obs::Gauge pending;         // commands waiting for an answer
  obs::Histogram seconds;     // of answered commands
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_METRICS_H_
