#include "services/provider-adapter/core/dialects/openai_choices.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/dialects/provider_error.h"
#include "services/provider-adapter/core/error_map.h"

namespace signalbox::provider_adapter {
namespace {

using json::View;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

bool GetString(object members, std::string_view name, std::string_view* value) {
  return members[name].get(*value) == simdjson::SUCCESS;
}

std::string_view StringOr(object members, std::string_view name) {
  std::string_view value;
  GetString(members, name, &value);
  return value;
}

absl::optional<int64_t> IntAt(object members, std::string_view name) {
  int64_t value = 0;
  if (members[name].get(value) != simdjson::SUCCESS) return absl::nullopt;
  return value;
}

// Mistral's thinking parts nest text parts; everyone else's are flat.
void JoinPart(object part, std::string* text, std::string* reasoning) {
  const std::string_view type = StringOr(part, "type");
  std::string_view piece;
  if (type != "thinking") {
    if (GetString(part, "text", &piece)) text->append(piece);
    return;
  }
  array nested;
  if (GetString(part, "thinking", &piece)) reasoning->append(piece);
  if (part["thinking"].get(nested) != simdjson::SUCCESS) return;
  for (const element item : nested) {
    object inner;
    if (item.get(inner) == simdjson::SUCCESS && GetString(inner, "text", &piece))
      reasoning->append(piece);
  }
}

ReasoningDetail ReadDetail(object members) {
  ReasoningDetail detail;
  detail.type = std::string(StringOr(members, "type"));
  for (std::string_view name : {"text", "summary", "data"}) {
    if (detail.text.empty()) detail.text = std::string(StringOr(members, name));
  }
  detail.signature = std::string(StringOr(members, "signature"));
  detail.id = std::string(StringOr(members, "id"));
  detail.format = std::string(StringOr(members, "format"));
  detail.index = IntAt(members, "index").value_or(0);
  return detail;
}

void AppendElements(array items, std::string* joined) {
  for (const element item : items)
    absl::StrAppend(joined, joined->empty() ? "" : ",", simdjson::minify(item));
}

std::string& ListNamed(Choice& choice, std::string_view name) {
  for (auto& [known, elements] : choice.lists) {
    if (known == name) return elements;
  }
  return choice.lists.emplace_back(std::string(name), std::string()).second;
}

bool IsNonEmptyArray(element value) {
  array items;
  return value.get(items) == simdjson::SUCCESS && items.begin() != items.end();
}

}  // namespace

absl::Status OpenAiChoices::Observe(array choices, Form form) {
  choice_count_ = tool_count_ = 0;
  needs_rewrite_ = false;
  observed_ = form;
  for (const element item : choices) {
    object raw;
    if (item.get(raw) != simdjson::SUCCESS) return MalformedAnswer("a choice is not an object");
    RETURN_IF_ERROR(ObserveChoice(raw, choice_count_, form));
  }
  return absl::OkStatus();
}

bool OpenAiChoices::nothing_to_send() const {
  for (size_t i = 0; i < choice_count_; ++i) {
    if (choices_[i].sends) return false;
  }
  return true;
}

absl::Status OpenAiChoices::ObserveChoice(object raw, size_t position, Form form) {
  if (choice_count_ == choices_.size()) choices_.emplace_back();
  SeenChoice& seen = choices_[choice_count_++];
  seen = SeenChoice();
  seen.raw = raw;
  seen.first_tool = tool_count_;

  element error;
  if (raw["error"].get(error) == simdjson::SUCCESS && IsErrorValue(error)) {
    return seam::ToStatus(ClassifyErrorObject(simdjson::minify(raw)));
  }
  const absl::optional<int64_t> index = IntAt(raw, "index");
  if (!index.has_value() || *index < 0) needs_rewrite_ = true;
  seen.choice =
      state_->ChoiceAt(index.has_value() && *index >= 0 ? *index : static_cast<int64_t>(position));
  if (seen.choice == nullptr) return MalformedAnswer("too many choices");
  const bool was_finished = seen.choice->finished;

  // A few answer with the other form's member.
  for (std::string_view name :
       {form == Form::kDelta ? "delta" : "message", form == Form::kDelta ? "message" : "delta"}) {
    if (seen.has_body || raw[name].get(seen.body) != simdjson::SUCCESS) continue;
    seen.has_body = true;
    if ((name == "delta") != (form == Form::kDelta)) needs_rewrite_ = true;
  }
  if (seen.has_body) {
    RETURN_IF_ERROR(ObserveBody(seen, form));
  } else {
    needs_rewrite_ = true;
    std::string_view text;  // legacy completions
    if (GetString(raw, "text", &text)) ObserveText(seen, raw["text"]);
  }
  array logprobs;
  if (!state_->options().stream && raw["logprobs"]["content"].get(logprobs) == simdjson::SUCCESS) {
    AppendElements(logprobs, &seen.choice->logprobs);
  }
  RETURN_IF_ERROR(ObserveFinish(seen, was_finished, form));
  // An opening chunk with a role only is sent; the same behind the end is a leftover (OpenRouter's
  // usage chunk).
  if (!was_finished) seen.sends = true;
  return absl::OkStatus();
}

absl::Status OpenAiChoices::ObserveBody(SeenChoice& seen, Form form) {
  bool has_role = false;
  for (const auto [name, value] : seen.body) {
    if (name == "role") {
      std::string_view role;
      has_role = value.get(role) == simdjson::SUCCESS && role == "assistant";
      if (!has_role) needs_rewrite_ = true;
    } else if (name == "content") {
      ObserveText(seen, value);
    } else if (name == "tool_calls") {
      array calls;
      if (value.get(calls) == simdjson::SUCCESS) {
        RETURN_IF_ERROR(ObserveTools(seen, calls, form));
      } else {
        needs_rewrite_ = true;  // null, which strict clients refuse
      }
    } else {
      ObserveOthers(seen, name, value);
    }
  }
  ObserveReasoning(seen);
  // Members a whole message must have are checked by rewriting it: once per answer.
  if (form == Form::kMessage && !(has_role && seen.has_text)) needs_rewrite_ = true;
  return absl::OkStatus();
}

void OpenAiChoices::ObserveText(SeenChoice& seen, element content) {
  array parts;
  if (content.get(seen.text) == simdjson::SUCCESS) {
    seen.has_text = true;
  } else if (content.get(parts) == simdjson::SUCCESS) {
    for (const element item : parts) {
      object part;
      if (item.get(part) == simdjson::SUCCESS)
        JoinPart(part, &seen.joined_text, &seen.joined_reasoning);
    }
    seen.has_text = seen.text_is_joined = true;
    needs_rewrite_ = true;
  } else if (!content.is_null()) {
    needs_rewrite_ = true;  // a number or an object: dropped
  }
  const absl::string_view text =
      seen.text_is_joined ? absl::string_view(seen.joined_text) : View(seen.text);
  if (text.empty()) return;
  state_->AddText(*seen.choice, text);
  seen.sends = true;
}

// Reasoning comes as `reasoning` (OpenRouter, Groq, vLLM), `reasoning_content` (DeepSeek, Moonshot,
// xAI, Qwen) or both with the same text. The client always gets `reasoning`.
void OpenAiChoices::ObserveReasoning(SeenChoice& seen) {
  std::string_view named;
  const bool has_named = GetString(seen.body, "reasoning", &named) && !named.empty();
  std::string_view alias = has_named ? named : StringOr(seen.body, "reasoning_content");
  if (!seen.joined_reasoning.empty() && alias.empty()) alias = seen.joined_reasoning;
  if (alias.empty()) return;
  seen.reasoning = alias;
  seen.adds_reasoning = !has_named;
  if (seen.adds_reasoning) needs_rewrite_ = true;
  state_->AddReasoning(*seen.choice, View(alias));
  seen.sends = true;
}

void OpenAiChoices::ObserveOthers(SeenChoice& seen, std::string_view name, element value) {
  if (value.is_null()) return;
  if (name == "refusal") {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.empty()) return;
    state_->AddRefusal(*seen.choice, View(text));
    seen.sends = true;
  } else if (name == "reasoning_details") {
    array details;
    if (value.get(details) != simdjson::SUCCESS) return;
    for (const element item : details) {
      object members;
      if (item.get(members) == simdjson::SUCCESS)
        state_->AddReasoningDetail(*seen.choice, ReadDetail(members));
      seen.sends = true;
    }
  } else if (name == "audio" || name == "images" || name == "function_call") {
    if (value.is_object() || IsNonEmptyArray(value)) {
      state_->AddOtherContent();
      seen.sends = true;
    }
  }
  array items;
  if (!state_->options().stream && name != "reasoning_details" &&
      value.get(items) == simdjson::SUCCESS) {
    AppendElements(items, &ListNamed(*seen.choice, name));
  }
}

