// OpenAI chat completions.
#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/json_text.h"
#include "tests/provider-fleet/wire.h"

namespace signalbox::fleet::openai {
namespace {

absl::string_view FinishName(Finish finish) {
  switch (finish) {
    case Finish::kStop:
      return "\"stop\"";
    case Finish::kLength:
      return "\"length\"";
    case Finish::kToolCalls:
      return "\"tool_calls\"";
    case Finish::kNull:
      return "null";
  }
  return "null";
}

std::string UsageObject(const Usage& usage) {
  return absl::StrCat(
      "{\"prompt_tokens\":", usage.prompt, ",\"completion_tokens\":", usage.completion,
      ",\"total_tokens\":", usage.prompt + usage.completion,
      ",\"prompt_tokens_details\":{\"cached_tokens\":", usage.cached,
      "},\"completion_tokens_details\":{\"reasoning_tokens\":", usage.reasoning, "}}");
}

void AppendCalls(const std::vector<ToolCall>& calls, std::string* out) {
  absl::StrAppend(out, ",\"tool_calls\":[");
  for (size_t i = 0; i < calls.size(); ++i) {
    absl::StrAppend(out, i == 0 ? "" : ",", "{\"id\":\"call_", calls[i].id,
                    "\",\"type\":\"function\",\"function\":{\"name\":", Quoted(calls[i].name),
                    ",\"arguments\":", Quoted(calls[i].arguments.text), "}}");
  }
  out->push_back(']');
}

// Writes chunks that share everything but the delta.
class ChunkWriter {
 public:
  ChunkWriter(const ReplyHead& head, bool with_usage, EventList* out)
      : prefix_(absl::StrCat("data: {\"id\":\"chatcmpl-", head.id,
                             "\",\"object\":\"chat.completion.chunk\",\"created\":", head.created,
                             ",\"model\":", Quoted(head.model),
                             ",\"system_fingerprint\":\"fp_fleet\",\"choices\":[")),
        suffix_(with_usage ? "],\"usage\":null}\n\n" : "]}\n\n"),
        out_(out) {}

  void Delta(absl::string_view delta, absl::string_view finish, EventList::Kind kind) {
    Begin();
    out_->bytes().append(delta.data(), delta.size());
    End(finish, kind);
  }

  void Token(absl::string_view field, absl::string_view token) {
    Begin();
    std::string& bytes = out_->bytes();
    absl::StrAppend(&bytes, "\"", field, "\":");
    AppendQuoted(token, &bytes);
    End("null", EventList::Kind::kToken);
  }

  void CallOpening(size_t index, const ToolCall& call) {
    Delta(absl::StrCat("\"tool_calls\":[{\"index\":", index, ",\"id\":\"call_", call.id,
                       "\",\"type\":\"function\",\"function\":{\"name\":", Quoted(call.name),
                       ",\"arguments\":\"\"}}]"),
          "null", EventList::Kind::kToken);
  }

  void CallFragment(size_t index, absl::string_view fragment) {
    Delta(absl::StrCat("\"tool_calls\":[{\"index\":", index,
                       ",\"function\":{\"arguments\":", Quoted(fragment), "}}]"),
          "null", EventList::Kind::kToken);
  }

  void UsageChunk(const Usage& usage) {
    absl::StrAppend(&out_->bytes(), prefix_, "],\"usage\":", UsageObject(usage), "}\n\n");
    out_->Close(EventList::Kind::kClosing);
  }

 private:
  void Begin() { absl::StrAppend(&out_->bytes(), prefix_, "{\"index\":0,\"delta\":{"); }

  void End(absl::string_view finish, EventList::Kind kind) {
    absl::StrAppend(&out_->bytes(), "},\"logprobs\":null,\"finish_reason\":", finish, "}", suffix_);
    out_->Close(kind);
  }

  const std::string prefix_;
  const absl::string_view suffix_;
  EventList* const out_;
};

}  // namespace

std::string Body(const Answer& answer, const ReplyHead& head) {
  std::string out =
      absl::StrCat("{\"id\":\"chatcmpl-", head.id,
                   "\",\"object\":\"chat.completion\",\"created\":", head.created,
                   ",\"model\":", Quoted(head.model),
                   ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":");
  if (answer.text.size() == 0 && !answer.calls.empty()) {
    out.append("null");
  } else {
    AppendQuoted(answer.text.text, &out);
  }
  if (answer.reasoning.size() > 0) {
    absl::StrAppend(&out, ",\"reasoning_content\":", Quoted(answer.reasoning.text));
  }
  out.append(",\"refusal\":null");
  if (!answer.calls.empty()) AppendCalls(answer.calls, &out);
  absl::StrAppend(&out, "},\"logprobs\":null,\"finish_reason\":", FinishName(answer.finish), "}]");
  if (answer.with_usage) absl::StrAppend(&out, ",\"usage\":", UsageObject(answer.usage));
  out.append(",\"system_fingerprint\":\"fp_fleet\"}");
  return out;
}

void WriteEvents(const Answer& answer, const ReplyHead& head, EventList* out) {
  const bool with_usage = head.include_usage && answer.with_usage;
  ChunkWriter chunks(head, with_usage, out);
  out->bytes().reserve(answer.text.text.size() + (answer.text.size() + 4) * 260);
  chunks.Delta(answer.calls.empty() ? "\"role\":\"assistant\",\"content\":\"\""
                                    : "\"role\":\"assistant\",\"content\":null",
               "null", EventList::Kind::kOpening);
  for (size_t i = 0; i < answer.reasoning.size(); ++i)
    chunks.Token("reasoning_content", answer.reasoning.Token(i));
  for (size_t i = 0; i < answer.text.size(); ++i) chunks.Token("content", answer.text.Token(i));
  for (size_t c = 0; c < answer.calls.size(); ++c) {
    const TokenText& arguments = answer.calls[c].arguments;
    chunks.CallOpening(c, answer.calls[c]);
    for (size_t i = 0; i < arguments.size(); ++i) chunks.CallFragment(c, arguments.Token(i));
  }
  chunks.Delta("", FinishName(answer.finish), EventList::Kind::kClosing);
  if (with_usage) chunks.UsageChunk(answer.usage);
  out->bytes().append("data: [DONE]\n\n");
  out->Close(EventList::Kind::kClosing);
}

}  // namespace signalbox::fleet::openai
