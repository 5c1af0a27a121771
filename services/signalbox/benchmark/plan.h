// What a run asks next, and what it found: a pure state machine between the suite and the network.
//
// All endpoints are asked one case before any is asked the next, so that a run that its budget
// ends early has still asked every endpoint the same.
//
//   while (!plan.finished()) {
//     while (auto task = plan.Next()) … send …        // later: plan.Done(*task, found)
//   }
//
// Thread-compatible.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_PLAN_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "signalbox/config/v1/benchmark.pb.h"

namespace signalbox::benchmark {

struct Endpoint {
  std::string id;     // "z-ai/glm-5@deepinfra/fp8"
  std::string model;  // as a request names it
  std::string tag;
};

struct PlanOptions {
  int64_t budget_nano = 0;   // 0 = no bound
  int64_t max_requests = 0;  // 0 = no bound
  int concurrency = 4;
  int repeat = 1;
  // An endpoint that gives no answer so many times in a row is left alone.
  int max_unanswered_in_a_row = 5;
};

struct Task {
  int endpoint = 0;
  int item = 0;  // index of the case
  int repetition = 0;
};

// What came of one task.
struct Finding {
  enum class Kind {
    kPassed,
    kFailed,
    kUnanswered,   // outage, 429, …: says nothing about the quality of answers
    kUnreachable,  // the endpoint cannot be asked at all: no key, excluded, unknown
  };
  Kind kind = Kind::kUnanswered;
  std::string reason;  // where not passed
  int64_t cost_nano = 0;
};

struct KindCount {
  int64_t passed = 0;
  int64_t total = 0;
};

struct EndpointResult {
  Endpoint endpoint;
  int64_t passed = 0;
  int64_t total = 0;  // judged
  int64_t unanswered = 0;
  int64_t cost_nano = 0;
  std::set<int> cases;  // judged ones
  std::map<std::string, KindCount> kinds;
  struct Miss {
    std::string case_id;
    int repetition = 0;
    bool answered = false;
    std::string reason;
  };
  std::vector<Miss> misses;
  bool left_alone = false;
};

class Plan {
 public:
  // The suite outlives the plan.
  Plan(const config::v1::BenchmarkSuite& suite, const std::vector<Endpoint>& endpoints,
       const PlanOptions& options);

  // nullopt: nothing to ask now; finished() tells whether anything will come.
  std::optional<Task> Next();
  void Done(const Task& task, const Finding& finding);
  // Asks nothing more; what is under way still counts.
  void Stop(std::string why);

  bool finished() const { return in_flight_ == 0 && !MayAsk(); }
  absl::Span<const EndpointResult> results() const { return results_; }
  int64_t requests() const { return requests_; }
  int64_t cost_nano() const { return cost_nano_; }
  // Why it ended before its time; empty = it did not.
  const std::string& stopped() const { return stopped_; }

 private:
  bool MayAsk() const;
  bool BudgetLeft() const;
  void SkipLeftAlone();
  void Count(const Task& task, const Finding& finding, EndpointResult* result);

  const config::v1::BenchmarkSuite& suite_;
  const PlanOptions options_;
  std::vector<EndpointResult> results_;
  std::vector<int> unanswered_in_a_row_;
  int64_t next_ = 0;  // counts endpoints fastest, then cases, then repetitions
  int64_t end_ = 0;
  int64_t requests_ = 0;
  int64_t finished_requests_ = 0;
  int64_t cost_nano_ = 0;
  int in_flight_ = 0;
  std::string stopped_;
};

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_PLAN_H_
