// Benchmark results against a real Redis.
#include "common/store/benchmark_store.h"

#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::store {
namespace {

using metrics::v1::RecordBenchmarkRequest;
using signalbox::testing::Await;
using signalbox::testing::RedisServer;

class Benchmarks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!server_.Start()) GTEST_SKIP() << server_.problem();
    redis::Options options;
    options.address = *redis::ParseAddress(server_.address());
    options.command_timeout = absl::Seconds(1);
    connection_ = std::make_unique<redis::Connection>(loop_, options);
    store_ = std::make_unique<BenchmarkStore>(*connection_, Keys());
  }

  static RecordBenchmarkRequest Result(const std::string& endpoint, const std::string& run,
                                       int64_t passed, int64_t total,
                                       absl::Duration ago = absl::Minutes(1)) {
    RecordBenchmarkRequest result;
    result.set_endpoint_id(endpoint);
    result.set_suite("s");
    result.set_run_id(run);
    result.set_passed(passed);
    result.set_total(total);
    result.set_finished_unix_ms(absl::ToUnixMillis(absl::Now() - ago));
    return result;
  }
  absl::Status Record(const RecordBenchmarkRequest& result) {
    return Await<absl::Status>(loop_, [&](auto done) { store_->Record(result, done); });
  }
  BenchmarkResults ReadAll() {
    using Read = absl::StatusOr<BenchmarkResults>;
    const Read results = Await<Read>(loop_, [&](auto done) { store_->ReadAll(done); });
    EXPECT_TRUE(results.ok()) << results.status();
    return results.ok() ? *results : BenchmarkResults();
  }

  RedisServer server_;
  net::EventLoop loop_{"test"};
  std::unique_ptr<redis::Connection> connection_;
  std::unique_ptr<BenchmarkStore> store_;
};

TEST_F(Benchmarks, NothingRecordedIsNoError) { EXPECT_TRUE(ReadAll().empty()); }

TEST_F(Benchmarks, RunsOfASuiteAddUpAndASuiteStandsForItself) {
  EXPECT_TRUE(Record(Result("m@a", "r1", 50, 60)).ok());
  EXPECT_TRUE(Record(Result("m@a", "r2", 55, 60)).ok());
  RecordBenchmarkRequest other = Result("m@a", "r1", 7, 9);
  other.set_suite("t");
  other.set_cases(3);
  EXPECT_TRUE(Record(other).ok());
  EXPECT_TRUE(Record(Result("m@b", "r1", 60, 60)).ok());
  const BenchmarkResults results = ReadAll();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results.at("m@a").at("s"), (BenchmarkSums{105, 120, 60}));
  EXPECT_EQ(results.at("m@a").at("t"), (BenchmarkSums{7, 9, 3}));
  EXPECT_EQ(results.at("m@b").at("s"), (BenchmarkSums{60, 60, 60}));
}

TEST_F(Benchmarks, RepeatingARunChangesNothing) {
  EXPECT_TRUE(Record(Result("m@a", "r1", 50, 60)).ok());
  EXPECT_TRUE(Record(Result("m@a", "r1", 50, 60)).ok());
  EXPECT_TRUE(Record(Result("m@a", "r1", 1, 2)).ok());
  EXPECT_EQ(ReadAll().at("m@a").at("s"), (BenchmarkSums{50, 60, 60}));
}

TEST_F(Benchmarks, OldRunsDoNotCount) {
  EXPECT_TRUE(Record(Result("m@a", "fresh", 50, 60)).ok());
  EXPECT_EQ(Record(Result("m@a", "old", 1, 60, absl::Hours(33 * 24))).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Record(Result("m@a", "future", 1, 60, -absl::Hours(3))).code(),
            absl::StatusCode::kInvalidArgument);
  // One that has grown old since it was recorded.
  server_.Run({"HSET", Keys().Benchmarks("m@a"), "s|aged",
               absl::StrCat(absl::ToUnixMillis(absl::Now() - absl::Hours(33 * 24)), " 1 60 60")});
  EXPECT_EQ(ReadAll().at("m@a").at("s"), (BenchmarkSums{50, 60, 60}));
  EXPECT_TRUE(Record(Result("m@a", "next", 50, 60)).ok());
  EXPECT_EQ(server_.Run({"HEXISTS", Keys().Benchmarks("m@a"), "s|aged"}), "0");
}

TEST_F(Benchmarks, KeepsABoundedNumberOfRuns) {
  const int runs = BenchmarkStore::kMaxRuns + 5;
  for (int i = 0; i < runs; ++i) {
    ASSERT_TRUE(
        Record(Result("m@a", absl::StrCat("r", i), i < 5 ? 0 : 1, 1, absl::Minutes(200 - i))).ok());
  }
  // The five oldest, which had nothing right, are gone.
  EXPECT_EQ(ReadAll().at("m@a").at("s"),
            (BenchmarkSums{BenchmarkStore::kMaxRuns, BenchmarkStore::kMaxRuns, 1}));
}

TEST_F(Benchmarks, ManyEndpointsAreReadWhole) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Record(Result(absl::StrCat("m@p", i), "r", 1, 2)).ok());
  EXPECT_EQ(ReadAll().size(), 200u);
}

TEST_F(Benchmarks, RefusesWhatIsMalformed) {
  for (const auto& spoil : std::vector<std::function<void(RecordBenchmarkRequest&)>>{
           [](auto& r) { r.set_endpoint_id(""); }, [](auto& r) { r.set_endpoint_id("a b"); },
           [](auto& r) { r.set_endpoint_id("{x}"); }, [](auto& r) { r.set_suite("a|b"); },
           [](auto& r) { r.set_run_id(""); }, [](auto& r) { r.set_total(0); },
           [](auto& r) { r.set_passed(61); }, [](auto& r) { r.set_passed(-1); },
           [](auto& r) { r.set_cases(61); }}) {
    RecordBenchmarkRequest result = Result("m@a", "r1", 50, 60);
    spoil(result);
    EXPECT_EQ(Record(result).code(), absl::StatusCode::kInvalidArgument)
        << result.ShortDebugString();
  }
  EXPECT_TRUE(ReadAll().empty());
}

TEST_F(Benchmarks, SaysUnavailableWhileRedisIsAway) {
  server_.Kill();
  EXPECT_FALSE(absl::IsInvalidArgument(Record(Result("m@a", "r1", 1, 2))));
  using Read = absl::StatusOr<BenchmarkResults>;
  EXPECT_FALSE(Await<Read>(loop_, [&](auto done) { store_->ReadAll(done); }).ok());
}

}  // namespace
}  // namespace signalbox::store
