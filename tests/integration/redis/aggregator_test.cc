// The metrics-aggregator against a real Redis: each outcome counted once, whatever happens to
// replicas and store.
#include "services/metrics-aggregator/aggregator.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/obs/metrics.h"
#include "common/store/window_store.h"
#include "services/metrics-aggregator/core/batches.h"
#include "services/metrics-aggregator/flusher.h"
#include "services/metrics-aggregator/metrics.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::metrics_aggregator {
namespace {

using metrics::v1::ReportRequest;
using metrics::v1::ScoreSnapshot;
using signalbox::testing::Eventually;
using signalbox::testing::RedisServer;

// One aggregator with its own loop and connection, as a replica has.
struct Replica {
  Replica(const RedisServer& server, obs::Metrics* metrics = nullptr)
      : options(MakeOptions(server)), connection(loop, options) {
    AggregatorOptions aggregator_options;
    aggregator_options.flush_interval = absl::Milliseconds(20);
    aggregator_options.publish_interval = absl::Milliseconds(50);
    aggregator_options.lease = absl::Milliseconds(600);
    aggregator.emplace(connection, options, store::Keys(), aggregator_options, Clock::Real(),
                       metrics);
  }
  ~Replica() { aggregator.reset(); }

  static redis::Options MakeOptions(const RedisServer& server) {
    redis::Options options;
    options.address = *redis::ParseAddress(server.address());
    options.command_timeout = absl::Milliseconds(300);
    return options;
  }

  absl::Status Report(const ReportRequest& batch) {
    std::promise<absl::Status> promise;
    aggregator->Report(batch, [&](absl::Status status) { promise.set_value(std::move(status)); });
    return promise.get_future().get();
  }

  absl::StatusOr<ScoreSnapshot> Scores() {
    std::promise<absl::StatusOr<ScoreSnapshot>> promise;
    aggregator->GetScores(absl::Seconds(1),
                          [&](auto scores) { promise.set_value(std::move(scores)); });
    return promise.get_future().get();
  }

  int64_t AttemptsOf(const std::string& endpoint) {
    const auto scores = Scores();
    if (!scores.ok()) return -1;
    for (const auto& score : scores->endpoints()) {
      if (score.endpoint_id() == endpoint) return score.attempts_30m();
    }
    return 0;
  }

  net::EventLoop loop{"replica"};
  redis::Options options;
  redis::Connection connection;
  std::optional<Aggregator> aggregator;
};

ReportRequest MakeBatch(const std::string& reporter, uint64_t sequence, const std::string& endpoint,
                        int ok, int failed = 0) {
  ReportRequest batch;
  batch.set_reporter_id(reporter);
  batch.set_sequence(sequence);
  for (int i = 0; i < ok + failed; ++i) {
    common::v1::Outcome* outcome = batch.add_outcomes();
    outcome->set_endpoint_id(endpoint);
    outcome->set_request_class(common::v1::REQUEST_CLASS_TOOLS);
    outcome->set_ttft_us(200'000);
    outcome->set_duration_us(2'000'000);
    outcome->set_completion_tokens(100);
    outcome->set_finished_with_tool_calls(true);
    outcome->set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_VALID);
    if (i >= ok) outcome->set_failure(common::v1::REASON_PROVIDER_ERROR);
  }
  return batch;
}

// The sum of a field over all buckets of a resolution.
int64_t SumInStore(RedisServer& server, const std::string& endpoint, const std::string& resolution,
                   const std::string& field) {
  int64_t sum = 0;
  const std::string keys =
      server.Run({"KEYS", absl::StrCat("sb:w:{", endpoint, "}:", resolution, ":*")});
  for (absl::string_view key : absl::StrSplit(keys, ' ', absl::SkipEmpty())) {
    int64_t value = 0;
    if (absl::SimpleAtoi(server.Run({"HGET", std::string(key), field}), &value)) sum += value;
  }
  return sum;
}

class AggregatorOnRedis : public ::testing::Test {
 protected:
  void SetUp() override {
    RedisServer::Options options;
    options.append_only = true;
    server_.emplace(options);
    if (!server_->Start()) GTEST_SKIP() << server_->problem();
  }
  bool StoreHolds(const std::string& endpoint, int64_t n,
                  absl::Duration limit = absl::Seconds(15)) {
    return Eventually([&] { return SumInStore(*server_, endpoint, "1h", "n") == n; }, limit);
  }
  std::optional<RedisServer> server_;
};

TEST_F(AggregatorOnRedis, CountsOutcomesInEveryResolution) {
  Replica replica(*server_);
  ASSERT_TRUE(replica.Report(MakeBatch("r", 1, "m@p", 7, 3)).ok());
  ASSERT_TRUE(StoreHolds("m@p", 10));
  for (const char* resolution : {"10s", "1m", "1h"}) {
    EXPECT_EQ(SumInStore(*server_, "m@p", resolution, "ok"), 7);
    EXPECT_EQ(SumInStore(*server_, "m@p", resolution, "fail"), 3);
    EXPECT_EQ(SumInStore(*server_, "m@p", resolution, "tool_n"), 7);
    EXPECT_EQ(SumInStore(*server_, "m@p", resolution, "out_tok"), 700);
  }
  ASSERT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 10; }));
  const auto scores = replica.Scores();
  EXPECT_EQ(scores->endpoints(0).failures_5m(), 3);
  EXPECT_NEAR(scores->endpoints(0).throughput_tps().p50(), 50, 2.5);
  EXPECT_NEAR(scores->endpoints(0).ttft_ms().p90(), 200, 10);
  EXPECT_GT(scores->endpoints(0).last_outage_unix_ms() + 1, 0);
}

