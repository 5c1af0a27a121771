// A primary, a replica and three sentinels: the connection follows the primary, and what was
// acknowledged with replicas survives its loss.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/redis/connection.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::redis {
namespace {

using signalbox::testing::Ask;
using signalbox::testing::Await;
using signalbox::testing::Eventually;
using signalbox::testing::RedisServer;

constexpr absl::Duration kFailoverLimit = absl::Seconds(30);

class RedisSentinel : public ::testing::Test {
 protected:
  void SetUp() override {
    primary_ = StartServer({});
    if (primary_ == nullptr) return;
    replica_ = StartServer({"--replicaof", absl::StrCat("127.0.0.1 ", primary_->port())});
    ASSERT_NE(replica_, nullptr);
    for (int i = 0; i < 3; ++i) StartSentinel();
    ASSERT_TRUE(Eventually([this] { return EverybodyKnowsEverybody(); }, kFailoverLimit));
  }

  std::unique_ptr<RedisServer> StartServer(const std::vector<std::string>& arguments) {
    RedisServer::Options options;
    options.tcp = true;
    options.append_only = true;
    options.arguments = {
        "--requirepass", "secret", "--masterauth", "secret", "--repl-diskless-sync-delay", "0"};
    if (!arguments.empty()) {  // "--replicaof" takes two words
      options.arguments.push_back(arguments[0]);
      for (const auto word : absl::StrSplit(arguments[1], ' '))
        options.arguments.emplace_back(word);
    }
    options.password = "secret";
    auto server = std::make_unique<RedisServer>(options);
    if (server->Start()) return server;
    problem_ = server->problem();
    return nullptr;
  }

  void StartSentinel() {
    RedisServer::Options options;
    options.tcp = true;
    options.sentinel = {absl::StrCat("sentinel monitor main 127.0.0.1 ", primary_->port(), " 2"),
                        "sentinel auth-pass main secret",
                        "sentinel down-after-milliseconds main 500",
                        "sentinel failover-timeout main 5000"};
    sentinels_.push_back(std::make_unique<RedisServer>(options));
    ASSERT_TRUE(sentinels_.back()->Start()) << sentinels_.back()->problem();
  }

  bool EverybodyKnowsEverybody() {
    if (replica_->Run({"INFO", "replication"}).find("master_link_status:up") == std::string::npos)
      return false;
    for (const auto& sentinel : sentinels_) {
      const std::string info = sentinel->Run({"INFO", "sentinel"});
      if (info.find("slaves=1,sentinels=3") == std::string::npos) return false;
    }
    return true;
  }

  Options ConnectionOptions() {
    Options options;
    options.sentinels.master_name = "main";
    for (const auto& sentinel : sentinels_)
      options.sentinels.addresses.push_back(*ParseAddress(sentinel->address()));
    options.login.password = [] { return std::string("secret"); };
    options.command_timeout = absl::Milliseconds(300);
    return options;
  }

  // Writes numbers one after the other, each with the word of one replica, until stopped; a number
  // whose write is not acknowledged is written again.
  void WriteUntil(Connection& connection, const std::function<bool()>& enough) {
    for (int number = 0; !enough(); ++number) {
      const std::string key = absl::StrCat("n:", number);
      while (!Write(connection, key).ok()) absl::SleepFor(absl::Milliseconds(20));
      acknowledged_.push_back(key);
    }
  }

  static absl::Status Write(Connection& connection, const std::string& key) {
    return Await<absl::Status>(connection.loop(), [&](std::function<void(absl::Status)> done) {
      connection.Command({"SET", key, "1"}, [&connection, done](absl::StatusOr<Reply> reply) {
        if (!reply.ok()) return done(reply.status());
        connection.AwaitReplicas(done);
      });
    });
  }

  void ExpectAllAcknowledged(RedisServer& server) {
    ASSERT_GT(acknowledged_.size(), 10u);
    int lost = 0;
    for (const std::string& key : acknowledged_) lost += server.Run({"GET", key}) != "1";
    EXPECT_EQ(lost, 0) << "of " << acknowledged_.size();
  }

  std::string problem_;
  std::unique_ptr<RedisServer> primary_, replica_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
  net::EventLoop loop_{"test"};
  std::vector<std::string> acknowledged_;
};

TEST_F(RedisSentinel, FollowsThePrimaryAndLosesNothingThatWasAcknowledged) {
  if (primary_ == nullptr) GTEST_SKIP() << problem_;
  Options options = ConnectionOptions();
  options.replicas = 1;
  Connection connection(loop_, options);
  size_t before = 0;
  // A hundred with both, then the primary dies; the replica alone can confirm nothing, so it asks
  // for none from then on.
  WriteUntil(connection, [&] { return acknowledged_.size() >= 100; });
  before = acknowledged_.size();
  primary_->Kill();
  EXPECT_TRUE(Eventually(
      [&] {
        return Ask(connection, {"SET", "after", "1"}).ok();
      },
      kFailoverLimit));
  EXPECT_FALSE(Write(connection, "alone").ok()) << "no replica is left to confirm it";
  ExpectAllAcknowledged(*replica_);
  EXPECT_GE(before, 100u);
  // The old primary comes back as a replica: writes count again.
  ASSERT_TRUE(primary_->Restart());
  EXPECT_TRUE(Eventually([&] { return Write(connection, "together").ok(); }, kFailoverLimit));
}

TEST_F(RedisSentinel, LeavesAFrozenPrimaryAndItsUnacknowledgedWrites) {
  if (primary_ == nullptr) GTEST_SKIP() << problem_;
  Options options = ConnectionOptions();
  options.replicas = 1;
  Connection connection(loop_, options);
  WriteUntil(connection, [&] { return acknowledged_.size() >= 50; });
  primary_->Freeze();
  EXPECT_FALSE(Write(connection, "into the ice").ok());
  EXPECT_TRUE(Eventually(
      [&] {
        return Ask(connection, {"SET", "after", "1"}).ok();
      },
      kFailoverLimit));
  primary_->Thaw();
  EXPECT_TRUE(Eventually([&] { return Write(connection, "together").ok(); }, kFailoverLimit));
  ExpectAllAcknowledged(*replica_);
}

TEST_F(RedisSentinel, AsksTheNextSentinelWhereOneIsSilent) {
  if (primary_ == nullptr) GTEST_SKIP() << problem_;
  sentinels_[0]->Freeze();
  sentinels_[1]->Kill();
  Options options = ConnectionOptions();
  options.connect_timeout = absl::Milliseconds(300);
  Connection connection(loop_, options);
  EXPECT_TRUE(Eventually([&] { return connection.ready(); }));
  sentinels_[0]->Thaw();
}

}  // namespace
}  // namespace signalbox::redis
