#include "common/redis/script.h"

#include <gtest/gtest.h>

namespace signalbox::redis {
namespace {

TEST(Script, HasTheNameThatRedisGivesIt) {
  EXPECT_EQ(Script("return 1").sha(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

}  // namespace
}  // namespace signalbox::redis
