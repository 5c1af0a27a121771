#include "services/ingress/core/conversations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/rendezvous.h"
#include "tests/unit/ingress/fakes.h"

namespace signalbox::ingress {
namespace {

using ::testing::ElementsAre;

constexpr char kFirst[] = R"({"role":"user","content":"hi"})";
constexpr char kSecond[] =
    R"(,{"role":"assistant","content":"hello"},{"role":"user","content":"go on"})";
constexpr char kThird[] =
    R"(,{"role":"assistant","content":"well"},{"role":"user","content":"more"})";

RequestView ViewOf(const std::string& messages, const std::string& members = "",
                   const std::string& model = "acme/model") {
  const std::string body =
      absl::StrCat(R"({"model":")", model, R"(",)", members, members.empty() ? "" : ",",
                   R"("messages":[)", messages, "]}");
  absl::StatusOr<RequestView> view = ReadChatRequest(body, {});
  EXPECT_TRUE(view.ok()) << view.status() << body;
  return view.ok() ? *std::move(view) : RequestView();
}

Conversation Of(RequestView* view, const std::string& api_key = "key") {
  return ConversationOf(ConversationOptions(), api_key, view);
}
Conversation Of(const std::string& messages, const std::string& members = "",
                const std::string& model = "acme/model", const std::string& api_key = "key") {
  RequestView view = ViewOf(messages, members, model);
  return Of(&view, api_key);
}

std::string LongText() { return std::string(5'000, 'x'); }
std::string LongOpening(const std::string& question = "why?") {
  return absl::StrCat(R"({"role":"system","content":")", LongText(),
                      R"("},{"role":"user","content":")", question, R"("})");
}

TEST(ConversationOf, ASessionHasAPlaceFromItsFirstTurn) {
  RequestView view = ViewOf(kFirst, R"("session_id":"s")");
  const Conversation conversation = Of(&view);
  EXPECT_TRUE(conversation.follows);
  EXPECT_EQ(view.features.session_key().size(), 16u);
  RequestView later = ViewOf(absl::StrCat(kFirst, kSecond), R"("session_id":"s")");
  EXPECT_EQ(Of(&later).key, conversation.key);
  EXPECT_EQ(later.features.session_key(), view.features.session_key());
}

TEST(ConversationOf, TellsSessionsKeysAndModelsApart) {
  const Conversation one = Of(kFirst, R"("session_id":"s")");
  EXPECT_NE(Of(kFirst, R"("session_id":"t")").key, one.key);
  EXPECT_NE(Of(kFirst, R"("session_id":"s")", "acme/other").key, one.key);
  EXPECT_NE(Of(kFirst, R"("session_id":"s")", "acme/model", "other key").key, one.key);
  // What the router is told does not give the id or the text away.
  RequestView view = ViewOf(kFirst, R"("session_id":"conversation-7")");
  Of(&view);
  EXPECT_EQ(view.features.session_key().find("conv"), std::string::npos);
}

TEST(ConversationOf, TakesThePromptCacheKeyWithoutASessionId) {
  const Conversation cache_key = Of(kFirst, R"("prompt_cache_key":"p")");
  EXPECT_TRUE(cache_key.follows);
  EXPECT_EQ(Of(kFirst, R"("session_id":"s","prompt_cache_key":"p")").key,
            Of(kFirst, R"("session_id":"s","prompt_cache_key":"q")").key);
  EXPECT_NE(Of(kFirst, R"("prompt_cache_key":"q")").key, cache_key.key);
}

TEST(ConversationOf, ALongOpeningHasAPlaceFromItsFirstTurnAndKeepsIt) {
  RequestView view = ViewOf(LongOpening());
  const Conversation first = Of(&view);
  EXPECT_TRUE(first.follows);
  EXPECT_FALSE(view.features.session_key().empty());
  EXPECT_EQ(Of(absl::StrCat(LongOpening(), kSecond)).key, first.key);
  EXPECT_NE(Of(LongOpening("how?")).key, first.key);
}

TEST(ConversationOf, AShortOpeningIsFreeAtFirstAndFollowedLater) {
  RequestView view = ViewOf(kFirst);
  const Conversation first = Of(&view);
  EXPECT_FALSE(first.follows);
  EXPECT_TRUE(view.features.session_key().empty());
  RequestView second_view = ViewOf(absl::StrCat(kFirst, kSecond));
  const Conversation second = Of(&second_view);
  EXPECT_TRUE(second.follows);
  EXPECT_FALSE(second_view.features.session_key().empty());
  EXPECT_EQ(second.origin, first.key);
  const Conversation third = Of(absl::StrCat(kFirst, kSecond, kThird));
  EXPECT_EQ(third.key, second.key);
  EXPECT_EQ(third.origin, 0u);
}

TEST(ConversationOf, TellsLaterTurnsThatOpenAlikeApartByTheirFirstAnswer) {
  const std::string other =
      R"(,{"role":"assistant","content":"good day"},{"role":"user","content":"go on"})";
  EXPECT_NE(Of(absl::StrCat(kFirst, kSecond)).key, Of(absl::StrCat(kFirst, other)).key);
  const std::string calls =
      R"(,{"role":"assistant","content":null,"tool_calls":[{"id":"%","type":"function","function":{"name":"f","arguments":"{}"}}]})"
      R"(,{"role":"tool","tool_call_id":"%","content":"1"})";
  std::string one = calls, two = calls;
  one.replace(one.find('%'), 1, "1");
  two.replace(two.find('%'), 1, "2");
  EXPECT_NE(Of(absl::StrCat(kFirst, one)).key, Of(absl::StrCat(kFirst, two)).key);
}

TEST(ConversationOf, DoesNotCareHowTheOpeningIsWritten) {
  // Clients move cache_control from turn to turn, which turns a string into a part.
  const std::string as_part =
      absl::StrCat(R"({"role":"system","content":[{"type":"text","text":")", LongText(),
                   R"(","cache_control":{"type":"ephemeral"}}]},{"role":"user","content":"why?"})");
  EXPECT_EQ(Of(as_part).key, Of(LongOpening()).key);
}

