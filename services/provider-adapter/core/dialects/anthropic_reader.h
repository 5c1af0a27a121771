// Reads an Anthropic Messages answer: content blocks, streamed or whole, become pieces of the
// canonical answer. Blocks that are the provider's own business (server tools and their results,
// compaction, fallback marks) are passed over.
//
// Thread-compatible; belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_READER_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_READER_H_

#include <string>

#include "absl/types/optional.h"
#include "services/provider-adapter/core/dialects/framed_reader.h"

namespace signalbox::provider_adapter {

class AnthropicReader final : public FramedReader {
 public:
  using FramedReader::FramedReader;

 protected:
  absl::Status OnEvent(const sse::Event& event, std::string* out) override;
  absl::Status OnDocument(simdjson::dom::element root, absl::string_view text,
                          std::string* out) override;

 private:
  enum class Kind { kOther, kText, kThinking, kToolUse };
  // Anthropic sends one block after the other.
  struct Block {
    Kind kind = Kind::kOther;
    int64_t index = 0;
    std::string signature;
    std::string input;  // a tool's input that came whole with the start
    bool has_arguments = false;
  };

  absl::Status OnMessageStart(simdjson::dom::object event);
  absl::Status StartBlock(simdjson::dom::object block, int64_t index, std::string* out);
  absl::Status OnDelta(simdjson::dom::object delta, std::string* out);
  absl::Status StopBlock(std::string* out);
  void OnMessageDelta(simdjson::dom::object event, std::string* out);
  void ReadUsage(simdjson::dom::object usage);
  ReasoningDetail DetailOf(absl::string_view type) const;

  absl::optional<Block> block_;
  int64_t reasoning_blocks_ = 0;
  bool started_ = false;
  // Anthropic's three kinds of input tokens exclude each other; OpenAI's prompt_tokens is their
  // sum.
  int64_t input_ = 0, cache_read_ = 0, cache_write_ = 0, output_ = 0;
  std::string repaired_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_READER_H_