TEST_F(AggregatorOnRedis, CountsABatchOnceHoweverOftenAndWhereverItIsDelivered) {
  Replica a(*server_);
  Replica b(*server_);
  for (int round = 0; round < 3; ++round) {
    for (uint64_t sequence = 1; sequence <= 20; ++sequence) {
      ASSERT_TRUE(a.Report(MakeBatch("r", sequence, "m@p", 5)).ok());
      ASSERT_TRUE(b.Report(MakeBatch("r", sequence, "m@p", 5)).ok());
    }
  }
  ASSERT_TRUE(StoreHolds("m@p", 100));
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_TRUE(StoreHolds("m@p", 100, absl::ZeroDuration()));
}

TEST_F(AggregatorOnRedis, SumsWhatSeveralReplicasCount) {
  Replica a(*server_);
  Replica b(*server_);
  for (uint64_t sequence = 1; sequence <= 50; ++sequence) {
    ASSERT_TRUE(a.Report(MakeBatch("ra", sequence, "m@p", 4)).ok());
    ASSERT_TRUE(b.Report(MakeBatch("rb", sequence, "m@p", 6)).ok());
  }
  ASSERT_TRUE(StoreHolds("m@p", 500));
  EXPECT_TRUE(Eventually([&] { return a.AttemptsOf("m@p") == 500 && b.AttemptsOf("m@p") == 500; }));
}

TEST_F(AggregatorOnRedis, KeepsWindowsOverARestart) {
  {
    Replica replica(*server_);
    ASSERT_TRUE(replica.Report(MakeBatch("r", 1, "m@p", 30)).ok());
    replica.aggregator->Flush(absl::Seconds(5));
  }
  EXPECT_EQ(SumInStore(*server_, "m@p", "1h", "n"), 30);
  EXPECT_EQ(server_->Run({"EXISTS", "sb:lease:{scores}"}), "0");
  Replica replica(*server_);
  ASSERT_TRUE(replica.Report(MakeBatch("r", 1, "m@p", 30)).ok());  // delivered again
  ASSERT_TRUE(replica.Report(MakeBatch("r", 2, "m@p", 12)).ok());
  EXPECT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 42; }));
}

TEST_F(AggregatorOnRedis, AnotherReplicaPublishesWhenTheLeaseholderIsGone) {
  auto a = std::make_unique<Replica>(*server_);
  ASSERT_TRUE(Eventually([&] { return server_->Run({"EXISTS", "sb:lease:{scores}"}) == "1"; }));
  Replica b(*server_);
  ASSERT_TRUE(a->Report(MakeBatch("r", 1, "m@p", 10)).ok());
  ASSERT_TRUE(Eventually([&] { return b.AttemptsOf("m@p") == 10; }));
  const uint64_t version = b.Scores()->version();
  a = nullptr;  // without giving the lease back
  ASSERT_TRUE(b.Report(MakeBatch("r", 2, "m@p", 5)).ok());
  ASSERT_TRUE(Eventually([&] { return b.AttemptsOf("m@p") == 15; }));
  EXPECT_GT(b.Scores()->version(), version);
}

TEST_F(AggregatorOnRedis, OnlyTheLeaseholderCanPublish) {
  Replica replica(*server_);
  ASSERT_TRUE(Eventually([&] { return replica.Scores().ok() && replica.Scores()->version() > 0; }));
  server_->Run({"SET", "sb:lease:{scores}", "someone-else:99", "PX", "3000"});
  absl::SleepFor(absl::Milliseconds(300));
  const std::string version = server_->Run({"GET", "sb:{scores}:version"});
  ASSERT_TRUE(replica.Report(MakeBatch("r", 1, "m@p", 5)).ok());
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(server_->Run({"GET", "sb:{scores}:version"}), version);
  EXPECT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 5; }));
}

