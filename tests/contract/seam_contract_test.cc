// The contract of every seam, run over both transports: linked directly and over gRPC on a real TCP
// connection.
#include <gmock/gmock.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/net/event_loop.h"
#include "common/rpc/channels.h"
#include "common/seam/error_detail.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"
#include "common/seam_grpc/provider_adapter_grpc.h"
#include "common/seam_grpc/router_decision_grpc.h"

namespace signalbox {
namespace {

using provider::v1::AttemptResult;
using provider::v1::Content;
using provider::v1::GenerateRequest;

constexpr absl::Duration kPatience = absl::Seconds(20);

// An adapter whose attempts do what the test says.
class ScriptedAdapter final : public seam::ProviderAdapter {
 public:
  class ScriptedAttempt final : public seam::Attempt {
   public:
    ScriptedAttempt(ScriptedAdapter& owner, Executor& executor, seam::GenerateSink* sink)
        : owner_(owner), executor_(executor), sink_(sink) {}
    ~ScriptedAttempt() override {
      const absl::MutexLock lock(&owner_.mutex_);
      ++owner_.destroyed_;
      owner_.current_ = nullptr;
    }
    void PauseReading() override { Count(&owner_.paused_); }
    void ResumeReading() override { Count(&owner_.resumed_); }
    void Count(int* counter) {
      const absl::MutexLock lock(&owner_.mutex_);
      ++*counter;
    }
    ScriptedAdapter& owner_;
    Executor& executor_;
    seam::GenerateSink* const sink_;
  };

  std::unique_ptr<seam::Attempt> Generate(GenerateRequest request, Executor& executor,
                                          seam::GenerateSink* sink) override {
    auto attempt = std::make_unique<ScriptedAttempt>(*this, executor, sink);
    const absl::MutexLock lock(&mutex_);
    last_request_ = std::move(request);
    current_ = attempt.get();
    return attempt;
  }
  void ListProviders(absl::Duration, Executor& executor, ListProvidersCallback done) override {
    executor.Post([done] {
      provider::v1::ListProvidersResponse response;
      auto* provider = response.add_providers();
      provider->set_slug("deepinfra");
      provider->set_active(true);
      done(response);
    });
  }

  void WaitUntilStarted() {
    Await([this] { return current_ != nullptr; }, "an attempt");
  }
  void Send(const std::string& data, bool commits = true) {
    OnLoop([=](seam::GenerateSink& sink) {
      Content content;
      content.set_data(data);
      content.set_commits(commits);
      sink.OnContent(content);
    });
  }
  void End(AttemptResult result) {
    OnLoop([=](seam::GenerateSink& sink) { sink.OnResult(result); });
  }
  void Await(const std::function<bool()>& condition, const std::string& what) {
    const absl::MutexLock lock(&mutex_);
    ASSERT_TRUE(mutex_.AwaitWithTimeout(
        absl::Condition(
            +[](const std::function<bool()>* c) { return (*c)(); }, &condition),
        kPatience))
        << "waited for " << what;
  }

  absl::Mutex mutex_;
  ScriptedAttempt* current_ = nullptr;
  GenerateRequest last_request_;
  int destroyed_ = 0, paused_ = 0, resumed_ = 0;

