#include "common/json/parse.h"

#include <algorithm>
#include <cstring>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace signalbox::json {
namespace {

// simdjson's buffers grow with the largest text ever parsed (about 13 bytes per byte of text); a
// thread that met one huge body gives the memory back with the next ordinary one.
constexpr size_t kKeepCapacity = 1024 * 1024;
constexpr size_t kSmallestCapacity = 4096;

absl::string_view Explain(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::DEPTH_ERROR:
      return "nested too deeply";
    case simdjson::NUMBER_ERROR:
      return "a number is malformed or out of range";
    case simdjson::STRING_ERROR:
      return "a string is malformed";
    case simdjson::UNESCAPED_CHARS:
      return "a string contains an unescaped control character";
    case simdjson::UNCLOSED_STRING:
      return "a string is not closed";
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
      return "a literal is malformed";
    case simdjson::EMPTY:
      return "empty";
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
      return "too large";
    default:
      return "syntax error";
  }
}

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("not valid JSON: ", what));
}

}  // namespace

absl::StatusOr<simdjson::dom::element> Parser::Parse(absl::string_view text) {
  if (text.size() > limits_.max_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("JSON is longer than ", limits_.max_bytes, " bytes"));
  }
  const bool oversized = parser_.capacity() > kKeepCapacity && text.size() < kKeepCapacity / 4;
  if (oversized) {
    parser_ = simdjson::dom::parser();
    std::string().swap(padded_);
  }
  // +1: simdjson reports a depth error on reaching its maximum, ours is the deepest that is
  // allowed.
  const size_t depth = static_cast<size_t>(limits_.max_depth) + 1;
  if (parser_.capacity() < text.size() || parser_.capacity() == 0 || parser_.max_depth() != depth) {
    const size_t wanted =
        std::max({text.size() + text.size() / 2, parser_.capacity(), kSmallestCapacity});
    if (parser_.allocate(wanted, depth) != simdjson::SUCCESS) return Invalid("too large");
  }
  if (padded_.size() < text.size() + simdjson::SIMDJSON_PADDING) {
    padded_.resize(std::max(text.size() + simdjson::SIMDJSON_PADDING, 2 * padded_.size()));
  }
  std::memcpy(padded_.data(), text.data(), text.size());
  std::memset(padded_.data() + text.size(), ' ', simdjson::SIMDJSON_PADDING);
  simdjson::dom::element root;
  const simdjson::error_code error =
      parser_.parse(padded_.data(), text.size(), /*realloc_if_needed=*/false).get(root);
  if (error != simdjson::SUCCESS) return Invalid(Explain(error));
  return root;
}

Parser& ThreadLocalParser() {
  thread_local Parser parser;
  return parser;
}

absl::Status CheckNoDuplicateMembers(simdjson::dom::object object) {
  // Quadratic comparing beats a hash set for the dozen members a request has.
  constexpr size_t kQuadraticUpTo = 24;
  absl::flat_hash_set<absl::string_view> seen;
  const bool hashed = object.size() > kQuadraticUpTo;
  for (auto it = object.begin(); it != object.end(); ++it) {
    const absl::string_view name = View(it.key());
    bool duplicate = false;
    if (hashed) {
      duplicate = !seen.insert(name).second;
    } else {
      for (auto earlier = object.begin(); earlier != it && !duplicate; ++earlier)
        duplicate = View(earlier.key()) == name;
    }
    if (duplicate)
      return absl::InvalidArgumentError(
          absl::StrCat("member \"", name.substr(0, 64), "\" occurs twice"));
  }
  return absl::OkStatus();
}

}  // namespace signalbox::json