TEST_F(AggregatorOnRedis, LosesNothingWhileRedisIsAway) {
  server_->Kill();
  Replica replica(*server_);
  for (uint64_t sequence = 1; sequence <= 100; ++sequence) {
    ASSERT_TRUE(
        replica.Report(MakeBatch("r", sequence, absl::StrCat("m@p", sequence % 7), 3)).ok());
  }
  EXPECT_EQ(replica.Scores().status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(server_->Restart());
  int64_t sum = 0;
  EXPECT_TRUE(Eventually([&] {
    sum = 0;
    for (int i = 0; i < 7; ++i) sum += SumInStore(*server_, absl::StrCat("m@p", i), "1h", "n");
    return sum == 300;
  })) << sum;
}

TEST_F(AggregatorOnRedis, CountsExactlyThroughKillsAndFreezes) {
  Replica a(*server_);
  Replica b(*server_);
  int64_t sent = 0;
  uint64_t sequence = 0;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 40; ++i) {
      ++sequence;
      // Every third batch is delivered to both.
      ASSERT_TRUE(a.Report(MakeBatch("r", sequence, "m@p", 2)).ok());
      if (sequence % 3 == 0) {
        ASSERT_TRUE(b.Report(MakeBatch("r", sequence, "m@p", 2)).ok());
      }
      sent += 2;
      absl::SleepFor(absl::Milliseconds(3));
    }
    if (round % 2 == 0) {
      server_->Freeze();
      absl::SleepFor(absl::Milliseconds(500));
      server_->Thaw();
    } else {
      ASSERT_TRUE(server_->Restart());
    }
  }
  EXPECT_TRUE(StoreHolds("m@p", sent)) << SumInStore(*server_, "m@p", "1h", "n") << " of " << sent;
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_EQ(SumInStore(*server_, "m@p", "1h", "n"), sent);
  EXPECT_EQ(SumInStore(*server_, "m@p", "10s", "n"), sent);
  EXPECT_TRUE(Eventually([&] { return a.AttemptsOf("m@p") == sent; }));
}

TEST_F(AggregatorOnRedis, StandsScriptFlush) {
  Replica replica(*server_);
  for (uint64_t sequence = 1; sequence <= 10; ++sequence) {
    ASSERT_TRUE(replica.Report(MakeBatch("r", sequence, "m@p", 1)).ok());
    ASSERT_TRUE(StoreHolds("m@p", static_cast<int64_t>(sequence)));
    server_->Run({"SCRIPT", "FLUSH"});
  }
  EXPECT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 10; }));
}

TEST_F(AggregatorOnRedis, PublishesAgainAfterRedisForgotEverything) {
  Replica replica(*server_);
  ASSERT_TRUE(replica.Report(MakeBatch("r", 1, "m@p", 5)).ok());
  ASSERT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 5; }));
  const uint64_t version = replica.Scores()->version();
  server_->Run({"FLUSHALL"});
  ASSERT_TRUE(replica.Report(MakeBatch("r", 2, "m@q", 4)).ok());
  EXPECT_TRUE(Eventually([&] { return replica.AttemptsOf("m@q") == 4; }));
  EXPECT_GT(replica.Scores()->version(), version);
}

