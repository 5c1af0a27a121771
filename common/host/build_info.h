// What this binary is.
#ifndef SIGNALBOX_COMMON_HOST_BUILD_INFO_H_
#define SIGNALBOX_COMMON_HOST_BUILD_INFO_H_

#include <string>

#include "absl/strings/string_view.h"

namespace signalbox::host {

absl::string_view Version();
// {"service":"ingress","version":"0.1.0",…}
std::string BuildInfoJson(absl::string_view service);

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_BUILD_INFO_H_
