#include "common/base/rendezvous.h"

#include <gtest/gtest.h>

#include <array>
#include <bitset>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/stable_hash.h"

namespace signalbox {
namespace {

TEST(StableHash, IsTheSameInEveryBuild) {
  // Values of the first release: another ingress or router of the cluster computes the same.
  EXPECT_EQ(StableHash("z-ai/glm-5@deepinfra/fp8"), 5396719113258968411u);
  EXPECT_EQ(StableHash("a", 7), 2483621708363469949u);
}

TEST(StableHash, TellsApartTextsThatDifferInAnyWay) {
  std::set<uint64_t> hashes;
  size_t count = 0;
  std::string zeros;
  for (int i = 0; i < 40; ++i, zeros.push_back('\0'), ++count) hashes.insert(StableHash(zeros));
  for (int i = 0; i < 1'000; ++i, ++count) hashes.insert(StableHash(absl::StrCat("session-", i)));
  for (int i = 0; i < 1'000; ++i, ++count) hashes.insert(StableHash("same text", i + 1));
  EXPECT_EQ(hashes.size(), count);
  EXPECT_NE(StableHash("c", StableHash("ab")), StableHash("bc", StableHash("a")));
}

TEST(StableHash, OneBitOfTheTextChangesHalfOfTheHash) {
  const std::string text = "conversation 0123456789 abcdef";
  double flipped = 0;
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string other = text;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    const size_t bits = std::bitset<64>(StableHash(text) ^ StableHash(other)).count();
    EXPECT_GE(bits, 12u) << "bit " << bit;
    flipped += static_cast<double>(bits);
  }
  EXPECT_NEAR(flipped / static_cast<double>(text.size() * 8), 32, 1);
}

struct Member {
  const char* name;
  double weight;
};
constexpr Member kMembers[] = {{"m@cheap", 9}, {"m@middle", 3}, {"m@dear", 1}};

int FirstOf(const std::string& session, int without = -1) {
  const Rendezvous rendezvous(session);
  int best = -1;
  for (int i = 0; i < 3; ++i) {
    if (i == without) continue;
    if (best < 0 || rendezvous.Key(kMembers[i].name, kMembers[i].weight) <
                        rendezvous.Key(kMembers[best].name, kMembers[best].weight))
      best = i;
  }
  return best;
}

TEST(Rendezvous, GivesEachMemberItsShareOfTheSessions) {
  constexpr int kSessions = 13'000;
  std::array<int, 3> first = {};
  for (int i = 0; i < kSessions; ++i) ++first[FirstOf(absl::StrCat(i))];
  // 5 standard deviations.
  EXPECT_NEAR(first[0], 9'000, 265);
  EXPECT_NEAR(first[1], 3'000, 240);
  EXPECT_NEAR(first[2], 1'000, 152);
}

TEST(Rendezvous, MovesOnlyTheSessionsOfAMemberThatGoesAndSpreadsThemByWeight) {
  int moved = 0;
  int to_middle = 0;
  for (int i = 0; i < 13'000; ++i) {
    const std::string session = absl::StrCat(i);
    const int before = FirstOf(session);
    const int after = FirstOf(session, /*without=*/0);
    if (before != 0) {
      EXPECT_EQ(after, before);
      continue;
    }
    ++moved;
    to_middle += after == 1;
  }
  EXPECT_NEAR(static_cast<double>(to_middle) / moved, 0.75, 0.025);
}

TEST(Rendezvous, IsUniformInTheOpenInterval) {
  const Rendezvous rendezvous("");
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double u = rendezvous.Uniform(absl::StrCat(i));
    ASSERT_TRUE(u > 0 && u < 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.0145);
}

}  // namespace
}  // namespace signalbox