TEST_F(AggregatorOnRedis, FindsWritesToOldBuckets) {
  Replica replica(*server_);
  ASSERT_TRUE(replica.Report(MakeBatch("r", 1, "m@p", 5)).ok());
  ASSERT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 5; }));
  // What another replica, cut off for ten minutes, writes when it is back.
  net::EventLoop loop("other");
  redis::Connection connection(loop, Replica::MakeOptions(*server_));
  store::WindowStore windows(connection, store::Keys());
  store::WindowDelta delta;
  delta[store::BucketId::At(store::Resolution::kTenSeconds, absl::Now() - absl::Minutes(10)).index]
       [store::Count::kOk] = 7;
  const auto status = signalbox::testing::Await<absl::Status>(loop, [&](auto done) {
    windows.Apply("m@p", "other", 1, delta, [&windows, done](const absl::Status& applied) {
      if (!applied.ok()) return done(applied);
      windows.Touch({"m@p"}, /*late=*/true, done);
    });
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_TRUE(Eventually([&] { return replica.AttemptsOf("m@p") == 12; }));
}

TEST_F(AggregatorOnRedis, AppliesANumberedDeltaOnce) {
  net::EventLoop loop("test");
  redis::Connection connection(loop, Replica::MakeOptions(*server_));
  store::WindowStore windows(connection, store::Keys());
  store::WindowDelta delta;
  delta[170'000'000][store::Count::kRequests] = 3;
  auto apply = [&](const std::string& owner, uint64_t number) {
    return signalbox::testing::Await<absl::Status>(
        loop, [&](auto done) { windows.Apply("m@p", owner, number, delta, done); });
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(apply("a", 4).ok());
  EXPECT_TRUE(apply("a", 3).ok());
  EXPECT_EQ(SumInStore(*server_, "m@p", "1m", "n"), 3);
  EXPECT_TRUE(apply("b", 1).ok());
  EXPECT_TRUE(apply("a", 5).ok());
  EXPECT_EQ(SumInStore(*server_, "m@p", "1m", "n"), 9);
}

// Gathers 200 batches of one reporter so tightly that they are merged, and flushes them.
void FlushMerged(const RedisServer& server) {
  net::EventLoop loop("test");
  redis::Connection connection(loop, Replica::MakeOptions(server));
  store::WindowStore windows(connection, store::Keys());
  Batches::Options options;
  options.max_groups = 10;
  Batches batches(options);
  AggregatorMetrics metrics;
  Flusher flusher(windows, "owner", batches, Clock::Real(), metrics);
  loop.RunAndWait([&] {
    for (uint64_t sequence = 1; sequence <= 200; ++sequence) {
      EndpointDeltas deltas;
      deltas["m@p"][store::Count::kRequests] = 2;
      batches.Add("r", sequence, std::move(deltas), 2, Clock::Real().Monotonic());
    }
  });
  EXPECT_TRUE(Eventually([&] {
    bool idle = false;
    loop.RunAndWait([&] {
      flusher.Tick();
      idle = flusher.idle();
    });
    return idle;
  }));
}

TEST_F(AggregatorOnRedis, CountsMergedBatches) {
  FlushMerged(*server_);
  EXPECT_EQ(SumInStore(*server_, "m@p", "1h", "n"), 400);
}

TEST_F(AggregatorOnRedis, RatherDropsMergedBatchesThanCountsOneOfThemTwice) {
  server_->Run({"HSET", store::Keys().ReporterClaims("r", 1), "150", "another-owner"});
  FlushMerged(*server_);
  EXPECT_LT(SumInStore(*server_, "m@p", "1h", "n"), 400);
}

TEST_F(AggregatorOnRedis, RefusesMalformedBatches) {
  Replica replica(*server_);
  EXPECT_EQ(replica.Report(MakeBatch("", 1, "m@p", 1)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(replica.Report(MakeBatch("a{b}", 1, "m@p", 1)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(replica.Report(MakeBatch("r", 0, "m@p", 1)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(replica.Report(MakeBatch("r", 1, "m@p", 10'001)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(replica.Report(MakeBatch("r", 1, "bad {endpoint}", 1)).ok());
}

TEST_F(AggregatorOnRedis, JudgesToolUseByThePublishedRuleAndShowsItAsGauges) {
  obs::Metrics metrics;
  Replica replica(*server_, &metrics);
  uint64_t sequence = 0;
  for (const char* provider : {"a", "b", "c", "d", "e"}) {
    ReportRequest batch = MakeBatch("r", ++sequence, absl::StrCat("z/glm@", provider), 250);
    const int bad = provider[0] == 'e' ? 100 : (provider[0] - 'a') * 2;
    for (int i = 0; i < bad; ++i) {
      batch.mutable_outcomes(i)->set_tool_call_verdict(common::v1::TOOL_CALL_VERDICT_INVALID_JSON);
    }
    ASSERT_TRUE(replica.Report(batch).ok());
  }
  ASSERT_TRUE(Eventually([&] {
    return replica.AttemptsOf("z/glm@e") == 250 && replica.AttemptsOf("z/glm@a") == 250;
  }));
  const auto scores = replica.Scores();
  ASSERT_EQ(scores->endpoints_size(), 5);
  EXPECT_EQ(scores->endpoints(0).exacto_tier(), metrics::v1::EXACTO_TIER_GOOD)
      << scores->endpoints(0).exacto_reason();
  EXPECT_EQ(scores->endpoints(4).exacto_tier(), metrics::v1::EXACTO_TIER_DEPRIORITISED);
  EXPECT_EQ(scores->endpoints(4).tool_failures_2h(), 100);
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(
        metrics.Render(), "signalbox_aggregator_endpoint_tool_success{endpoint=\"z/glm@e\"} 0.6");
  }));
  EXPECT_TRUE(absl::StrContains(metrics.Render(), "signalbox_aggregator_lease_held 1"));
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
