#include "services/ingress/core/circuits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/ingress/fakes.h"

namespace signalbox::ingress {
namespace {

using ::testing::ElementsAre;

class CircuitsTest : public ::testing::Test {
 protected:
  CircuitsTest() {
    for (const char* provider : {"a", "b", "c"}) AddCandidate(&decision_, provider);
  }
  static std::string Id(const std::string& provider) { return "acme/model@" + provider; }
  void Fail(const std::string& provider, int times = 1) {
    for (int i = 0; i < times; ++i) circuits_.OnFailure(Id(provider), now_, now_);
  }
  void Succeed(const std::string& provider) { circuits_.OnSuccess(Id(provider), now_); }
  // The order as the next request would have it.
  std::vector<std::string> Order() {
    CandidateOrder order = OrderOf(decision_);
    circuits_.Demote(now_, &order);
    std::vector<std::string> providers;
    for (const router::v1::Candidate* candidate : order)
      providers.push_back(candidate->provider_slug());
    return providers;
  }

  router::v1::DecideResponse decision_;
  absl::Duration now_ = absl::Seconds(1'000);
  Circuits circuits_{CircuitOptions()};
};

TEST_F(CircuitsTest, ChangeNothingWhileNothingFails) {
  Succeed("a");
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(circuits_.open(), 0);
}

TEST_F(CircuitsTest, PutAnEndpointLastAfterThreeFailuresInARow) {
  Fail("a", 2);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(circuits_.OnFailure(Id("a"), now_, now_));
  EXPECT_THAT(Order(), ElementsAre("b", "c", "a"));
  EXPECT_TRUE(circuits_.IsOpen(Id("a")));
  EXPECT_FALSE(circuits_.IsOpen(Id("b")));
}

TEST_F(CircuitsTest, StartAnewAfterASuccess) {
  Fail("a", 2);
  Succeed("a");
  Fail("a", 2);
  EXPECT_EQ(circuits_.open(), 0);
}

TEST_F(CircuitsTest, IgnoreWhatWasStartedBeforeTheyOpened) {
  const absl::Duration earlier = now_ - absl::Seconds(5);
  Fail("a", 3);
  circuits_.OnSuccess(Id("a"), earlier);
  EXPECT_TRUE(circuits_.IsOpen(Id("a")));
  // Nor do those that were under way double the time.
  EXPECT_FALSE(circuits_.OnFailure(Id("a"), earlier, now_));
  now_ += absl::Seconds(20);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

TEST_F(CircuitsTest, LetOneProbeThroughAndCloseWhenItSucceeds) {
  Fail("a", 3);
  now_ += absl::Seconds(19);
  EXPECT_THAT(Order(), ElementsAre("b", "c", "a"));
  now_ += absl::Seconds(1);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));  // the probe
  EXPECT_THAT(Order(), ElementsAre("b", "c", "a"));  // everybody else
  Succeed("a");
  EXPECT_EQ(circuits_.open(), 0);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

TEST_F(CircuitsTest, DoubleTheTimeWhenAProbeFailsUpToTheLongest) {
  Fail("a", 3);
  for (const int seconds : {20, 40, 80, 160, 300, 300}) {
    now_ += absl::Seconds(seconds) - absl::Seconds(1);
    EXPECT_THAT(Order(), ElementsAre("b", "c", "a")) << seconds;
    now_ += absl::Seconds(1);
    EXPECT_THAT(Order(), ElementsAre("a", "b", "c")) << seconds;
    Fail("a");
  }
  now_ += absl::Seconds(300);
  Succeed("a");
  Fail("a", 3);
  now_ += absl::Seconds(20);  // from the start again
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

TEST_F(CircuitsTest, LetTheNextProbeThroughWhenOneEndsWithoutAWord) {
  Fail("a", 3);
  now_ += absl::Seconds(20);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
  circuits_.OnOther(Id("a"));  // the client has gone
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Order(), ElementsAre("b", "c", "a"));
  now_ += CircuitOptions().probe_patience;  // never heard of again
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

TEST_F(CircuitsTest, KeepAHalfOpenSecondChoiceInItsPlace) {
  Fail("b", 3);
  EXPECT_THAT(Order(), ElementsAre("a", "c", "b"));
  now_ += absl::Seconds(20);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

TEST_F(CircuitsTest, KeepTheOrderWhenAllAreOpen) {
  for (const char* provider : {"a", "b", "c"}) Fail(provider, 3);
  EXPECT_EQ(circuits_.open(), 3);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

TEST_F(CircuitsTest, CountRightWhenSeveralThreadsReport) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 2'000; ++i) {
        const std::string id = Id(std::string(1, static_cast<char>('a' + (i + t) % 3)));
        if (i % 2 == 0) {
          circuits_.OnFailure(id, now_, now_);
        } else {
          circuits_.OnSuccess(id, now_);
        }
        Order();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const char* provider : {"a", "b", "c"}) Succeed(provider);
  EXPECT_EQ(circuits_.open(), 0);
  EXPECT_THAT(Order(), ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace signalbox::ingress
