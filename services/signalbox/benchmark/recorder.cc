#include "services/signalbox/benchmark/recorder.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/config/secrets.h"
#include "common/net/event_loop.h"
#include "common/redis/connection.h"
#include "common/rpc/channels.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"
#include "common/store/benchmark_store.h"
#include "common/store/connect.h"
#include "services/signalbox/await.h"

namespace signalbox::benchmark {
namespace {

using metrics::v1::RecordBenchmarkRequest;
using metrics_aggregator::BenchmarkTable;

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr int kTries = 3;
constexpr absl::Duration kBetweenTries = absl::Milliseconds(500);

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

class AggregatorRecorder final : public Recorder {
 public:
  explicit AggregatorRecorder(const std::string& address)
      : client_(std::make_unique<seam_grpc::MetricsAggregatorClient>(
            channels_.To(address, rpc::Channels::Kind::kUnary))) {}
  ~AggregatorRecorder() override {
    client_ = nullptr;
    channels_.Release();
  }

  absl::StatusOr<BenchmarkTable> Read() override {
    using Scores = absl::StatusOr<metrics::v1::ScoreSnapshot>;
    ASSIGN_OR_RETURN(const metrics::v1::ScoreSnapshot snapshot,
                     Await<Scores>([&](auto done) { client_->GetScores(kPatience, done); }));
    BenchmarkTable table;
    for (const auto& score : snapshot.endpoints()) {
      if (score.benchmark_cases() == 0) continue;
      table[score.endpoint_id()] = {score.benchmark(), score.benchmark_cases(),
                                    score.benchmark_low(), score.benchmark_reason()};
    }
    return table;
  }

 private:
  absl::Status RecordOnce(const RecordBenchmarkRequest& result) override {
    return Await<absl::Status>(
        [&](auto done) { client_->RecordBenchmark(result, kPatience, done); });
  }

  rpc::Channels channels_;
  std::unique_ptr<seam_grpc::MetricsAggregatorClient> client_;
};

class StoreRecorder final : public Recorder {
 public:
  StoreRecorder(const redis::Options& options, const store::Keys& keys)
      : loop_("benchmarks"), connection_(loop_, options), store_(connection_, keys) {}

  absl::StatusOr<BenchmarkTable> Read() override {
    using Results = absl::StatusOr<store::BenchmarkResults>;
    ASSIGN_OR_RETURN(const store::BenchmarkResults results,
                     AwaitOn<Results>(loop_, [this](auto done) { store_.ReadAll(done); }));
    return metrics_aggregator::JudgeBenchmarks(results);
  }

 private:
  absl::Status RecordOnce(const RecordBenchmarkRequest& result) override {
    return AwaitOn<absl::Status>(loop_, [&](auto done) { store_.Record(result, done); });
  }

  net::EventLoop loop_;
  redis::Connection connection_;
  store::BenchmarkStore store_;
};

}  // namespace

absl::Status Recorder::Record(const RecordBenchmarkRequest& result) {
  absl::Status status = RecordOnce(result);
  for (int i = 1; i < kTries && MayPass(status); ++i) {
    absl::SleepFor(kBetweenTries);
    status = RecordOnce(result);
  }
  return status;
}

std::unique_ptr<Recorder> RecorderAt(const std::string& address) {
  return std::make_unique<AggregatorRecorder>(address);
}

absl::StatusOr<std::unique_ptr<Recorder>> RecorderInStore(const config::v1::Config& config) {
  ASSIGN_OR_RETURN(redis::Options options, store::RedisOptions(config.redis(), store::Role::kScores,
                                                               config::Environment::Process()));
  options.command_timeout = kPatience;
  return std::make_unique<StoreRecorder>(options, store::KeysOf(config.redis()));
}

}  // namespace signalbox::benchmark
