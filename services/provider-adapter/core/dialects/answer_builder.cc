#include "services/provider-adapter/core/dialects/answer_builder.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace signalbox::provider_adapter {
namespace {

std::string Head(const AnswerOptions& options, absl::string_view object) {
  json::Writer w(256);
  w.BeginObject().Key("id").String(options.generation_id).Key("object").String(object);
  w.Key("created").Int(options.created_unix).Key("model").String(options.served_model);
  w.Key("provider").String(options.provider_name);
  return std::move(w).Take();
}

// The member that holds the text of a detail.
absl::string_view TextMember(absl::string_view type) {
  if (type == "reasoning.encrypted") return "data";
  return type == "reasoning.summary" ? "summary" : "text";
}

}  // namespace

void WriteReasoningDetail(const ReasoningDetail& detail, json::Writer& w) {
  w.BeginObject().Key("type").String(detail.type);
  if (!detail.text.empty() || detail.signature.empty())
    w.Key(TextMember(detail.type)).String(detail.text);
  if (!detail.signature.empty()) w.Key("signature").String(detail.signature);
  if (!detail.id.empty()) w.Key("id").String(detail.id);
  if (!detail.format.empty()) w.Key("format").String(detail.format);
  w.Key("index").Int(detail.index).EndObject();
}

AnswerBuilder::AnswerBuilder(const AnswerOptions& options)
    : state_(options),
      chunk_head_(Head(options, "chat.completion.chunk")),
      completion_head_(Head(options, "chat.completion")) {}

void AnswerBuilder::Chunk(Choice& choice, absl::FunctionRef<void(json::Writer&)> write_delta,
                          std::string* out) {
  if (!streams()) return;
  json::Writer w(192);
  w.BeginArray().BeginObject().Key("index").Int(choice.index).Key("delta").BeginObject();
  if (!choice.role_sent) w.Key("role").String("assistant");
  choice.role_sent = true;
  write_delta(w);
  w.EndObject()
      .Key("finish_reason")
      .Null()
      .Key("native_finish_reason")
      .Null()
      .EndObject()
      .EndArray();
  absl::StrAppend(out, "data: ", chunk_head_, ",\"choices\":", w.text(), "}\n\n");
}

void AnswerBuilder::FinishChunk(const Choice& choice, std::string* out) {
  if (!streams()) return;
  json::Writer w(160);
  w.BeginArray()
      .BeginObject()
      .Key("index")
      .Int(choice.index)
      .Key("delta")
      .BeginObject()
      .EndObject();
  w.Key("finish_reason").String(choice.finish_reason);
  w.Key("native_finish_reason").String(choice.native_finish_reason).EndObject().EndArray();
  absl::StrAppend(out, "data: ", chunk_head_, ",\"choices\":", w.text(), "}\n\n");
}

void AnswerBuilder::Text(absl::string_view text, std::string* out) {
  if (text.empty()) return;
  state_.AddText(choice(), text);
  Chunk(
      choice(), [&](json::Writer& w) { w.Key("content").String(text); }, out);
}

void AnswerBuilder::Refusal(absl::string_view text, std::string* out) {
  if (text.empty()) return;
  state_.AddRefusal(choice(), text);
  Chunk(
      choice(), [&](json::Writer& w) { w.Key("refusal").String(text); }, out);
}

void AnswerBuilder::Reasoning(absl::string_view text, const ReasoningDetail& detail,
                              std::string* out) {
  if (text.empty()) return;
  state_.AddReasoning(choice(), text);
  state_.AddReasoningDetail(choice(), detail);
  Chunk(
      choice(),
      [&](json::Writer& w) {
        w.Key("reasoning").String(text).Key("reasoning_details").BeginArray();
        WriteReasoningDetail(detail, w);
        w.EndArray();
      },
      out);
}

void AnswerBuilder::Detail(const ReasoningDetail& detail, std::string* out) {
  state_.AddReasoningDetail(choice(), detail);
  Chunk(
      choice(),
      [&](json::Writer& w) {
        w.Key("reasoning_details").BeginArray();
        WriteReasoningDetail(detail, w);
        w.EndArray();
      },
      out);
}

