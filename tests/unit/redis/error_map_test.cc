#include "common/redis/error_map.h"

#include <gtest/gtest.h>

#include <string>

namespace signalbox::redis {
namespace {

using Code = absl::StatusCode;

TEST(RedisErrorMap, GivesEveryKindOfErrorItsCode) {
  const struct {
    const char* reply;
    Code code;
  } kCases[] = {
      {"LOADING Redis is loading the dataset in memory", Code::kUnavailable},
      {"BUSY Redis is busy running a script.", Code::kUnavailable},
      {"READONLY You can't write against a read only replica.", Code::kUnavailable},
      {"MASTERDOWN Link with MASTER is down", Code::kUnavailable},
      {"CLUSTERDOWN Hash slot not served", Code::kUnavailable},
      {"TRYAGAIN Multiple keys request during rehashing of slot", Code::kUnavailable},
      {"MOVED 3999 127.0.0.1:6381", Code::kUnavailable},
      {"ASK 3999 127.0.0.1:6381", Code::kUnavailable},
      {"MISCONF Errors writing to the AOF file", Code::kUnavailable},
      {"NOREPLICAS Not enough good replicas to write.", Code::kUnavailable},
      {"OOM command not allowed when used memory > 'maxmemory'.", Code::kResourceExhausted},
      {"NOAUTH Authentication required.", Code::kFailedPrecondition},
      {"WRONGPASS invalid username-password pair", Code::kFailedPrecondition},
      {"NOPERM this user has no permissions", Code::kFailedPrecondition},
      {"NOSCRIPT No matching script.", Code::kNotFound},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", Code::kInternal},
      {"ERR unknown command", Code::kInternal},
      {"", Code::kInternal},
      {"BUSYKEY Target key name already exists.", Code::kInternal},
  };
  for (const auto& test : kCases)
    EXPECT_EQ(StatusOfError(test.reply).code(), test.code) << test.reply;
}

TEST(RedisErrorMap, NeverSpeaksOfTheClientsCredentials) {
  for (const char* reply : {"NOAUTH x", "WRONGPASS x", "NOPERM x", "ERR AUTH"}) {
    EXPECT_FALSE(absl::IsUnauthenticated(StatusOfError(reply)));
    EXPECT_FALSE(absl::IsPermissionDenied(StatusOfError(reply)));
  }
}

TEST(RedisErrorMap, ReconnectsAfterAFailover) {
  EXPECT_TRUE(WantsReconnect("READONLY x"));
  EXPECT_FALSE(WantsReconnect("LOADING x"));
  EXPECT_FALSE(WantsReconnect("ERR x"));
}

TEST(RedisErrorMap, CutsLongTexts) {
  EXPECT_LT(StatusOfError(std::string(100'000, 'x')).message().size(), 250u);
}

}  // namespace
}  // namespace signalbox::redis
