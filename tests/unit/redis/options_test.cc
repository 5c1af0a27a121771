#include "common/redis/options.h"

#include <gtest/gtest.h>

namespace signalbox::redis {
namespace {

TEST(RedisAddress, ReadsEveryForm) {
  EXPECT_EQ(ParseAddress("localhost:6379")->host, "localhost");
  EXPECT_EQ(ParseAddress("localhost:6379")->port, 6379);
  EXPECT_EQ(ParseAddress("[::1]:7000")->host, "::1");
  EXPECT_EQ(ParseAddress("unix:/tmp/redis.sock")->unix_path, "/tmp/redis.sock");
  for (const char* text : {"localhost:6379", "[::1]:7000", "unix:/tmp/redis.sock"}) {
    EXPECT_EQ(ParseAddress(text)->ToString(), text);
  }
}

TEST(RedisAddress, RefusesWhatIsNone) {
  for (const std::string text :
       {"", "localhost", "localhost:", ":6379", "localhost:0", "localhost:65536", "localhost:x",
        "::1:6379", "unix:", "unix:relative/path"}) {
    EXPECT_EQ(ParseAddress(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(ParseAddress("unix:/" + std::string(107, 'x')).ok());
}

TEST(RedisOptions, KeepsDefaultsForUnsetFields) {
  config::v1::RedisInstance config;
  config.set_address("localhost:6379");
  const auto options =
      OptionsFromConfig(config, "money", {[] { return std::string("secret"); }, nullptr});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->role, "money");
  EXPECT_EQ(options->login.password().value(), "secret");
  EXPECT_EQ(options->command_timeout, absl::Milliseconds(50));
  EXPECT_EQ(options->max_pending, 10'000u);
}

TEST(RedisOptions, TakesWhatIsSetAndRefusesTimeoutsThatAreNone) {
  config::v1::RedisInstance config;
  config.set_address("localhost:6379");
  config.set_database(4);
  config.set_max_pending(7);
  config.mutable_command_timeout()->set_nanos(20'000'000);
  auto options = OptionsFromConfig(config, "scores");
  EXPECT_EQ(options->database, 4);
  EXPECT_EQ(options->max_pending, 7u);
  EXPECT_EQ(options->command_timeout, absl::Milliseconds(20));
  config.mutable_command_timeout()->set_nanos(0);
  EXPECT_FALSE(OptionsFromConfig(config, "scores").ok());
}

}  // namespace
}  // namespace signalbox::redis