absl::Status OpenAiChoices::ObserveTools(SeenChoice& seen, array calls, Form form) {
  for (const element item : calls) {
    object call;
    if (item.get(call) != simdjson::SUCCESS) return MalformedAnswer("a tool call is not an object");
    RETURN_IF_ERROR(ObserveTool(seen, call, form));
    seen.sends = true;
  }
  return absl::OkStatus();
}

absl::Status OpenAiChoices::ObserveTool(SeenChoice& seen, object call, Form form) {
  // A whole message lists its calls; some providers number all of them 0.
  const absl::optional<int64_t> index =
      form == Form::kDelta ? IntAt(call, "index")
                           : absl::optional<int64_t>(static_cast<int64_t>(seen.tool_count));
  const std::string_view id = StringOr(call, "id");
  object function;
  const bool has_function = call["function"].get(function) == simdjson::SUCCESS;
  const std::string_view name = has_function ? StringOr(function, "name") : std::string_view();
  const absl::optional<AnswerState::ToolFragment> fragment =
      state_->AddToolFragment(*seen.choice, index, View(id), View(name));
  if (!fragment.has_value()) return MalformedAnswer("too many tool calls");

  if (tool_count_ == tools_.size()) tools_.emplace_back();
  SeenTool& tool = tools_[tool_count_++];
  ++seen.tool_count;
  tool.fragment = *fragment;
  tool.id.assign(fragment->id.data(), fragment->id.size());
  tool.name.assign(fragment->name.data(), fragment->name.size());
  tool.arguments = {};
  tool.arguments_text.clear();
  tool.has_arguments = has_function && GetString(function, "arguments", &tool.arguments);
  element arguments;
  if (!tool.has_arguments && has_function &&
      function["arguments"].get(arguments) == simdjson::SUCCESS) {
    if (!arguments.is_null()) tool.arguments_text = simdjson::minify(arguments);
    tool.has_arguments = !tool.arguments_text.empty();
    tool.arguments = tool.arguments_text;
    needs_rewrite_ = true;
  }
  state_->AddArguments(tool.fragment, View(tool.arguments));

  const bool type_given = StringOr(call, "type") == "function";
  const bool index_fits = form == Form::kMessage || index == tool.fragment.index;
  const bool first_is_whole =
      id == tool.id && name == tool.name && type_given && has_function && tool.has_arguments;
  // A later fragment: no id, no type of null, no repeated name.
  const bool later_is_lean = call["id"].error() == simdjson::NO_SUCH_FIELD && has_function &&
                             tool.has_arguments &&
                             (type_given || call["type"].error() == simdjson::NO_SUCH_FIELD) &&
                             function["name"].error() == simdjson::NO_SUCH_FIELD;
  if (!index_fits || !(tool.fragment.first ? first_is_whole : later_is_lean)) needs_rewrite_ = true;
  return absl::OkStatus();
}

