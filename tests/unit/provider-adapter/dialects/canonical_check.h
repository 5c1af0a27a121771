// What the strictest public client (@openrouter/sdk) accepts of a chat answer, as a check: required
// members, members that must not be null, canonical finish reasons; and what such a client would
// have put together.
#ifndef SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_CANONICAL_CHECK_H_
#define SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_CANONICAL_CHECK_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/provider-adapter/core/dialect.h"

namespace signalbox::provider_adapter {

struct ClientChoice {
  std::string content;
  std::string reasoning;
  nlohmann::json reasoning_details = nlohmann::json::array();
  std::map<int, nlohmann::json> tool_calls;  // by index: {id, name, arguments}
  std::string finish_reason;
  std::string native_finish_reason;
};

struct ClientView {
  std::vector<std::string> problems;  // empty = acceptable
  std::map<int, ClientChoice> choices;
  std::vector<nlohmann::json> chunks;
};

// Streamed form: whole "data: {…}\n\n" events.
ClientView ReadAsClient(const std::string& events, const AnswerOptions& options);
// Not streamed: one completion.
ClientView ReadCompletionAsClient(const std::string& completion, const AnswerOptions& options);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_CANONICAL_CHECK_H_
