#include "common/host/live_config.h"

#include <string>
#include <vector>

#include "common/obs/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::HasSubstr;

// A watcher that looks when it is told to.
class LiveConfigTest : public testing::Test {
 protected:
  ~LiveConfigTest() override { obs::SetLogLevel(obs::kInfo); }

  // What the next look at the file finds.
  void Change() { watcher_.Trigger(); }
  bool RestartNeeded() {
    return metrics_.Render().find("\nsignalbox_config_restart_needed 1") != std::string::npos;
  }

  // Runs what is posted at once: the test has one thread.
  class Inline final : public Executor {
   public:
    void Post(Task task) override { task(); }
    void Dispatch(Task task) override { task(); }
    TimerId RunAfter(absl::Duration, Task) override { return 1; }
    void Cancel(TimerId) override {}
    bool IsCurrent() const override { return true; }
  };

  obs::ScopedLogSink quiet_{[](absl::string_view) {}};
  obs::Metrics metrics_;
  config::v1::Config started_;
  absl::StatusOr<config::v1::Config> file_ = config::v1::Config();
  LiveConfig live_{started_,
                   [this]() -> absl::StatusOr<LiveConfig::Snapshot> {
                     if (!file_.ok()) return file_.status();
                     return std::make_shared<const config::v1::Config>(*file_);
                   },
                   metrics_};
  Inline executor_;
  config::FileWatcher watcher_{executor_, absl::Hours(1)};
};

TEST_F(LiveConfigTest, ListenersGetWhatCanChangeWhileRunning) {
  std::vector<double> exponents;
  live_.OnReload([&](const config::v1::Config& now) {
    exponents.push_back(now.router().policy().price_exponent());
  });
  live_.Watch(watcher_, "signalbox.yaml");
  file_->mutable_router()->mutable_policy()->set_price_exponent(3);
  file_->mutable_host()->set_log_level("error");
  Change();
  EXPECT_THAT(exponents, testing::ElementsAre(3));
  EXPECT_EQ(obs::GetLogLevel(), obs::kError);
  EXPECT_FALSE(RestartNeeded());
  EXPECT_THAT(live_.Text(), HasSubstr("price_exponent: 3"));
}

TEST_F(LiveConfigTest, SaysThatAChangeOfAnythingElseWaitsForTheNextStart) {
  live_.Watch(watcher_, "signalbox.yaml");
  file_->mutable_ingress()->set_markup_basis_points(550);
  Change();
  EXPECT_TRUE(RestartNeeded());
  file_->clear_ingress();
  Change();
  EXPECT_FALSE(RestartNeeded());
}

TEST_F(LiveConfigTest, AFileThatIsWrongChangesNothing) {
  int calls = 0;
  live_.OnReload([&](const config::v1::Config&) { ++calls; });
  live_.Watch(watcher_, "signalbox.yaml");
  file_ = absl::InvalidArgumentError("router.policy.price_exponent: must not be negative");
  Change();
  EXPECT_EQ(calls, 0);
  EXPECT_THAT(metrics_.Render(), HasSubstr("signalbox_config_stale{kind=\"config\"} 1"));
}

}  // namespace
}  // namespace signalbox::host
