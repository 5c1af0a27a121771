#include "services/provider-adapter/outcome_reporter.h"

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/manual_executor.h"

namespace signalbox::provider_adapter {
namespace {

using ::testing::HasSubstr;

// Keeps each batch with its answer open until the test gives one.
class FakeAggregator final : public seam::MetricsAggregator {
 public:
  struct Batch {
    metrics::v1::ReportRequest request;
    std::function<void(absl::Status)> done;
  };
  void Report(metrics::v1::ReportRequest batch, std::function<void(absl::Status)> done) override {
    batches.push_back({std::move(batch), std::move(done)});
    if (answer_inside) batches.back().done(absl::OkStatus());
  }
  void GetScores(absl::Duration,
                 std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)>) override {}
  void RecordBenchmark(metrics::v1::RecordBenchmarkRequest, absl::Duration,
                       std::function<void(absl::Status)>) override {}

  std::vector<Batch> batches;
  bool answer_inside = false;
};

class OutcomeReporterTest : public ::testing::Test {
 protected:
  OutcomeReporterTest() {
    options_.reporter_id = "r1";
    options_.max_pending = 50;
    options_.batch_size = 10;
    options_.max_tries = 3;
    Make();
  }
  void Make() {
    reporter_ = std::make_unique<OutcomeReporter>(options_, aggregator_, executor_, clock_, Rng(7),
                                                  metrics_);
  }
  void Add(int count) {
    for (int i = 0; i < count; ++i) {
      common::v1::Outcome outcome;
      outcome.set_duration_us(++added_);  // tells them apart
      reporter_->Report(std::move(outcome));
    }
  }
  void Answer(size_t batch, absl::Status status) {
    aggregator_.batches[batch].done(std::move(status));
    executor_.RunUntilIdle();
  }
  std::vector<int64_t> Sent(size_t batch) const {
    std::vector<int64_t> numbers;
    for (const auto& outcome : aggregator_.batches[batch].request.outcomes())
      numbers.push_back(outcome.duration_us());
    return numbers;
  }
  std::string Series() { return registry_.Render(); }

