// Calls asynchronous code on its event loop and waits for the answer. For test bodies only.
#ifndef SIGNALBOX_TESTS_INTEGRATION_REDIS_ON_LOOP_H_
#define SIGNALBOX_TESTS_INTEGRATION_REDIS_ON_LOOP_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/net/event_loop.h"
#include "common/redis/connection.h"

namespace signalbox::testing {

// auto status = Await<absl::Status>(loop, [&](auto done) { store.Put(loop, record, done); });
template <typename T>
T Await(net::EventLoop& loop, std::function<void(std::function<void(T)>)> start) {
  auto promise = std::make_shared<std::promise<T>>();
  loop.Post([promise, start = std::move(start)] {
    start([promise](T value) { promise->set_value(std::move(value)); });
  });
  return promise->get_future().get();
}

inline absl::StatusOr<redis::Reply> Ask(redis::Connection& connection,
                                        std::vector<std::string> command,
                                        absl::Duration timeout = absl::Seconds(5)) {
  return Await<absl::StatusOr<redis::Reply>>(connection.loop(), [&, timeout](redis::Callback done) {
    const std::vector<absl::string_view> arguments(command.begin(), command.end());
    connection.Command(arguments, done, timeout);
  });
}

// Polls a condition: for waits that have no event to wait for.
inline bool Eventually(const std::function<bool()>& condition,
                       absl::Duration limit = absl::Seconds(10)) {
  const absl::Time end = absl::Now() + limit;
  while (absl::Now() < end) {
    if (condition()) return true;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return condition();
}

}  // namespace signalbox::testing

#endif  // SIGNALBOX_TESTS_INTEGRATION_REDIS_ON_LOOP_H_
