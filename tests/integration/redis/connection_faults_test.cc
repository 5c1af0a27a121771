// The connection when the other side is dead, frozen, slow or not Redis at all.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/obs/log.h"
#include "common/redis/connection.h"
#include "common/redis/subscription.h"
#include "tests/integration/redis/fake_redis.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::redis {
namespace {

using signalbox::testing::Ask;
using signalbox::testing::Await;
using signalbox::testing::Eventually;
using signalbox::testing::FakeRedis;
using signalbox::testing::RedisServer;

Options OptionsFor(const std::string& address) {
  Options options;
  options.address = *ParseAddress(address);
  options.command_timeout = absl::Milliseconds(250);
  return options;
}

std::string Bulk(const std::string& text) {
  return absl::StrCat("$", text.size(), "\r\n", text, "\r\n");
}

// Counts log lines of an event.
class LogCount {
 public:
  int Of(absl::string_view event) {
    std::lock_guard<std::mutex> lock(mutex_);
    int count = 0;
    for (const std::string& line : lines_)
      count += absl::StrContains(line, absl::StrCat("\"", event, "\""));
    return count;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
  obs::ScopedLogSink sink_{[this](absl::string_view line) {
    std::lock_guard<std::mutex> lock(mutex_);
    lines_.emplace_back(line);
  }};
};

struct Timed {
  absl::StatusOr<Reply> reply;
  absl::Duration took;
};
Timed AskTimed(Connection& connection, const std::vector<std::string>& command) {
  const absl::Time start = absl::Now();
  auto reply = Ask(connection, command, absl::ZeroDuration());
  return {std::move(reply), absl::Now() - start};
}

TEST(RedisFaults, FrozenServerCostsOneDeadlineEachAndThenNothing) {
  RedisServer server;
  if (!server.Start()) GTEST_SKIP() << server.problem();
  LogCount log;
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  ASSERT_TRUE(Ask(connection, {"PING"}).ok());
  server.Freeze();
  for (int i = 0; i < 5; ++i) {
    const Timed timed = AskTimed(connection, {"GET", "a"});
    EXPECT_EQ(timed.reply.status().code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_GE(timed.took, absl::Milliseconds(240));
  }
  // The breaker is open: refused without waiting, however many come.
  const absl::Time start = absl::Now();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Ask(connection, {"GET", "a"}).status().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));  // waiting would take 25 s
  EXPECT_FALSE(connection.ready());
  server.Thaw();
  EXPECT_TRUE(Eventually([&] { return connection.ready(); }));
  EXPECT_TRUE(Ask(connection, {"PING"}).ok());
  EXPECT_GE(log.Of("redis_unavailable"), 1);
  EXPECT_LE(log.Of("redis_unavailable"), 3);  // a loaded machine may miss a deadline of its own
}

TEST(RedisFaults, LoopKeepsTurningWhileTheServerIsFrozen) {
  RedisServer server;
  if (!server.Start()) GTEST_SKIP() << server.problem();
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  ASSERT_TRUE(Ask(connection, {"PING"}).ok());
  server.Freeze();
  // More than the socket buffers take.
  const std::string large(128 << 10, 'x');
  constexpr int kCommands = 8;
  std::atomic<int> ended{0};
  loop.Post([&] {
    for (int i = 0; i < kCommands; ++i) {
      connection.Command({"SET", "a", large}, [&](absl::StatusOr<Reply> reply) {
        EXPECT_FALSE(reply.ok());
        ++ended;
      });
    }
  });
  int turns = 0;
  while (ended < kCommands) {
    loop.RunAndWait([] {});
    ++turns;
  }
  EXPECT_GT(turns, 20);
  server.Thaw();
}

TEST(RedisFaults, KilledServerFailsAtOnceAndIsFoundAgainWhenBack) {
  RedisServer server;
  if (!server.Start()) GTEST_SKIP() << server.problem();
  LogCount log;
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  ASSERT_TRUE(Eventually([&] { return Ask(connection, {"PING"}).ok(); }));
  constexpr int kRounds = 5;
  for (int round = 0; round < kRounds; ++round) {
    server.Kill();
    EXPECT_TRUE(Eventually([&] { return !Ask(connection, {"PING"}).ok(); }));
    const absl::Time start = absl::Now();
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(Ask(connection, {"PING"}).status().code(), absl::StatusCode::kUnavailable);
    }
    EXPECT_LT(absl::Now() - start, absl::Seconds(10));  // waiting would take 12.5 s
    ASSERT_TRUE(server.Restart());
    EXPECT_TRUE(Eventually([&] { return Ask(connection, {"PING"}).ok(); }, absl::Seconds(30)));
  }
  // By change of state, not by command.
  EXPECT_GE(log.Of("redis_unavailable"), kRounds);
  EXPECT_LE(log.Of("redis_unavailable"), 3 * kRounds);
}