absl::Status AnswerBuilder::StartTool(int64_t provider_index, absl::string_view id,
                                      absl::string_view name, std::string* out) {
  const absl::optional<AnswerState::ToolFragment> tool =
      state_.AddToolFragment(choice(), provider_index, id, name);
  if (!tool.has_value()) return MalformedAnswer("too many tool calls");
  Chunk(
      choice(),
      [&](json::Writer& w) {
        w.Key("tool_calls").BeginArray().BeginObject().Key("index").Int(tool->index);
        if (!tool->id.empty()) w.Key("id").String(tool->id);
        w.Key("type").String("function").Key("function").BeginObject().Key("name").String(name);
        w.Key("arguments").String("").EndObject().EndObject().EndArray();
      },
      out);
  return absl::OkStatus();
}

absl::Status AnswerBuilder::ToolArguments(int64_t provider_index, absl::string_view fragment,
                                          std::string* out) {
  if (fragment.empty()) return absl::OkStatus();
  const absl::optional<AnswerState::ToolFragment> tool =
      state_.AddToolFragment(choice(), provider_index, {}, {});
  if (!tool.has_value()) return MalformedAnswer("too many tool calls");
  state_.AddArguments(*tool, fragment);
  Chunk(
      choice(),
      [&](json::Writer& w) {
        w.Key("tool_calls").BeginArray().BeginObject().Key("index").Int(tool->index);
        w.Key("function")
            .BeginObject()
            .Key("arguments")
            .String(fragment)
            .EndObject()
            .EndObject()
            .EndArray();
      },
      out);
  return absl::OkStatus();
}

void AnswerBuilder::Finish(absl::string_view native, std::string* out) {
  state_.Finish(choice(), native);
  FinishChunk(choice(), out);
}

absl::Status AnswerBuilder::Complete(std::string* out) {
  RETURN_IF_ERROR(state_.Complete());
  // An end marker without a finish reason: helpers of strict clients throw when none ever comes.
  for (const Choice& known : state_.choices()) {
    if (known.finished) continue;
    Choice& open = *state_.ChoiceAt(known.index);
    state_.Finish(open, "");
    FinishChunk(open, out);
  }
  if (!streams()) AppendCompletion(out);
  return absl::OkStatus();
}

void AnswerBuilder::WriteMessage(const Choice& choice, json::Writer& w) {
  w.BeginObject().Key("role").String("assistant");
  // null where there is nothing but a call or a refusal, as OpenAI does.
  const bool no_text = choice.content.empty() && (!choice.tools.empty() || !choice.refusal.empty());
  w.Key("content");
  no_text ? w.Null() : w.String(choice.content);
  w.Key("refusal");
  choice.refusal.empty() ? w.Null() : w.String(choice.refusal);
  if (!choice.reasoning.empty()) w.Key("reasoning").String(choice.reasoning);
  if (!choice.reasoning_details.empty()) {
    w.Key("reasoning_details").BeginArray();
    for (const ReasoningDetail& detail : choice.reasoning_details) WriteReasoningDetail(detail, w);
    w.EndArray();
  }
  if (!choice.tools.empty()) {
    w.Key("tool_calls").BeginArray();
    for (const ToolCallState& state : choice.tools) {
      const ToolCall& call = state_.facts().tool_calls[state.fact];
      w.BeginObject()
          .Key("id")
          .String(call.id)
          .Key("type")
          .String("function")
          .Key("function")
          .BeginObject();
      w.Key("name")
          .String(call.name)
          .Key("arguments")
          .String(call.arguments)
          .EndObject()
          .EndObject();
    }
    w.EndArray();
  }
  for (const auto& [name, elements] : choice.lists)
    w.Key(name).BeginArray().Raw(elements).EndArray();
  w.EndObject();
}

void AnswerBuilder::AppendCompletion(std::string* out) {
  json::Writer w(1024);
  w.BeginArray();
  for (const Choice& choice : state_.choices()) {
    w.BeginObject().Key("index").Int(choice.index).Key("message");
    WriteMessage(choice, w);
    w.Key("logprobs");
    choice.logprobs.empty()
        ? w.Null()
        : w.BeginObject().Key("content").BeginArray().Raw(choice.logprobs).EndArray().EndObject();
    w.Key("finish_reason").String(choice.finish_reason);
    w.Key("native_finish_reason").String(choice.native_finish_reason).EndObject();
  }
  w.EndArray();
  absl::StrAppend(out, completion_head_, ",\"system_fingerprint\":null,\"choices\":", w.text(),
                  "}");
}

}  // namespace signalbox::provider_adapter
