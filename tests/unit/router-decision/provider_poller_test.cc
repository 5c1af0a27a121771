#include "services/router-decision/provider_poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "tests/unit/router-decision/fake_adapter.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

// Runs by hand: what is posted at once, timers when the time is moved.
class HandExecutor final : public Executor {
 public:
  void Post(Task task) override { tasks_.push_back(std::move(task)); }
  void Dispatch(Task task) override { task(); }
  TimerId RunAfter(absl::Duration delay, Task task) override {
    timers_.emplace(++last_timer_, std::make_pair(now_ + delay, std::move(task)));
    return last_timer_;
  }
  void Cancel(TimerId timer) override { timers_.erase(timer); }
  bool IsCurrent() const override { return true; }

  void Run() {
    while (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  void Advance(absl::Duration by) {
    now_ += by;
    for (auto timer = timers_.begin(); timer != timers_.end();) {
      if (timer->second.first > now_) {
        ++timer;
        continue;
      }
      Post(std::move(timer->second.second));
      timer = timers_.erase(timer);
    }
    Run();
  }

 private:
  std::deque<Task> tasks_;
  std::map<TimerId, std::pair<absl::Duration, Task>> timers_;
  TimerId last_timer_ = 0;
  absl::Duration now_ = absl::ZeroDuration();
};

class Poller : public ::testing::Test {
 protected:
  bool IsActive(int endpoint) const { return holder_.Get()->facts(endpoint).active; }

  HandExecutor executor_;
  FakeAdapter adapter_;
  SnapshotHolder holder_;
  int first_answers_ = 0;
  ProviderPoller poller_{adapter_, executor_,       absl::Seconds(2),
                         holder_,  RouterMetrics(), [this] { ++first_answers_; }};

  void SetUp() override {
    holder_.SetCatalogue(CatalogueOf(R"(
providers: [{slug: p}, {slug: q}]
models: [{id: a/one, endpoints: [{tag: p}, {tag: q}]}]
)"));
    poller_.Start();
  }
};

TEST_F(Poller, TakesTheActiveProviders) {
  adapter_.Say({{"p", true}, {"q", false}});
  executor_.Run();
  EXPECT_TRUE(holder_.Get()->ready());
  EXPECT_TRUE(IsActive(0));
  EXPECT_FALSE(IsActive(1));
  EXPECT_EQ(first_answers_, 1);
}

TEST_F(Poller, AsksAgainEveryInterval) {
  adapter_.Say({{"p", true}});
  executor_.Run();
  adapter_.Say({{"q", true}});
  executor_.Advance(absl::Milliseconds(1999));
  EXPECT_EQ(adapter_.asked, 1);
  executor_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(adapter_.asked, 2);
  EXPECT_TRUE(IsActive(1));
  EXPECT_EQ(first_answers_, 1);
}

TEST_F(Poller, IsImpatientUntilTheFirstAnswer) {
  executor_.Run();
  EXPECT_FALSE(holder_.Get()->ready());
  executor_.Advance(absl::Milliseconds(100));
  EXPECT_EQ(adapter_.asked, 2);
  adapter_.Say({{"p", true}});
  executor_.Advance(absl::Milliseconds(100));
  EXPECT_TRUE(IsActive(0));
}

TEST_F(Poller, KeepsTheLastSetWhenTheAdapterIsAway) {
  adapter_.Say({{"p", true}});
  executor_.Run();
  adapter_.answer = absl::UnavailableError("gone");
  executor_.Advance(absl::Seconds(2));
  EXPECT_EQ(adapter_.asked, 2);
  EXPECT_TRUE(IsActive(0));
}

TEST_F(Poller, DoesNothingAfterStop) {
  adapter_.Say({{"p", true}});
  executor_.Run();
  poller_.Stop();
  executor_.Advance(absl::Seconds(10));
  EXPECT_EQ(adapter_.asked, 1);
}

}  // namespace
}  // namespace signalbox::router_decision
