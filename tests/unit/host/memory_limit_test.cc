#include "common/host/memory_limit.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

class MemoryLimitTest : public testing::Test {
 protected:
  MemoryLimitTest() {
    root_ = (std::filesystem::temp_directory_path() / "signalbox-cgroup-XXXXXX").string();
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
  }
  ~MemoryLimitTest() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + file).parent_path());
    std::ofstream(root_ + file) << text;
  }
  std::string root_;
};

TEST_F(MemoryLimitTest, ReadsBothVersionsOfControlGroups) {
  EXPECT_EQ(MemoryLimitBytes(root_), 0);
  Write("/memory/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 536870912);
  Write("/memory.max", "1073741824\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 1073741824);
}

TEST_F(MemoryLimitTest, NoLimitIsZeroInBoth) {
  Write("/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 0);
  Write("/memory.max", "max\n");
  EXPECT_EQ(MemoryLimitBytes(root_), 0);
}

}  // namespace
}  // namespace signalbox::host
