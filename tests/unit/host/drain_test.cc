#include "common/host/drain.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/obs/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::ElementsAre;

class DrainTest : public testing::Test {
 protected:
  // Writes down what happens to it; its requests end at a given time.
  class FakeModule final : public Module {
   public:
    FakeModule(DrainTest* test, std::string name, absl::Duration idle_after)
        : test_(test), name_(std::move(name)), idle_after_(idle_after) {}
    absl::string_view name() const override { return name_; }
    absl::Status Start() override { return absl::OkStatus(); }
    void AnnounceDrain() override { test_->Note(absl::StrCat("announce ", name_)); }
    void BeginDrain() override { test_->Note(absl::StrCat("drain ", name_)); }
    int InFlight() const override { return test_->clock_.Monotonic() < idle_after_ ? 2 : 0; }
    void Stop() override { test_->Note(absl::StrCat("stop ", name_)); }

   private:
    DrainTest* const test_;
    const std::string name_;
    const absl::Duration idle_after_;
  };

  void Note(const std::string& what) {
    events_.push_back(absl::StrCat(absl::FormatDuration(clock_.Monotonic()), " ", what));
  }

  DrainResult Drain(std::vector<Module*> modules, absl::Duration notice, absl::Duration timeout) {
    DrainPlan plan{notice, timeout, [this] { Note("unready"); }, [this] { Note("server down"); }};
    return DrainModules(modules, plan, clock_,
                        [this](absl::Duration time) { clock_.Advance(time); });
  }

  FakeClock clock_;
  std::vector<std::string> events_;
  obs::ScopedLogSink quiet_{[](absl::string_view) {}};
};

TEST_F(DrainTest, GoesFromTheEdgeInwardsAndStopsInReverse) {
  FakeModule router(this, "router", absl::ZeroDuration());
  FakeModule ingress(this, "ingress", absl::Seconds(8));
  const DrainResult result = Drain({&router, &ingress}, absl::Seconds(5), absl::Seconds(60));
  EXPECT_THAT(events_, ElementsAre("0 unready", "0 announce ingress", "0 announce router",
                                   "5s drain ingress", "8s drain router", "8s server down",
                                   "8s stop ingress", "8s stop router"));
  EXPECT_EQ(result.left_in_flight, 0);
  EXPECT_EQ(result.took, absl::Seconds(8));
}

TEST_F(DrainTest, GivesUpWhenTheTimeoutIsOverForAllModulesTogether) {
  FakeModule router(this, "router", absl::Hours(1));
  FakeModule ingress(this, "ingress", absl::Hours(1));
  const DrainResult result = Drain({&router, &ingress}, absl::ZeroDuration(), absl::Seconds(10));
  EXPECT_THAT(events_, ElementsAre("0 unready", "0 announce ingress", "0 announce router",
                                   "0 drain ingress", "10s drain router", "10s server down",
                                   "10s stop ingress", "10s stop router"));
  EXPECT_EQ(result.left_in_flight, 4);
}

TEST_F(DrainTest, TakesNoTimeWhenNothingIsInFlight) {
  FakeModule module(this, "adapter", absl::ZeroDuration());
  EXPECT_EQ(Drain({&module}, absl::ZeroDuration(), absl::Seconds(60)).took, absl::ZeroDuration());
}

TEST_F(DrainTest, WorksWithoutModules) {
  Drain({}, absl::ZeroDuration(), absl::Seconds(60));
  EXPECT_THAT(events_, ElementsAre("0 unready", "0 server down"));
}

}  // namespace
}  // namespace signalbox::host