absl::Status OpenAiChoices::ObserveFinish(SeenChoice& seen, bool was_finished, Form form) {
  std::string_view native;
  element value;
  if (seen.raw["finish_reason"].get(value) != simdjson::SUCCESS) {
    needs_rewrite_ = true;  // strict clients want the member, null or not
  } else if (value.get(native) == simdjson::SUCCESS) {
    needs_rewrite_ = true;  // native_finish_reason is added; "" becomes null
  } else if (!value.is_null()) {
    needs_rewrite_ = true;
  }
  // A whole message has ended, whether it says how or not.
  if ((native.empty() && form == Form::kDelta) || was_finished) return absl::OkStatus();
  // OpenRouter tells the model's own word itself.
  const std::string_view told = StringOr(seen.raw, "native_finish_reason");
  seen.ends = true;
  if (state_->Finish(*seen.choice, View(native)) != "error") {
    if (!told.empty()) {
      seen.choice->native_finish_reason = std::string(told);
      state_->facts().native_finish_reason = seen.choice->native_finish_reason;
    }
    return absl::OkStatus();
  }
  return seam::ToStatus(
      ClassifyErrorObject(absl::StrCat("{\"error\":{\"code\":", json::Quoted(View(native)), "}}")));
}

void OpenAiChoices::Write(Form form, json::Writer& w) const {
  w.BeginArray();
  for (size_t i = 0; i < choice_count_; ++i) {
    const SeenChoice& seen = choices_[i];
    w.BeginObject()
        .Key("index")
        .Int(seen.choice->index)
        .Key(form == Form::kDelta ? "delta" : "message");
    WriteBody(seen, form, w);
    for (const auto [name, value] : seen.raw) {
      const bool ours = name == "index" || name == "delta" || name == "message" ||
                        name == "finish_reason" || name == "native_finish_reason" ||
                        name == "text" || name == "error";
      if (!ours) w.Key(View(name)).Raw(simdjson::minify(value));
    }
    w.Key("finish_reason");
    seen.ends ? w.String(seen.choice->finish_reason) : w.Null();
    w.Key("native_finish_reason");
    const bool has_native = seen.ends && !seen.choice->native_finish_reason.empty();
    has_native ? w.String(seen.choice->native_finish_reason) : w.Null();
    w.EndObject();
  }
  w.EndArray();
}