TEST(ConversationOf, SeesTheMediaOfTheOpening) {
  const auto with_image = [](const std::string& data) {
    return absl::StrCat(
        R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,)",
        data, R"("}},{"type":"text","text":"what is it?"}]})");
  };
  const std::string image(20'000, 'A');
  EXPECT_TRUE(Of(with_image(image)).follows);
  EXPECT_NE(Of(with_image(image)).key, Of(with_image(image + "A")).key);
  EXPECT_NE(Of(with_image(image)).key, Of(with_image("B" + image.substr(1))).key);
}

TEST(ConversationOf, FollowsNothingWhenSwitchedOff) {
  ConversationOptions options;
  options.idle = absl::ZeroDuration();
  RequestView view = ViewOf(LongOpening(), R"("session_id":"s")");
  const Conversation conversation = ConversationOf(options, "key", &view);
  EXPECT_EQ(conversation.key, 0u);
  EXPECT_FALSE(conversation.follows);
  EXPECT_TRUE(view.features.session_key().empty());
}

class ConversationsTest : public ::testing::Test {
 protected:
  ConversationsTest() {
    for (const char* provider : {"a", "b", "c"}) AddCandidate(&decision_, provider);
  }
  static std::string Id(const std::string& provider) { return "acme/model@" + provider; }
  Turn Arrange(const Conversation& conversation) {
    CandidateOrder order = OrderOf(decision_);
    const Turn turn = conversations_.Arrange(conversation, features_, circuits_, now_, &order);
    order_.clear();
    for (const router::v1::Candidate* candidate : order)
      order_.push_back(candidate->provider_slug());
    return turn;
  }
  router::v1::Candidate* candidate(int i) { return decision_.mutable_candidates(i); }

