#include "common/store/window_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "common/base/rng.h"

namespace signalbox::store {
namespace {

WindowCounts RandomCounts(Rng& rng) {
  WindowCounts counts;
  for (int64_t& count : counts.counts) count = static_cast<int64_t>(rng.Below(3));
  for (int i = 0; i < 5; ++i) counts.ttft.Add(static_cast<int32_t>(rng.Below(30)) - 10, 1);
  for (int i = 0; i < 5; ++i) counts.throughput.Add(static_cast<int32_t>(rng.Below(30)) - 10, 1);
  return counts;
}

TEST(WindowCounts, HaveOneNamePerCounter) {
  std::set<std::string> names;
  for (int i = 0; i < kCountKinds; ++i) names.insert(std::string(CountName(static_cast<Count>(i))));
  EXPECT_EQ(names.size(), static_cast<size_t>(kCountKinds));
  EXPECT_EQ(names.count(""), 0u);
}

TEST(WindowCounts, AddUpInAnyOrder) {
  constexpr uint64_t kSeed = 3;
  Rng rng(kSeed);
  std::vector<WindowCounts> parts;
  for (int i = 0; i < 50; ++i) parts.push_back(RandomCounts(rng));
  WindowCounts forward;
  for (const WindowCounts& part : parts) forward.Add(part);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(parts.begin(), parts.end(), rng);
    WindowCounts left, right;
    for (size_t i = 0; i < parts.size(); ++i) (i % 2 == 0 ? left : right).Add(parts[i]);
    right.Add(left);
    ASSERT_TRUE(right == forward);
  }
}

TEST(WindowCounts, ComeBackFromTheirFields) {
  Rng rng(4);
  for (int round = 0; round < 50; ++round) {
    const WindowCounts counts = RandomCounts(rng);
    WindowCounts back;
    for (const auto& [field, amount] : FieldsOf(counts, /*with_cells=*/true))
      AddField(field, amount, &back);
    ASSERT_TRUE(back == counts);
  }
}

TEST(WindowCounts, SkipFieldsTheyDoNotKnow) {
  WindowCounts counts;
  for (const char* field : {"", "new_field", "t:", "t:x", "t:99999999", "s:1.5", "u:3"})
    AddField(field, 7, &counts);
  EXPECT_TRUE(counts.empty());
}

}  // namespace
}  // namespace signalbox::store