  FakeClock clock_;
  testing::ManualExecutor executor_{clock_};
  FakeAggregator aggregator_;
  obs::Metrics registry_;
  AdapterMetrics metrics_{registry_};
  OutcomeReporter::Options options_;
  std::unique_ptr<OutcomeReporter> reporter_;
  int64_t added_ = 0;
};

TEST_F(OutcomeReporterTest, WaitsForTheInterval) {
  Add(3);
  executor_.Advance(absl::Milliseconds(199));
  EXPECT_TRUE(aggregator_.batches.empty());
  executor_.Advance(absl::Milliseconds(1));
  ASSERT_EQ(aggregator_.batches.size(), 1u);
  EXPECT_EQ(aggregator_.batches[0].request.reporter_id(), "r1");
  EXPECT_EQ(aggregator_.batches[0].request.sequence(), 1u);
  EXPECT_EQ(Sent(0), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(OutcomeReporterTest, SendsAFullBatchAtOnce) {
  Add(10);
  executor_.RunUntilIdle();
  ASSERT_EQ(aggregator_.batches.size(), 1u);
  EXPECT_EQ(aggregator_.batches[0].request.outcomes_size(), 10);
}

TEST_F(OutcomeReporterTest, HasOneBatchInFlightAndKeepsOrder) {
  Add(25);
  executor_.RunUntilIdle();
  executor_.Advance(absl::Seconds(1));
  ASSERT_EQ(aggregator_.batches.size(), 1u);
  Answer(0, absl::OkStatus());
  ASSERT_EQ(aggregator_.batches.size(), 2u);
  EXPECT_EQ(Sent(1).front(), 11);
  Answer(1, absl::OkStatus());
  EXPECT_EQ(aggregator_.batches.size(), 2u) << "the rest waits for its interval";
  executor_.Advance(absl::Milliseconds(200));
  ASSERT_EQ(aggregator_.batches.size(), 3u);
  EXPECT_EQ(Sent(2), (std::vector<int64_t>{21, 22, 23, 24, 25}));
  EXPECT_EQ(aggregator_.batches[2].request.sequence(), 3u);
}

TEST_F(OutcomeReporterTest, SendsTheSameBatchAgainUnderTheSameSequence) {
  Add(2);
  executor_.Advance(absl::Milliseconds(200));
  Answer(0, absl::UnavailableError("away"));
  Add(1);
  executor_.Advance(absl::Seconds(1));
  ASSERT_EQ(aggregator_.batches.size(), 2u);
  EXPECT_EQ(aggregator_.batches[1].request.sequence(), 1u);
  EXPECT_EQ(Sent(1), Sent(0));
  Answer(1, absl::OkStatus());
  executor_.Advance(absl::Milliseconds(200));
  ASSERT_EQ(aggregator_.batches.size(), 3u);
  EXPECT_EQ(aggregator_.batches[2].request.sequence(), 2u);
  EXPECT_EQ(Sent(2), (std::vector<int64_t>{3}));
}

TEST_F(OutcomeReporterTest, DropsABatchThatIsNeverTaken) {
  Add(2);
  executor_.Advance(absl::Milliseconds(200));
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(aggregator_.batches.size(), i + 1);
    Answer(i, absl::UnavailableError("away"));
    executor_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(aggregator_.batches.size(), 3u);
  EXPECT_THAT(Series(),
              HasSubstr("signalbox_adapter_outcomes_dropped_total{reason=\"not_taken\"} 2"));
  Add(1);
  executor_.Advance(absl::Milliseconds(200));
  ASSERT_EQ(aggregator_.batches.size(), 4u);
  EXPECT_EQ(aggregator_.batches[3].request.sequence(), 2u)
      << "a sequence number is never used twice";
}

TEST_F(OutcomeReporterTest, DropsTheOldestWhenFull) {
  Add(10);
  executor_.RunUntilIdle();  // one batch in flight, never answered
  Add(60);
  executor_.RunUntilIdle();
  EXPECT_THAT(Series(),
              HasSubstr("signalbox_adapter_outcomes_dropped_total{reason=\"queue_full\"} 10"));
  Answer(0, absl::OkStatus());
  ASSERT_EQ(aggregator_.batches.size(), 2u);
  EXPECT_EQ(Sent(1).front(), 21);
}

TEST_F(OutcomeReporterTest, TreatsAMissingAnswerAsNotTakenAndIgnoresItLater) {
  Add(1);
  executor_.Advance(absl::Milliseconds(200));
  executor_.Advance(absl::Seconds(6));
  ASSERT_EQ(aggregator_.batches.size(), 2u);
  EXPECT_EQ(aggregator_.batches[1].request.sequence(), 1u);
  Answer(0, absl::UnavailableError("late"));
  EXPECT_EQ(aggregator_.batches.size(), 2u);
  Answer(1, absl::OkStatus());
  EXPECT_THAT(Series(), HasSubstr("signalbox_adapter_outcomes_reported_total 1"));
}

TEST_F(OutcomeReporterTest, TakesAnAnswerInsideTheCall) {
  aggregator_.answer_inside = true;
  Add(25);
  executor_.RunUntilIdle();
  executor_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(aggregator_.batches.size(), 3u);
  EXPECT_THAT(Series(), HasSubstr("signalbox_adapter_outcomes_reported_total 25"));
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(OutcomeReporterTest, FlushSendsWhatIsLeft) {
  aggregator_.answer_inside = true;
  Add(13);
  absl::optional<bool> flushed;
  reporter_->Flush(absl::Seconds(2), [&](bool all) { flushed = all; });
  EXPECT_FALSE(flushed.has_value());
  executor_.RunUntilIdle();
  EXPECT_EQ(flushed, true);
  EXPECT_EQ(aggregator_.batches.size(), 2u);
  EXPECT_EQ(executor_.timers(), 0u);
}

TEST_F(OutcomeReporterTest, FlushOfNothingIsDoneAtOnce) {
  absl::optional<bool> flushed;
  reporter_->Flush(absl::Seconds(2), [&](bool all) { flushed = all; });
  executor_.RunUntilIdle();
  EXPECT_EQ(flushed, true);
}

TEST_F(OutcomeReporterTest, FlushEndsAtItsDeadline) {
  Add(13);
  absl::optional<bool> flushed;
  reporter_->Flush(absl::Seconds(2), [&](bool all) { flushed = all; });
  executor_.Advance(absl::Milliseconds(1999));
  EXPECT_FALSE(flushed.has_value());
  executor_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(flushed, false);
  EXPECT_THAT(Series(), HasSubstr("signalbox_adapter_outcomes_dropped_total{reason=\"drain\"} 13"));
}

TEST_F(OutcomeReporterTest, IsQuietAfterItsEnd) {
  Add(10);
  executor_.RunUntilIdle();
  const auto done = aggregator_.batches[0].done;
  reporter_.reset();
  done(absl::UnavailableError("late"));
  executor_.Advance(absl::Seconds(60));
  EXPECT_EQ(aggregator_.batches.size(), 1u);
}

TEST_F(OutcomeReporterTest, TakesOutcomesFromManyThreads) {
  aggregator_.answer_inside = true;
  options_.max_pending = 10'000;
  Make();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 500; ++i) reporter_->Report({});
    });
  }
  for (std::thread& thread : threads) thread.join();
  executor_.Advance(absl::Seconds(1));
  size_t total = 0;
  for (const auto& batch : aggregator_.batches)
    total += static_cast<size_t>(batch.request.outcomes_size());
  EXPECT_EQ(total, 2000u);
}

}  // namespace
}  // namespace signalbox::provider_adapter
