#include "services/provider-adapter/core/dialects/answer_state.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/seam/error_detail.h"

namespace signalbox::provider_adapter {
namespace {

struct FinishWord {
  absl::string_view native;  // lower case
  absl::string_view canonical;
};
constexpr FinishWord kFinishWords[] = {
    {"stop", "stop"},
    {"length", "length"},
    {"tool_calls", "tool_calls"},
    {"content_filter", "content_filter"},
    {"error", "error"},
    {"max_tokens", "length"},
    {"max_output_tokens", "length"},
    {"model_length", "length"},
    {"max_length", "length"},
    {"model_context_window_exceeded", "length"},
    {"tool_use", "tool_calls"},
    {"tool_call", "tool_calls"},
    {"function_call", "tool_calls"},
    {"safety", "content_filter"},
    {"refusal", "content_filter"},
    {"sensitive", "content_filter"},
    {"recitation", "content_filter"},
    {"blocklist", "content_filter"},
    {"prohibited_content", "content_filter"},
    {"content_filtered", "content_filter"},
    {"guardrail_intervened", "content_filter"},
    {"network_error", "error"},
    {"abort", "error"},
    {"internal_error", "error"},
    {"insufficient_system_resource", "error"},
};

// Joins what a stream has split: texts and summaries of one index, and a signature that follows its
// text.
bool Continues(const ReasoningDetail& last, const ReasoningDetail& next) {
  return last.type == next.type && last.index == next.index && last.signature.empty() &&
         next.type != "reasoning.encrypted";
}

}  // namespace

absl::string_view CanonicalFinishReason(absl::string_view native) {
  const std::string word = absl::AsciiStrToLower(native);
  for (const FinishWord& entry : kFinishWords) {
    if (entry.native == word) return entry.canonical;
  }
  return "stop";  // eos, end_turn, stop_sequence, COMPLETE, …
}

absl::Status MalformedAnswer(absl::string_view what) {
  return seam::MakeError(
      common::v1::REASON_PROVIDER_MALFORMED,
      absl::StrCat("the provider's answer does not follow the protocol: ", what));
}

Choice* AnswerState::ChoiceAt(int64_t index) {
  for (Choice& choice : choices_) {
    if (choice.index == index) return &choice;
  }
  if (choices_.size() == kMaxChoices) return nullptr;
  choices_.emplace_back().index = index;
  return &choices_.back();
}

void AnswerState::CountOutput(absl::string_view text) {
  if (text.empty()) return;
  facts_.content_seen = true;
  facts_.output_chars += static_cast<int64_t>(text.size());
}

void AnswerState::CountText(absl::string_view text) {
  CountOutput(text);
  if (!text.empty()) facts_.text_seen = true;
}

void AnswerState::AddText(Choice& choice, absl::string_view text) {
  CountText(text);
  if (options_.keep_text && facts_.text.size() < options_.max_text_bytes) {
    const absl::string_view kept = text.substr(0, options_.max_text_bytes - facts_.text.size());
    facts_.text.append(kept.data(), kept.size());
  }
  if (!options_.stream) choice.content.append(text.data(), text.size());
}

void AnswerState::AddReasoning(Choice& choice, absl::string_view text) {
  CountText(text);
  if (!options_.stream) choice.reasoning.append(text.data(), text.size());
}

void AnswerState::AddRefusal(Choice& choice, absl::string_view text) {
  CountText(text);
  if (!options_.stream) choice.refusal.append(text.data(), text.size());
}

void AnswerState::AddReasoningDetail(Choice& choice, ReasoningDetail detail) {
  if (!detail.text.empty()) AddOtherContent();
  if (options_.stream) return;
  if (!choice.reasoning_details.empty() && Continues(choice.reasoning_details.back(), detail)) {
    choice.reasoning_details.back().text += detail.text;
    choice.reasoning_details.back().signature = std::move(detail.signature);
  } else {
    choice.reasoning_details.push_back(std::move(detail));
  }
}

ToolCallState* AnswerState::FindCall(Choice& choice, absl::optional<int64_t> provider_index,
                                     absl::string_view id, absl::string_view name) {
  const auto has_id = [&](const ToolCallState& call) {
    return facts_.tool_calls[call.fact].id == id;
  };
  if (provider_index.has_value()) {
    // The latest call of that index: an earlier one of the same index was superseded by a new id.
    const auto found = std::find_if(
        choice.tools.rbegin(), choice.tools.rend(),
        [&](const ToolCallState& call) { return call.provider_index == provider_index; });
    if (found == choice.tools.rend()) return nullptr;
    return id.empty() || has_id(*found) ? &*found : nullptr;
  }
  if (!id.empty()) {
    const auto found = std::find_if(choice.tools.begin(), choice.tools.end(), has_id);
    return found == choice.tools.end() ? nullptr : &*found;
  }
  // Neither index nor id: a name begins a call, its absence continues the last.
  return choice.tools.empty() || !name.empty() ? nullptr : &choice.tools.back();
}

std::string AnswerState::GeneratedId() const {
  const absl::string_view id = options_.generation_id;
  return absl::StrCat("call_", id.substr(id.size() - std::min<size_t>(id.size(), 20)), "_",
                      facts_.tool_calls.size());
}

ToolCallState* AnswerState::NewCall(Choice& choice, absl::optional<int64_t> provider_index,
                                    absl::string_view id) {
  if (facts_.tool_calls.size() == kMaxToolCalls) return nullptr;
  if (!id.empty()) {
    for (const ToolCallState& call : choice.tools) {
      if (facts_.tool_calls[call.fact].id == id) facts_.tool_stream_malformed = true;
    }
  }
  ToolCall call;
  call.id = id.empty() ? GeneratedId() : std::string(id);
  call.index = static_cast<int>(choice.tools.size());
  call.choice = choice.index;
  choice.tools.push_back({provider_index, facts_.tool_calls.size()});
  facts_.tool_calls.push_back(std::move(call));
  facts_.content_seen = true;
  return &choice.tools.back();
}

absl::optional<AnswerState::ToolFragment> AnswerState::AddToolFragment(
    Choice& choice, absl::optional<int64_t> provider_index, absl::string_view id,
    absl::string_view name) {
  ToolCallState* state = FindCall(choice, provider_index, id, name);
  const bool first = state == nullptr;
  if (first) state = NewCall(choice, provider_index, id);
  if (state == nullptr) return absl::nullopt;
  ToolCall& call = facts_.tool_calls[state->fact];
  ToolFragment fragment;
  fragment.fact = state->fact;
  fragment.index = call.index;
  fragment.first = first;
  if (first) fragment.id = call.id;
  // Clients join names as they join arguments: a repeated one must not reach them.
  if (!name.empty() && name != call.name) {
    call.name.append(name.data(), name.size());
    fragment.name = name;
  }
  return fragment;
}

void AnswerState::AddArguments(const ToolFragment& fragment, absl::string_view text) {
  CountOutput(text);
  facts_.argument_chars += static_cast<int64_t>(text.size());
  facts_.tool_calls[fragment.fact].arguments.append(text.data(), text.size());
}

absl::string_view AnswerState::Finish(Choice& choice, absl::string_view native) {
  absl::string_view canonical = CanonicalFinishReason(native);
  // Gemini's and Ollama's OpenAI interfaces say "stop" after a tool call; agents go by the reason.
  if (canonical == "stop" && !choice.tools.empty()) canonical = "tool_calls";
  choice.finished = true;
  choice.finish_reason = std::string(canonical);
  choice.native_finish_reason = std::string(native);
  if (!facts_.finished) {
    facts_.finished = true;
    facts_.finish_reason = choice.finish_reason;
    facts_.native_finish_reason = choice.native_finish_reason;
  }
  return canonical;
}

absl::Status AnswerState::Complete() {
  const auto unfinished = [](const Choice& choice) { return !choice.finished; };
  const bool cut = choices_.empty() ? !facts_.done_seen
                                    : !facts_.done_seen &&
                                          std::any_of(choices_.begin(), choices_.end(), unfinished);
  if (cut) {
    return seam::MakeError(common::v1::REASON_PROVIDER_CUT,
                           "the provider's answer ended before it was complete");
  }
  for (const ToolCall& call : facts_.tool_calls) {
    if (call.name.empty()) facts_.tool_stream_malformed = true;
  }
  if (facts_.content_seen) return absl::OkStatus();
  if (facts_.finish_reason == "content_filter") {
    return seam::MakeError(common::v1::REASON_PROVIDER_MODERATED,
                           "the provider refused the content of the request");
  }
  // Models that hide their reasoning may spend all of max_tokens on it: paid for, and not better
  // elsewhere.
  if (facts_.finish_reason == "length" && facts_.usage.completion_tokens() > 0)
    return absl::OkStatus();
  return seam::MakeError(common::v1::REASON_PROVIDER_EMPTY, "the provider's answer has no content");
}

}  // namespace signalbox::provider_adapter
