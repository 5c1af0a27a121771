#include "common/host/address.h"

#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

TEST(Address, ReadsAndWritesLiterals) {
  for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "[::]:9000", "[::1]:65535"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->ToString(), text);
  }
  EXPECT_EQ(ParseListenAddress("localhost:1")->ToString(), "127.0.0.1:1");
}

TEST(Address, RefusesEverythingElse) {
  for (const char* text : {"", ":", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                           "127.0.0.1:-1", "127.0.0.1:80a", "example.com:80", "::1:80", "[::1]",
                           "[x]:80", "256.0.0.1:80", "1.2.3:80"}) {
    EXPECT_FALSE(ParseListenAddress(text).ok()) << text;
  }
}

TEST(Address, KnowsHowToReachItself) {
  EXPECT_EQ(ParseListenAddress("0.0.0.0:7")->Reachable().ToString(), "127.0.0.1:7");
  EXPECT_EQ(ParseListenAddress("[::]:7")->Reachable().ToString(), "[::1]:7");
  EXPECT_EQ(ParseListenAddress("127.0.0.2:7")->Reachable().ToString(), "127.0.0.2:7");
}

}  // namespace
}  // namespace signalbox::host
