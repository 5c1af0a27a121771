#include "common/config/scalar.h"

#include <cmath>
#include <limits>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace signalbox::config {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;

constexpr size_t kShownBytes = 60;  // of a wrong value in a message

std::string Shown(absl::string_view text) {
  return absl::StrCat("\"", text.substr(0, kShownBytes), text.size() > kShownBytes ? "…\"" : "\"");
}

absl::Status Error(absl::string_view text, absl::string_view what, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(Shown(text), " ", what, " (expected ", expected, ")"));
}

// [-+]digits, without the leading zeros that some readers take for octal.
bool IsDecimalInteger(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "-")) absl::ConsumePrefix(&text, "+");
  if (text.empty() || !absl::c_all_of(text, [](char c) { return absl::ascii_isdigit(c); }))
    return false;
  return text.size() == 1 || text[0] != '0';
}

// The enum's own name in upper case with underscores: DataPolicy -> "DATA_POLICY_".
std::string ValuePrefix(const EnumDescriptor& type) {
  std::string prefix;
  for (const char c : type.name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix.push_back('_');
    prefix.push_back(absl::ascii_toupper(c));
  }
  return prefix + "_";
}

bool IsUnspecified(const EnumValueDescriptor& value) {
  return value.number() == 0 && EnumText(value) == "unspecified";
}

}  // namespace

absl::StatusOr<int64_t> ParseSigned(absl::string_view text, int64_t min, int64_t max) {
  if (!IsDecimalInteger(text)) return Error(text, "is not a whole number", "digits such as 42");
  int64_t value = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(text, "+"), &value) || value < min || value > max) {
    return Error(text, "is out of range", absl::StrCat(min, " … ", max));
  }
  return value;
}

absl::StatusOr<uint64_t> ParseUnsigned(absl::string_view text, uint64_t max) {
  if (!IsDecimalInteger(text)) return Error(text, "is not a whole number", "digits such as 42");
  uint64_t value = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(text, "+"), &value) || value > max) {
    return Error(text, "is out of range", absl::StrCat("0 … ", max));
  }
  return value;
}

absl::StatusOr<double> ParseNumber(absl::string_view text) {
  const bool plain = absl::c_all_of(text, [](char c) {
    return absl::ascii_isdigit(c) || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
  });
  double value = 0;
  if (!plain || !absl::SimpleAtod(text, &value) || !std::isfinite(value)) {
    return Error(text, "is not a number", "a decimal such as 0.25");
  }
  return value;
}

absl::StatusOr<bool> ParseBool(absl::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return Error(text, "is not a truth value", "true or false");
}

absl::StatusOr<absl::Duration> ParseConfigDuration(absl::string_view text) {
  static constexpr char kExpected[] = "a duration with its unit, such as 250ms, 1.5s, 5m or 1h";
  // protobuf's own limit of a Duration: about 10,000 years.
  static const absl::Duration kMax = absl::Seconds(315'576'000'000);
  absl::Duration value;
  if (!absl::ParseDuration(text, &value)) return Error(text, "is not a duration", kExpected);
  if (value < absl::ZeroDuration() || value > kMax)
    return Error(text, "is out of range", kExpected);
  return value;
}

absl::StatusOr<int> ParseEnum(absl::string_view text, const EnumDescriptor& type) {
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor& value = *type.value(i);
    if (!IsUnspecified(value) && EnumText(value) == text) return value.number();
  }
  return Error(text, "is not one of the values", EnumChoices(type));
}

std::string EnumText(const EnumValueDescriptor& value) {
  return absl::AsciiStrToLower(absl::StripPrefix(value.name(), ValuePrefix(*value.type())));
}

std::string EnumChoices(const EnumDescriptor& type) {
  std::string choices;
  for (int i = 0; i < type.value_count(); ++i) {
    if (IsUnspecified(*type.value(i))) continue;
    absl::StrAppend(&choices, choices.empty() ? "" : ", ", EnumText(*type.value(i)));
  }
  return choices;
}

std::string DurationText(absl::Duration duration) {
  if (duration == absl::ZeroDuration()) return "0s";
  const struct {
    absl::Duration unit;
    const char* name;
  } units[] = {{absl::Hours(1), "h"},
               {absl::Minutes(1), "m"},
               {absl::Seconds(1), "s"},
               {absl::Milliseconds(1), "ms"}};
  for (const auto& [unit, name] : units) {
    absl::Duration rest;
    const int64_t count = absl::IDivDuration(duration, unit, &rest);
    if (rest == absl::ZeroDuration()) return absl::StrCat(count, name);
  }
  return absl::FormatDuration(duration);
}

}  // namespace signalbox::config
