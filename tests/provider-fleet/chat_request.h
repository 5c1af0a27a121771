// What the fleet needs to know of a chat request in either dialect. Plain requests are read in one
// simdjson pass over the top level; only requests with tools or a response format are parsed whole
// (StructuredPart).
//
// Thread-compatible: one ChatRequestParser per thread.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_CHAT_REQUEST_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_CHAT_REQUEST_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/behaviour.h"

namespace signalbox::fleet {

struct StructuredPart;  // structured_part.h

struct ChatRequest {
  Dialect dialect = Dialect::kOpenAi;
  std::string model;
  bool stream = false;
  bool include_usage = false;  // OpenAI: stream_options.include_usage; Anthropic: always
  int64_t max_tokens = 0;      // 0: no limit given
  size_t body_bytes = 0;
  uint64_t hash = 0;                           // of the body, stable between runs
  std::shared_ptr<const StructuredPart> part;  // null: neither tools nor a response format
};

class ChatRequestParser {
 public:
  ChatRequestParser();
  ~ChatRequestParser();
  // `body` must be readable HttpReader::kPadding bytes past its end. kInvalidArgument carries the
  // message a provider would answer 400 with.
  absl::Status Parse(Dialect dialect, absl::string_view body, ChatRequest* out);

 private:
  struct Scanner;
  const std::unique_ptr<Scanner> scanner_;
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_CHAT_REQUEST_H_
