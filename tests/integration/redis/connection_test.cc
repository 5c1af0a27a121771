// The connection against a real server in good health.
#include "common/redis/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/redis/subscription.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::redis {
namespace {

using signalbox::testing::Ask;
using signalbox::testing::Await;
using signalbox::testing::Eventually;
using signalbox::testing::RedisServer;

enum class Transport { kUnix, kTcp, kTls };

Options OptionsFor(const RedisServer& server) {
  Options options;
  options.address = *ParseAddress(server.address());
  options.command_timeout = absl::Seconds(2);
  return options;
}

class RedisConnection : public ::testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    server_.emplace(ServerOptions());
    if (!server_->Start()) GTEST_SKIP() << server_->problem();
  }

  RedisServer::Options ServerOptions() {
    RedisServer::Options options;
    options.tcp = GetParam() != Transport::kUnix;
    if (GetParam() == Transport::kTls) {
      options.authority = &certificates_.emplace();
      options.certificate = certificates_->Make("server", "IP:127.0.0.1");
    }
    return options;
  }

  Options OptionsFor(const RedisServer& server) {
    Options options = redis::OptionsFor(server);
    if (certificates_.has_value())
      options.tls.contexts = std::make_shared<TlsContexts>(TlsFiles{certificates_->ca(), "", ""});
    return options;
  }

  std::optional<signalbox::testing::Certificates> certificates_;
  net::EventLoop loop_{"test"};
  std::optional<RedisServer> server_;
};

TEST_P(RedisConnection, AnswersCommandsOfEveryReplyKind) {
  Connection connection(loop_, OptionsFor(*server_));
  EXPECT_EQ(Ask(connection, {"SET", "a", "1"})->string(), "OK");
  EXPECT_EQ(Ask(connection, {"GET", "a"})->string(), "1");
  EXPECT_TRUE(Ask(connection, {"GET", "none"})->is_nil());
  EXPECT_EQ(Ask(connection, {"INCR", "a"})->integer(), 2);
  EXPECT_EQ(Ask(connection, {"MGET", "a", "none"})->array().size(), 2u);
  EXPECT_EQ(Ask(connection, {"LPUSH", "a", "x"}).status().code(), absl::StatusCode::kInternal);
}

TEST_P(RedisConnection, KeepsArgumentsWhole) {
  Connection connection(loop_, OptionsFor(*server_));
  const std::string nasty("a\r\n*3\r\n$3\r\nDEL\0{}", 17);
  EXPECT_EQ(Ask(connection, {"SET", nasty, nasty})->string(), "OK");
  EXPECT_EQ(Ask(connection, {"GET", nasty})->string(), nasty);
  EXPECT_EQ(Ask(connection, {"DBSIZE"})->integer(), 1);
}