  const Conversation session_ = Of(kFirst, R"("session_id":"s")");
  router::v1::DecideResponse decision_;
  router::v1::RequestFeatures features_;
  Circuits circuits_{CircuitOptions()};
  absl::Duration now_ = absl::Seconds(1'000);
  Conversations conversations_{ConversationOptions()};
  std::vector<std::string> order_;
};

TEST_F(ConversationsTest, PutTheEndpointThatAnsweredFirst) {
  EXPECT_EQ(Arrange(session_), Turn::kPlaced);
  conversations_.Remember(session_, Id("c"), now_);
  EXPECT_EQ(Arrange(session_), Turn::kKept);
  EXPECT_THAT(order_, ElementsAre("c", "a", "b"));
  EXPECT_EQ(Arrange(Of(kFirst, R"("session_id":"other")")), Turn::kPlaced);
  EXPECT_THAT(order_, ElementsAre("a", "b", "c"));
}

TEST_F(ConversationsTest, LeaveIdenticalFirstTurnsFree) {
  const Conversation first = Of(kFirst);
  conversations_.Remember(first, Id("c"), now_);
  EXPECT_EQ(Arrange(first), Turn::kFree);
  EXPECT_THAT(order_, ElementsAre("a", "b", "c"));
}

TEST_F(ConversationsTest, FollowAShortOpeningFromTheSecondTurnOn) {
  conversations_.Remember(Of(kFirst), Id("c"), now_);
  const Conversation second = Of(absl::StrCat(kFirst, kSecond));
  EXPECT_EQ(Arrange(second), Turn::kKept);
  EXPECT_THAT(order_, ElementsAre("c", "a", "b"));
  conversations_.Remember(second, Id("c"), now_);
  // Another conversation that opens alike does not take it along.
  conversations_.Remember(Of(kFirst), Id("b"), now_);
  EXPECT_EQ(Arrange(Of(absl::StrCat(kFirst, kSecond, kThird))), Turn::kKept);
  EXPECT_THAT(order_, ElementsAre("c", "a", "b"));
}

TEST_F(ConversationsTest, StayWithinTheModel) {
  candidate(0)->set_model_index(0);
  candidate(1)->set_model_index(1);
  candidate(2)->set_model_index(1);
  conversations_.Remember(session_, Id("c"), now_);
  EXPECT_EQ(Arrange(session_), Turn::kKept);
  EXPECT_THAT(order_, ElementsAre("a", "c", "b"));
}

TEST_F(ConversationsTest, StayAmongEqualsWithinProviderOrder) {
  features_.mutable_provider()->add_order("a");
  candidate(1)->set_draw_group(1);
  candidate(2)->set_draw_group(1);
  conversations_.Remember(session_, Id("c"), now_);
  EXPECT_EQ(Arrange(session_), Turn::kKept);
  EXPECT_THAT(order_, ElementsAre("a", "c", "b"));
  // Without an order the groups are a matter of taste, and the cache weighs more.
  features_.clear_provider();
  Arrange(session_);
  EXPECT_THAT(order_, ElementsAre("c", "a", "b"));
}

TEST_F(ConversationsTest, ReturnToPriorityEndpointsWhenPriorityIsAskedFor) {
  features_.set_service_tier(router::v1::SERVICE_TIER_PRIORITY);
  candidate(0)->set_service_tier("priority");
  conversations_.Remember(session_, Id("c"), now_);
  Arrange(session_);
  EXPECT_THAT(order_, ElementsAre("a", "c", "b"));
}

TEST_F(ConversationsTest, LeaveWhenTheRouterAdvises) {
  conversations_.Remember(session_, Id("b"), now_);
  candidate(1)->set_conversations_leave(true);
  EXPECT_EQ(Arrange(session_), Turn::kLeft);
  EXPECT_THAT(order_, ElementsAre("a", "b", "c"));
}

TEST_F(ConversationsTest, LeaveAnOpenCircuitAndWhatIsNoCandidateAnyMore) {
  conversations_.Remember(session_, Id("b"), now_);
  for (int i = 0; i < 3; ++i) circuits_.OnFailure(Id("b"), now_, now_);
  EXPECT_EQ(Arrange(session_), Turn::kCircuitOpen);
  conversations_.Remember(session_, Id("gone"), now_);
  EXPECT_EQ(Arrange(session_), Turn::kGone);
}

TEST_F(ConversationsTest, ForgetAfterAFailureAndRestWhereTheyWereServedNext) {
  conversations_.Remember(session_, Id("b"), now_);
  EXPECT_FALSE(conversations_.Forget(session_, Id("a")));  // it was not there
  EXPECT_TRUE(conversations_.Forget(session_, Id("b")));
  EXPECT_EQ(Arrange(session_), Turn::kPlaced);
  conversations_.Remember(session_, Id("c"), now_);
  EXPECT_EQ(Arrange(session_), Turn::kKept);
  EXPECT_THAT(order_, ElementsAre("c", "a", "b"));
}

TEST_F(ConversationsTest, ForgetWhatHasBeenIdle) {
  conversations_.Remember(session_, Id("c"), now_);
  now_ += absl::Minutes(10);
  EXPECT_EQ(Arrange(session_), Turn::kKept);  // which counts as use
  now_ += absl::Minutes(10);
  EXPECT_EQ(Arrange(session_), Turn::kKept);
  now_ += absl::Minutes(10) + absl::Seconds(1);
  EXPECT_EQ(Arrange(session_), Turn::kPlaced);
  EXPECT_EQ(conversations_.size(), 0u);
}

TEST_F(ConversationsTest, KeepTheMostRecentWithinTheirBound) {
  ConversationOptions options;
  options.max_remembered = 3;
  Conversations few(options);
  const auto session = [](int i) { return Of(kFirst, absl::StrCat(R"("session_id":")", i, "\"")); };
  const auto is_kept = [&](int i) {
    CandidateOrder order = OrderOf(decision_);
    return few.Arrange(session(i), features_, circuits_, now_, &order) == Turn::kKept;
  };
  for (int i = 0; i < 3; ++i) few.Remember(session(i), Id("b"), now_);
  EXPECT_TRUE(is_kept(0));  // used last
  few.Remember(session(3), Id("b"), now_);
  EXPECT_EQ(few.size(), 3u);
  EXPECT_TRUE(is_kept(0));
  EXPECT_FALSE(is_kept(1));
  EXPECT_TRUE(is_kept(2));
  EXPECT_TRUE(is_kept(3));

  options.max_remembered = 20'000;
  Conversations many(options);
  for (int i = 0; i < 30'000; ++i)
    many.Remember({static_cast<uint64_t>(i + 1) * 0x9e3779b97f4a7c15, 0, true}, Id("b"), now_);
  EXPECT_LE(many.size(), 20'000u);
  EXPECT_GT(many.size(), 19'000u);
}

}  // namespace
}  // namespace signalbox::ingress
