// Text of a YAML scalar to a typed value, strictly. Errors say what was found and what is expected;
// they never guess.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_CONFIG_SCALAR_H_
#define SIGNALBOX_COMMON_CONFIG_SCALAR_H_

#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace signalbox::config {

// Decimal digits with an optional sign; no octal, hex, exponent or underscores.
absl::StatusOr<int64_t> ParseSigned(absl::string_view text, int64_t min, int64_t max);
absl::StatusOr<uint64_t> ParseUnsigned(absl::string_view text, uint64_t max);
// A finite decimal number.
absl::StatusOr<double> ParseNumber(absl::string_view text);
// true or false, nothing else.
absl::StatusOr<bool> ParseBool(absl::string_view text);
// "250ms", "1.5s", "5m", "1h30m"; not negative.
absl::StatusOr<absl::Duration> ParseConfigDuration(absl::string_view text);

// Enum values are written without the enum's name: DATA_POLICY_DENY of DataPolicy is "deny". The
// value 0 named …_UNSPECIFIED cannot be written.
absl::StatusOr<int> ParseEnum(absl::string_view text, const google::protobuf::EnumDescriptor& type);
std::string EnumText(const google::protobuf::EnumValueDescriptor& value);
// "allow, deny".
std::string EnumChoices(const google::protobuf::EnumDescriptor& type);

// The shortest of "1h", "90s", "1.5s", "250ms" that reads back as the same duration.
std::string DurationText(absl::Duration duration);

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_SCALAR_H_