TEST_P(RedisConnection, PipelinesThousandsOfCommandsInOrder) {
  Connection connection(loop_, OptionsFor(*server_));
  constexpr int kCount = 9000;
  std::atomic<int> wrong{0};
  Await<bool>(loop_, [&](std::function<void(bool)> done) {
    auto left = std::make_shared<int>(kCount);
    for (int i = 0; i < kCount; ++i) {
      connection.Command({"ECHO", absl::StrCat(i)},
                         [&wrong, i, left, done](absl::StatusOr<Reply> reply) {
                           if (!reply.ok() || reply->string() != absl::StrCat(i)) ++wrong;
                           if (--*left == 0) done(true);
                         });
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST_P(RedisConnection, CarriesValuesLargerThanTheSocketBuffer) {
  Connection connection(loop_, OptionsFor(*server_));
  const std::string large(24 << 20, 'x');
  EXPECT_EQ(Ask(connection, {"SET", "large", large})->string(), "OK");
  EXPECT_EQ(Ask(connection, {"GET", "large"})->string().size(), large.size());
}

TEST_P(RedisConnection, LoadsAScriptTheServerForgot) {
  static const Script script("return {KEYS[1], ARGV[1]}");
  Connection connection(loop_, OptionsFor(*server_));
  for (int round = 0; round < 3; ++round) {
    auto reply = Await<absl::StatusOr<Reply>>(
        loop_, [&](Callback done) { connection.Eval(script, {"key"}, {"argument"}, done); });
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->array()[0].string(), "key");
    EXPECT_EQ(reply->array()[1].string(), "argument");
    if (round == 1) server_->Run({"SCRIPT", "FLUSH"});
  }
  EXPECT_EQ(server_->Run({"SCRIPT", "EXISTS", script.sha()}), "1");
}

TEST_P(RedisConnection, RefusesAtOnceWhenTheQueueIsFull) {
  Options options = OptionsFor(*server_);
  options.max_pending = 10;
  Connection connection(loop_, options);
  std::atomic<int> refused{0};
  Await<bool>(loop_, [&](std::function<void(bool)> done) {
    auto left = std::make_shared<int>(15);
    for (int i = 0; i < 15; ++i) {
      connection.Command({"PING"}, [&refused, left, done](absl::StatusOr<Reply> reply) {
        if (reply.status().code() == absl::StatusCode::kResourceExhausted) ++refused;
        if (--*left == 0) done(true);
      });
    }
  });
  EXPECT_EQ(refused, 5);
  EXPECT_TRUE(Ask(connection, {"PING"}).ok());
}

TEST_P(RedisConnection, MayBeDestroyedByItsOwnCallback) {
  auto connection = std::make_unique<Connection>(loop_, OptionsFor(*server_));
  Await<bool>(loop_, [&](std::function<void(bool)> done) {
    for (int i = 0; i < 10; ++i) {
      connection->Command({"PING"}, [&connection, done](absl::StatusOr<Reply>) {
        connection = nullptr;
        done(true);
      });
    }
  });
  EXPECT_EQ(connection, nullptr);
}

TEST_P(RedisConnection, ListensToChannels) {
  Connection connection(loop_, OptionsFor(*server_));
  std::atomic<bool> listening{false};
  std::promise<std::string> heard;
  Subscription::Handlers handlers;
  handlers.on_listening = [&](bool now) { listening = now; };
  handlers.on_message = [&](absl::string_view channel, absl::string_view message) {
    heard.set_value(absl::StrCat(channel, "=", message));
  };
  Subscription subscription(loop_, OptionsFor(*server_), {"one", "two"}, std::move(handlers));
  ASSERT_TRUE(Eventually([&] { return listening.load(); }));
  EXPECT_EQ(Ask(connection, {"PUBLISH", "two", "news"})->integer(), 1);
  EXPECT_EQ(heard.get_future().get(), "two=news");
}

INSTANTIATE_TEST_SUITE_P(Transport, RedisConnection,
                         ::testing::Values(Transport::kUnix, Transport::kTcp, Transport::kTls),
                         [](const auto& param) {
                           return param.param == Transport::kUnix  ? "Unix"
                                  : param.param == Transport::kTcp ? "Tcp"
                                                                   : "Tls";
                         });

TEST(RedisConnectionAuth, AuthenticatesAndSelectsItsDatabase) {
  RedisServer::Options server_options;
  server_options.arguments = {"--requirepass", "secret"};
  server_options.password = "secret";
  RedisServer server(server_options);
  if (!server.Start()) GTEST_SKIP() << server.problem();
  net::EventLoop loop("test");
  Options options = OptionsFor(server);
  options.login.password = [] { return std::string("secret"); };
  options.database = 3;
  Connection connection(loop, options);
  EXPECT_EQ(Ask(connection, {"SET", "a", "1"})->string(), "OK");
  EXPECT_EQ(server.Run({"INFO", "keyspace"}).find("db3:keys=1") != std::string::npos, true);
}

TEST(RedisConnectionAuth, SaysWhyItCannotServeWithoutThePassword) {
  RedisServer::Options server_options;
  server_options.arguments = {"--requirepass", "secret"};
  server_options.password = "secret";
  RedisServer server(server_options);
  if (!server.Start()) GTEST_SKIP() << server.problem();
  net::EventLoop loop("test");
  Options options = OptionsFor(server);
  options.login.password = [] { return std::string("wrong"); };
  Connection connection(loop, options);
  const auto reply = Ask(connection, {"GET", "a"});
  EXPECT_EQ(reply.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(connection.ready());
}

}  // namespace
}  // namespace signalbox::redis
