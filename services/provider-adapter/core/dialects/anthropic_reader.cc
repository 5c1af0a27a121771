#include "services/provider-adapter/core/dialects/anthropic_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/dialects/provider_error.h"
#include "services/provider-adapter/core/dialects/usage.h"
#include "services/provider-adapter/core/error_map.h"

namespace signalbox::provider_adapter {
namespace {

using json::View;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

absl::string_view TextAt(object members, std::string_view name) {
  std::string_view value;
  return members[name].get(value) == simdjson::SUCCESS ? View(value) : absl::string_view();
}

int64_t IndexOf(object event) {
  int64_t index = 0;
  const simdjson::error_code absent = event["index"].get(index);
  return absent == simdjson::SUCCESS ? index : 0;
}

}  // namespace

absl::Status AnthropicReader::OnEvent(const sse::Event& event, std::string* out) {
  if (facts().done_seen) return absl::OkStatus();
  absl::string_view text = absl::StripAsciiWhitespace(event.data);
  if (text.empty() || text == "[DONE]")
    return absl::OkStatus();  // some compatible servers add OpenAI's end marker
  ASSIGN_OR_RETURN(const element root, ParseJson(&text, &repaired_));
  object members;
  if (root.get(members) != simdjson::SUCCESS)
    return MalformedAnswer("an event is not a JSON object");
  const absl::string_view type = TextAt(members, "type");
  object inner;
  if (type == "error" || event.type == "error" || (type.empty() && LooksLikeError(members))) {
    return seam::ToStatus(ClassifyErrorObject(text));
  }
  if (type == "message_start") return OnMessageStart(members);
  if (type == "content_block_start" && members["content_block"].get(inner) == simdjson::SUCCESS) {
    RETURN_IF_ERROR(StopBlock(out));
    return StartBlock(inner, IndexOf(members), out);
  }
  if (type == "content_block_delta" && members["delta"].get(inner) == simdjson::SUCCESS)
    return OnDelta(inner, out);
  if (type == "content_block_stop") return StopBlock(out);
  if (type == "message_delta") {
    RETURN_IF_ERROR(StopBlock(out));
    OnMessageDelta(members, out);
  }
  if (type == "message_stop") state().facts().done_seen = true;
  return absl::OkStatus();  // ping, and whatever comes later
}

absl::Status AnthropicReader::OnMessageStart(object event) {
  // A second start before any content repeats the first. After content it means that the provider
  // began anew: what the client has is void, and must not be continued as if nothing had happened.
  if (facts().finished) {  // another message behind the end: not ours
    state().facts().done_seen = true;
    return absl::OkStatus();
  }
  if (started_ && facts().content_seen) return MalformedAnswer("the message began a second time");
  started_ = true;
  block_.reset();
  object message, usage;
  if (event["message"].get(message) != simdjson::SUCCESS)
    return MalformedAnswer("message_start without message");
  state().facts().upstream_id = std::string(TextAt(message, "id").substr(0, 256));
  if (message["usage"].get(usage) == simdjson::SUCCESS) ReadUsage(usage);
  return absl::OkStatus();
}

ReasoningDetail AnthropicReader::DetailOf(absl::string_view type) const {
  ReasoningDetail detail;
  detail.type = std::string(type);
  detail.format = "anthropic-claude-v1";
  detail.index = reasoning_blocks_;
  return detail;
}

absl::Status AnthropicReader::StartBlock(object block, int64_t index, std::string* out) {
  block_.emplace();
  block_->index = index;
  const absl::string_view type = TextAt(block, "type");
  if (type == "text") {
    block_->kind = Kind::kText;
    builder().Text(TextAt(block, "text"), out);
  } else if (type == "thinking") {
    block_->kind = Kind::kThinking;
    block_->signature = std::string(TextAt(block, "signature"));
    ReasoningDetail detail = DetailOf("reasoning.text");
    detail.text = std::string(TextAt(block, "thinking"));
    builder().Reasoning(detail.text, detail, out);
  } else if (type == "redacted_thinking") {
    ReasoningDetail detail = DetailOf("reasoning.encrypted");
    detail.text = std::string(TextAt(block, "data"));
    builder().Detail(detail, out);
    ++reasoning_blocks_;
  } else if (type == "tool_use") {
    block_->kind = Kind::kToolUse;
    object input;
    if (block["input"].get(input) == simdjson::SUCCESS && input.begin() != input.end()) {
      block_->input = simdjson::minify(input);
    }
    return builder().StartTool(index, TextAt(block, "id"), TextAt(block, "name"), out);
  }
  return absl::OkStatus();
}

absl::Status AnthropicReader::OnDelta(object delta, std::string* out) {
  if (!block_.has_value()) return MalformedAnswer("a delta outside of a block");
  const absl::string_view type = TextAt(delta, "type");
  if (type == "text_delta" && block_->kind == Kind::kText) {
    builder().Text(TextAt(delta, "text"), out);
  } else if (type == "thinking_delta" && block_->kind == Kind::kThinking) {
    ReasoningDetail detail = DetailOf("reasoning.text");
    detail.text = std::string(TextAt(delta, "thinking"));
    builder().Reasoning(detail.text, detail, out);
  } else if (type == "signature_delta") {
    const absl::string_view piece = TextAt(delta, "signature");
    block_->signature.append(piece.data(), piece.size());
  } else if (type == "input_json_delta" && block_->kind == Kind::kToolUse) {
    const absl::string_view fragment = TextAt(delta, "partial_json");
    block_->has_arguments = block_->has_arguments || !fragment.empty();
    return builder().ToolArguments(block_->index, fragment, out);
  }
  return absl::OkStatus();
}

// A signature goes out whole, at the end of its block: clients that send it back in pieces are
// refused.
absl::Status AnthropicReader::StopBlock(std::string* out) {
  if (!block_.has_value()) return absl::OkStatus();
  const Block block = *std::move(block_);
  block_.reset();
  if (block.kind == Kind::kThinking) {
    if (!block.signature.empty()) {
      ReasoningDetail detail = DetailOf("reasoning.text");
      detail.signature = block.signature;
      builder().Detail(detail, out);
    }
    ++reasoning_blocks_;
  }
  if (block.kind == Kind::kToolUse && !block.has_arguments) {
    return builder().ToolArguments(
        block.index, block.input.empty() ? "{}" : absl::string_view(block.input), out);
  }
  return absl::OkStatus();
}

void AnthropicReader::OnMessageDelta(object event, std::string* out) {
  object usage, delta;
  if (event["usage"].get(usage) == simdjson::SUCCESS) ReadUsage(usage);
  if (event["delta"].get(delta) != simdjson::SUCCESS) return;
  const absl::string_view reason = TextAt(delta, "stop_reason");
  if (!reason.empty() && !facts().finished) builder().Finish(reason, out);
}

// message_start tells the input, message_delta the running total of the output and, with server
// tools, a larger input. Counts that are absent keep their value.
void AnthropicReader::ReadUsage(object usage) {
  input_ = CountAt(usage, "input_tokens").value_or(input_);
  cache_read_ = CountAt(usage, "cache_read_input_tokens").value_or(cache_read_);
  cache_write_ = CountAt(usage, "cache_creation_input_tokens").value_or(cache_write_);
  output_ = std::max(output_, CountAt(usage, "output_tokens").value_or(0));
  common::v1::Usage& canonical = state().facts().usage;
  canonical.set_source(common::v1::Usage::SOURCE_REPORTED);
  canonical.set_prompt_tokens(input_ + cache_read_ + cache_write_);
  canonical.set_completion_tokens(output_);
  canonical.set_cached_tokens(cache_read_);
  canonical.set_cache_write_tokens(cache_write_);
}

absl::Status AnthropicReader::OnDocument(element root, absl::string_view text, std::string* out) {
  const object message = root.get_object().value();
  array blocks;
  if (TextAt(message, "type") == "error" || message["content"].get(blocks) != simdjson::SUCCESS) {
    if (LooksLikeError(message)) return seam::ToStatus(ClassifyErrorObject(text));
    return MalformedAnswer("a message without content");
  }
  AnswerFacts& facts = state().facts();
  facts.upstream_id = std::string(TextAt(message, "id").substr(0, 256));
  facts.done_seen = true;
  object usage;
  if (message["usage"].get(usage) == simdjson::SUCCESS) ReadUsage(usage);
  int64_t index = 0;
  for (const element item : blocks) {
    object block;
    if (item.get(block) != simdjson::SUCCESS) return MalformedAnswer("a block is not an object");
    RETURN_IF_ERROR(StartBlock(block, index++, out));
    RETURN_IF_ERROR(StopBlock(out));
  }
  builder().Finish(TextAt(message, "stop_reason"), out);
  return absl::OkStatus();
}

}  // namespace signalbox::provider_adapter
