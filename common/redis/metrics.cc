#include "common/redis/metrics.h"

namespace signalbox::redis {

ConnectionMetrics::ConnectionMetrics(obs::Metrics& metrics, absl::string_view role) {
  auto& commands = metrics.Counter("signalbox_redis_commands_total", "Redis commands by outcome.",
                                   {"role", "outcome"});
  answered = commands.With({role, "answered"});
  timed_out = commands.With({role, "timed_out"});
  lost = commands.With({role, "lost"});
  refused = commands.With({role, "refused"});
  reconnects =
      metrics.Counter("signalbox_redis_reconnects_total", "Connections made anew.", {"role"})
          .With({role});
  script_loads = metrics
                     .Counter("signalbox_redis_script_loads_total",
                              "Scripts the server did not know.", {"role"})
                     .With({role});
  unreplicated = metrics
                     .Counter("signalbox_redis_unreplicated_total",
                              "Writes that fewer replicas than asked for held in time.", {"role"})
                     .With({role});
  configured = metrics
                   .Gauge("signalbox_redis_connections_configured",
                          "Connections this process keeps.", {"role"})
                   .With({role});
  connected = metrics.Gauge("signalbox_redis_connections", "Connections ready to serve.", {"role"})
                  .With({role});
  pending =
      metrics.Gauge("signalbox_redis_pending_commands", "Commands waiting for an answer.", {"role"})
          .With({role});
  seconds = metrics
                .Histogram("signalbox_redis_command_seconds", "Time from issue to answer.",
                           obs::LatencyBuckets(), {"role"})
                .With({role});
}

}  // namespace signalbox::redis
