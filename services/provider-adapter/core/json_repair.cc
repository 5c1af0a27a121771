#include "services/provider-adapter/core/json_repair.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"

namespace signalbox::provider_adapter {
namespace {

constexpr size_t kMaxBytes = 1024 * 1024;
constexpr int kMaxDepth = 128;
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr absl::string_view kFence = "```";
constexpr absl::string_view kClosers = "}]";

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool IsNameStart(char c) { return absl::ascii_isalpha(c) || c == '_' || c == '$'; }
bool IsName(char c) { return IsNameStart(c) || absl::ascii_isdigit(c) || c == '-'; }

absl::string_view WithoutSpaceBefore(absl::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  return text;
}

// "```json\n{…}\n```" -> "{…}\n```": what follows the object is judged later.
absl::string_view WithoutFence(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, kFence)) return text;
  while (!text.empty() && absl::ascii_isalnum(text.front())) text.remove_prefix(1);
  return WithoutSpaceBefore(text);
}

// Reads one tolerated value and writes it as strict JSON. A failure is final.
class Mender {
 public:
  explicit Mender(absl::string_view text) : text_(text) {}

  // REQUIRES: the text begins with '{'.
  bool Object();
  // REQUIRES: the text begins with a quote.
  bool String();

  absl::string_view rest() const { return text_.substr(at_); }
  const std::string& out() const { return out_; }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  char Here() const { return text_[at_]; }
  bool Is(char c) const { return !AtEnd() && Here() == c; }
  void SkipSpace() {
    while (!AtEnd() && IsSpace(Here())) ++at_;
  }
  bool Open(char bracket);
  bool Close(char bracket);

  bool Array();
  bool Value();
  bool Name();
  bool Escape(char quote);
  bool Number();
  bool Digits();
  bool Word();
  // After a value or an element: goes on with the next, or has closed the container.
  enum class Then { kNext, kClosed, kBroken };
  Then AfterItem(char closer);

  const absl::string_view text_;
  size_t at_ = 0;
  std::string out_;
  std::string open_;          // brackets not closed yet
  bool number_open_ = false;  // the text ended inside what may be a longer number
};

bool Mender::Open(char bracket) {
  if (open_.size() == kMaxDepth) return false;
  ++at_;
  open_ += bracket;
  out_ += bracket;
  return true;
}

bool Mender::Close(char bracket) {
  open_.pop_back();
  out_ += bracket;
  return true;
}

Mender::Then Mender::AfterItem(char closer) {
  SkipSpace();
  if (AtEnd()) {  // the text stops behind a value that is whole
    if (number_open_) return Then::kBroken;
    Close(closer);
    return Then::kClosed;
  }
  if (Is(',')) {
    ++at_;
    SkipSpace();
    if (AtEnd()) return Then::kBroken;  // something was to follow
    if (!absl::StrContains(kClosers, absl::string_view(&text_[at_], 1))) {
      out_ += ',';
      return Then::kNext;
    }
  }
  if (Is(closer)) {
    ++at_;
    Close(closer);
    return Then::kClosed;
  }
  // The other bracket closes an outer container: this one's was forgotten.
  const char other_opener = closer == '}' ? '[' : '{';
  const char other_closer = closer == '}' ? ']' : '}';
  if (!Is(other_closer) || !absl::StrContains(open_, absl::string_view(&other_opener, 1)))
    return Then::kBroken;
  Close(closer);
  return Then::kClosed;
}

bool Mender::Object() {
  if (!Open('{')) return false;
  SkipSpace();
  if (Is('}')) {
    ++at_;
    return Close('}');
  }
  while (true) {
    SkipSpace();
    if (!Name()) return false;
    SkipSpace();
    if (!Is(':')) return false;
    ++at_;
    out_ += ':';
    if (!Value()) return false;
    const Then then = AfterItem('}');
    if (then != Then::kNext) return then == Then::kClosed;
  }
}

bool Mender::Array() {
  if (!Open('[')) return false;
  SkipSpace();
  if (Is(']')) {
    ++at_;
    return Close(']');
  }
  while (true) {
    if (!Value()) return false;
    const Then then = AfterItem(']');
    if (then != Then::kNext) return then == Then::kClosed;
  }
}

bool Mender::Value() {
  SkipSpace();
  if (AtEnd()) return false;
  switch (Here()) {
    case '{':
      return Object();
    case '[':
      return Array();
    case '"':
    case '\'':
      return String();
    default:
      return Here() == '-' || absl::ascii_isdigit(Here()) ? Number() : Word();
  }
}

bool Mender::Name() {
  if (AtEnd()) return false;
  if (Is('"') || Is('\'')) return String();
  if (!IsNameStart(Here())) return false;
  out_ += '"';
  while (!AtEnd() && IsName(Here())) out_ += text_[at_++];
  out_ += '"';
  return true;
}

