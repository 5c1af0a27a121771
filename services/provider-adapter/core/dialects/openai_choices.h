// The `choices` of an OpenAI answer: looked at once for the facts, and rewritten only where a
// strict client would stumble.
//
// What is mended (reference: what the strictest public clients reject): role, tool_calls and usage
// of null; missing index, finish_reason, message or role; tool calls without index, id or type,
// with repeated id or name, with arguments as an object; content as a list of parts; finish reasons
// outside the canonical five (the provider's own word stays beside it as native_finish_reason);
// reasoning_content without reasoning.
//
// Thread-compatible; belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_CHOICES_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_CHOICES_H_

#include <simdjson.h>

#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/json/writer.h"
#include "services/provider-adapter/core/dialects/answer_state.h"

namespace signalbox::provider_adapter {

class OpenAiChoices {
 public:
  // kDelta: chunks of a stream. kMessage: a whole answer.
  enum class Form { kDelta, kMessage };

  explicit OpenAiChoices(AnswerState* state) : state_(state) {}

  // Takes the choices of one chunk or answer in: facts, tool calls, ends. Error:
  // PROVIDER_MALFORMED, or the error a choice carries.
  absl::Status Observe(simdjson::dom::array choices, Form form);

  // The following speak of what Observe saw last.
  // Nothing a client would miss: no choice, or only repetitions after the end.
  bool nothing_to_send() const;
  // The raw bytes would not do.
  bool needs_rewrite() const { return needs_rewrite_; }
  // The array, canonical, in the form the client wants. REQUIRES: the parser's document is still
  // the one observed.
  void Write(Form form, json::Writer& w) const;

 private:
  struct SeenTool {
    AnswerState::ToolFragment fragment;
    std::string id;  // copies of the fragment's views, to be sent; empty = not again
    std::string name;
    std::string_view arguments;
    std::string arguments_text;  // when they came as an object
    bool has_arguments = false;
  };
  struct SeenChoice {
    simdjson::dom::object raw;
    simdjson::dom::object body;  // delta or message; meaningful if has_body
    bool has_body = false;
    Choice* choice = nullptr;
    bool has_text = false;  // content was a string or parts
    std::string_view text;
    std::string joined_text;  // parts, joined
    bool text_is_joined = false;
    std::string_view reasoning;
    std::string joined_reasoning;
    bool adds_reasoning = false;  // reasoning has to be written by us
    bool ends = false;            // carries a finish reason
    bool sends = false;           // something for the client is in it
    size_t first_tool = 0, tool_count = 0;
  };

  absl::Status ObserveChoice(simdjson::dom::object raw, size_t position, Form form);
  absl::Status ObserveBody(SeenChoice& seen, Form form);
  void ObserveText(SeenChoice& seen, simdjson::dom::element content);
  void ObserveReasoning(SeenChoice& seen);
  void ObserveOthers(SeenChoice& seen, std::string_view name, simdjson::dom::element value);
  absl::Status ObserveTools(SeenChoice& seen, simdjson::dom::array calls, Form form);
  absl::Status ObserveTool(SeenChoice& seen, simdjson::dom::object call, Form form);
  absl::Status ObserveFinish(SeenChoice& seen, bool was_finished, Form form);
  void WriteBody(const SeenChoice& seen, Form form, json::Writer& w) const;
  void WriteTools(const SeenChoice& seen, Form form, json::Writer& w) const;

  AnswerState* const state_;
  std::deque<SeenChoice> choices_;  // storage is reused from chunk to chunk; references stay valid
  size_t choice_count_ = 0;
  std::deque<SeenTool> tools_;
  size_t tool_count_ = 0;
  Form observed_ = Form::kDelta;
  bool needs_rewrite_ = false;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_CHOICES_H_
