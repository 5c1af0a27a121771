#include "common/redis/breaker.h"

#include <gtest/gtest.h>

namespace signalbox::redis {
namespace {

TEST(Breaker, OpensAfterFiveFailuresInARow) {
  Breaker breaker(5);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(breaker.OnFailure());
  EXPECT_TRUE(breaker.AllowsCommands());
  EXPECT_TRUE(breaker.OnFailure());
  EXPECT_FALSE(breaker.AllowsCommands());
  EXPECT_FALSE(breaker.OnFailure());  // says so once
}

TEST(Breaker, ForgetsFailuresAfterASuccess) {
  Breaker breaker(3);
  for (int round = 0; round < 10; ++round) {
    EXPECT_FALSE(breaker.OnFailure());
    EXPECT_FALSE(breaker.OnFailure());
    EXPECT_FALSE(breaker.OnSuccess());
  }
  EXPECT_TRUE(breaker.AllowsCommands());
}

TEST(Breaker, ClosesWhenTheProbeSucceedsAndReopensWhenItFails) {
  Breaker breaker(5);
  EXPECT_TRUE(breaker.Open());
  breaker.OnProbe();
  EXPECT_EQ(breaker.state(), Breaker::State::kHalfOpen);
  EXPECT_FALSE(breaker.AllowsCommands());
  EXPECT_FALSE(breaker.Open());  // it was not closed in between
  breaker.OnProbe();
  EXPECT_TRUE(breaker.OnSuccess());
  EXPECT_TRUE(breaker.AllowsCommands());
}

TEST(Breaker, ProbesChangeNothingWhileClosed) {
  Breaker breaker(5);
  breaker.OnProbe();
  EXPECT_EQ(breaker.state(), Breaker::State::kClosed);
}

}  // namespace
}  // namespace signalbox::redis