TEST(RedisFaults, StartsWithoutAServerAndFindsItLater) {
  RedisServer server;
  if (!server.Start()) GTEST_SKIP() << server.problem();
  server.Kill();
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  EXPECT_EQ(Ask(connection, {"PING"}).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(server.Restart());
  EXPECT_TRUE(Eventually([&] { return Ask(connection, {"PING"}).ok(); }));
}

TEST(RedisFaults, LateRepliesNeverReachAnotherCommand) {
  constexpr uint64_t kSeed = 20260822;
  SCOPED_TRACE(absl::StrCat("seed ", kSeed));
  Rng rng(kSeed);
  constexpr int kCommands = 500;
  std::atomic<int> ended{0}, answered{0}, late{0}, wrong{0};
  FakeRedis server([&rng](const FakeRedis::Command& command) {
    return FakeRedis::Reply{Bulk(command[1]), absl::Microseconds(rng.Below(4'000))};
  });
  net::EventLoop loop("test");
  Options options = OptionsFor(server.address());
  options.failures_to_open = 1 << 30;
  Connection connection(loop, options);
  ASSERT_TRUE(Ask(connection, {"ECHO", "first"}).ok());
  for (int i = 0; i < kCommands; ++i) {
    loop.Post([&, i] {
      const std::string canary = absl::StrCat("canary-", i);
      connection.Command(
          {"ECHO", canary},
          [&, canary](absl::StatusOr<Reply> reply) {
            ++ended;
            if (!reply.ok()) ++late;
            if (reply.ok()) ++(reply->string() == canary ? answered : wrong);
          },
          absl::Milliseconds(8));
    });
    absl::SleepFor(absl::Microseconds(1'800));
  }
  EXPECT_TRUE(Eventually([&] { return ended == kCommands; }, absl::Seconds(60)));
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(answered, 0);
  EXPECT_GT(late, 0) << "the test did not test anything";
}

TEST(RedisFaults, StrayReplyEndsTheConnectionInsteadOfShiftingTheRest) {
  std::atomic<int> commands{0};
  FakeRedis server([&commands](const FakeRedis::Command& command) {
    const bool stray = ++commands == 3;
    return FakeRedis::Reply{absl::StrCat(Bulk(command[1]), stray ? Bulk("stray") : "")};
  });
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  for (int i = 0; i < 50; ++i) {
    const std::string canary = absl::StrCat("canary-", i);
    const auto reply = Ask(connection, {"ECHO", canary});
    if (reply.ok()) {
      EXPECT_EQ(reply->string(), canary);
    }
    absl::SleepFor(absl::Milliseconds(2));
  }
  EXPECT_EQ(server.connections(), 2);
}

class RedisGarbage : public ::testing::TestWithParam<const char*> {};

TEST_P(RedisGarbage, EndsTheConnectionAndTheCommand) {
  std::atomic<bool> garbage{true};
  FakeRedis server([&](const FakeRedis::Command& command) {
    return FakeRedis::Reply{garbage.exchange(false) ? GetParam() : Bulk(command[1])};
  });
  net::EventLoop loop("test");
  Options options = OptionsFor(server.address());
  options.max_reply_bytes = 1 << 20;
  options.command_timeout = absl::Milliseconds(300);
  Connection connection(loop, options);
  const auto reply = Ask(connection, {"ECHO", "a"}, absl::ZeroDuration());
  EXPECT_FALSE(reply.ok()) << reply->string();
  EXPECT_TRUE(Eventually([&] {
    const auto next = Ask(connection, {"ECHO", "b"}, absl::Milliseconds(200));
    EXPECT_TRUE(!next.ok() || next->string() == "b");
    return next.ok();
  }));
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RedisGarbage,
    ::testing::Values("HTTP/1.1 400 Bad Request\r\n\r\n", "$5\r\nhelloXX", "$-7\r\n", "$abc\r\n",
                      ":12a\r\n", "*99999999999\r\n", "*-5\r\n", "\r\n", "%1\r\n+a\r\n+b\r\n",
                      "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n"));

TEST(RedisFaults, ReplyLargerThanAllowedEndsTheConnection) {
  FakeRedis server([](const FakeRedis::Command& command) {
    if (command[1] == "large")
      return FakeRedis::Reply{absl::StrCat("$100000000\r\n", std::string(4 << 20, 'x'))};
    return FakeRedis::Reply{Bulk(command[1])};
  });
  net::EventLoop loop("test");
  Options options = OptionsFor(server.address());
  options.max_reply_bytes = 1 << 20;
  Connection connection(loop, options);
  EXPECT_FALSE(Ask(connection, {"ECHO", "large"}).ok());
  EXPECT_TRUE(Eventually([&] { return Ask(connection, {"ECHO", "small"}).ok(); }));
}

TEST(RedisFaults, RepliesMayComeByteByByte) {
  FakeRedis server([](const FakeRedis::Command& command) {
    return FakeRedis::Reply{absl::StrCat("*3\r\n:7\r\n$-1\r\n", Bulk(command[1])),
                            absl::ZeroDuration(), false, true};
  });
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  const auto reply = Ask(connection, {"ECHO", "a\r\n$b"});
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->array()[2].string(), "a\r\n$b");
}

TEST(RedisFaults, ConnectionsThatEndAfterEveryReplyAreRemade) {
  FakeRedis server([](const FakeRedis::Command& command) {
    return FakeRedis::Reply{Bulk(command[1]), absl::ZeroDuration(), true};
  });
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Eventually([&] {
      const auto reply = Ask(connection, {"ECHO", absl::StrCat(i)});
      return reply.ok() && reply->string() == absl::StrCat(i);
    }));
  }
  EXPECT_GE(server.connections(), 5);
}

TEST(RedisFaults, WaitsUntilTheServerHasLoadedItsData) {
  std::atomic<int> pings{0};
  FakeRedis server(
      [&pings](const FakeRedis::Command& command) {
        if (command[0] != "PING") return FakeRedis::Reply{Bulk(command[1])};
        return FakeRedis::Reply{++pings <= 3 ? "-LOADING Redis is loading the dataset in memory\r\n"
                                             : "+PONG\r\n"};
      },
      /*scripted_ping=*/true);
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  EXPECT_EQ(Ask(connection, {"ECHO", "a"}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Eventually([&] { return Ask(connection, {"ECHO", "a"}).ok(); }));
  EXPECT_GE(pings, 4);
}

TEST(RedisFaults, LooksForTheNewPrimaryWhenTheOldOneIsReadOnly) {
  std::atomic<int> writes{0};
  FakeRedis server([&writes](const FakeRedis::Command&) {
    return FakeRedis::Reply{
        ++writes == 1 ? "-READONLY You can't write against a read only replica.\r\n" : "+OK\r\n"};
  });
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  EXPECT_EQ(Ask(connection, {"SET", "a", "1"}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Eventually([&] { return Ask(connection, {"SET", "a", "1"}).ok(); }));
  EXPECT_EQ(server.connections(), 2);
}

TEST(RedisFaults, ServerSlowerThanTheDeadlineCountsAsAway) {
  std::atomic<bool> slow{true};
  FakeRedis server(
      [&slow](const FakeRedis::Command& command) {
        return FakeRedis::Reply{command[0] == "PING" ? "+PONG\r\n" : Bulk(command[1]),
                                slow ? absl::Milliseconds(600) : absl::ZeroDuration()};
      },
      /*scripted_ping=*/true);
  LogCount log;
  net::EventLoop loop("test");
  Connection connection(loop, OptionsFor(server.address()));
  EXPECT_FALSE(Ask(connection, {"ECHO", "a"}).ok());
  absl::SleepFor(absl::Milliseconds(1000));
  EXPECT_FALSE(connection.ready());
  EXPECT_EQ(log.Of("redis_unavailable"), 1);  // a try that fails again is no change
  slow = false;
  EXPECT_TRUE(Eventually([&] { return Ask(connection, {"ECHO", "a"}).ok(); }));
}

TEST(RedisFaults, SubscriptionStandsAgainAfterARestart) {
  RedisServer server;
  if (!server.Start()) GTEST_SKIP() << server.problem();
  std::atomic<int> messages{0};
  std::atomic<bool> listening{false};
  net::EventLoop loop("test");
  Subscription::Handlers handlers;
  handlers.on_listening = [&](bool now) { listening = now; };
  handlers.on_message = [&](absl::string_view, absl::string_view) { ++messages; };
  Subscription subscription(loop, OptionsFor(server.address()), {"news"}, std::move(handlers));
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(Eventually(
        [&] {
          return server.Run({"PUBLISH", "news", "x"}) == "1";
        },
        absl::Seconds(30)));
    EXPECT_TRUE(Eventually([&] { return messages == round; }));
    EXPECT_TRUE(listening);
    server.Kill();
    EXPECT_TRUE(Eventually([&] { return !listening; }));
    ASSERT_TRUE(server.Restart());
  }
}

}  // namespace
}  // namespace signalbox::redis
