// Writing JSON text by appending to a string: the fleet's answers are templates with a few escaped
// strings in them.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_JSON_TEXT_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_JSON_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace signalbox::fleet {

// Appends `text` escaped for the inside of a JSON string; UTF-8 passes through.
void AppendEscaped(absl::string_view text, std::string* out);
// The same with the quotes.
void AppendQuoted(absl::string_view text, std::string* out);
std::string Quoted(absl::string_view text);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_JSON_TEXT_H_
