// One Connection per event loop, so that a request talks to Redis on its own thread.
//
// For() is thread-safe; the connection it returns belongs to its loop. Destroyed before the loops.
#ifndef SIGNALBOX_COMMON_REDIS_PER_LOOP_H_
#define SIGNALBOX_COMMON_REDIS_PER_LOOP_H_

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "common/redis/connection.h"

namespace signalbox::redis {

class PerLoop {
 public:
  PerLoop(net::EventLoopGroup& loops, const Options& options, const Clock& clock = Clock::Real(),
          ConnectionMetrics metrics = {});
  // For a process with a single loop.
  PerLoop(net::EventLoop& loop, const Options& options, const Clock& clock = Clock::Real(),
          ConnectionMetrics metrics = {});

  // nullptr when the executor is none of the loops.
  Connection* For(const Executor& executor) const;
  // One of the loops has a working connection. Thread-safe.
  bool ready() const;

 private:
  absl::flat_hash_map<const Executor*, std::unique_ptr<Connection>> connections_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_PER_LOOP_H_
