// The tool-call guard: what an answer's tool calls are worth before a client acts on them. Calls
// that are not valid are mended in syntax where that can be done in one way (json_repair.h), else
// the answer is rejected.
//
// All calls of a streamed answer are held until its end and then go out one event per call, in
// order. Calls of one answer are taken back together or not at all, and clients act at the end
// anyway, so nothing is gained by letting the first one go earlier.
//
// RuleOn and MendCompletion are pure; a ToolCallHold belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_GUARD_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_GUARD_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/json/parse.h"
#include "common/json/writer.h"
#include "services/provider-adapter/core/dialect.h"
#include "services/provider-adapter/core/tool_validation.h"

namespace signalbox::provider_adapter {

struct GuardRuling {
  enum class Result {
    kNone,  // no call to judge: none was made, or max_tokens cut it
    kPassed,
    kRepaired,
    kRejected,
  };
  Result result = Result::kNone;
  Verdict verdict;                     // of the calls as they came
  std::vector<std::string> arguments;  // kRepaired: what to send, for every call
};

// What can still be done about an answer decides what is held against it.
struct GuardSituation {
  // Its text is with the client, or dropped: markup in it is no reason to reject calls that hold.
  bool text_is_final = false;
  // Only its calls are wanted: an answer without a valid one is rejected.
  bool calls_only = false;
};
GuardRuling RuleOn(const ToolSet& tools, const AnswerFacts& facts, GuardSituation situation);

// Puts the arguments of a ruling into a whole answer. REQUIRES: `completion` is the answer that
// `facts` are of.
std::string MendCompletion(absl::string_view completion, const AnswerFacts& facts,
                           absl::Span<const std::string> arguments);

class ToolCallHold {
 public:
  // `calls_only`: everything but the calls and the ends of choices is dropped.
  explicit ToolCallHold(bool calls_only) : calls_only_(calls_only) {}

  // Takes tool calls and ends out of whole canonical events; leaves what may go on, byte for byte
  // where an event holds neither.
  void Take(std::string* events);
  // Appends the calls and then the ends. `arguments` replaces those of the facts; empty = as they
  // came. Once.
  void Release(const AnswerFacts& facts, absl::Span<const std::string> arguments, std::string* out);

 private:
  struct End {
    int64_t choice = 0;
    std::string reason;  // raw JSON
    std::string native_reason;
  };

  void TakeEvent(absl::string_view event, std::string* rest);
  bool WriteRest(simdjson::dom::element item, json::Writer* w);
  bool WriteRestOfDelta(int64_t choice, simdjson::dom::object delta, json::Writer* w);
  void NoteCalls(int64_t choice, simdjson::dom::element calls);
  void WriteCall(const ToolCall& call, absl::string_view arguments, json::Writer* w);
  void AppendEvent(const json::Writer& choices, std::string* out) const;

  const bool calls_only_;
  json::Parser parser_{{.max_depth = 1024}};
  std::string head_;     // members of every event: "id":…,"model":…
  bool opened_ = false;  // an event with a role has gone on
  std::vector<End> ends_;
  // Members of calls that only the provider knows (signatures), raw, by choice and index.
  std::map<std::pair<int64_t, int64_t>, std::string> extras_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_GUARD_H_
