// Text that matches a simple regular expression: literals, escapes (\d \w \s), classes, groups,
// alternation and the quantifiers ? * + {m,n}. Enough for the patterns people put into tool
// schemas.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_PATTERN_TEXT_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_PATTERN_TEXT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/rng.h"

namespace signalbox::fleet {

// Nullopt when the pattern uses something else (look-around, back references, negated classes of
// odd shape).
std::optional<std::string> GenerateMatch(absl::string_view pattern, Rng& rng);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_PATTERN_TEXT_H_
