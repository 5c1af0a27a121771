#include "common/json/writer.h"

#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace signalbox::json {
namespace {

// What must not stand in a string as it is: quote, backslash, controls.
constexpr std::array<bool, 256> MakeSpecial() {
  std::array<bool, 256> special{};
  for (int c = 0; c < 0x20; ++c) special[c] = true;
  special['"'] = special['\\'] = true;
  return special;
}
constexpr std::array<bool, 256> kSpecial = MakeSpecial();

void AppendEscape(std::string* out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    case '\b':
      out->append("\\b");
      return;
    case '\f':
      out->append("\\f");
      return;
    default:
      out->append("\\u00");
      out->push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out->push_back(kHex[c & 15]);
  }
}

// True when one of the eight bytes needs escaping: below 0x20, a quote or a backslash.
bool AnySpecial(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  const auto zero_byte = [](uint64_t v) { return (v - kOnes) & ~v; };
  const uint64_t control = (bytes - kOnes * 0x20) & ~bytes;
  return ((control | zero_byte(bytes ^ (kOnes * '"')) | zero_byte(bytes ^ (kOnes * '\\'))) &
          (kOnes * 0x80)) != 0;
}

void AppendEscaped(std::string* out, absl::string_view text) {
  size_t run = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    while (i + 8 <= text.size()) {  // whole answers pass here: eight bytes at a time
      uint64_t bytes;
      std::memcpy(&bytes, text.data() + i, 8);
      if (AnySpecial(bytes)) break;
      i += 8;
    }
    if (i == text.size()) break;
    if (!kSpecial[static_cast<unsigned char>(text[i])]) continue;
    out->append(text.data() + run, i - run);
    AppendEscape(out, text[i]);
    run = i + 1;
  }
  out->append(text.data() + run, text.size() - run);
}

// Length of the well-formed UTF-8 sequence at the start of `text`; 0 = ill-formed.
size_t SequenceLength(absl::string_view text) {
  const unsigned char lead = text[0];
  const size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  return length <= text.size() && simdjson::validate_utf8(text.data(), length) ? length : 0;
}

// U+FFFD for every byte that belongs to no well-formed sequence.
std::string Repaired(absl::string_view text) {
  std::string repaired;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (length == 0) {
      repaired.append("\xef\xbf\xbd");
      text.remove_prefix(1);
    } else {
      repaired.append(text.data(), length);
      text.remove_prefix(length);
    }
  }
  return repaired;
}

// Member names and tokens are short and ASCII: no call into simdjson for them.
bool IsValidUtf8(absl::string_view text) {
  constexpr size_t kShort = 32;
  if (text.size() <= kShort) {
    unsigned char all = 0;
    for (char c : text) all |= static_cast<unsigned char>(c);
    if (all < 0x80) return true;
  }
  return simdjson::validate_utf8(text.data(), text.size());
}

template <typename Number>
void AppendNumber(std::string* out, Number value) {
  char digits[32];
  const std::to_chars_result result = std::to_chars(digits, digits + sizeof(digits), value);
  out->append(digits, result.ptr - digits);
}

}  // namespace

void AppendQuoted(std::string* out, absl::string_view text) {
  out->push_back('"');
  if (IsValidUtf8(text)) {
    AppendEscaped(out, text);
  } else {
    AppendEscaped(out, Repaired(text));
  }
  out->push_back('"');
}

std::string Quoted(absl::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  AppendQuoted(&out, text);
  return out;
}

// A finished value never ends in one of these four.
void Writer::Separate() {
  if (out_.empty()) return;
  const char last = out_.back();
  if (last != '{' && last != '[' && last != ':' && last != ',') out_.push_back(',');
}

Writer& Writer::BeginObject() {
  Separate();
  out_.push_back('{');
  return *this;
}
Writer& Writer::EndObject() {
  out_.push_back('}');
  return *this;
}
Writer& Writer::BeginArray() {
  Separate();
  out_.push_back('[');
  return *this;
}
Writer& Writer::EndArray() {
  out_.push_back(']');
  return *this;
}
Writer& Writer::Key(absl::string_view name) {
  Separate();
  AppendQuoted(&out_, name);
  out_.push_back(':');
  return *this;
}
Writer& Writer::String(absl::string_view value) {
  Separate();
  AppendQuoted(&out_, value);
  return *this;
}
Writer& Writer::Int(int64_t value) {
  Separate();
  AppendNumber(&out_, value);
  return *this;
}
Writer& Writer::UInt(uint64_t value) {
  Separate();
  AppendNumber(&out_, value);
  return *this;
}
Writer& Writer::Double(double value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  AppendNumber(&out_, value);
  return *this;
}
Writer& Writer::Bool(bool value) {
  Separate();
  out_.append(value ? "true" : "false");
  return *this;
}
Writer& Writer::Null() {
  Separate();
  out_.append("null");
  return *this;
}
Writer& Writer::Raw(absl::string_view json) {
  Separate();
  out_.append(json.data(), json.size());
  return *this;
}

}  // namespace signalbox::json
