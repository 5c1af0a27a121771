#include "services/metrics-aggregator/core/score_book.h"

#include <gtest/gtest.h>

namespace signalbox::metrics_aggregator {
namespace {

using store::BucketId;
using store::Count;
using store::Resolution;
using store::WindowCounts;
using store::WindowNews;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'007);

// Answers every read with one success in the newest bucket of each resolution.
void Answer(ScoreBook* book, const std::vector<ScoreBook::Read>& reads, absl::Time now) {
  for (const ScoreBook::Read& read : reads) {
    std::vector<WindowCounts> windows(read.buckets.size());
    for (size_t i = 0; i < windows.size(); ++i) {
      if (read.buckets[i] == BucketId::At(read.buckets[i].resolution, now))
        windows[i][Count::kOk] = 1;
    }
    book->Take(read, std::move(windows), now);
  }
}

TEST(ScoreBook, ReadsANewEndpointWholeAndAKnownOneWhereItMayHaveChanged) {
  ScoreBook book({});
  auto reads = book.Plan({kNow, {"m@p"}, {}});
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].buckets.size(), AllBuckets(kNow).size());
  Answer(&book, reads, kNow);
  reads = book.Plan({kNow + absl::Seconds(1), {"m@p"}, {}});
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_LT(reads[0].buckets.size(), 15u);
  EXPECT_TRUE(book.Plan({kNow + absl::Seconds(2), {}, {}}).empty());
}

TEST(ScoreBook, ReadsAnEndpointWholeAgainWhenItsReadFailedAndItsLastHoursWhenAWriteWasLate) {
  ScoreBook book({});
  book.Plan({kNow, {"m@p"}, {}});  // not answered
  auto reads = book.Plan({kNow, {"m@p"}, {}});
  EXPECT_EQ(reads[0].buckets.size(), AllBuckets(kNow).size());
  Answer(&book, reads, kNow);
  reads = book.Plan({kNow + absl::Seconds(1), {"m@p"}, {"m@p"}});
  EXPECT_EQ(reads[0].buckets.size(), 120u + 179u + 4u);
}

TEST(ScoreBook, ReadsEveryEndpointWholeNowAndThen) {
  ScoreBook book({});
  Answer(&book, book.Plan({kNow, {"m@p"}, {}}), kNow);
  EXPECT_TRUE(book.Plan({kNow + absl::Minutes(4), {}, {}}).empty());
  EXPECT_EQ(book.Plan({kNow + absl::Minutes(5), {}, {}}).size(), 1u);
}

TEST(ScoreBook, PublishesOnNewsAndOtherwiseEveryTenSeconds) {
  ScoreBook book({});
  EXPECT_TRUE(book.PublicationDue(kNow));  // never published
  book.OnPublished(kNow);
  EXPECT_FALSE(book.PublicationDue(kNow + absl::Seconds(9)));
  EXPECT_TRUE(book.PublicationDue(kNow + absl::Seconds(10)));
  Answer(&book, book.Plan({kNow, {"m@p"}, {}}), kNow);
  EXPECT_TRUE(book.PublicationDue(kNow + absl::Seconds(1)));
}

TEST(ScoreBook, BuildsASnapshotSortedById) {
  ScoreBook book({});
  Answer(&book, book.Plan({kNow, {"m@c", "m@a", "m@b"}, {}}), kNow);
  const auto snapshot = book.Build(7, kNow);
  EXPECT_EQ(snapshot.version(), 7u);
  EXPECT_EQ(snapshot.computed_unix_ms(), absl::ToUnixMillis(kNow));
  ASSERT_EQ(snapshot.endpoints_size(), 3);
  EXPECT_EQ(snapshot.endpoints(0).endpoint_id(), "m@a");
  EXPECT_EQ(snapshot.endpoints(2).endpoint_id(), "m@c");
  EXPECT_EQ(snapshot.endpoints(0).attempts_5m(), 1);
  EXPECT_NE(snapshot.endpoints(0).exacto_tier(), metrics::v1::EXACTO_TIER_UNSPECIFIED);
}

TEST(ScoreBook, ForgetsEndpointsOfWhichNothingIsLeft) {
  ScoreBook book({});
  Answer(&book, book.Plan({kNow, {"m@p"}, {}}), kNow);
  EXPECT_EQ(book.Build(1, kNow + absl::Hours(24 * 31)).endpoints_size(), 1);
  EXPECT_EQ(book.Build(2, kNow + absl::Hours(24 * 33)).endpoints_size(), 0);
  EXPECT_EQ(book.size(), 0u);
}

TEST(ScoreBook, ScoresNoMoreEndpointsThanItMay) {
  ScoreBook::Options options;
  options.max_endpoints = 2;
  ScoreBook book(options);
  EXPECT_EQ(book.Plan({kNow, {"m@a", "m@b", "m@c"}, {}}).size(), 2u);
  EXPECT_EQ(book.refused(), 1);
}

TEST(Version, GrowsWithEveryPublicationAndSurvivesAStoreThatForgot) {
  const auto now_ms = static_cast<uint64_t>(absl::ToUnixMillis(kNow));
  EXPECT_EQ(NextVersion(0, kNow), now_ms);
  EXPECT_EQ(NextVersion(now_ms, kNow), now_ms + 1);
  EXPECT_EQ(NextVersion(now_ms + 5000, kNow), now_ms + 5001);  // a clock that went back
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
