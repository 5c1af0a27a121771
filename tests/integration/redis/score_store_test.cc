// Publishing under a lease, and the watcher that keeps the latest scores in memory.
#include "common/store/score_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "common/store/lease.h"
#include "common/store/snapshot_watcher.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::store {
namespace {

using metrics::v1::ScoreSnapshot;
using signalbox::testing::Await;
using signalbox::testing::Eventually;
using signalbox::testing::RedisServer;

class Scores : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!server_.Start()) GTEST_SKIP() << server_.problem();
    options_.address = *redis::ParseAddress(server_.address());
    options_.command_timeout = absl::Seconds(1);
    connection_ = std::make_unique<redis::Connection>(loop_, options_);
    store_ = std::make_unique<ScoreStore>(*connection_, Keys());
  }

  std::unique_ptr<Lease> MakeLease(const std::string& owner, absl::Duration ttl) {
    return std::make_unique<Lease>(*connection_, Keys(), owner, ttl, Clock::Real());
  }
  bool Take(Lease& lease) {
    return Await<bool>(loop_, [&](auto done) { lease.TakeOrRenew(done); });
  }
  absl::Status Publish(const std::string& lease, uint64_t version) {
    ScoreSnapshot snapshot;
    snapshot.set_version(version);
    snapshot.set_computed_unix_ms(absl::ToUnixMillis(absl::Now()));
    snapshot.add_endpoints()->set_endpoint_id("m@p");
    return Await<absl::Status>(loop_, [&](auto done) { store_->Publish(lease, snapshot, done); });
  }
  // For the cases in which only the content matters.
  absl::Status PublishAs(const std::string& owner, uint64_t version) {
    auto lease = MakeLease(owner, absl::Seconds(30));
    Take(*lease);
    absl::Status status = Publish(lease->value(), version);
    Await<bool>(loop_, [&](auto done) { lease->Release([done] { done(true); }); });
    return status;
  }

  RedisServer server_;
  redis::Options options_;
  net::EventLoop loop_{"test"};
  std::unique_ptr<redis::Connection> connection_;
  std::unique_ptr<ScoreStore> store_;
};

TEST_F(Scores, LeaseHasOneOwnerAtATimeAndAFenceThatGrows) {
  auto a = MakeLease("a", absl::Milliseconds(300));
  auto b = MakeLease("b", absl::Milliseconds(300));
  EXPECT_TRUE(Take(*a));
  EXPECT_FALSE(Take(*b));
  EXPECT_EQ(a->value(), "a:1");
  EXPECT_TRUE(Take(*a));
  EXPECT_EQ(a->value(), "a:1");
  EXPECT_TRUE(Eventually([&] { return Take(*b); }));
  EXPECT_EQ(b->value(), "b:2");
  EXPECT_FALSE(Take(*a));
  EXPECT_FALSE(a->held());
}

TEST_F(Scores, LeaseGivenBackIsFreeAtOnce) {
  auto a = MakeLease("a", absl::Seconds(60));
  auto b = MakeLease("b", absl::Seconds(60));
  EXPECT_TRUE(Take(*a));
  Await<bool>(loop_, [&](auto done) { a->Release([done] { done(true); }); });
  EXPECT_FALSE(a->held());
  EXPECT_TRUE(Take(*b));
}

TEST_F(Scores, LeaseIsNotHeldForCertainWhileRedisIsAway) {
  auto a = MakeLease("a", absl::Milliseconds(200));
  EXPECT_TRUE(Take(*a));
  server_.Kill();
  EXPECT_TRUE(Eventually([&] { return !a->held(); }, absl::Seconds(3)));
  EXPECT_FALSE(Take(*a));
}

TEST_F(Scores, OwnerThatOverslepsCannotPublish) {
  auto a = MakeLease("a", absl::Milliseconds(100));
  auto b = MakeLease("b", absl::Seconds(60));
  EXPECT_TRUE(Take(*a));
  EXPECT_TRUE(Publish(a->value(), 1).ok());
  EXPECT_TRUE(Eventually([&] { return Take(*b); }));
  EXPECT_EQ(Publish(a->value(), 2).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Publish(b->value(), 2).ok());
}

