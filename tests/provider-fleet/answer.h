// What a provider says to one request, before it becomes bytes of a dialect: reasoning, text or
// tool calls, finish reason and usage. ComposeAnswer is the simulated model.
//
// Plain values; deterministic by (request, behaviour, Rng).
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_ANSWER_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_ANSWER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/rng.h"
#include "tests/provider-fleet/behaviour.h"
#include "tests/provider-fleet/chat_request.h"
#include "tests/provider-fleet/token_text.h"

namespace signalbox::fleet {

enum class Finish : uint8_t { kStop, kLength, kToolCalls, kNull };

struct ToolCall {
  std::string id;  // 24 characters, unique; each dialect adds its prefix
  std::string name;
  TokenText arguments;
};

struct Usage {
  int64_t prompt = 0;  // including cached
  int64_t cached = 0;
  int64_t completion = 0;  // including reasoning
  int64_t reasoning = 0;
};

struct Answer {
  TokenText reasoning;
  TokenText text;
  std::vector<ToolCall> calls;
  Finish finish = Finish::kStop;
  Usage usage;
  bool with_usage = true;
  ToolErrorKind tool_error = ToolErrorKind::kNone;
  bool wanted_tools = false;  // a tool call was made or leaked
};

Answer ComposeAnswer(const ChatRequest& request, const Behaviour& behaviour, Rng& rng);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_ANSWER_H_
