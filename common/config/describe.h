// The options of a configuration message as a Markdown table: path, type and what may be written.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_CONFIG_DESCRIBE_H_
#define SIGNALBOX_COMMON_CONFIG_DESCRIBE_H_

#include <google/protobuf/descriptor.h>

#include <string>

namespace signalbox::config {

// "| `ingress.limits.max_body_bytes` | whole number |", one row per field that takes a value; "[]"
// marks list items and
// "{}" map entries.
std::string DescribeOptions(const google::protobuf::Descriptor& message);

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_DESCRIBE_H_
