#include "common/host/memory_limit.h"

#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::host {
namespace {

// Version 1 says "no limit" with a number of this order.
constexpr int64_t kUnlimited = int64_t{1} << 60;

}  // namespace

int64_t MemoryLimitBytes(const std::string& root) {
  for (const char* file : {"/memory.max", "/memory/memory.limit_in_bytes"}) {
    std::ifstream in(absl::StrCat(root, file));
    std::string text;
    int64_t bytes = 0;
    if (in >> text) return absl::SimpleAtoi(text, &bytes) && bytes < kUnlimited ? bytes : 0;
  }
  return 0;
}

}  // namespace signalbox::host
