// Asynchronous calls made to wait: a command line may block.
//
//   auto scores = AwaitOn<absl::StatusOr<Scores>>(loop, [&](auto done) { store.Read(done); });
//
// REQUIRES: not on a loop's thread; `done` is called exactly once.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_AWAIT_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_AWAIT_H_

#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "common/base/executor.h"

namespace signalbox {

// Calls start(done) here and returns what done is called with, on whatever thread.
template <typename T, typename Start>
T Await(Start start) {
  auto promise = std::make_shared<std::promise<T>>();
  start(std::function<void(T)>([promise](T value) { promise->set_value(std::move(value)); }));
  return promise->get_future().get();
}

// The same with start called on the loop.
template <typename T, typename Start>
T AwaitOn(Executor& loop, Start start) {
  return Await<T>([&](std::function<void(T)> done) {
    loop.Post([&start, done = std::move(done)] { start(done); });
  });
}

}  // namespace signalbox

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_AWAIT_H_
