// A configuration message as YAML that the loader reads back, fit to be shown: secrets appear as
// their reference only
// ({env: NAME}), a password inside a URL and the value of a credential header are struck out.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_CONFIG_REDACT_H_
#define SIGNALBOX_COMMON_CONFIG_REDACT_H_

#include <google/protobuf/message.h>

#include <string>

namespace signalbox::config {

// Fields that are set, in the order of the .proto, two spaces per level.
std::string ToRedactedYaml(const google::protobuf::Message& message);

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_REDACT_H_
