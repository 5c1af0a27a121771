#include "common/net/timer_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace signalbox::net {
namespace {

TEST(TimerQueue, RunsInOrderOfDueTimeAndThenOfInsertion) {
  TimerQueue queue;
  std::vector<int> ran;
  queue.Add(30, [&] { ran.push_back(3); });
  queue.Add(10, [&] { ran.push_back(1); });
  queue.Add(10, [&] { ran.push_back(2); });
  queue.RunDue(9);
  EXPECT_TRUE(ran.empty());
  queue.RunDue(30);
  EXPECT_EQ(ran, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(queue.NextDue(), TimerQueue::kNever);
}

TEST(TimerQueue, CancelledTimerNeitherRunsNorCountsAsNext) {
  TimerQueue queue;
  const auto id = queue.Add(10, [] { FAIL(); });
  queue.Add(20, [] {});
  EXPECT_TRUE(queue.Cancel(id));
  EXPECT_FALSE(queue.Cancel(id));
  EXPECT_EQ(queue.NextDue(), 20);
  queue.RunDue(15);
}

TEST(TimerQueue, ATimerThatAddsADueTimerDoesNotRunForever) {
  TimerQueue queue;
  int runs = 0;
  Executor::Task again = [&] {
    ++runs;
    queue.Add(0, again);
  };
  queue.Add(0, again);
  queue.RunDue(5);
  EXPECT_EQ(runs, 1);
  queue.RunDue(5);
  EXPECT_EQ(runs, 2);
}

TEST(TimerQueue, ATimerMayCancelAnotherThatIsDueAtTheSameTime) {
  TimerQueue queue;
  Executor::TimerId second = 0;
  queue.Add(5, [&] { queue.Cancel(second); });
  second = queue.Add(5, [] { FAIL(); });
  queue.RunDue(5);
}

TEST(TimerQueue, CancelDestroysTheTaskAtOnce) {
  TimerQueue queue;
  auto owned = std::make_shared<int>(1);
  const auto id = queue.Add(5, [owned] {});
  queue.Cancel(id);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(TimerQueue, ClearToleratesTasksThatTouchTheQueueWhenDestroyed) {
  TimerQueue queue;
  struct CancelsOnDestruction {
    TimerQueue& queue;
    ~CancelsOnDestruction() { queue.Cancel(1); }
  };
  auto owner = std::make_shared<CancelsOnDestruction>(queue);
  queue.Add(5, [] {});
  queue.Add(6, [owner] {});
  owner.reset();
  queue.Clear();
  EXPECT_EQ(queue.size(), 0u);
}

TEST(TimerQueue, ManyCancelledTimersLeaveOnlyTheLivingOnes) {
  TimerQueue queue;
  int runs = 0;
  std::vector<Executor::TimerId> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(queue.Add(1000 - i, [&] { ++runs; }));
  for (int i = 0; i < 1000; ++i) {
    if (i % 10 != 0) queue.Cancel(ids[i]);
  }
  queue.RunDue(2000);
  EXPECT_EQ(runs, 100);
}

}  // namespace
}  // namespace signalbox::net
