#include "common/store/window_counts.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace signalbox::store {
namespace {

constexpr absl::string_view kTtftPrefix = "t:";
constexpr absl::string_view kThroughputPrefix = "s:";
constexpr int32_t kMaxCell = 10'000;  // beyond any cell a writer makes

void AddCell(absl::string_view cell_text, int64_t amount, Cells* cells) {
  int32_t cell = 0;
  if (absl::SimpleAtoi(cell_text, &cell) && cell >= -kMaxCell && cell <= kMaxCell)
    cells->Add(cell, amount);
}

}  // namespace

absl::string_view CountName(Count count) {
  switch (count) {
    case Count::kRequests:
      return "n";
    case Count::kOk:
      return "ok";
    case Count::kFail:
      return "fail";
    case Count::kRateLimited:
      return "r429";
    case Count::kToolsOffered:
      return "tools";
    case Count::kToolRequests:
      return "tool_n";
    case Count::kToolBad:
      return "tool_bad";
    case Count::kToolInvalidJson:
      return "bad_json";
    case Count::kToolUnknownName:
      return "bad_name";
    case Count::kToolSchemaMismatch:
      return "bad_schema";
    case Count::kToolLeaked:
      return "bad_leak";
    case Count::kToolEmpty:
      return "bad_empty";
    case Count::kToolChoiceIgnored:
      return "bad_choice";
    case Count::kToolMalformed:
      return "bad_form";
    case Count::kOutputTokens:
      return "out_tok";
    case Count::kGenerationMicros:
      return "gen_us";
    case Count::kFreeOffered:
      return "free_n";
    case Count::kFreeCalled:
      return "free_call";
    case Count::kCostNano:
      return "cost";
    case Count::kListCostNano:
      return "list_cost";
  }
  return "";
}

void Cells::Add(int32_t cell, int64_t amount) {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), cell,
                       [](const Entry& entry, int32_t wanted) { return entry.first < wanted; });
  if (at != entries_.end() && at->first == cell) {
    at->second += amount;
  } else {
    entries_.insert(at, {cell, amount});
  }
}

void Cells::Add(const Cells& other) {
  if (other.entries_.empty()) return;
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + other.entries_.size());
  auto a = entries_.begin();
  for (const Entry& entry : other.entries_) {
    while (a != entries_.end() && a->first < entry.first) merged.push_back(*a++);
    merged.push_back(entry);
    if (a != entries_.end() && a->first == entry.first) merged.back().second += (a++)->second;
  }
  merged.insert(merged.end(), a, entries_.end());
  entries_ = std::move(merged);
}

int64_t Cells::total() const {
  int64_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.second;
  return sum;
}

void WindowCounts::AddCounts(const WindowCounts& other) {
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
}

void WindowCounts::Add(const WindowCounts& other) {
  AddCounts(other);
  ttft.Add(other.ttft);
  throughput.Add(other.throughput);
}

bool WindowCounts::empty() const {
  return ttft.empty() && throughput.empty() &&
         absl::c_all_of(counts, [](int64_t count) { return count == 0; });
}

void AddField(absl::string_view field, int64_t amount, WindowCounts* window) {
  if (absl::ConsumePrefix(&field, kTtftPrefix)) return AddCell(field, amount, &window->ttft);
  if (absl::ConsumePrefix(&field, kThroughputPrefix))
    return AddCell(field, amount, &window->throughput);
  for (int i = 0; i < kCountKinds; ++i) {
    if (field != CountName(static_cast<Count>(i))) continue;
    window->counts[i] += amount;
    return;
  }
}

std::vector<std::pair<std::string, int64_t>> FieldsOf(const WindowCounts& window, bool with_cells) {
  std::vector<std::pair<std::string, int64_t>> fields;
  for (int i = 0; i < kCountKinds; ++i) {
    if (window.counts[i] != 0)
      fields.emplace_back(CountName(static_cast<Count>(i)), window.counts[i]);
  }
  if (!with_cells) return fields;
  for (const auto& [cell, amount] : window.ttft.entries())
    fields.emplace_back(absl::StrCat(kTtftPrefix, cell), amount);
  for (const auto& [cell, amount] : window.throughput.entries()) {
    fields.emplace_back(absl::StrCat(kThroughputPrefix, cell), amount);
  }
  return fields;
}

}  // namespace signalbox::store
