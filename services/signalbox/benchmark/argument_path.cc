#include "services/signalbox/benchmark/argument_path.h"

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/json/parse.h"

namespace signalbox::benchmark {
namespace {

namespace dom = simdjson::dom;

absl::Status BadPath(absl::string_view path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("path \"", path, "\": ", why));
}

bool IsNumber(dom::element value) {
  return value.is<int64_t>() || value.is<uint64_t>() || value.is<double>();
}

void CollectUncovered(dom::element value, const std::string& path,
                      const std::vector<std::string>& covered, std::vector<std::string>* out) {
  if (value.is_null() || absl::c_linear_search(covered, path)) return;
  if (value.is_object()) {
    for (const auto& [name, member] : dom::object(value)) {
      CollectUncovered(member,
                       path.empty() ? std::string(name) : absl::StrCat(path, ".", json::View(name)),
                       covered, out);
    }
  } else if (value.is_array()) {
    size_t i = 0;
    for (const dom::element item : dom::array(value))
      CollectUncovered(item, absl::StrCat(path, "[", i++, "]"), covered, out);
  } else {
    out->push_back(path);
  }
}

bool SameObject(dom::object a, dom::object b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, member] : a) {
    dom::element other;
    if (b.at_key(name).get(other) != simdjson::SUCCESS || !SameJson(member, other)) return false;
  }
  return true;
}

bool SameArray(dom::array a, dom::array b) {
  if (a.size() != b.size()) return false;
  auto other = b.begin();
  for (const dom::element item : a) {
    if (!SameJson(item, *other)) return false;
    ++other;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<PathStep>> ParsePath(absl::string_view path) {
  std::vector<PathStep> steps;
  const absl::string_view whole = path;
  while (!path.empty()) {
    PathStep step;
    if (path[0] == '[') {
      const size_t end = path.find(']');
      if (end == absl::string_view::npos || !absl::SimpleAtoi(path.substr(1, end - 1), &step.index))
        return BadPath(whole, "expected an index such as [0]");
      path.remove_prefix(end + 1);
    } else {
      const size_t end = path.find_first_of(".[");
      step.member = std::string(path.substr(0, end));
      if (step.member.empty()) return BadPath(whole, "a member's name is empty");
      path.remove_prefix(step.member.size());
    }
    steps.push_back(std::move(step));
    if (!path.empty() && path[0] == '.') {
      path.remove_prefix(1);
      if (path.empty() || path[0] == '[') return BadPath(whole, "a member's name is expected");
    }
  }
  if (steps.empty()) return BadPath(whole, "is empty");
  return steps;
}

std::optional<dom::element> ValueAt(dom::element root, const std::vector<PathStep>& path) {
  dom::element value = root;
  for (const PathStep& step : path) {
    dom::element next;
    if (!step.member.empty()) {
      if (!value.is_object() ||
          dom::object(value).at_key(step.member).get(next) != simdjson::SUCCESS)
        return std::nullopt;
    } else if (!value.is_array() ||
               dom::array(value).at(step.index).get(next) != simdjson::SUCCESS) {
      return std::nullopt;
    }
    value = next;
  }
  if (value.is_null()) return std::nullopt;
  return value;
}

std::vector<std::string> UncoveredPaths(dom::element root,
                                        const std::vector<std::string>& covered) {
  std::vector<std::string> uncovered;
  CollectUncovered(root, "", covered, &uncovered);
  return uncovered;
}

bool SameJson(dom::element a, dom::element b) {
  if (IsNumber(a) && IsNumber(b)) return double(a) == double(b);
  if (a.type() != b.type()) return false;
  if (a.is_object()) return SameObject(a, b);
  if (a.is_array()) return SameArray(a, b);
  if (a.is_string()) return a.get_string().value_unsafe() == b.get_string().value_unsafe();
  if (a.is_bool()) return bool(a) == bool(b);
  return true;  // both null
}

}  // namespace signalbox::benchmark
