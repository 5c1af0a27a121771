// What is known of an answer while it is being read: the facts, and per choice its tool calls, its
// end and, when the answer is delivered whole, its pieces.
//
// Thread-compatible; belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANSWER_STATE_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANSWER_STATE_H_

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "services/provider-adapter/core/dialect.h"

namespace signalbox::provider_adapter {

// Canonical finish reason of a provider's own word: stop length tool_calls content_filter error. An
// unknown word is "stop".
absl::string_view CanonicalFinishReason(absl::string_view native);

// One entry of `reasoning_details`.
struct ReasoningDetail {
  std::string type;  // reasoning.text, reasoning.summary, reasoning.encrypted
  std::string text;  // under the member the type asks for: text, summary or data
  std::string signature;
  std::string id;
  std::string format;
  int64_t index = 0;
};

struct ToolCallState {
  absl::optional<int64_t> provider_index;
  size_t fact = 0;  // position in AnswerFacts::tool_calls
};

struct Choice {
  int64_t index = 0;
  bool role_sent = false;
  bool finished = false;
  std::vector<ToolCallState> tools;
  std::string finish_reason;  // canonical
  std::string native_finish_reason;
  // Kept only for an answer that is delivered whole.
  std::string content;
  std::string reasoning;
  std::string refusal;
  std::vector<ReasoningDetail> reasoning_details;
  std::vector<std::pair<std::string, std::string>>
      lists;             // other array members: name, elements as raw JSON with commas
  std::string logprobs;  // elements of logprobs.content
};

class AnswerState {
 public:
  // More than any real answer has; a provider that sends more is not trusted.
  static constexpr size_t kMaxChoices = 128;
  static constexpr size_t kMaxToolCalls = 512;

  explicit AnswerState(const AnswerOptions& options) : options_(options) {}

  const AnswerOptions& options() const { return options_; }
  AnswerFacts& facts() { return facts_; }
  const AnswerFacts& facts() const { return facts_; }
  const std::deque<Choice>& choices() const { return choices_; }

  // The choice with that index, made when new; nullptr when there are too many. Valid as long as
  // the state.
  Choice* ChoiceAt(int64_t index);

  void AddText(Choice& choice, absl::string_view text);
  void AddReasoning(Choice& choice, absl::string_view text);
  void AddRefusal(Choice& choice, absl::string_view text);
  // Details do not count as output text: the same text comes as reasoning. Consecutive texts of one
  // index are joined.
  void AddReasoningDetail(Choice& choice, ReasoningDetail detail);
  // Content that is neither text nor tool call (an image, audio).
  void AddOtherContent() { facts_.content_seen = facts_.text_seen = true; }

  // One fragment of a tool call, assigned to its call.
  struct ToolFragment {
    size_t fact = 0;
    int index = 0;           // dense, in order of appearance
    bool first = false;      // of its call: carries id, type and name to the client
    absl::string_view id;    // to be sent; empty = not again
    absl::string_view name;  // to be sent; empty = not again
  };
  // Which call a fragment belongs to, whatever the provider does with index and id: one index with
  // new ids starts new calls, no index goes by id, nothing at all continues the last call. nullopt
  // when there are too many calls. Views are valid until the next call.
  absl::optional<ToolFragment> AddToolFragment(Choice& choice,
                                               absl::optional<int64_t> provider_index,
                                               absl::string_view id, absl::string_view name);
  void AddArguments(const ToolFragment& fragment, absl::string_view text);

  // The choice has ended. Returns the canonical reason.
  absl::string_view Finish(Choice& choice, absl::string_view native);

  // The end of the answer. Error: PROVIDER_CUT, PROVIDER_EMPTY, PROVIDER_MODERATED (refused without
  // a word).
  absl::Status Complete();

 private:
  ToolCallState* FindCall(Choice& choice, absl::optional<int64_t> provider_index,
                          absl::string_view id, absl::string_view name);
  ToolCallState* NewCall(Choice& choice, absl::optional<int64_t> provider_index,
                         absl::string_view id);
  void CountOutput(absl::string_view text);
  void CountText(absl::string_view text);
  std::string GeneratedId() const;

  const AnswerOptions options_;
  AnswerFacts facts_;
  std::deque<Choice> choices_;  // references stay valid
};

absl::Status MalformedAnswer(absl::string_view what);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANSWER_STATE_H_
