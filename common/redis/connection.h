// One asynchronous, pipelined connection to Redis on one event loop.
//
//   redis::Connection connection(loop, options);
//   connection.Command({"GET", key}, [](absl::StatusOr<redis::Reply> reply) { … });
//
// Every command ends: with the reply to exactly this command (error replies as a Status,
// error_map.h), DeadlineExceeded (its deadline passed: result unknown, the late reply is thrown
// away), Unavailable (connection lost, result unknown; or refused at once because the breaker is
// open) or ResourceExhausted (refused: queue full). A protocol error drops the connection, so a
// reply can never reach another command. Commands issued while the connection is first made, or
// remade after a loss, wait for it within their deadline. Nothing blocks.
//
// Made and destroyed on the loop's thread or on a thread that is no loop; Command and Eval only on
// the loop's thread, and their callbacks run there, never inside the call. Callbacks pending at
// destruction are destroyed without running; a callback may destroy the connection.
#ifndef SIGNALBOX_COMMON_REDIS_CONNECTION_H_
#define SIGNALBOX_COMMON_REDIS_CONNECTION_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/base/clock.h"
#include "common/net/event_loop.h"
#include "common/redis/metrics.h"
#include "common/redis/options.h"
#include "common/redis/reply.h"
#include "common/redis/script.h"

namespace signalbox::redis {

using Callback = std::function<void(absl::StatusOr<Reply>)>;
using Arguments = absl::Span<const absl::string_view>;

class Connection {
 public:
  // Starts connecting. The loop and the clock outlive the connection.
  Connection(net::EventLoop& loop, Options options, const Clock& clock = Clock::Real(),
             ConnectionMetrics metrics = {});
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // timeout 0 = options.command_timeout.
  void Command(Arguments arguments, Callback done, absl::Duration timeout = absl::ZeroDuration());
  // Runs the script by its hash; a server that does not know it (restart, SCRIPT FLUSH) is sent the
  // source within the same deadline. The script outlives the connection.
  void Eval(const Script& script, Arguments keys, Arguments arguments, Callback done,
            absl::Duration timeout = absl::ZeroDuration());

  // OK once options.replicas replicas hold what was written on this connection before: called from
  // the callback of a write, it speaks of that write. Error: Unavailable, they do not (in time), or
  // the connection was lost and with it what is known of the write.
  void AwaitReplicas(std::function<void(const absl::Status&)> done);
  int replicas() const;

  net::EventLoop& loop() { return loop_; }
  // Connected and the breaker closed. Thread-safe.
  bool ready() const;

 private:
  class Core;
  net::EventLoop& loop_;
  std::unique_ptr<Core> core_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_CONNECTION_H_
