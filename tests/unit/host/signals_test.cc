#include "common/host/signals.h"

#include <unistd.h>

#include <csignal>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

TEST(Signals, BecomeCallsOnOneThread) {
  BlockSignals();
  std::vector<int> seen;
  absl::BlockingCounter expected(2);
  {
    SignalThread thread([&](int signal) {
      seen.push_back(signal);
      expected.DecrementCount();
      if (signal == SIGHUP) kill(getpid(), SIGTERM);
    });
    kill(getpid(), SIGHUP);
    expected.Wait();
  }
  EXPECT_THAT(seen, testing::ElementsAre(SIGHUP, SIGTERM));
}

TEST(Signals, ABrokenPipeIsOnlyAnError) {
  BlockSignals();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  close(ends[1]);
}

TEST(Signals, TheThreadEndsWithoutASignal) {
  BlockSignals();
  const SignalThread thread([](int) {});
}

}  // namespace
}  // namespace signalbox::host