 private:
  void OnLoop(std::function<void(seam::GenerateSink&)> action) {
    Executor* executor;
    {
      const absl::MutexLock lock(&mutex_);
      if (current_ == nullptr) return;
      executor = &current_->executor_;
    }
    executor->Post([this, action = std::move(action)] {
      seam::GenerateSink* sink = nullptr;
      {
        const absl::MutexLock lock(&mutex_);
        if (current_ != nullptr) sink = current_->sink_;
      }
      if (sink != nullptr) action(*sink);
    });
  }
};

class ScriptedRouter final : public seam::RouterDecision {
 public:
  void Decide(const router::v1::DecideRequest& request, absl::Duration, Executor&,
              DecideCallback done) override {
    if (request.features().models(0) == "unknown/model") {
      done(seam::MakeError(common::v1::REASON_MODEL_NOT_FOUND, "no model unknown/model"));
      return;
    }
    router::v1::DecideResponse response;
    response.add_candidates()->set_endpoint_id(absl::StrCat(request.features().models(0), "@a"));
    done(response);
  }
  void Explain(const router::v1::ExplainRequest& request, absl::Duration, Executor&,
               ExplainCallback done) override {
    router::v1::ExplainResponse response;
    response.mutable_decision()->set_snapshot_version(request.seed());
    done(response);
  }
};

class RecordingAggregator final : public seam::MetricsAggregator {
 public:
  void Report(metrics::v1::ReportRequest batch, std::function<void(absl::Status)> done) override {
    {
      const absl::MutexLock lock(&mutex_);
      sequences_.push_back(batch.sequence());
    }
    done(absl::OkStatus());
  }
  void GetScores(absl::Duration,
                 std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)> done) override {
    metrics::v1::ScoreSnapshot snapshot;
    snapshot.set_version(7);
    done(snapshot);
  }
  void RecordBenchmark(metrics::v1::RecordBenchmarkRequest result, absl::Duration,
                       std::function<void(absl::Status)> done) override {
    const absl::MutexLock lock(&mutex_);
    if (result.suite().empty()) return done(absl::InvalidArgumentError("suite: missing"));
    benchmarks_.push_back(std::move(result));
    done(absl::OkStatus());
  }
  absl::Mutex mutex_;
  std::vector<uint64_t> sequences_;
  std::vector<metrics::v1::RecordBenchmarkRequest> benchmarks_;
};

enum class Transport { kDirect, kGrpc };

class SeamContract : public testing::TestWithParam<Transport> {
 protected:
  SeamContract() : loops_("test", 2) {
    if (GetParam() == Transport::kGrpc) StartServer();
  }
  ~SeamContract() override {
    attempt_on_loop_.reset();
    adapter_client_.reset();
    router_client_.reset();
    aggregator_client_.reset();
    StopServer();
    channels_.Release();
  }

  void StartServer(int port = 0) {
    grpc::EnableDefaultHealthCheckService(true);
    adapter_server_ = std::make_unique<seam_grpc::ProviderAdapterServer>(
        adapter_, [this]() -> Executor& { return loops_.Next(); });
    router_server_ = std::make_unique<seam_grpc::RouterDecisionServer>(router_);
    aggregator_server_ = std::make_unique<seam_grpc::MetricsAggregatorServer>(aggregator_);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(adapter_server_.get());
    builder.RegisterService(router_server_.get());
    builder.RegisterService(aggregator_server_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    const std::string address = absl::StrCat("127.0.0.1:", port_);
    if (adapter_client_ != nullptr) return;
    adapter_client_ = std::make_unique<seam_grpc::ProviderAdapterClient>(
        channels_.To(address, rpc::Channels::Kind::kStreaming));
    router_client_ = std::make_unique<seam_grpc::RouterDecisionClient>(
        channels_.To(address, rpc::Channels::Kind::kUnary));
    aggregator_client_ = std::make_unique<seam_grpc::MetricsAggregatorClient>(
        channels_.To(address, rpc::Channels::Kind::kStreaming));
  }
  void StopServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  seam::ProviderAdapter& adapter() {
    return adapter_client_ ? *adapter_client_ : static_cast<seam::ProviderAdapter&>(adapter_);
  }
  seam::RouterDecision& router() {
    return router_client_ ? *router_client_ : static_cast<seam::RouterDecision&>(router_);
  }
  seam::MetricsAggregator& aggregator() {
    return aggregator_client_ ? *aggregator_client_
                              : static_cast<seam::MetricsAggregator&>(aggregator_);
  }

  // What the caller of Generate saw.
  struct Seen final : seam::GenerateSink {
    void OnContent(Content content) override {
      const absl::MutexLock lock(&mutex);
      data += content.data();
      ++contents;
      commits = commits || content.commits();
      EXPECT_FALSE(ended) << "content after the result";
    }
    void OnResult(AttemptResult r) override {
      const absl::MutexLock lock(&mutex);
      EXPECT_FALSE(ended) << "two results";
      result = std::move(r);
      ended = true;
    }
    void Await(const std::function<bool()>& condition) {
      const absl::MutexLock lock(&mutex);
      EXPECT_TRUE(mutex.AwaitWithTimeout(
          absl::Condition(
              +[](const std::function<bool()>* c) { return (*c)(); }, &condition),
          kPatience));
    }
    absl::Mutex mutex;
    std::string data;
    int contents = 0;
    bool commits = false;
    bool ended = false;
    AttemptResult result;
  };

  // Attempts live and die on their loop.
  struct AttemptOnLoop {
    explicit AttemptOnLoop(net::EventLoop& its_loop) : loop(its_loop) {}
    net::EventLoop& loop;
    std::unique_ptr<seam::Attempt> attempt;
    ~AttemptOnLoop() {
      loop.RunAndWait([this] { attempt.reset(); });
    }
  };
  void Begin(bool stream, Seen* seen) {
    net::EventLoop& loop = loops_.at(0);
    attempt_on_loop_ = std::make_unique<AttemptOnLoop>(loop);
    loop.RunAndWait([&] {
      GenerateRequest request;
      request.set_generation_id("gen-1");
      request.set_endpoint_id("m@p");
      request.set_stream(stream);
      request.set_body("{\"model\":\"m\"}");
      attempt_on_loop_->attempt = adapter().Generate(std::move(request), loop, seen);
    });
    adapter_.WaitUntilStarted();
  }

  net::EventLoopGroup loops_;
  ScriptedAdapter adapter_;
  ScriptedRouter router_;
  RecordingAggregator aggregator_;
  std::unique_ptr<seam_grpc::ProviderAdapterServer> adapter_server_;
  std::unique_ptr<seam_grpc::RouterDecisionServer> router_server_;
  std::unique_ptr<seam_grpc::MetricsAggregatorServer> aggregator_server_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  rpc::Channels channels_;
  std::unique_ptr<seam_grpc::ProviderAdapterClient> adapter_client_;
  std::unique_ptr<seam_grpc::RouterDecisionClient> router_client_;
  std::unique_ptr<seam_grpc::MetricsAggregatorClient> aggregator_client_;
  std::unique_ptr<AttemptOnLoop> attempt_on_loop_;
};

TEST_P(SeamContract, StreamedContentArrivesWholeAndInOrderBeforeTheResult) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    const std::string event = absl::StrCat("data: {\"n\":", i, "}\n\n");
    expected += event;
    adapter_.Send(event, /*commits=*/i > 0);
  }
  AttemptResult result;
  result.set_finish_reason("stop");
  result.mutable_usage()->set_completion_tokens(500);
  adapter_.End(result);
  seen.Await([&] { return seen.ended; });
  EXPECT_EQ(seen.data, expected);
  EXPECT_TRUE(seen.commits);
  EXPECT_EQ(seen.result.finish_reason(), "stop");
  EXPECT_EQ(seen.result.usage().completion_tokens(), 500);
}

