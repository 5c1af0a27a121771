// Mends the syntax of tool-call arguments that are almost one JSON object. Only what can be read in
// one way is mended: no value is made up, completed or left out.
//
//   mended    trailing commas · single quotes · True, False, None · unquoted names · raw line
//   breaks
//             in strings · closing braces and brackets that are missing at the end or before an
//             outer one · a code fence around · the object as text of a JSON string · text without
//             braces or quotes, surplus closing braces or the same object once more behind it ·
//             nothing at all or null, which is {}
//   refused   a string, number, name or list element that may have been cut off · a missing value,
//             comma, colon or opening brace · unknown words and escapes · two different objects
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_JSON_REPAIR_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_JSON_REPAIR_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace signalbox::provider_adapter {

// The arguments as a strict JSON object; nullopt = cannot be mended, or is longer than 1 MiB or
// nested deeper than 128.
absl::optional<std::string> RepairArguments(absl::string_view text);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_JSON_REPAIR_H_
