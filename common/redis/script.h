// A Lua script with its SHA-1, made once and shared: `static const redis::Script
// kPublish(R"lua(…)lua");`
//
// Immutable; thread-safe.
#ifndef SIGNALBOX_COMMON_REDIS_SCRIPT_H_
#define SIGNALBOX_COMMON_REDIS_SCRIPT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace signalbox::redis {

class Script {
 public:
  explicit Script(absl::string_view source);
  const std::string& source() const { return source_; }
  // 40 lower-case hex characters: the name Redis gives the script.
  const std::string& sha() const { return sha_; }

 private:
  const std::string source_;
  const std::string sha_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_SCRIPT_H_
