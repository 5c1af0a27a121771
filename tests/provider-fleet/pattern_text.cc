#include "tests/provider-fleet/pattern_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::fleet {
namespace {

constexpr absl::string_view kDigits = "0123456789";
constexpr absl::string_view kWordChars =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
constexpr int kMaxRepeats = 64;

// Generates while it parses: each Parse… appends one match of what it read. Alternatives and
// repeats re-read the same part of the pattern from its start.
class MatchGenerator {
 public:
  MatchGenerator(absl::string_view pattern, Rng& rng) : pattern_(pattern), rng_(rng) {}

  std::optional<std::string> Run() {
    std::string out = Alternation();
    if (failed_ || at_ != pattern_.size()) return std::nullopt;
    return out;
  }

 private:
  bool AtEnd() const { return at_ >= pattern_.size(); }
  char Peek() const { return AtEnd() ? '\0' : pattern_[at_]; }
  std::string Fail() {
    failed_ = true;
    at_ = pattern_.size();
    return "";
  }

  std::string Alternation() {
    if (++depth_ > 16) return Fail();
    std::vector<std::string> branches = {Sequence()};
    while (Peek() == '|') {
      ++at_;
      branches.push_back(Sequence());
    }
    --depth_;
    return branches[rng_.Below(branches.size())];
  }

  std::string Sequence() {
    std::string out;
    while (!AtEnd() && Peek() != '|' && Peek() != ')') out += Repeated();
    return out;
  }

  std::string Repeated() {
    const size_t begin = at_;
    std::string first = Atom();
    const size_t atom_end = at_;
    const auto [min, max] = Quantifier();
    const size_t end = at_;
    const int count = min + static_cast<int>(rng_.Below(static_cast<uint64_t>(max - min + 1)));
    std::string out = count > 0 ? first : "";
    for (int i = 1; i < count && !failed_; ++i) {
      at_ = begin;
      out += Atom();
      if (at_ != atom_end) return Fail();
    }
    if (!failed_) at_ = end;
    return out;
  }

  std::pair<int, int> Quantifier() {
    std::pair<int, int> range = {1, 1};
    switch (Peek()) {
      case '?':
        range = {0, 1};
        break;
      case '*':
        range = {0, 4};
        break;
      case '+':
        range = {1, 5};
        break;
      case '{':
        return Braces();
      default:
        return range;
    }
    ++at_;
    if (Peek() == '?') ++at_;  // lazy: the same strings match
    return range;
  }

  std::pair<int, int> Braces() {
    const size_t close = pattern_.find('}', at_);
    if (close == absl::string_view::npos) return Fail(), std::pair(1, 1);
    const absl::string_view inside = pattern_.substr(at_ + 1, close - at_ - 1);
    const size_t comma = inside.find(',');
    int min = 0;
    int max = 0;
    bool ok = absl::SimpleAtoi(inside.substr(0, comma), &min);
    if (comma == absl::string_view::npos) {
      max = min;
    } else if (comma + 1 == inside.size()) {
      max = min + 4;
    } else {
      ok = ok && absl::SimpleAtoi(inside.substr(comma + 1), &max);
    }
    if (!ok || min < 0 || max < min || min > kMaxRepeats) return Fail(), std::pair(1, 1);
    at_ = close + 1;
    return {min, std::min(max, std::max(min, kMaxRepeats))};
  }

  std::string Atom() {
    const char c = pattern_[at_++];
    switch (c) {
      case '^':
      case '$':
        return "";
      case '.':
        return std::string(1, Pick(kWordChars));
      case '\\':
        return Escape();
      case '[':
        return Class();
      case '(':
        return Group();
      case '*':
      case '+':
      case '?':
        return Fail();
      default:
        return std::string(1, c);
    }
  }

  std::string Group() {
    if (Peek() == '?') {
      if (pattern_.substr(at_, 2) != "?:") return Fail();
      at_ += 2;
    }
    std::string out = Alternation();
    if (Peek() != ')') return Fail();
    ++at_;
    return out;
  }

  std::string Escape() {
    if (AtEnd()) return Fail();
    const std::string set = EscapedSet(pattern_[at_++]);
    return set.empty() ? Fail() : std::string(1, Pick(set));
  }

  static std::string EscapedSet(char c) {
    if (c == 'd') return std::string(kDigits);
    if (c == 'w') return std::string(kWordChars);
    if (c == 's') return " ";
    return absl::ascii_isalnum(c) ? "" : std::string(1, c);
  }

  std::string Class() {
    const bool negated = Peek() == '^';
    if (negated) ++at_;
    std::string set;
    while (!AtEnd() && Peek() != ']' && !failed_) AddRange(&set);
    if (AtEnd()) return Fail();
    ++at_;
    if (negated) set = Complement(set);
    return set.empty() ? Fail() : std::string(1, Pick(set));
  }

  void AddRange(std::string* set) {
    char low = pattern_[at_++];
    if (low == '\\') {
      const std::string escaped = AtEnd() ? "" : EscapedSet(pattern_[at_++]);
      if (escaped.empty()) return void(Fail());
      absl::StrAppend(set, escaped);
      return;
    }
    char high = low;
    if (Peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']') {
      high = pattern_[at_ + 1];
      at_ += 2;
    }
    for (int c = static_cast<unsigned char>(low); c <= static_cast<unsigned char>(high); ++c) {
      *set += static_cast<char>(c);
    }
  }

  static std::string Complement(absl::string_view set) {
    std::string out;
    for (char c : kWordChars) {
      if (set.find(c) == absl::string_view::npos) out += c;
    }
    return out;
  }

  char Pick(absl::string_view set) { return set[rng_.Below(set.size())]; }

  const absl::string_view pattern_;
  Rng& rng_;
  size_t at_ = 0;
  int depth_ = 0;
  bool failed_ = false;
};

}  // namespace

std::optional<std::string> GenerateMatch(absl::string_view pattern, Rng& rng) {
  return MatchGenerator(pattern, rng).Run();
}

}  // namespace signalbox::fleet
