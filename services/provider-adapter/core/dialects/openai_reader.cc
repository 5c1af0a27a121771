#include "services/provider-adapter/core/dialects/openai_reader.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/json/patch.h"
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
using Form = OpenAiChoices::Form;

// Members of the top level that are replaced (the envelope), taken out (usage in all its places) or
// of no use to a client.
constexpr absl::string_view kOwnMembers[] = {"id",
                                             "object",
                                             "created",
                                             "model",
                                             "provider",
                                             "usage",
                                             "usage_breakdown",
                                             "x_groq",
                                             "base_resp",
                                             "error",
                                             "choices",
                                             "obfuscation",
                                             "openrouter_metadata"};

bool IsOwn(absl::string_view name) {
  return std::find(std::begin(kOwnMembers), std::end(kOwnMembers), name) != std::end(kOwnMembers) ||
         name.find('\\') !=
             absl::string_view::npos;  // an escaped spelling of one of them, or nothing we know
}

bool HasLineBreak(absl::string_view text) {
  return text.find('\n') != absl::string_view::npos || text.find('\r') != absl::string_view::npos;
}

void Append(std::string* out, absl::string_view text) { out->append(text.data(), text.size()); }

}  // namespace

absl::Status OpenAiReader::OnEvent(const sse::Event& event, std::string* out) {
  if (facts().done_seen) return absl::OkStatus();
  absl::string_view text = absl::StripAsciiWhitespace(event.data);
  if (text.empty()) return absl::OkStatus();
  if (text == "[DONE]") {
    state().facts().done_seen = true;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const element root, ParseJson(&text, &repaired_));
  object members;
  if (root.get(members) != simdjson::SUCCESS)
    return MalformedAnswer("an event is not a JSON object");
  if (event.type == "error") return seam::ToStatus(ClassifyErrorObject(text));
  ASSIGN_OR_RETURN(const absl::optional<array> choices, ReadTop(members, text));
  if (!choices.has_value()) return absl::OkStatus();
  RETURN_IF_ERROR(choices_.Observe(*choices, Form::kDelta));
  if (builder().streams() && !choices_.nothing_to_send()) SendChunk(members, text, out);
  return absl::OkStatus();
}

absl::StatusOr<absl::optional<array>> OpenAiReader::ReadTop(object root, absl::string_view text) {
  AnswerFacts& facts = state().facts();
  absl::optional<array> choices;
  bool has_choices = false;
  for (const auto [name, value] : root) {
    if (name == "choices") {
      if (has_choices) return MalformedAnswer("choices occur twice");
      has_choices = true;
      array items;
      if (value.get(items) == simdjson::SUCCESS) {
        choices = items;
      } else if (!value.is_null()) {
        return MalformedAnswer("choices are not an array");
      }
    } else if (name == "usage") {
      ReadOpenAiUsage(value, &facts.usage);
    } else if (name == "x_groq") {
      element usage;
      if (value["usage"].get(usage) == simdjson::SUCCESS) ReadOpenAiUsage(usage, &facts.usage);
    } else if (name == "id" && facts.upstream_id.empty()) {
      std::string_view id;
      if (value.get(id) == simdjson::SUCCESS) facts.upstream_id = std::string(id.substr(0, 256));
    } else if (name == "error" && IsErrorValue(value)) {
      return seam::ToStatus(ClassifyErrorObject(text));
    }
  }
  if (!choices.has_value() && LooksLikeError(root))
    return seam::ToStatus(ClassifyErrorObject(text));
  return choices;
}

void OpenAiReader::SendChunk(object root, absl::string_view text, std::string* out) {
  out->reserve(out->size() + text.size() + builder().chunk_head().size() + 64);
  Append(out, "data: ");
  Append(out, builder().chunk_head());
  if (choices_.needs_rewrite() || HasLineBreak(text)) {
    AppendRewritten(root, Form::kDelta, out);
  } else {
    json::ForEachMember(text, [&](const json::Member& member) {
      if (member.name == "choices") {
        Append(out, ",\"choices\":");
        Append(out, member.value);
      } else if (!IsOwn(member.name)) {
        Append(out, ",");
        Append(out, member.whole);
      }
      return true;
    });
  }
  Append(out, "}\n\n");
}

// What follows the head: the choices, then the members that are not ours.
void OpenAiReader::AppendRewritten(object root, Form form, std::string* out) {
  json::Writer w(512);
  choices_.Write(form, w);
  absl::StrAppend(out, ",\"choices\":", w.text());
  for (const auto [name, value] : root) {
    if (IsOwn(View(name))) continue;
    Append(out, ",");
    json::AppendQuoted(out, View(name));
    absl::StrAppend(out, ":", simdjson::minify(value));
  }
}

absl::Status OpenAiReader::OnDocument(element root, absl::string_view text, std::string* out) {
  const object members = root.get_object().value();
  ASSIGN_OR_RETURN(const absl::optional<array> choices, ReadTop(members, text));
  if (!choices.has_value()) return MalformedAnswer("a completion without choices");
  state().facts().done_seen = true;
  RETURN_IF_ERROR(choices_.Observe(*choices, Form::kMessage));
  RETURN_IF_ERROR(state().Complete());
  delivered_ = true;
  if (builder().streams()) {
    absl::StrAppend(out, "data: ", builder().chunk_head());
    AppendRewritten(members, Form::kDelta, out);
    Append(out, "}\n\n");
    return absl::OkStatus();
  }
  Append(out, builder().completion_head());
  AppendRewritten(members, Form::kMessage, out);
  if (members["system_fingerprint"].error() != simdjson::SUCCESS)
    Append(out, ",\"system_fingerprint\":null");
  Append(out, "}");
  return absl::OkStatus();
}

absl::Status OpenAiReader::OnEnd(std::string* out) {
  return delivered_ ? absl::OkStatus() : builder().Complete(out);
}

}  // namespace signalbox::provider_adapter
