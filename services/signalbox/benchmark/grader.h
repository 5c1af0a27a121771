// Is an answer right? Names of tools, number of calls and every value of the arguments decide;
// wording, ids and finish reasons do not. The same answer always gets the same grade.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_GRADER_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_GRADER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "signalbox/config/v1/benchmark.pb.h"

namespace signalbox::benchmark {

struct Call {
  std::string tool;
  std::string arguments;  // as the provider wrote them
};

struct Answer {
  std::string text;
  std::vector<Call> calls;
  double cost_usd = 0;
};

// An answer of POST /chat/completions. Error: it is none.
absl::StatusOr<Answer> ReadAnswer(absl::string_view body);

struct Grade {
  bool passed = false;
  std::string reason;  // of a wrong answer: what is wrong with it
};

Grade GradeAnswer(const config::v1::BenchmarkCase& item, const Answer& answer);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_GRADER_H_
