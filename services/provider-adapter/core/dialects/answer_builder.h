// Builds the canonical answer piece by piece, in the form the client wants: each piece becomes a
// chunk at once, or all of them one completion at the end. What a translating dialect's reader
// talks to.
//
// Thread-compatible; belongs to one attempt.
//
//   AnswerBuilder builder(options);
//   builder.Text("Hel", &out);            // streamed: data:
//   {…"delta":{"role":"assistant","content":"Hel"}…} builder.Finish("end_turn", &out);
//   RETURN_IF_ERROR(builder.Complete(&out));
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANSWER_BUILDER_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANSWER_BUILDER_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/json/writer.h"
#include "services/provider-adapter/core/dialects/answer_state.h"

namespace signalbox::provider_adapter {

class AnswerBuilder {
 public:
  explicit AnswerBuilder(const AnswerOptions& options);

  AnswerState& state() { return state_; }
  AnswerFacts& facts() { return state_.facts(); }
  const AnswerFacts& facts() const { return state_.facts(); }
  bool streams() const { return state_.options().stream; }

  // Pieces of choice 0. Empty text is no piece.
  void Text(absl::string_view text, std::string* out);
  void Refusal(absl::string_view text, std::string* out);
  // Plain reasoning and its entry in reasoning_details (one piece of each).
  void Reasoning(absl::string_view text, const ReasoningDetail& detail, std::string* out);
  void Detail(const ReasoningDetail& detail, std::string* out);
  // Error: PROVIDER_MALFORMED when there are too many calls.
  absl::Status StartTool(int64_t provider_index, absl::string_view id, absl::string_view name,
                         std::string* out);
  absl::Status ToolArguments(int64_t provider_index, absl::string_view fragment, std::string* out);
  void Finish(absl::string_view native, std::string* out);

  // The end: the checks of AnswerState::Complete, a finish reason for choices that got none, and
  // the completion unless streamed.
  absl::Status Complete(std::string* out);

  // {"id":…,"object":…,"created":…,"model":…,"provider":… without the closing brace, for readers
  // that splice raw bytes.
  absl::string_view chunk_head() const { return chunk_head_; }
  absl::string_view completion_head() const { return completion_head_; }

 private:
  Choice& choice() { return *state_.ChoiceAt(0); }
  void Chunk(Choice& choice, absl::FunctionRef<void(json::Writer&)> write_delta, std::string* out);
  void FinishChunk(const Choice& choice, std::string* out);
  void AppendCompletion(std::string* out);
  void WriteMessage(const Choice& choice, json::Writer& w);

  AnswerState state_;
  std::string chunk_head_;
  std::string completion_head_;
};

void WriteReasoningDetail(const ReasoningDetail& detail, json::Writer& w);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANSWER_BUILDER_H_