TEST_P(SeamContract, SignsOfLifeAndWhatTheGuardHeldArriveWithoutCommitting) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  adapter_.Send("", /*commits=*/false);
  seen.Await([&] { return seen.contents == 1; });
  adapter_.Send("data: {\"held\":1}\n\n", /*commits=*/false);
  AttemptResult result;
  result.mutable_error()->set_reason(common::v1::REASON_TOOL_CALL_INVALID);
  result.set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
  result.set_tool_call_repaired(true);
  adapter_.End(result);
  seen.Await([&] { return seen.ended; });
  EXPECT_EQ(seen.data, "data: {\"held\":1}\n\n");
  EXPECT_FALSE(seen.commits);
  EXPECT_EQ(seen.result.error().reason(), common::v1::REASON_TOOL_CALL_INVALID);
  EXPECT_EQ(seen.result.tool_call_verdict(), common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
  EXPECT_TRUE(seen.result.tool_call_repaired());
}

TEST_P(SeamContract, WholeAnswerArrivesWithItsResult) {
  Seen seen;
  Begin(/*stream=*/false, &seen);
  adapter_.Send("{\"id\":\"gen-1\"}");
  adapter_.End({});
  seen.Await([&] { return seen.ended; });
  EXPECT_EQ(seen.data, "{\"id\":\"gen-1\"}");
  const absl::MutexLock lock(&adapter_.mutex_);
  EXPECT_EQ(adapter_.last_request_.body(), "{\"model\":\"m\"}");
  EXPECT_EQ(adapter_.last_request_.endpoint_id(), "m@p");
}

TEST_P(SeamContract, FailureOfTheAttemptKeepsItsDetail) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  AttemptResult result;
  result.mutable_error()->set_reason(common::v1::REASON_PROVIDER_RATE_LIMITED);
  result.mutable_error()->set_retry_after_ms(1500);
  result.mutable_error()->set_upstream_status(429);
  adapter_.End(result);
  seen.Await([&] { return seen.ended; });
  EXPECT_EQ(seen.result.error().reason(), common::v1::REASON_PROVIDER_RATE_LIMITED);
  EXPECT_EQ(seen.result.error().retry_after_ms(), 1500);
  EXPECT_EQ(seen.result.error().upstream_status(), 429);
}

