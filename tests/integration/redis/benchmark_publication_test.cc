// Recorded through one replica, a benchmark reaches the published scores, whichever replica
// publishes.
#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/metrics-aggregator/aggregator.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::metrics_aggregator {
namespace {

using signalbox::testing::Eventually;
using signalbox::testing::RedisServer;

struct Replica {
  explicit Replica(const RedisServer& server)
      : options(MakeOptions(server)), connection(loop, options) {
    AggregatorOptions aggregator_options;
    aggregator_options.publish_interval = absl::Milliseconds(50);
    aggregator_options.lease = absl::Milliseconds(600);
    aggregator_options.book.max_age = absl::Milliseconds(100);
    aggregator.emplace(connection, options, store::Keys(), aggregator_options, Clock::Real(),
                       nullptr);
  }
  ~Replica() { aggregator.reset(); }

  static redis::Options MakeOptions(const RedisServer& server) {
    redis::Options options;
    options.address = *redis::ParseAddress(server.address());
    options.command_timeout = absl::Seconds(1);
    return options;
  }

  absl::Status Record(const std::string& endpoint, int64_t passed) {
    metrics::v1::RecordBenchmarkRequest result;
    result.set_endpoint_id(endpoint);
    result.set_suite("s");
    result.set_run_id("r");
    result.set_passed(passed);
    result.set_total(60);
    result.set_finished_unix_ms(absl::ToUnixMillis(absl::Now()));
    std::promise<absl::Status> promise;
    aggregator->RecordBenchmark(result, absl::Seconds(5),
                                [&](absl::Status status) { promise.set_value(std::move(status)); });
    return promise.get_future().get();
  }

  // The endpoints that are low, and the number of those with a benchmark.
  std::pair<std::string, int> Published() {
    std::promise<absl::StatusOr<metrics::v1::ScoreSnapshot>> promise;
    aggregator->GetScores(absl::Seconds(1),
                          [&](auto scores) { promise.set_value(std::move(scores)); });
    const auto scores = promise.get_future().get();
    std::pair<std::string, int> found;
    if (!scores.ok()) return found;
    for (const auto& score : scores->endpoints()) {
      if (score.benchmark_low()) found.first += score.endpoint_id();
      if (score.benchmark_cases() == 60) ++found.second;
    }
    return found;
  }

  net::EventLoop loop{"replica"};
  redis::Options options;
  redis::Connection connection;
  std::optional<Aggregator> aggregator;
};

TEST(BenchmarkPublication, LowScoreReachesTheSnapshotAndOutlivesItsPublisher) {
  RedisServer server;
  if (!server.Start()) GTEST_SKIP() << server.problem();
  const std::pair<std::string, int> expected{"m@p2", 5};
  {
    Replica replica(server);
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(replica.Record(absl::StrCat("m@p", i), i == 2 ? 30 : 58).ok());
    EXPECT_TRUE(Eventually([&] { return replica.Published() == expected; }));
    EXPECT_EQ(replica.Record("not an endpoint", 1).code(), absl::StatusCode::kInvalidArgument);
    replica.aggregator->Flush(absl::Seconds(2));
  }
  // A new leaseholder reads them before it publishes for the first time.
  server.Run({"DEL", store::Keys().Scores(), store::Keys().ScoresVersion()});
  Replica successor(server);
  EXPECT_TRUE(Eventually([&] { return successor.Published() == expected; }));
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
