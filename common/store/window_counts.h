// What one window bucket holds: a fixed set of counters and two log-celled distributions.
// Everything is a sum of integers, so adding is commutative and any number of writers arrive at the
// same bucket.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_COMMON_STORE_WINDOW_COUNTS_H_
#define SIGNALBOX_COMMON_STORE_WINDOW_COUNTS_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace signalbox::store {

// Counters of a bucket. The names in Redis are CountName's; README.md says what each counts.
enum class Count {
  kRequests,      // attempts that say something about the endpoint, 429s included
  kOk,            // answered
  kFail,          // failed by the endpoint's fault
  kRateLimited,   // 429
  kToolsOffered,  // answered requests of the class "tools"
  kToolRequests,  // finished with tool calls and judged
  kToolBad,       // of those, with an invalid call
  kToolInvalidJson,
  kToolUnknownName,
  kToolSchemaMismatch,
  kToolLeaked,
  kToolEmpty,
  kToolChoiceIgnored,
  kToolMalformed,
  kOutputTokens,
  kGenerationMicros,
  kFreeOffered,   // answered requests with tools where calling one was the model's choice
  kFreeCalled,    // of those, finished with tool calls
  kCostNano,      // what the provider charged …
  kListCostNano,  // … and what the same usage costs without cache discounts
};
inline constexpr int kCountKinds = 20;

absl::string_view CountName(Count count);

// A distribution: cell number -> how many. What a cell means is the writer's business
// (core/sketch.h).
class Cells {
 public:
  using Entry = std::pair<int32_t, int64_t>;
  void Add(int32_t cell, int64_t amount);
  void Add(const Cells& other);
  const std::vector<Entry>& entries() const { return entries_; }  // by cell, ascending
  bool empty() const { return entries_.empty(); }
  int64_t total() const;
  friend bool operator==(const Cells& a, const Cells& b) { return a.entries_ == b.entries_; }

 private:
  std::vector<Entry> entries_;
};

struct WindowCounts {
  std::array<int64_t, kCountKinds> counts{};
  Cells ttft;        // field names "t:<cell>"
  Cells throughput;  // field names "s:<cell>"

  int64_t& operator[](Count count) { return counts[static_cast<size_t>(count)]; }
  int64_t operator[](Count count) const { return counts[static_cast<size_t>(count)]; }
  void Add(const WindowCounts& other);
  void AddCounts(const WindowCounts& other);  // without the distributions
  bool empty() const;
  friend bool operator==(const WindowCounts& a, const WindowCounts& b) {
    return a.counts == b.counts && a.ttft == b.ttft && a.throughput == b.throughput;
  }
};

// Adds one field of the hash; unknown fields (of a newer version) and unreadable ones are skipped.
void AddField(absl::string_view field, int64_t amount, WindowCounts* window);

// The fields that are not zero. `with_cells` = false leaves the distributions out.
std::vector<std::pair<std::string, int64_t>> FieldsOf(const WindowCounts& window, bool with_cells);

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_WINDOW_COUNTS_H_
