// TLS to a real server: who is trusted, and what is said about whom is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "absl/synchronization/mutex.h"
#include "common/obs/log.h"
#include "common/redis/connection.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::redis {
namespace {

using signalbox::testing::Ask;
using signalbox::testing::Certificates;
using signalbox::testing::Eventually;
using signalbox::testing::RedisServer;
using ::testing::HasSubstr;

class RedisTls : public ::testing::Test {
 protected:
  bool Start(const std::string& names, std::vector<std::string> arguments = {}) {
    RedisServer::Options options;
    options.tcp = true;
    options.authority = &certificates_;
    options.certificate = certificates_.Make("server", names);
    options.arguments = std::move(arguments);
    server_.emplace(options);
    return server_->Start();
  }

  Options OptionsWith(TlsFiles files, std::string server_name = "") {
    Options options;
    options.address = *ParseAddress(server_->address());
    options.command_timeout = absl::Seconds(2);
    options.tls = {std::make_shared<TlsContexts>(std::move(files)), std::move(server_name)};
    return options;
  }

  // Why a server is not taken shows in the log, which says it once.
  std::string Refusal(const Options& options) {
    std::string text;
    absl::Mutex mutex;
    const obs::ScopedLogSink sink([&](absl::string_view line) {
      absl::MutexLock lock(&mutex);
      text.append(line.data(), line.size());
    });
    Connection connection(loop_, options);
    Eventually([&] {
      absl::MutexLock lock(&mutex);
      return text.find("redis_unavailable") != std::string::npos || connection.ready();
    });
    absl::MutexLock lock(&mutex);
    return text;
  }

  net::EventLoop loop_{"test"};
  Certificates certificates_;
  std::optional<RedisServer> server_;
};

TEST_F(RedisTls, TakesTheServerWhoseNameTheConfigurationGives) {
  if (!Start("DNS:redis.test")) GTEST_SKIP() << server_->problem();
  Connection connection(loop_, OptionsWith({certificates_.ca(), "", ""}, "redis.test"));
  EXPECT_EQ(Ask(connection, {"PING"})->string(), "PONG");
}

TEST_F(RedisTls, RefusesAServerOfAnotherName) {
  if (!Start("DNS:redis.test")) GTEST_SKIP() << server_->problem();
  EXPECT_THAT(Refusal(OptionsWith({certificates_.ca(), "", ""})), HasSubstr("mismatch"));
  EXPECT_THAT(Refusal(OptionsWith({certificates_.ca(), "", ""}, "other.test")),
              HasSubstr("mismatch"));
}

TEST_F(RedisTls, RefusesAServerOfAnotherAuthority) {
  if (!Start("IP:127.0.0.1")) GTEST_SKIP() << server_->problem();
  const Certificates others;
  EXPECT_THAT(Refusal(OptionsWith({others.ca(), "", ""})), HasSubstr("certificate"));
}

TEST_F(RedisTls, RefusesAServerThatSpeaksPlain) {
  RedisServer::Options tcp;
  tcp.tcp = true;
  RedisServer plain(tcp);
  if (!plain.Start()) GTEST_SKIP() << plain.problem();
  Options options;
  options.address = *ParseAddress(plain.address());
  options.tls = {std::make_shared<TlsContexts>(TlsFiles{certificates_.ca(), "", ""}), ""};
  EXPECT_THAT(Refusal(options), HasSubstr("redis_unavailable"));
}

TEST_F(RedisTls, ShowsItsOwnCertificateToAServerThatAsksForOne) {
  if (!Start("IP:127.0.0.1", {"--tls-auth-clients", "yes"})) GTEST_SKIP() << server_->problem();
  EXPECT_THAT(Refusal(OptionsWith({certificates_.ca(), "", ""})), HasSubstr("redis_unavailable"));
  const Certificates::Files client = certificates_.Make("client", "DNS:client.test");
  Connection connection(loop_, OptionsWith({certificates_.ca(), client.certificate, client.key}));
  EXPECT_EQ(Ask(connection, {"PING"})->string(), "PONG");
}

TEST_F(RedisTls, ReadsReplacedFilesForTheNextConnection) {
  if (!Start("IP:127.0.0.1", {"--tls-auth-clients", "yes"})) GTEST_SKIP() << server_->problem();
  Certificates others;
  // The client's files hold another authority's certificate at first.
  const Certificates::Files wrong = others.Make("client", "DNS:client.test");
  Connection connection(loop_, OptionsWith({certificates_.ca(), wrong.certificate, wrong.key}));
  EXPECT_FALSE(Ask(connection, {"PING"}).ok());
  const Certificates::Files right = certificates_.Make("client", "DNS:client.test");
  std::filesystem::rename(right.key, wrong.key);
  std::filesystem::rename(right.certificate, wrong.certificate);
  EXPECT_TRUE(Eventually([&] { return connection.ready(); }));
}

TEST_F(RedisTls, FindsFilesThatCannotBeUsedAtTheStart) {
  config::v1::RedisInstance config;
  config.set_address("127.0.0.1:6379");
  config.mutable_tls()->set_ca_file("/nowhere/ca.pem");
  const absl::Status status = OptionsFromConfig(config, "scores").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/ca.pem"));
}

}  // namespace
}  // namespace signalbox::redis
