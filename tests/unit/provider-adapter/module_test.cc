// The module with everything real but the provider: HTTP over a socket, its own threads, a
// catalogue from a file.
#include "services/provider-adapter/module.h"

#include <atomic>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/http/server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/provider-adapter/fakes.h"

namespace signalbox::provider_adapter {
namespace {

using ::testing::HasSubstr;

class CountingAggregator final : public seam::MetricsAggregator {
 public:
  void Report(metrics::v1::ReportRequest batch, std::function<void(absl::Status)> done) override {
    outcomes += batch.outcomes_size();
    done(absl::OkStatus());
  }
  void GetScores(absl::Duration,
                 std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)>) override {}
  void RecordBenchmark(metrics::v1::RecordBenchmarkRequest, absl::Duration,
                       std::function<void(absl::Status)>) override {}
  std::atomic<int> outcomes{0};
};

// A sink that is waited for from the test's thread.
class WaitingSink final : public seam::GenerateSink {
 public:
  void OnContent(provider::v1::Content content) override {
    text += content.data();
    if (on_content) on_content();
  }
  void OnResult(provider::v1::AttemptResult end) override {
    result = std::move(end);
    ended.Notify();
  }
  std::string text;
  provider::v1::AttemptResult result;
  std::function<void()> on_content;
  absl::Notification ended;
};

class ModuleTest : public ::testing::Test {
 protected:
  ModuleTest()
      : server_(server_loops_, {},
                [this](http::Request request, std::shared_ptr<http::Exchange> exchange) {
                  provider_(std::move(request), std::move(exchange));
                }) {
    EXPECT_TRUE(server_.Start().ok());
    catalogue_path_ = ::testing::TempDir() + "/signalbox_module_test.yaml";
    WriteCatalogue("Acme");
    catalogue_ = std::make_unique<catalogue::CatalogueHolder>(
        std::vector<std::string>{catalogue_path_}, nullptr);
    EXPECT_TRUE(catalogue_->Reload().ok()) << catalogue_->last_error();
    module_ = std::make_unique<AdapterModule>(
        AdapterModule::Options{config_, loops_, aggregator_, *catalogue_, environment_, background_,
                               Clock::Real(), metrics_});
    EXPECT_TRUE(module_->Start().ok());
  }
  ~ModuleTest() override {
    module_.reset();
    std::remove(catalogue_path_.c_str());
  }

  void WriteCatalogue(const std::string& name) {
    std::ofstream(catalogue_path_) << absl::StrCat(R"(
providers:
  - slug: acme
    name: )",
                                                   name, R"(
    base_url: http://127.0.0.1:)",
                                                   server_.port(), R"(/v1
    dialect: openai
    key: {env: ACME_KEY}
models:
  - id: m/one
    name: One
    created: 1700000000
    context_length: 8192
    endpoints:
      - tag: acme
        price: {prompt: "0.000001", completion: "0.000002"}
)");
  }

  // Runs on the attempt's loop and waits.
  void OnLoop(std::function<void()> task) { loops_.at(0).RunAndWait(std::move(task)); }

  net::EventLoopGroup server_loops_{"provider", 1};
  net::EventLoopGroup loops_{"adapter", 1};
  net::EventLoop background_{"background"};
  std::function<void(http::Request, std::shared_ptr<http::Exchange>)> provider_;
  http::Server server_;
  std::string catalogue_path_;
  config::v1::AdapterConfig config_;
  CountingAggregator aggregator_;
  config::FakeEnvironment environment_{{{"ACME_KEY", "acme-secret"}}};
  obs::Metrics metrics_;
  std::unique_ptr<catalogue::CatalogueHolder> catalogue_;
  std::unique_ptr<AdapterModule> module_;
};

TEST_F(ModuleTest, StreamsAnAnswerAndReportsItsOutcome) {
  std::string authorization;
  provider_ = [&](http::Request request, std::shared_ptr<http::Exchange> exchange) {
    authorization = std::string(request.headers.Get("authorization"));
    exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
    exchange->Write(TextEvent("Hello"));
    exchange->Write(FinishEvent() + UsageEvent(10, 5) + DoneEvent());
    exchange->Finish();
  };
  for (int i = 0; i < 3; ++i) {
    WaitingSink sink;
    std::unique_ptr<seam::Attempt> attempt;
    OnLoop([&] {
      attempt = module_->adapter().Generate(ChatRequest("m/one@acme"), loops_.at(0), &sink);
    });
    sink.ended.WaitForNotification();
    EXPECT_FALSE(sink.result.has_error()) << sink.result.error().ShortDebugString();
    EXPECT_THAT(sink.text, HasSubstr("Hello"));
    EXPECT_EQ(sink.result.usage().prompt_tokens(), 10);
    EXPECT_GT(sink.result.ttft_us(), 0);
    OnLoop([&] { attempt.reset(); });
  }
  EXPECT_EQ(authorization, "Bearer acme-secret");
  EXPECT_EQ(module_->InFlight(), 0);
  module_->Stop();
  EXPECT_EQ(aggregator_.outcomes, 3) << "Stop hands over the last outcomes";

  metrics_.Render();  // asks the loops for figures
  OnLoop([] {});
  const std::string series = metrics_.Render();
  EXPECT_THAT(series, HasSubstr("signalbox_adapter_pool_events_total{kind=\"reused\"} 2"));
  EXPECT_THAT(series, HasSubstr("signalbox_adapter_connections{state=\"idle\"} 1"));
}

TEST_F(ModuleTest, CancellingClosesTheProvidersConnectionSoon) {
  absl::Notification gone;
  std::shared_ptr<http::Exchange> open;  // a dropped one would end by itself
  provider_ = [&](http::Request, std::shared_ptr<http::Exchange> exchange) {
    open = exchange;
    exchange->OnClientGone([&gone] { gone.Notify(); });
    exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
    exchange->Write(TextEvent("Hello"));
  };
  WaitingSink sink;
  absl::Notification content;
  sink.on_content = [&] { content.Notify(); };
  std::unique_ptr<seam::Attempt> attempt;
  OnLoop([&] {
    attempt = module_->adapter().Generate(ChatRequest("m/one@acme"), loops_.at(0), &sink);
  });
  content.WaitForNotification();
  EXPECT_EQ(module_->InFlight(), 1);
  OnLoop([&] { attempt.reset(); });
  EXPECT_TRUE(gone.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_EQ(module_->InFlight(), 0);
  EXPECT_FALSE(sink.ended.HasBeenNotified());
  server_loops_.at(0).RunAndWait([&] { open.reset(); });
}

TEST_F(ModuleTest, FollowsTheCatalogue) {
  provider_ = [](http::Request, std::shared_ptr<http::Exchange> exchange) {
    exchange->Respond(
        {503, {{"Content-Type", "application/json"}}, R"({"error":{"message":"busy"}})"});
  };
  WriteCatalogue("Renamed");
  ASSERT_TRUE(catalogue_->Reload().ok());
  WaitingSink sink;
  std::unique_ptr<seam::Attempt> attempt;
  OnLoop([&] {
    attempt = module_->adapter().Generate(ChatRequest("m/one@acme"), loops_.at(0), &sink);
  });
  sink.ended.WaitForNotification();
  EXPECT_EQ(sink.result.error().reason(), common::v1::REASON_PROVIDER_OVERLOADED);
  EXPECT_EQ(sink.result.error().provider(), "Renamed");
  OnLoop([&] { attempt.reset(); });
}

}  // namespace
}  // namespace signalbox::provider_adapter
