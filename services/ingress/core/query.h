// Reading a URL's query string.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_QUERY_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_QUERY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace signalbox::ingress {

// "%2F" and "+" decoded; a '%' that starts no escape stays.
std::string DecodePercent(absl::string_view text);

// The decoded value of the first parameter of that name.
absl::optional<std::string> QueryValue(absl::string_view query, absl::string_view name);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_QUERY_H_
