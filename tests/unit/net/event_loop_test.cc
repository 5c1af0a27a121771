#include "common/net/event_loop.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace signalbox::net {
namespace {

TEST(EventLoop, RunsPostedTasksInOrderOnItsOwnThread) {
  EventLoop loop("test");
  std::vector<int> order;
  std::thread::id thread;
  for (int i = 0; i < 3; ++i) loop.Post([&order, i] { order.push_back(i); });
  loop.RunAndWait([&] { thread = std::this_thread::get_id(); });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_FALSE(loop.IsCurrent());
}

TEST(EventLoop, DispatchIsInlineOnTheLoopAndPostIsNot) {
  EventLoop loop("test");
  std::vector<int> order;
  loop.RunAndWait([&] {
    EXPECT_TRUE(loop.IsCurrent());
    EXPECT_EQ(EventLoopGroup::Current(), &loop);
    loop.Post([&] { order.push_back(3); });
    loop.Dispatch([&] { order.push_back(1); });
    order.push_back(2);
  });
  loop.RunAndWait([] {});
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(EventLoop, TimersFireInOrderOfTheirDelay) {
  EventLoop loop("test");
  std::vector<int> order;
  std::promise<void> done;
  loop.RunAndWait([&] {
    loop.RunAfter(absl::Milliseconds(20), [&] {
      order.push_back(2);
      done.set_value();
    });
    loop.RunAfter(absl::Milliseconds(2), [&] { order.push_back(1); });
    loop.RunAfter(absl::InfiniteDuration(), [&] { order.push_back(99); });
  });
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(EventLoop, AnEarlierTimerAddedLaterIsNotHeldBackByTheArmedOne) {
  EventLoop loop("test");
  std::promise<void> done;
  loop.RunAndWait([&] {
    loop.RunAfter(absl::Seconds(60), [] { FAIL(); });
    loop.RunAfter(absl::Milliseconds(1), [&] { done.set_value(); });
  });
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(EventLoop, CancelledTimerDoesNotRun) {
  EventLoop loop("test");
  std::promise<void> done;
  loop.RunAndWait([&] {
    const auto id = loop.RunAfter(absl::Milliseconds(1), [] { FAIL(); });
    loop.RunAfter(absl::Milliseconds(5), [&] { done.set_value(); });
    loop.Cancel(id);
  });
  done.get_future().wait();
}

// Stands for a connection owned by pending work: taking it down touches the loop.
struct TouchesLoopWhenDestroyed {
  EventLoop& loop;
  int& destroyed;
  TouchesLoopWhenDestroyed(EventLoop& l, int& d) : loop(l), destroyed(d) {}
  ~TouchesLoopWhenDestroyed() {
    EXPECT_TRUE(loop.IsCurrent());
    loop.Cancel(1);
    loop.Post([] { FAIL(); });
    ++destroyed;
  }
};

TEST(EventLoop, DestructionDestroysPendingWorkWithoutRunningIt) {
  int destroyed = 0;
  {
    EventLoop loop("test");
    auto in_timer = std::make_shared<TouchesLoopWhenDestroyed>(loop, destroyed);
    auto in_task = std::make_shared<TouchesLoopWhenDestroyed>(loop, destroyed);
    std::promise<void> release;
    loop.Post([&loop, in_timer, &release] {
      loop.RunAfter(absl::Seconds(60), [in_timer] { FAIL(); });
      release.get_future().wait();
    });
    loop.Post([in_task] {});
    in_timer.reset();
    in_task.reset();
    release.set_value();
  }
  EXPECT_EQ(destroyed, 2);
}

TEST(EventLoopGroup, HandsOutItsLoopsInTurn) {
  EventLoopGroup group("test", 3);
  std::set<EventLoop*> seen;
  for (int i = 0; i < 3; ++i) seen.insert(&group.Next());
  EXPECT_EQ(seen.size(), 3u);
  EXPECT_EQ(group.size(), 3u);
  EXPECT_EQ(EventLoopGroup::Current(), nullptr);
}

}  // namespace
}  // namespace signalbox::net