void OpenAiChoices::WriteBody(const SeenChoice& seen, Form form, json::Writer& w) const {
  const bool whole = form == Form::kMessage;
  std::string_view role;
  w.BeginObject();
  if (whole || observed_ == Form::kMessage ||
      (seen.has_body && GetString(seen.body, "role", &role)))
    w.Key("role").String("assistant");
  if (seen.has_text) {
    w.Key("content").String(seen.text_is_joined ? absl::string_view(seen.joined_text)
                                                : View(seen.text));
  } else if (whole) {
    w.Key("content").Null();
  }
  if (seen.adds_reasoning) w.Key("reasoning").String(View(seen.reasoning));
  if (seen.has_body) {
    for (const auto [name, value] : seen.body) {
      const bool ours = name == "role" || name == "content" || name == "tool_calls" ||
                        (name == "reasoning" && (seen.adds_reasoning || value.is_null()));
      if (!ours) w.Key(View(name)).Raw(simdjson::minify(value));
    }
  }
  if (seen.tool_count > 0) WriteTools(seen, form, w);
  w.EndObject();
}

void OpenAiChoices::WriteTools(const SeenChoice& seen, Form form, json::Writer& w) const {
  w.Key("tool_calls").BeginArray();
  for (size_t i = seen.first_tool; i < seen.first_tool + seen.tool_count; ++i) {
    const SeenTool& tool = tools_[i];
    w.BeginObject();
    if (form == Form::kDelta) w.Key("index").Int(tool.fragment.index);
    if (!tool.id.empty()) w.Key("id").String(tool.id);
    if (tool.fragment.first) w.Key("type").String("function");
    w.Key("function").BeginObject();
    if (!tool.name.empty() || form == Form::kMessage) w.Key("name").String(tool.name);
    if (tool.has_arguments || tool.fragment.first || form == Form::kMessage)
      w.Key("arguments").String(View(tool.arguments));
    w.EndObject().EndObject();
  }
  w.EndArray();
}

}  // namespace signalbox::provider_adapter
