// Anthropic Messages.
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/json_text.h"
#include "tests/provider-fleet/wire.h"

namespace signalbox::fleet::anthropic {
namespace {

absl::string_view StopReason(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "\"end_turn\"";
    case Finish::kLength:
      return "\"max_tokens\"";
    case Finish::kToolCalls:
      return "\"tool_use\"";
    case Finish::kNull:
      return "null";
  }
  return "null";
}

// Input tokens exclude those read from the cache.
std::string UsageObject(const Answer& answer, int64_t output_tokens) {
  const Usage& usage = answer.usage;
  return absl::StrCat(
      "{\"input_tokens\":", usage.prompt - usage.cached,
      ",\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":", usage.cached,
      ",\"output_tokens\":", output_tokens, ",\"service_tier\":\"standard\"}");
}

// Thinking blocks carry a signature that clients must send back unchanged.
std::string Signature(const ReplyHead& head) { return absl::StrCat("c2lnbmF0dXJl", head.id, "=="); }

// A finished answer holds its input as JSON; arguments cut or garbled on the way are the text they
// are.
std::string InputOf(const ToolCall& call) {
  return nlohmann::json::accept(call.arguments.text) ? call.arguments.text
                                                     : Quoted(call.arguments.text);
}

std::string Content(const Answer& answer, const ReplyHead& head) {
  std::string out = "[";
  const auto separate = [&out] {
    if (out.size() > 1) out.push_back(',');
  };
  if (answer.reasoning.size() > 0) {
    absl::StrAppend(&out, "{\"type\":\"thinking\",\"thinking\":", Quoted(answer.reasoning.text),
                    ",\"signature\":\"", Signature(head), "\"}");
  }
  if (answer.text.size() > 0) {
    separate();
    absl::StrAppend(&out, "{\"type\":\"text\",\"text\":", Quoted(answer.text.text), "}");
  }
  for (const ToolCall& call : answer.calls) {
    separate();
    absl::StrAppend(&out, "{\"type\":\"tool_use\",\"id\":\"toolu_", call.id,
                    "\",\"name\":", Quoted(call.name), ",\"input\":", InputOf(call), "}");
  }
  out.push_back(']');
  return out;
}

class EventWriter {
 public:
  using Kind = EventList::Kind;

  explicit EventWriter(EventList* out) : out_(out) {}

  void Event(absl::string_view type, absl::string_view members, Kind kind) {
    absl::StrAppend(&out_->bytes(), "event: ", type, "\ndata: {\"type\":\"", type, "\"", members,
                    "}\n\n");
    out_->Close(kind);
  }

  void BlockStart(absl::string_view block) {
    Event("content_block_start", absl::StrCat(",\"index\":", index_, ",\"content_block\":", block),
          Kind::kOpening);
    if (index_ == 0) Event("ping", "", Kind::kOpening);
  }

  void Delta(absl::string_view type, absl::string_view field, absl::string_view text, Kind kind) {
    std::string& bytes = out_->bytes();
    absl::StrAppend(
        &bytes,
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":", index_,
        ",\"delta\":{\"type\":\"", type, "\",\"", field, "\":");
    AppendQuoted(text, &bytes);
    bytes.append("}}\n\n");
    out_->Close(kind);
  }

  void Tokens(absl::string_view type, absl::string_view field, const TokenText& text) {
    for (size_t i = 0; i < text.size(); ++i) Delta(type, field, text.Token(i), Kind::kToken);
  }

  void BlockStop() {
    Event("content_block_stop", absl::StrCat(",\"index\":", index_), Kind::kClosing);
    ++index_;
  }

 private:
  EventList* const out_;
  int index_ = 0;
};

void WriteBlocks(const Answer& answer, const ReplyHead& head, EventWriter* events) {
  if (answer.reasoning.size() > 0) {
    events->BlockStart("{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
    events->Tokens("thinking_delta", "thinking", answer.reasoning);
    events->Delta("signature_delta", "signature", Signature(head), EventList::Kind::kClosing);
    events->BlockStop();
  }
  if (answer.text.size() > 0) {
    events->BlockStart("{\"type\":\"text\",\"text\":\"\"}");
    events->Tokens("text_delta", "text", answer.text);
    events->BlockStop();
  }
  for (const ToolCall& call : answer.calls) {
    events->BlockStart(absl::StrCat("{\"type\":\"tool_use\",\"id\":\"toolu_", call.id,
                                    "\",\"name\":", Quoted(call.name), ",\"input\":{}}"));
    events->Delta("input_json_delta", "partial_json", "", EventList::Kind::kOpening);
    events->Tokens("input_json_delta", "partial_json", call.arguments);
    events->BlockStop();
  }
}

std::string Envelope(const Answer& answer, const ReplyHead& head, absl::string_view content,
                     absl::string_view stop_reason, int64_t output_tokens) {
  std::string out = absl::StrCat(
      "{\"id\":\"msg_", head.id,
      "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", Quoted(head.model),
      ",\"content\":", content, ",\"stop_reason\":", stop_reason, ",\"stop_sequence\":null");
  if (answer.with_usage) absl::StrAppend(&out, ",\"usage\":", UsageObject(answer, output_tokens));
  out.push_back('}');
  return out;
}

}  // namespace

std::string Body(const Answer& answer, const ReplyHead& head) {
  return Envelope(answer, head, Content(answer, head), StopReason(answer.finish),
                  answer.usage.completion);
}

void WriteEvents(const Answer& answer, const ReplyHead& head, EventList* out) {
  EventWriter events(out);
  out->bytes().reserve(answer.text.text.size() + (answer.text.size() + 8) * 150);
  events.Event("message_start",
               absl::StrCat(",\"message\":", Envelope(answer, head, "[]", "null", 1)),
               EventList::Kind::kOpening);
  WriteBlocks(answer, head, &events);
  const std::string usage =
      answer.with_usage
          ? absl::StrCat(",\"usage\":{\"output_tokens\":", answer.usage.completion, "}")
          : "";
  events.Event("message_delta",
               absl::StrCat(",\"delta\":{\"stop_reason\":", StopReason(answer.finish),
                            ",\"stop_sequence\":null}", usage),
               EventList::Kind::kClosing);
  events.Event("message_stop", "", EventList::Kind::kClosing);
}

}  // namespace signalbox::fleet::anthropic
