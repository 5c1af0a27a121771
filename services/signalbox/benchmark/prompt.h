// A case as the body of a chat request.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_PROMPT_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_PROMPT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "signalbox/config/v1/benchmark.pb.h"

namespace signalbox::benchmark {

struct PromptOptions {
  std::string model;
  std::string tag;  // the endpoint's, the only one that may answer
  uint64_t seed = 1;
  int max_tokens = 4'096;
};

// The same suite, case and options give the same bytes.
std::string RequestBody(const config::v1::BenchmarkSuite& suite,
                        const config::v1::BenchmarkCase& item, const PromptOptions& options);

// Replaces every {{filler N}} by N characters of filler, each with a seed of its own.
std::string WithFiller(absl::string_view text, uint64_t seed);

// Office prose that holds no digit, no name and no request.
std::string Filler(size_t characters, uint64_t seed);

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_PROMPT_H_
