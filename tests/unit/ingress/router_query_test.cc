#include "services/ingress/router_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "services/ingress/learn.h"
#include "tests/unit/ingress/ingress_fixture.h"

namespace signalbox::ingress {
namespace {

using ::testing::ElementsAre;

// The order of a request and what its attempts teach, without the request between them.
class RouterQueryTest : public IngressFixture {
 protected:
  RouterQueryTest() { AddCandidate(&*router_.answer, "third"); }

  static std::string Id(const std::string& provider) { return "acme/model@" + provider; }
  std::vector<std::string> Ask(const Conversation& conversation = {}) {
    router::v1::RequestFeatures features;
    features.add_models("acme/model");
    if (conversation.follows) features.set_session_key("0123456789abcdef");
    std::vector<std::string> providers;
    QueryRouter(*services_, features, conversation, /*explain=*/false,
                [&](absl::StatusOr<Route> route) {
                  ASSERT_TRUE(route.ok()) << route.status();
                  for (const router::v1::Candidate* candidate : route->order)
                    providers.push_back(candidate->provider_slug());
                });
    return providers;
  }
  void Learn(const std::string& provider, common::v1::Reason reason,
             const Conversation& conversation = {}, bool committed = false) {
    LearnFromAttempt(*services_, conversation, Id(provider), reason, committed, services_->Now());
  }

  const Conversation session_{7, 0, true};
};

TEST_F(RouterQueryTest, PutsAnEndpointThatFailedThreeTimesInARowLastAlsoInReusedDecisions) {
  router_.answer->set_valid_for_ms(2'000);
  EXPECT_THAT(Ask(), ElementsAre("first", "second", "third"));
  for (int i = 0; i < 3; ++i) Learn("first", common::v1::REASON_PROVIDER_UNREACHABLE);
  EXPECT_THAT(Ask(), ElementsAre("second", "third", "first"));
  EXPECT_EQ(router_.decides, 1);
  EXPECT_EQ(metrics_.circuits_open.load(), 1);
  Learn("first", common::v1::REASON_UNSPECIFIED);
  EXPECT_THAT(Ask(), ElementsAre("first", "second", "third"));
}

TEST_F(RouterQueryTest, OpensNoCircuitForWhatIsNotTheEndpointsFault) {
  for (const auto reason :
       {common::v1::REASON_PROVIDER_RATE_LIMITED, common::v1::REASON_PROVIDER_REJECTED,
        common::v1::REASON_CANCELLED, common::v1::REASON_PROVIDER_SATURATED}) {
    for (int i = 0; i < 5; ++i) Learn("first", reason);
  }
  EXPECT_THAT(Ask(), ElementsAre("first", "second", "third"));
}

TEST_F(RouterQueryTest, ReusesDecisionsForConversationsToo) {
  router_.answer->set_valid_for_ms(2'000);
  Ask(session_);
  Ask(session_);
  EXPECT_EQ(router_.decides, 1);
}

TEST_F(RouterQueryTest, PutsTheEndpointThatAnsweredTheConversationFirst) {
  Learn("third", common::v1::REASON_UNSPECIFIED, session_);
  EXPECT_THAT(Ask(session_), ElementsAre("third", "first", "second"));
  EXPECT_THAT(Ask(), ElementsAre("first", "second", "third"));
}

TEST_F(RouterQueryTest, ForgetsAnEndpointThatFailedTheConversation) {
  for (const auto reason :
       {common::v1::REASON_PROVIDER_ERROR, common::v1::REASON_PROVIDER_RATE_LIMITED,
        common::v1::REASON_TOOL_CALL_INVALID}) {
    Learn("third", common::v1::REASON_UNSPECIFIED, session_);
    Learn("third", reason, session_);
    EXPECT_THAT(Ask(session_), ElementsAre("first", "second", "third"));
  }
  // The client's own mistake is no reason to go.
  Learn("third", common::v1::REASON_UNSPECIFIED, session_);
  Learn("third", common::v1::REASON_PROVIDER_REJECTED, session_);
  EXPECT_THAT(Ask(session_), ElementsAre("third", "first", "second"));
}

TEST_F(RouterQueryTest, RemembersAnAnswerTheClientStoppedReading) {
  Learn("third", common::v1::REASON_CANCELLED, session_, /*committed=*/false);
  EXPECT_THAT(Ask(session_), ElementsAre("first", "second", "third"));
  Learn("third", common::v1::REASON_CANCELLED, session_, /*committed=*/true);
  EXPECT_THAT(Ask(session_), ElementsAre("third", "first", "second"));
}

TEST_F(RouterQueryTest, DoesTheSameWithoutARouter) {
  router_.answer = absl::UnavailableError("away");
  Learn("dear", common::v1::REASON_UNSPECIFIED, session_);
  EXPECT_THAT(Ask(session_), ElementsAre("dear", "cheap", "private"));
  for (int i = 0; i < 3; ++i) Learn("dear", common::v1::REASON_PROVIDER_RESET, session_);
  EXPECT_THAT(Ask(session_), ElementsAre("cheap", "private", "dear"));
}

}  // namespace
}  // namespace signalbox::ingress