TEST_F(Scores, VersionsOnlyGrow) {
  EXPECT_TRUE(PublishAs("a", 5).ok());
  EXPECT_EQ(PublishAs("a", 5).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(PublishAs("a", 4).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(PublishAs("a", 6).ok());
  EXPECT_EQ(*Await<absl::StatusOr<uint64_t>>(loop_, [&](auto done) { store_->ReadVersion(done); }),
            6u);
}

TEST_F(Scores, NothingPublishedIsNoError) {
  using Read = absl::StatusOr<std::optional<ScoreStore::Stored>>;
  const auto stored = Await<Read>(loop_, [&](auto done) { store_->Read(done); });
  ASSERT_TRUE(stored.ok());
  EXPECT_FALSE(stored->has_value());
}

TEST_F(Scores, WatcherIsToldAtOnce) {
  std::atomic<uint64_t> version{0};
  SnapshotWatcher watcher(*connection_, options_, Keys(), absl::Hours(1),
                          [&](const SnapshotPtr& news) { version = news->version(); });
  EXPECT_EQ(watcher.age(), absl::InfiniteDuration());
  EXPECT_EQ(watcher.latest(), nullptr);
  absl::SleepFor(absl::Milliseconds(100));  // until it listens
  for (uint64_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(PublishAs("a", i).ok());
    ASSERT_TRUE(Eventually([&] { return version == i; }));
  }
  EXPECT_EQ(watcher.latest()->endpoints(0).endpoint_id(), "m@p");
  EXPECT_LT(watcher.age(), absl::Seconds(10));
}

TEST_F(Scores, WatcherFindsWhatItWasNotToldOf) {
  SnapshotWatcher watcher(*connection_, options_, Keys(), absl::Milliseconds(30),
                          [](const SnapshotPtr&) {});
  ScoreSnapshot snapshot;
  snapshot.set_version(77);
  server_.Run({"SET", Keys().Scores(), snapshot.SerializeAsString()});
  server_.Run({"SET", Keys().ScoresVersion(), "77"});
  EXPECT_TRUE(
      Eventually([&] { return watcher.latest() != nullptr && watcher.latest()->version() == 77; }));
}

TEST_F(Scores, WatcherKeepsTheLastGoodSnapshot) {
  std::atomic<int> changes{0};
  SnapshotWatcher watcher(*connection_, options_, Keys(), absl::Milliseconds(30),
                          [&](const SnapshotPtr&) { ++changes; });
  ASSERT_TRUE(PublishAs("a", 1).ok());
  ASSERT_TRUE(Eventually([&] { return watcher.latest() != nullptr; }));
  // Rubbish.
  server_.Run({"SET", Keys().Scores(), "\xff\xff\xff rubbish"});
  server_.Run({"SET", Keys().ScoresVersion(), "2"});
  absl::SleepFor(absl::Milliseconds(150));
  EXPECT_EQ(watcher.latest()->version(), 1u);
  // Away, then back without any data.
  server_.Kill();
  absl::SleepFor(absl::Milliseconds(100));
  const absl::Duration age = watcher.age();
  ASSERT_TRUE(server_.Restart());
  absl::SleepFor(absl::Milliseconds(150));
  EXPECT_EQ(watcher.latest()->version(), 1u);
  EXPECT_GT(watcher.age(), age);
  EXPECT_EQ(changes, 1);
  ASSERT_TRUE(Eventually([&] { return PublishAs("a", 10).ok(); }));
  EXPECT_TRUE(Eventually([&] { return watcher.latest()->version() == 10; }));
  EXPECT_LT(watcher.age(), absl::Seconds(10));
}

}  // namespace
}  // namespace signalbox::store
