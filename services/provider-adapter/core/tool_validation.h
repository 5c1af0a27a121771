// Are the tool calls of an answer valid against the tools the request offered? (reference:
// OpenRouter's published check - arguments parse, name known, JSON Schema draft 7 - widened by
// leaks, empty calls and ignored tool_choice.)
//
// ToolSet is immutable and thread-safe; ToolSetCache is thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_VALIDATION_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_VALIDATION_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "services/provider-adapter/core/dialect.h"
#include "signalbox/common/v1/outcome.pb.h"

namespace signalbox::provider_adapter {

struct Verdict {
  common::v1::ToolCallVerdict verdict = common::v1::TOOL_CALL_VERDICT_UNSPECIFIED;
  std::string detail;  // names the call and the failing check; holds no argument value
};

// The tools and tool_choice of one request, schemas compiled. An absent or uncompilable schema
// accepts everything.
class ToolSet {
 public:
  virtual ~ToolSet() = default;
  virtual Verdict Judge(const AnswerFacts& facts) const = 0;
  // The arguments are a JSON object as a client parses it ("" is none), or the tool takes text.
  virtual bool ArgumentsParse(const ToolCall& call) const = 0;
  // Whether to call a tool is the model's choice: tool_choice absent or "auto".
  virtual bool choice_is_free() const = 0;
};

// Compiling a schema costs far more than checking with it, and agents send the same tools with
// every turn: compiled sets are cached by the hash of the raw `tools` and `tool_choice` members.
class ToolSetCache {
 public:
  explicit ToolSetCache(size_t max_entries = 2048);
  ~ToolSetCache();
  // The set for an OpenAI request body; nullptr when it offers no tools.
  std::shared_ptr<const ToolSet> Get(absl::string_view request_body);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_TOOL_VALIDATION_H_
