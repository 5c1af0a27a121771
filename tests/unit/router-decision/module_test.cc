#include "services/router-decision/module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/seam/error_detail.h"
#include "tests/unit/router-decision/fake_adapter.h"
#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Without Redis: nothing listens on the socket.
class Module : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = absl::StrCat(::testing::TempDir(), "/router_module_test_",
                         ::testing::UnitTest::GetInstance()->current_test_info()->name(), ".yaml");
    Write("models: [{id: a/one, endpoints: [{tag: p}, {tag: q}]}]");
    ASSERT_TRUE(catalogue_.emplace(std::vector<std::string>{path_}, nullptr).Reload().ok());
    adapter_.Say({{"p", true}});
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void Write(absl::string_view models) {
    std::ofstream(path_) << "providers: [{slug: p}, {slug: q}]\n" << models << "\n";
  }

  absl::StatusOr<std::unique_ptr<RouterModule>> Make() {
    redis::Options redis;
    redis.address.unix_path = absl::StrCat(::testing::TempDir(), "/no-such-redis.sock");
    return RouterModule::Create({config_, redis, store::Keys(), adapter_, *catalogue_, clock_,
                                 metrics_, [this] { ready_.Notify(); }, /*seed=*/1});
  }

  // The direct seam answers inside the call and looks at no executor.
  absl::StatusOr<router::v1::DecideResponse> Decide(RouterModule& module, const char* model) {
    router::v1::DecideRequest request;
    *request.mutable_features() = Request({model});
    absl::StatusOr<router::v1::DecideResponse> answer = absl::UnknownError("not called");
    net::EventLoop loop("test");
    module.router().Decide(request, absl::Seconds(1), loop,
                           [&](auto given) { answer = std::move(given); });
    return answer;
  }

  std::string path_;
  config::v1::RouterConfig config_;
  FakeAdapter adapter_;
  FakeClock clock_;
  obs::Metrics metrics_;
  absl::Notification ready_;
  std::optional<catalogue::CatalogueHolder> catalogue_;
};

TEST_F(Module, DecidesWithoutRedisOnceProvidersAreKnown) {
  auto module = Make();
  ASSERT_TRUE(module.ok()) << module.status();
  EXPECT_EQ(seam::DetailOf(Decide(**module, "a/one").status()).reason(),
            common::v1::REASON_UNAVAILABLE);
  ASSERT_TRUE((*module)->Start().ok());
  ready_.WaitForNotification();
  const auto answer = Decide(**module, "a/one");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_THAT(Tags(*answer), ElementsAre("p"));
  EXPECT_EQ(answer->snapshot_version(), 0u);
  EXPECT_THAT(metrics_.Render(), HasSubstr("signalbox_router_active_providers 1"));
  (*module)->Stop();
}

TEST_F(Module, FollowsTheCatalogue) {
  auto module = Make();
  ASSERT_TRUE(module.ok());
  ASSERT_TRUE((*module)->Start().ok());
  ready_.WaitForNotification();
  Write("models: [{id: a/two, endpoints: [{tag: p}]}]");
  ASSERT_TRUE(catalogue_->Reload().ok());
  EXPECT_TRUE(Decide(**module, "a/two").ok());
  EXPECT_FALSE(Decide(**module, "a/one").ok());
  module->reset();
  EXPECT_TRUE(catalogue_->Reload().ok()) << "after the module is gone";
}

TEST_F(Module, TakesANewPolicyAndKeepsTheOldOneOnAnError) {
  auto module = Make();
  ASSERT_TRUE(module.ok());
  ASSERT_TRUE((*module)->Start().ok());
  ready_.WaitForNotification();
  config::v1::PolicyConfig policy;
  policy.mutable_valid_for()->set_seconds(9);
  ASSERT_TRUE((*module)->SetPolicy(policy).ok());
  EXPECT_EQ(Decide(**module, "a/one")->valid_for_ms(), 9000);
  policy.set_price_exponent(-1);
  EXPECT_EQ((*module)->SetPolicy(policy).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Decide(**module, "a/one")->valid_for_ms(), 9000);
}

TEST_F(Module, RefusesABadConfiguration) {
  config_.mutable_policy()->set_completion_weight(2);
  EXPECT_EQ(Make().status().code(), absl::StatusCode::kInvalidArgument);
  config_.Clear();
  config_.mutable_providers_interval()->set_nanos(1);
  EXPECT_THAT(std::string(Make().status().message()), HasSubstr("router.providers_interval"));
}

}  // namespace
}  // namespace signalbox::router_decision
