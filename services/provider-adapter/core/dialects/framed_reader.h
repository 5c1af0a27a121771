// Takes the frame off an answer: server-sent events or one JSON document, whatever was asked for. A
// dialect's reader derives from it and sees events and documents only.
//
// Thread-compatible; belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_FRAMED_READER_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_FRAMED_READER_H_

#include <simdjson.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sse/parser.h"
#include "services/provider-adapter/core/dialect.h"
#include "services/provider-adapter/core/dialects/answer_builder.h"

namespace signalbox::provider_adapter {

class FramedReader : public AnswerReader {
 public:
  FramedReader(const AnswerOptions& options, absl::string_view content_type);

  absl::Status Feed(absl::string_view bytes, std::string* out) final;
  absl::Status Finish(std::string* out) final;
  const AnswerFacts& facts() const final { return builder_.facts(); }

 protected:
  // One event with data. `text` is valid during the call.
  virtual absl::Status OnEvent(const sse::Event& event, std::string* out) = 0;
  // The whole body, parsed. Either this or OnEvent is called, never both.
  virtual absl::Status OnDocument(simdjson::dom::element root, absl::string_view text,
                                  std::string* out) = 0;
  // After the last event or the document. Completes the answer.
  virtual absl::Status OnEnd(std::string* out) { return builder_.Complete(out); }

  AnswerBuilder& builder() { return builder_; }
  AnswerState& state() { return builder_.state(); }

  // Parses one event's data. Lone halves of surrogate pairs, which some providers cut apart between
  // two deltas, are replaced in *repaired and `text` is set to it. Error: PROVIDER_MALFORMED.
  static absl::StatusOr<simdjson::dom::element> ParseJson(absl::string_view* text,
                                                          std::string* repaired);

 private:
  enum class Frame { kUnknown, kEvents, kDocument };
  absl::Status DecideFrame(absl::string_view bytes);
  absl::Status FeedEvents(absl::string_view bytes, std::string* out);
  absl::Status FinishDocument(std::string* out);

  AnswerBuilder builder_;
  const bool declared_events_;
  const bool declared_html_;
  Frame frame_ = Frame::kUnknown;
  sse::Parser events_;
  bool any_event_ = false;
  std::string document_;
  absl::Status failed_;  // the first error, repeated ever after
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_FRAMED_READER_H_
