#include "services/ingress/core/message_check.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"

namespace signalbox::ingress {
namespace {

using simdjson::dom::object;

constexpr size_t kMaxPartsPerMessage = 10'000;
constexpr size_t kMaxToolCallsPerMessage = 1'024;
constexpr size_t kMaxNameBytes = 256;

bool IsRole(absl::string_view role) {
  return role == "user" || role == "assistant" || role == "system" || role == "tool" ||
         role == "developer" || role == "function";
}

// {"url": "…"} or, as some clients send it, the bare string.
absl::Status CheckUrl(JsonElement value, const JsonPath& path, MessageFacts* facts) {
  if (value.is_string()) {
    ASSIGN_OR_RETURN(const absl::string_view url, AsString(value, path));
    facts->media_bytes += url.size();
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const object holder, AsObject(value, path));
  ASSIGN_OR_RETURN(const JsonElement member, Required(holder, "url", path));
  ASSIGN_OR_RETURN(const absl::string_view url, AsString(member, path.Member("url")));
  if (url.empty()) return Wrong(path.Member("url"), "must not be empty");
  facts->media_bytes += url.size();
  return absl::OkStatus();
}

// Adds the length of an inline payload when the member is a string.
void CountPayload(object holder, absl::string_view name, MessageFacts* facts) {
  JsonElement member;
  std::string_view text;
  if (Find(holder, name, &member) && member.get_string().get(text) == simdjson::SUCCESS) {
    facts->media_bytes += text.size();
  }
}

absl::Status CheckAudio(object part, const JsonPath& path, MessageFacts* facts) {
  ASSIGN_OR_RETURN(const JsonElement member, Required(part, "input_audio", path));
  const JsonPath audio_path = path.Member("input_audio");
  ASSIGN_OR_RETURN(const object audio, AsObject(member, audio_path));
  ASSIGN_OR_RETURN(const JsonElement data, Required(audio, "data", audio_path));
  RETURN_IF_ERROR(AsString(data, audio_path.Member("data")).status());
  ++facts->audio;
  CountPayload(audio, "data", facts);
  return absl::OkStatus();
}

absl::Status CheckFile(object part, const JsonPath& path, MessageFacts* facts) {
  ASSIGN_OR_RETURN(const JsonElement member, Required(part, "file", path));
  ASSIGN_OR_RETURN(const object file, AsObject(member, path.Member("file")));
  ++facts->files;
  CountPayload(file, "file_data", facts);
  return absl::OkStatus();
}

absl::Status CheckPart(JsonElement item, const JsonPath& path, MessageFacts* facts) {
  ASSIGN_OR_RETURN(const object part, AsObject(item, path));
  ASSIGN_OR_RETURN(const JsonElement type_member, Required(part, "type", path));
  ASSIGN_OR_RETURN(const absl::string_view type, AsString(type_member, path.Member("type")));
  if (type == "text") {
    ASSIGN_OR_RETURN(const JsonElement text, Required(part, "text", path));
    return AsString(text, path.Member("text")).status();
  }
  if (type == "image_url") {
    ++facts->images;
    ASSIGN_OR_RETURN(const JsonElement url, Required(part, "image_url", path));
    return CheckUrl(url, path.Member("image_url"), facts);
  }
  if (type == "video_url") {
    ++facts->video;
    ASSIGN_OR_RETURN(const JsonElement url, Required(part, "video_url", path));
    return CheckUrl(url, path.Member("video_url"), facts);
  }
  if (type == "input_audio") return CheckAudio(part, path, facts);
  if (type == "file") return CheckFile(part, path, facts);
  return absl::OkStatus();  // a kind of part the provider may know
}

absl::Status CheckToolCall(JsonElement item, const JsonPath& path) {
  ASSIGN_OR_RETURN(const object call, AsObject(item, path));
  ASSIGN_OR_RETURN(const JsonElement id, Required(call, "id", path));
  RETURN_IF_ERROR(AsString(id, path.Member("id")).status());
  JsonElement type;
  if (Find(call, "type", &type)) {
    ASSIGN_OR_RETURN(const absl::string_view name, AsString(type, path.Member("type")));
    if (name != "function") return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const JsonElement member, Required(call, "function", path));
  const JsonPath function_path = path.Member("function");
  ASSIGN_OR_RETURN(const object function, AsObject(member, function_path));
  ASSIGN_OR_RETURN(const JsonElement name, Required(function, "name", function_path));
  RETURN_IF_ERROR(AsString(name, function_path.Member("name")).status());
  ASSIGN_OR_RETURN(const JsonElement arguments, Required(function, "arguments", function_path));
  return AsString(arguments, function_path.Member("arguments")).status();
}

// An assistant turn may be without content when it says something else.
bool SpeaksWithoutContent(object message) {
  JsonElement member;
  for (const absl::string_view name :
       {"tool_calls", "function_call", "refusal", "audio", "reasoning", "reasoning_details"}) {
    if (Find(message, name, &member)) return true;
  }
  return false;
}

absl::Status CheckContent(object message, absl::string_view role, const JsonPath& path,
                          MessageFacts* facts) {
  const JsonPath content_path = path.Member("content");
  JsonElement content;
  if (!Find(message, "content", &content)) {
    if (role == "function" || (role == "assistant" && SpeaksWithoutContent(message)))
      return absl::OkStatus();
    return Wrong(content_path, "is required");
  }
  if (content.is_string()) return absl::OkStatus();
  if (!content.is_array()) return Wrong(content_path, "must be a string or an array of parts");
  size_t parts = 0;
  RETURN_IF_ERROR(EachItem(content, content_path, kMaxPartsPerMessage,
                           [&](JsonElement item, const JsonPath& at) {
                             ++parts;
                             return CheckPart(item, at, facts);
                           }));
  if (parts == 0) return Wrong(content_path, "must not be empty");
  return absl::OkStatus();
}

absl::Status CheckMessage(JsonElement item, const JsonPath& path, MessageFacts* facts) {
  ASSIGN_OR_RETURN(const object message, AsObject(item, path));
  ASSIGN_OR_RETURN(const JsonElement role_member, Required(message, "role", path));
  ASSIGN_OR_RETURN(const absl::string_view role, AsString(role_member, path.Member("role")));
  if (!IsRole(role)) {
    return Wrong(path.Member("role"),
                 "must be one of system, developer, user, assistant, tool, function");
  }
  RETURN_IF_ERROR(CheckContent(message, role, path, facts));
  JsonElement member;
  if (Find(message, "name", &member)) {
    RETURN_IF_ERROR(AsString(member, path.Member("name"), kMaxNameBytes).status());
  }
  if (Find(message, "tool_calls", &member)) {
    if (role != "assistant")
      return Wrong(path.Member("tool_calls"), "is allowed in assistant messages only");
    RETURN_IF_ERROR(
        EachItem(member, path.Member("tool_calls"), kMaxToolCallsPerMessage, CheckToolCall));
  }
  if (role == "tool") {
    ASSIGN_OR_RETURN(const JsonElement id, Required(message, "tool_call_id", path));
    RETURN_IF_ERROR(AsString(id, path.Member("tool_call_id")).status());
  }
  facts->opening.Add(role, message);
  return absl::OkStatus();
}

absl::Status CheckTool(JsonElement item, const JsonPath& path) {
  ASSIGN_OR_RETURN(const object tool, AsObject(item, path));
  ASSIGN_OR_RETURN(const JsonElement type_member, Required(tool, "type", path));
  ASSIGN_OR_RETURN(const absl::string_view type, AsString(type_member, path.Member("type")));
  if (type != "function") return absl::OkStatus();  // a provider's own kind of tool
  ASSIGN_OR_RETURN(const JsonElement member, Required(tool, "function", path));
  const JsonPath function_path = path.Member("function");
  ASSIGN_OR_RETURN(const object function, AsObject(member, function_path));
  ASSIGN_OR_RETURN(const JsonElement name_member, Required(function, "name", function_path));
  const JsonPath name_path = function_path.Member("name");
  ASSIGN_OR_RETURN(const absl::string_view name, AsString(name_member, name_path, kMaxNameBytes));
  if (name.empty()) return Wrong(name_path, "must not be empty");
  JsonElement optional;
  if (Find(function, "description", &optional)) {
    RETURN_IF_ERROR(AsString(optional, function_path.Member("description")).status());
  }
  if (Find(function, "parameters", &optional)) {
    RETURN_IF_ERROR(AsObject(optional, function_path.Member("parameters")).status());
  }
  if (Find(function, "strict", &optional)) {
    RETURN_IF_ERROR(AsBool(optional, function_path.Member("strict")).status());
  }
  return absl::OkStatus();
}

// REQUIRES: tools passed CheckTools.
bool OffersTool(const JsonElement* tools, absl::string_view wanted) {
  if (tools == nullptr) return false;
  for (const JsonElement tool : simdjson::dom::array(tools->get_array())) {
    std::string_view name;
    if (tool["function"]["name"].get_string().get(name) == simdjson::SUCCESS &&
        json::View(name) == wanted)
      return true;
  }
  return false;
}

}  // namespace

absl::Status CheckMessages(JsonElement messages, size_t max_messages, MessageFacts* facts) {
  const JsonPath path("messages");
  size_t count = 0;
  RETURN_IF_ERROR(EachItem(messages, path, max_messages, [&](JsonElement item, const JsonPath& at) {
    ++count;
    return CheckMessage(item, at, facts);
  }));
  if (count == 0) return Wrong(path, "must not be empty");
  return absl::OkStatus();
}

absl::Status CheckTools(JsonElement tools, size_t max_tools, size_t* count) {
  *count = 0;
  return EachItem(tools, JsonPath("tools"), max_tools, [&](JsonElement item, const JsonPath& at) {
    ++*count;
    return CheckTool(item, at);
  });
}

absl::Status CheckToolChoice(JsonElement choice, const JsonElement* tools) {
  const JsonPath path("tool_choice");
  if (choice.is_string()) {
    ASSIGN_OR_RETURN(const absl::string_view mode, AsString(choice, path));
    if (mode == "none" || mode == "auto") return absl::OkStatus();
    if (mode != "required") return Wrong(path, "must be none, auto, required or an object");
    return tools == nullptr ? Wrong(path, "is required, but the request offers no tools")
                            : absl::OkStatus();
  }
  if (!choice.is_object()) return Wrong(path, "must be none, auto, required or an object");
  const object holder(choice.get_object());
  ASSIGN_OR_RETURN(const JsonElement type_member, Required(holder, "type", path));
  ASSIGN_OR_RETURN(const absl::string_view type, AsString(type_member, path.Member("type")));
  if (type != "function") return absl::OkStatus();
  ASSIGN_OR_RETURN(const JsonElement member, Required(holder, "function", path));
  const JsonPath function_path = path.Member("function");
  ASSIGN_OR_RETURN(const object function, AsObject(member, function_path));
  ASSIGN_OR_RETURN(const JsonElement name_member, Required(function, "name", function_path));
  const JsonPath name_path = function_path.Member("name");
  ASSIGN_OR_RETURN(const absl::string_view name, AsString(name_member, name_path));
  if (!OffersTool(tools, name))
    return Wrong(name_path, "names a tool that the request does not offer");
  return absl::OkStatus();
}

}  // namespace signalbox::ingress
