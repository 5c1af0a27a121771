#include "services/metrics-aggregator/core/batches.h"

#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"

namespace signalbox::metrics_aggregator {
namespace {

EndpointDeltas Deltas(const std::string& endpoint, int64_t n) {
  EndpointDeltas deltas;
  deltas[endpoint][store::Count::kRequests] = n;
  return deltas;
}

int64_t Sum(const std::deque<Group>& groups) {
  int64_t sum = 0;
  for (const Group& group : groups) {
    for (const auto& [time, deltas] : group.received) {
      for (const auto& [endpoint, counts] : deltas) sum += counts[store::Count::kRequests];
    }
  }
  return sum;
}

TEST(SeenSequences, TakesEachOnceInAnyOrder) {
  SeenSequences seen;
  std::set<uint64_t> model;
  Rng rng(9);
  uint64_t newest = 0;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t sequence = 1 + newest / 2 + rng.Below(newest / 2 + 20);
    if (sequence + SeenSequences::kDepth <= std::max(newest, sequence)) continue;
    newest = std::max(newest, sequence);
    ASSERT_EQ(seen.Insert(sequence), model.insert(sequence).second) << sequence;
    if (newest > 5000) break;
  }
}

TEST(SeenSequences, CountsTheLongPastAsSeen) {
  SeenSequences seen;
  EXPECT_TRUE(seen.Insert(1));
  EXPECT_TRUE(seen.Insert(1'000'000));
  EXPECT_FALSE(seen.Insert(2));
  EXPECT_TRUE(seen.Insert(1'000'000 - SeenSequences::kDepth + 1));
  EXPECT_FALSE(seen.Insert(1'000'000 - SeenSequences::kDepth));
  EXPECT_TRUE(seen.Insert(999'999));
}

TEST(Batches, AdmitsEachBatchOncePerReporter) {
  Batches batches({});
  EXPECT_TRUE(batches.Admit("a", 1, absl::ZeroDuration()));
  EXPECT_FALSE(batches.Admit("a", 1, absl::ZeroDuration()));
  EXPECT_TRUE(batches.Admit("b", 1, absl::ZeroDuration()));
}

TEST(Batches, KeepsBatchesApartWhileThereIsRoom) {
  Batches batches({});
  for (uint64_t i = 1; i <= 10; ++i) batches.Add("a", i, Deltas("m@p", 1), 1, absl::Seconds(1));
  const auto groups = batches.TakeAll();
  EXPECT_EQ(groups.size(), 10u);
  EXPECT_TRUE(batches.empty());
}

TEST(Batches, MergesPerReporterWhenTheStoreIsAwayForLong) {
  Batches::Options options;
  options.max_groups = 100;
  Batches batches(options);
  for (uint64_t i = 1; i <= 1000; ++i) {
    batches.Add(i % 2 == 0 ? "a" : "b", i, Deltas(absl::StrCat("m@p", i % 5), 3), 3,
                absl::Milliseconds(100) * i);
  }
  const auto groups = batches.TakeAll();
  EXPECT_LE(groups.size(), 102u);
  EXPECT_EQ(Sum(groups), 3000);
  EXPECT_EQ(batches.dropped_outcomes(), 0);
  std::set<uint64_t> sequences;
  for (const Group& group : groups)
    sequences.insert(group.sequences.begin(), group.sequences.end());
  EXPECT_EQ(sequences.size(), 1000u);
}

TEST(Batches, DropsTheOldestBeyondTheBoundAndCountsThem) {
  Batches::Options options;
  options.max_entries = 50;
  Batches batches(options);
  for (uint64_t i = 1; i <= 500; ++i) {
    batches.Add("a", i, Deltas(absl::StrCat("m@p", i % 5), 1), 1, absl::Seconds(10) * i);
    ASSERT_LE(batches.entries(), 50u);
  }
  const auto groups = batches.TakeAll();
  EXPECT_EQ(Sum(groups) + batches.dropped_outcomes(), 500);
  EXPECT_GT(Sum(groups), 40);
  absl::Duration oldest = absl::InfiniteDuration();
  for (const Group& group : groups) oldest = std::min(oldest, group.received.begin()->first);
  EXPECT_GT(oldest, absl::Seconds(4000));
}

TEST(Batches, TakesBackWhatCouldNotBeFlushedBeforeWhatCameSince) {
  Batches batches({});
  batches.Add("a", 1, Deltas("m@p", 1), 1, absl::Seconds(1));
  batches.Add("a", 2, Deltas("m@p", 1), 1, absl::Seconds(2));
  auto taken = batches.TakeAll();
  batches.Add("a", 3, Deltas("m@p", 1), 1, absl::Seconds(3));
  batches.GiveBack(std::move(taken));
  const auto groups = batches.TakeAll();
  ASSERT_EQ(groups.size(), 3u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(groups[i].sequences[0], i + 1);
}

TEST(Batches, ForgetTheReporterIdleForLongest) {
  Batches::Options options;
  options.max_reporters = 3;
  Batches batches(options);
  for (const char* reporter : {"a", "b", "c"}) batches.Admit(reporter, 1, absl::Seconds(1));
  batches.Admit("a", 2, absl::Seconds(2));
  batches.Admit("d", 1, absl::Seconds(3));
  EXPECT_FALSE(batches.Admit("a", 1, absl::Seconds(4)));
  EXPECT_FALSE(batches.Admit("d", 1, absl::Seconds(4)));
}

TEST(Batches, KeepsNothingOfABatchThatSaysNothing) {
  Batches batches({});
  batches.Add("a", 1, EndpointDeltas(), 5, absl::ZeroDuration());
  EXPECT_TRUE(batches.empty());
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