TEST_P(SeamContract, DestroyingTheAttemptCancelsItAtTheAdapter) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  adapter_.Send("data: {}\n\n");
  seen.Await([&] { return !seen.data.empty(); });
  attempt_on_loop_.reset();
  adapter_.Await([&] { return adapter_.destroyed_ == 1; }, "the cancellation");
  EXPECT_FALSE(seen.ended);
}

TEST_P(SeamContract, DestroyingTheAttemptBeforeAnyContentCancelsIt) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  attempt_on_loop_.reset();
  adapter_.Await([&] { return adapter_.destroyed_ == 1; }, "the cancellation");
}

TEST_P(SeamContract, ReaderThatPausesHoldsTheProviderBack) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  loops_.at(0).RunAndWait([&] { attempt_on_loop_->attempt->PauseReading(); });
  const std::string block(16 * 1024, 'x');
  for (int i = 0; i < 64; ++i) adapter_.Send(block);  // 1 MiB: more than all the windows in between
  adapter_.Await([&] { return adapter_.paused_ >= 1; }, "the pause");
  loops_.at(0).RunAndWait([&] { attempt_on_loop_->attempt->ResumeReading(); });
  adapter_.Await([&] { return adapter_.resumed_ >= 1; }, "the resumption");
  adapter_.End({});
  seen.Await([&] { return seen.ended; });
  EXPECT_EQ(seen.data.size(), 64 * block.size());
}

