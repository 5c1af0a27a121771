// What benchmark runs found of each endpoint, kept 32 days from the end of the run.
//
// A run is counted once: (endpoint, suite, run id) names it, and repeating it changes nothing. Of
// an endpoint the newest kMaxRuns are kept, of endpoints the kMaxEndpoints measured last.
//
// Only on the connection's loop. Unavailable and DeadlineExceeded = unknown result: record again.
#ifndef SIGNALBOX_COMMON_STORE_BENCHMARK_STORE_H_
#define SIGNALBOX_COMMON_STORE_BENCHMARK_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/redis/connection.h"
#include "common/store/keys.h"
#include "signalbox/metrics/v1/metrics.pb.h"

namespace signalbox::store {

// Runs of one suite at one endpoint, added up.
struct BenchmarkSums {
  int64_t passed = 0;
  int64_t total = 0;
  int64_t cases = 0;  // different cases: of the largest run, since runs repeat the suite

  friend bool operator==(const BenchmarkSums& a, const BenchmarkSums& b) {
    return a.passed == b.passed && a.total == b.total && a.cases == b.cases;
  }
};
// Endpoint -> suite -> sums.
using BenchmarkResults = std::map<std::string, std::map<std::string, BenchmarkSums>>;

class BenchmarkStore {
 public:
  static constexpr absl::Duration kKept = absl::Hours(32 * 24);
  static constexpr int kMaxRuns = 100;
  static constexpr int kMaxEndpoints = 10'000;

  // The connection outlives the store.
  BenchmarkStore(redis::Connection& connection, Keys keys);

  // Error: InvalidArgument = malformed, ended more than kKept ago, or more than an hour from now.
  void Record(const metrics::v1::RecordBenchmarkRequest& result,
              std::function<void(absl::Status)> done);

  // Everything that ended within kKept (store clock).
  void ReadAll(std::function<void(absl::StatusOr<BenchmarkResults>)> done);

 private:
  redis::Connection& connection_;
  const Keys keys_;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_BENCHMARK_STORE_H_
