// A connection that only listens to channels. It heals itself like any link; messages sent while it
// is away are lost, so a listener also asks for the state when told that the subscription stands
// again.
//
// Made and destroyed on the loop's thread or on a thread that is no loop; handlers run on the loop.
#ifndef SIGNALBOX_COMMON_REDIS_SUBSCRIPTION_H_
#define SIGNALBOX_COMMON_REDIS_SUBSCRIPTION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/net/event_loop.h"
#include "common/redis/options.h"

namespace signalbox::redis {

class Subscription {
 public:
  struct Handlers {
    std::function<void(absl::string_view channel, absl::string_view message)> on_message;
    // true = listening from now on; false = the connection is gone.
    std::function<void(bool)> on_listening;
  };

  Subscription(net::EventLoop& loop, Options options, std::vector<std::string> channels,
               Handlers handlers, const Clock& clock = Clock::Real());
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  class Core;
  net::EventLoop& loop_;
  std::unique_ptr<Core> core_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_SUBSCRIPTION_H_