TEST_P(SeamContract, ProvidersAreListed) {
  absl::Notification done;
  loops_.at(0).Post([&] {
    adapter().ListProviders(kPatience, loops_.at(0),
                            [&](absl::StatusOr<provider::v1::ListProvidersResponse> response) {
                              EXPECT_TRUE(response.ok()) << response.status();
                              EXPECT_EQ(response->providers(0).slug(), "deepinfra");
                              EXPECT_TRUE(loops_.at(0).IsCurrent());
                              done.Notify();
                            });
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

TEST_P(SeamContract, DecisionArrivesOnTheCallersExecutor) {
  absl::Notification done;
  loops_.at(1).Post([&] {
    router::v1::DecideRequest request;
    request.mutable_features()->add_models("z-ai/glm-5");
    router().Decide(request, kPatience, loops_.at(1),
                    [&](absl::StatusOr<router::v1::DecideResponse> response) {
                      EXPECT_TRUE(response.ok()) << response.status();
                      EXPECT_EQ(response->candidates(0).endpoint_id(), "z-ai/glm-5@a");
                      EXPECT_TRUE(loops_.at(1).IsCurrent());
                      done.Notify();
                    });
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

TEST_P(SeamContract, DecisionErrorKeepsItsReason) {
  absl::Notification done;
  loops_.at(1).Post([&] {
    router::v1::DecideRequest request;
    request.mutable_features()->add_models("unknown/model");
    router().Decide(
        request, kPatience, loops_.at(1), [&](absl::StatusOr<router::v1::DecideResponse> response) {
          EXPECT_EQ(seam::DetailOf(response.status()).reason(), common::v1::REASON_MODEL_NOT_FOUND);
          EXPECT_EQ(seam::DetailOf(response.status()).public_message(), "no model unknown/model");
          done.Notify();
        });
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

TEST_P(SeamContract, ExplanationArrives) {
  absl::Notification done;
  loops_.at(0).Post([&] {
    router::v1::ExplainRequest request;
    request.set_seed(42);
    router().Explain(request, kPatience, loops_.at(0),
                     [&](absl::StatusOr<router::v1::ExplainResponse> response) {
                       EXPECT_TRUE(response.ok()) << response.status();
                       EXPECT_EQ(response->decision().snapshot_version(), 42u);
                       done.Notify();
                     });
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

TEST_P(SeamContract, BatchesArriveOnceAndInOrder) {
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) {
    absl::Notification done;
    metrics::v1::ReportRequest batch;
    batch.set_reporter_id("r");
    batch.set_sequence(sequence);
    aggregator().Report(batch, [&](absl::Status status) {
      EXPECT_TRUE(status.ok()) << status;
      done.Notify();
    });
    ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
  }
  const absl::MutexLock lock(&aggregator_.mutex_);
  const auto arrived = [this] { return aggregator_.sequences_.size() == 20; };
  EXPECT_TRUE(aggregator_.mutex_.AwaitWithTimeout(absl::Condition(&arrived), kPatience));
  for (uint64_t i = 0; i < aggregator_.sequences_.size(); ++i)
    EXPECT_EQ(aggregator_.sequences_[i], i + 1);
}

TEST_P(SeamContract, ScoresAreFetched) {
  absl::Notification done;
  aggregator().GetScores(kPatience, [&](absl::StatusOr<metrics::v1::ScoreSnapshot> snapshot) {
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    EXPECT_EQ(snapshot->version(), 7u);
    done.Notify();
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

TEST_P(SeamContract, BenchmarkResultArrivesWhole) {
  metrics::v1::RecordBenchmarkRequest result;
  result.set_endpoint_id("m@p");
  result.set_suite("tool-calling");
  result.set_run_id("r1");
  result.set_passed(57);
  result.set_total(60);
  absl::Notification done;
  aggregator().RecordBenchmark(result, kPatience, [&](const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    done.Notify();
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
  const absl::MutexLock lock(&aggregator_.mutex_);
  ASSERT_EQ(aggregator_.benchmarks_.size(), 1u);
  EXPECT_EQ(aggregator_.benchmarks_[0].SerializeAsString(), result.SerializeAsString());
}

TEST_P(SeamContract, MalformedBenchmarkResultIsRefusedAsSuch) {
  absl::Notification done;
  aggregator().RecordBenchmark({}, kPatience, [&](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    done.Notify();
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

INSTANTIATE_TEST_SUITE_P(Transports, SeamContract,
                         testing::Values(Transport::kDirect, Transport::kGrpc),
                         [](const auto& param) {
                           return param.param == Transport::kDirect ? "Direct" : "Grpc";
                         });

// What only a network can do.
class SeamOverNetwork : public SeamContract {};

TEST_P(SeamOverNetwork, AdapterThatDiesMidStreamEndsTheAttemptAsUnavailable) {
  Seen seen;
  Begin(/*stream=*/true, &seen);
  adapter_.Send("data: {}\n\n");
  seen.Await([&] { return !seen.data.empty(); });
  StopServer();
  seen.Await([&] { return seen.ended; });
  EXPECT_EQ(seen.result.error().reason(), common::v1::REASON_UNAVAILABLE);
  EXPECT_TRUE(seen.result.error().retryable());
}

TEST_P(SeamOverNetwork, AttemptWaitsForAnAdapterThatRestarts) {
  StopServer();
  Seen seen;
  net::EventLoop& loop = loops_.at(0);
  attempt_on_loop_ = std::make_unique<AttemptOnLoop>(loop);
  loop.RunAndWait([&] {
    GenerateRequest request;
    request.set_timeout_ms(20'000);
    attempt_on_loop_->attempt = adapter().Generate(std::move(request), loop, &seen);
  });
  StartServer(port_);
  adapter_.WaitUntilStarted();
  adapter_.End({});
  seen.Await([&] { return seen.ended; });
  EXPECT_FALSE(seen.result.has_error());
}

TEST_P(SeamOverNetwork, ReportStreamIsReopenedAfterARestart) {
  StopServer();
  const auto report = [&](uint64_t sequence) {
    absl::Notification done;
    absl::Status result;
    metrics::v1::ReportRequest batch;
    batch.set_sequence(sequence);
    aggregator().Report(batch, [&](absl::Status status) {
      result = status;
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  };
  EXPECT_FALSE(report(1).ok());
  StartServer(port_);
  const absl::Time end = absl::Now() + kPatience;
  while (!report(1).ok()) ASSERT_LT(absl::Now(), end);
}

TEST_P(SeamOverNetwork, RouterThatIsAwayIsReportedAsUnavailable) {
  StopServer();
  absl::Notification done;
  loops_.at(0).Post([&] {
    router::v1::DecideRequest request;
    request.mutable_features()->add_models("m");
    router().Decide(request, absl::Seconds(2), loops_.at(0),
                    [&](absl::StatusOr<router::v1::DecideResponse> response) {
                      const common::v1::Reason reason = seam::DetailOf(response.status()).reason();
                      EXPECT_TRUE(reason == common::v1::REASON_UNAVAILABLE ||
                                  reason == common::v1::REASON_DEADLINE_EXCEEDED);
                      done.Notify();
                    });
  });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
}

INSTANTIATE_TEST_SUITE_P(Transports, SeamOverNetwork, testing::Values(Transport::kGrpc),
                         [](const auto&) { return "Grpc"; });

}  // namespace
}  // namespace signalbox
