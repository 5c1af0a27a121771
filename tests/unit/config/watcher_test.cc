#include "common/config/watcher.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "common/obs/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/manual_executor.h"

namespace signalbox::config {
namespace {

using ::testing::HasSubstr;

class FileWatcherTest : public ::testing::Test {
 protected:
  FileWatcherTest() {
    std::string pattern = ::testing::TempDir() + "signalbox-watch-" + std::string(6, 'X');
    folder_ = mkdtemp(pattern.data());
  }
  ~FileWatcherTest() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(folder_ + "/" + name).parent_path());
    std::ofstream(folder_ + "/" + name) << text;
  }

  std::string folder_;
  FakeClock clock_;
  signalbox::testing::ManualExecutor executor_{clock_};
  int changes_ = 0;
};

TEST_F(FileWatcherTest, SeesAFileChangeAppearAndVanish) {
  Write("a.yaml", "1");
  FileWatcher watcher(executor_, absl::Seconds(1));
  watcher.Watch({folder_ + "/a.yaml"}, [&] { ++changes_; });
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 0);
  Write("a.yaml", "longer");
  executor_.Advance(absl::Seconds(1));
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 1);
  std::filesystem::remove(folder_ + "/a.yaml");
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 2);
  Write("a.yaml", "back");
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 3);
}

TEST_F(FileWatcherTest, SeesFilesComeIntoAFolder) {
  Write("a.yaml", "1");
  FileWatcher watcher(executor_, absl::Seconds(1));
  watcher.Watch({folder_}, [&] { ++changes_; });
  Write("b.yaml", "1");
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 1);
  Write("b.yaml", "changed");
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 2);
}

TEST_F(FileWatcherTest, SeesAKubernetesConfigMapSwapItsLink) {
  namespace fs = std::filesystem;
  Write("..2026_01/a.yaml", "old");
  Write("..2026_02/a.yaml", "new");
  fs::last_write_time(folder_ + "/..2026_02/a.yaml",
                      fs::last_write_time(folder_ + "/..2026_01/a.yaml"));
  fs::create_directory_symlink("..2026_01", folder_ + "/..data");
  fs::create_symlink("..data/a.yaml", folder_ + "/a.yaml");
  FileWatcher watcher(executor_, absl::Seconds(1));
  watcher.Watch({folder_ + "/a.yaml"}, [&] { ++changes_; });
  fs::create_directory_symlink("..2026_02", folder_ + "/..data_tmp");
  fs::rename(folder_ + "/..data_tmp", folder_ + "/..data");
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatcherTest, TriggerCallsBackWithoutAChange) {
  FileWatcher watcher(executor_, absl::Seconds(1));
  watcher.Watch({folder_}, [&] { ++changes_; });
  watcher.Trigger();
  executor_.RunUntilIdle();
  EXPECT_EQ(changes_, 1);
}

TEST_F(FileWatcherTest, StopsForGood) {
  {
    FileWatcher watcher(executor_, absl::Seconds(1));
    watcher.Watch({folder_}, [&] { ++changes_; });
    watcher.Trigger();
  }
  executor_.RunUntilIdle();
  executor_.Advance(absl::Seconds(1));
  EXPECT_EQ(changes_, 0);
  EXPECT_EQ(executor_.timers(), 0u);
}

class ReloadableTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::shared_ptr<const int>> next_ = absl::InvalidArgumentError("broken");
  obs::ScopedLogSink sink_{[this](absl::string_view line) { log_ += std::string(line) + "\n"; }};
  std::string log_;
  obs::Metrics metrics_;
  Reloadable<int> value_{"catalogue", [this] { return next_; }, &metrics_};
};

TEST_F(ReloadableTest, KeepsTheLastGoodValueAndSaysSo) {
  EXPECT_FALSE(value_.Reload().ok());
  EXPECT_EQ(value_.Get(), nullptr);
  next_ = std::make_shared<const int>(1);
  EXPECT_TRUE(value_.Reload().ok());
  EXPECT_EQ(*value_.Get(), 1);
  EXPECT_FALSE(value_.stale());
  EXPECT_THAT(metrics_.Render(), HasSubstr("signalbox_config_stale{kind=\"catalogue\"} 0\n"));

  next_ = absl::InvalidArgumentError("line 7 is wrong");
  EXPECT_EQ(value_.Reload(), absl::InvalidArgumentError("line 7 is wrong"));
  EXPECT_EQ(*value_.Get(), 1);
  EXPECT_TRUE(value_.stale());
  EXPECT_THAT(metrics_.Render(), HasSubstr("signalbox_config_stale{kind=\"catalogue\"} 1\n"));
  EXPECT_THAT(
      metrics_.Render(),
      HasSubstr("signalbox_config_reloads_total{kind=\"catalogue\",outcome=\"error\"} 2\n"));
  EXPECT_THAT(log_, HasSubstr("line 7 is wrong"));
}

TEST_F(ReloadableTest, TellsItsListeners) {
  int seen = 0;
  value_.OnReload([&](std::shared_ptr<const int> now) { seen = *now; });
  next_ = std::make_shared<const int>(5);
  ASSERT_TRUE(value_.Reload().ok());
  EXPECT_EQ(seen, 5);
}

}  // namespace
}  // namespace signalbox::config