bool Mender::String() {
  const char quote = text_[at_++];
  out_ += '"';
  while (!AtEnd()) {
    const char c = text_[at_++];
    if (c == quote) {
      out_ += '"';
      return true;
    }
    if (c == '\\') {
      if (!Escape(quote)) return false;
    } else if (c == '"') {
      out_ += "\\\"";
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out_ += absl::StrFormat("\\u%04x", c);
    } else {
      out_ += c;
    }
  }
  return false;  // where it was to end nobody knows
}

bool Mender::Escape(char quote) {
  if (AtEnd()) return false;
  const char c = text_[at_++];
  if (c == '\'' || (c == '"' && quote == '\'')) {
    out_ += c == '"' ? "\\\"" : "'";
    return true;
  }
  if (!absl::StrContains("\"\\/bfnrtu", absl::string_view(&c, 1))) return false;
  out_ += '\\';
  out_ += c;
  if (c != 'u') return true;
  for (int i = 0; i < 4; ++i) {
    if (AtEnd() || !absl::ascii_isxdigit(Here())) return false;
    out_ += text_[at_++];
  }
  return true;
}

bool Mender::Digits() {
  const size_t first = at_;
  while (!AtEnd() && absl::ascii_isdigit(Here())) ++at_;
  return at_ > first;
}

bool Mender::Number() {
  const size_t first = at_;
  if (Is('-')) ++at_;
  if (Is('0')) {
    ++at_;
  } else if (!Digits()) {
    return false;
  }
  if (Is('.')) {
    ++at_;
    if (!Digits()) return false;
  }
  if (Is('e') || Is('E')) {
    ++at_;
    if (Is('+') || Is('-')) ++at_;
    if (!Digits()) return false;
  }
  number_open_ = AtEnd();
  if (!AtEnd() && (IsName(Here()) || Is('.'))) return false;  // 007, 12px, 1.2.3
  const absl::string_view number = text_.substr(first, at_ - first);
  out_.append(number.data(), number.size());
  return true;
}

bool Mender::Word() {
  const size_t first = at_;
  while (!AtEnd() && IsName(Here())) ++at_;
  const absl::string_view word = text_.substr(first, at_ - first);
  if (word == "true" || word == "True") {
    out_ += "true";
  } else if (word == "false" || word == "False") {
    out_ += "false";
  } else if (word == "null" || word == "None") {
    out_ += "null";
  } else {
    return false;
  }
  return true;
}

// What follows the object says nothing that would be lost.
bool IsNoise(absl::string_view rest, const std::string& object) {
  while (true) {
    rest = WithoutSpaceBefore(rest);
    if (rest.empty()) return true;
    if (absl::StrContains(kClosers, rest.substr(0, 1))) {
      rest.remove_prefix(1);
    } else if (rest.front() == '{') {
      Mender again(rest);
      if (!again.Object() || again.out() != object) return false;
      rest = again.rest();
    } else {
      return rest.front() != ',' && rest.find_first_of("{[\"") == absl::string_view::npos;
    }
  }
}

absl::optional<std::string> RepairObject(absl::string_view text) {
  if (text.empty() || text.front() != '{') return absl::nullopt;
  Mender mender(text);
  if (!mender.Object() || !IsNoise(mender.rest(), mender.out())) return absl::nullopt;
  return mender.out();
}

// The text inside a JSON string that is all there is.
absl::optional<std::string> Unwrapped(absl::string_view text) {
  Mender mender(text);
  if (!mender.String() || !WithoutSpaceBefore(mender.rest()).empty()) return absl::nullopt;
  const nlohmann::json value = nlohmann::json::parse(mender.out(), nullptr, false);
  if (!value.is_string()) return absl::nullopt;
  return value.get<std::string>();
}

}  // namespace

namespace {

absl::optional<std::string> Mended(absl::string_view text) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  const absl::string_view word = absl::StripAsciiWhitespace(text);
  if (word.empty() || word == "null" || word == "None") return "{}";
  text = WithoutFence(WithoutSpaceBefore(text));
  if (!absl::StartsWith(text, "\"")) return RepairObject(text);
  const absl::optional<std::string> inner = Unwrapped(text);
  if (!inner.has_value()) return absl::nullopt;
  return RepairObject(WithoutSpaceBefore(*inner));
}

}  // namespace

absl::optional<std::string> RepairArguments(absl::string_view text) {
  if (text.size() > kMaxBytes) return absl::nullopt;
  absl::optional<std::string> mended = Mended(text);
  // What strict JSON forbids inside strings (half a surrogate pair, invalid UTF-8) is not mended.
  if (mended.has_value() && !nlohmann::json::accept(*mended)) return absl::nullopt;
  return mended;
}

}  // namespace signalbox::provider_adapter
