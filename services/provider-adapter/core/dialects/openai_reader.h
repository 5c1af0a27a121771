// Reads an OpenAI-shaped answer. A streamed chunk whose choices need no mending costs one
// validating parse and one copy: the envelope is ours, the choices are the provider's bytes.
//
// Thread-compatible; belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_READER_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_READER_H_

#include <string>

#include "absl/types/optional.h"
#include "services/provider-adapter/core/dialects/framed_reader.h"
#include "services/provider-adapter/core/dialects/openai_choices.h"

namespace signalbox::provider_adapter {

class OpenAiReader final : public FramedReader {
 public:
  OpenAiReader(const AnswerOptions& options, absl::string_view content_type)
      : FramedReader(options, content_type), choices_(&state()) {}

 protected:
  absl::Status OnEvent(const sse::Event& event, std::string* out) override;
  absl::Status OnDocument(simdjson::dom::element root, absl::string_view text,
                          std::string* out) override;
  absl::Status OnEnd(std::string* out) override;

 private:
  // Facts of the top level, and its choices; nullopt when it has none. Error: the error it reports,
  // or MALFORMED.
  absl::StatusOr<absl::optional<simdjson::dom::array>> ReadTop(simdjson::dom::object root,
                                                               absl::string_view text);
  void SendChunk(simdjson::dom::object root, absl::string_view text, std::string* out);
  void AppendRewritten(simdjson::dom::object root, OpenAiChoices::Form form, std::string* out);

  OpenAiChoices choices_;
  std::string repaired_;
  bool delivered_ = false;  // OnDocument has written the answer
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_READER_H_
