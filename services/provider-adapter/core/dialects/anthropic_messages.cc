#include "services/provider-adapter/core/dialects/anthropic_messages.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/json/writer.h"
#include "common/seam/error_detail.h"

namespace signalbox::provider_adapter {
namespace {

using json::View;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

struct DataUrl {
  absl::string_view media_type;
  absl::string_view data;  // base64
};

// "data:image/png;base64,AAAA"; false for any other URL.
bool ParseDataUrl(absl::string_view url, DataUrl* parsed) {
  if (!absl::ConsumePrefix(&url, "data:")) return false;
  const size_t comma = url.find(',');
  if (comma == absl::string_view::npos) return false;
  absl::string_view head = url.substr(0, comma);
  if (!absl::ConsumeSuffix(&head, ";base64")) return false;
  parsed->media_type = head.substr(0, head.find(';'));
  parsed->data = url.substr(comma + 1);
  return true;
}

bool IsImageType(absl::string_view type) {
  return type == "image/png" || type == "image/jpeg" || type == "image/gif" || type == "image/webp";
}

// Anthropic takes letters, digits, '_' and '-' in tool ids; other providers' ids in a shared
// history hold more.
std::string ToolId(absl::string_view id) {
  std::string out(id);
  for (char& c : out) {
    if (!absl::ascii_isalnum(c) && c != '_' && c != '-') c = '_';
  }
  return out;
}

std::string_view StringAt(object members, std::string_view name) {
  std::string_view value;
  const simdjson::error_code ignored = members[name].get(value);
  return ignored == simdjson::SUCCESS ? value : std::string_view();
}

// Anthropic's per-block cache mark travels through as the client wrote it.
void WriteCacheControl(object part, json::Writer& w) {
  object mark;
  if (part["cache_control"].get(mark) == simdjson::SUCCESS)
    w.Key("cache_control").Raw(simdjson::minify(mark));
}

// The arguments of a past call as an object. A history may hold a call that was broken when the
// model made it; Anthropic wants an object in any case.
std::string ToolInput(std::string_view arguments) {
  thread_local json::Parser parser;  // the thread's shared one holds the request
  const absl::string_view text = absl::StripAsciiWhitespace(View(arguments));
  if (text.empty()) return "{}";
  absl::StatusOr<element> root = parser.Parse(text);
  if (root.ok() && root->is_object()) return std::string(text);
  return absl::StrCat("{\"raw_arguments\":", json::Quoted(text), "}");
}

class MessageTranslator {
 public:
  absl::Status Add(object message, size_t position, bool last);
  AnthropicConversation Take() &&;

 private:
  struct Turn {
    absl::string_view role;
    std::string blocks;  // joined by commas
    bool has_thinking = false;
    bool has_tool_use = false;
  };

  Turn& TurnOf(absl::string_view role);
  static void Append(std::string* blocks, absl::string_view block);
  static void AppendText(std::string* blocks, absl::string_view text, const object* part);

  absl::Status AddSystem(object message);
  absl::Status AddUser(object message);
  absl::Status AddAssistant(object message, bool last);
  absl::Status AddTool(object message);
  void AddThinking(Turn& turn, object message);
  absl::Status AddToolUse(Turn& turn, object call);
  absl::Status AppendContent(element content, std::string* blocks);
  absl::Status AppendPart(object part, absl::string_view at, std::string* blocks);
  absl::Status AppendImage(object part, absl::string_view at, std::string* blocks);
  absl::Status AppendFile(object part, absl::string_view at, std::string* blocks);
  std::string At(absl::string_view member) const {
    return absl::StrCat("messages[", position_, "].", member);
  }

  size_t position_ = 0;
  std::string system_;
  std::vector<Turn> turns_;
  std::vector<std::string> called_tools_;
};

void MessageTranslator::Append(std::string* blocks, absl::string_view block) {
  absl::StrAppend(blocks, blocks->empty() ? "" : ",", block);
}

// Anthropic refuses text blocks without a visible character.
void MessageTranslator::AppendText(std::string* blocks, absl::string_view text,
                                   const object* part) {
  if (absl::StripAsciiWhitespace(text).empty()) return;
  json::Writer w(text.size() + 48);
  w.BeginObject().Key("type").String("text").Key("text").String(text);
  if (part != nullptr) WriteCacheControl(*part, w);
  w.EndObject();
  Append(blocks, w.text());
}

MessageTranslator::Turn& MessageTranslator::TurnOf(absl::string_view role) {
  if (turns_.empty() || turns_.back().role != role) {
    turns_.emplace_back();
    turns_.back().role = role;
  }
  return turns_.back();
}

absl::Status MessageTranslator::Add(object message, size_t position, bool last) {
  position_ = position;
  const std::string_view role = StringAt(message, "role");
  if (role == "system" || role == "developer") return AddSystem(message);
  if (role == "user") return AddUser(message);
  if (role == "assistant") return AddAssistant(message, last);
  if (role == "tool") return AddTool(message);
  if (role == "function") return Inexpressible(At("role"), "messages of role \"function\"");
  return seam::InvalidField(At("role"), "must be system, developer, user, assistant or tool");
}

// Anthropic has one system prompt; instructions from the middle of a conversation join it in order.
absl::Status MessageTranslator::AddSystem(object message) {
  element content;
  if (message["content"].get(content) != simdjson::SUCCESS)
    return seam::InvalidField(At("content"), "is missing");
  std::string blocks;
  RETURN_IF_ERROR(AppendContent(content, &blocks));
  if (!blocks.empty()) Append(&system_, blocks);
  return absl::OkStatus();
}

absl::Status MessageTranslator::AddUser(object message) {
  element content;
  if (message["content"].get(content) != simdjson::SUCCESS)
    return seam::InvalidField(At("content"), "is missing");
  return AppendContent(content, &TurnOf("user").blocks);
}

absl::Status MessageTranslator::AddAssistant(object message, bool last) {
  Turn& turn = TurnOf("assistant");
  AddThinking(turn, message);
  element content;
  std::string_view text;
  const bool has_content =
      message["content"].get(content) == simdjson::SUCCESS && !content.is_null();
  if (has_content && content.get(text) == simdjson::SUCCESS) {
    // A prefill (the last message) must not end in space.
    const absl::string_view kept =
        last ? absl::StripTrailingAsciiWhitespace(View(text)) : View(text);
    AppendText(&turn.blocks, kept, nullptr);
  } else if (has_content) {
    RETURN_IF_ERROR(AppendContent(content, &turn.blocks));
  }
  AppendText(&turn.blocks, View(StringAt(message, "refusal")), nullptr);
  array calls;
  if (message["tool_calls"].get(calls) == simdjson::SUCCESS) {
    for (const element item : calls) {
      object call;
      if (item.get(call) != simdjson::SUCCESS)
        return seam::InvalidField(At("tool_calls"), "must hold objects");
      RETURN_IF_ERROR(AddToolUse(turn, call));
    }
  }
  if (turn.blocks.empty()) turns_.pop_back();
  return absl::OkStatus();
}

// Thinking goes back only with the signature it came with; without one Anthropic refuses it.
void MessageTranslator::AddThinking(Turn& turn, object message) {
  array details;
  if (message["reasoning_details"].get(details) != simdjson::SUCCESS) return;
  for (const element item : details) {
    object detail;
    if (item.get(detail) != simdjson::SUCCESS) continue;
    const absl::string_view format = View(StringAt(detail, "format"));
    if (!format.empty() && !absl::StartsWith(format, "anthropic")) continue;
    const std::string_view type = StringAt(detail, "type"),
                           signature = StringAt(detail, "signature");
    json::Writer w;
    if (type == "reasoning.text" && !signature.empty()) {
      w.BeginObject()
          .Key("type")
          .String("thinking")
          .Key("thinking")
          .String(View(StringAt(detail, "text")));
      w.Key("signature").String(View(signature)).EndObject();
    } else if (type == "reasoning.encrypted" && !StringAt(detail, "data").empty()) {
      w.BeginObject()
          .Key("type")
          .String("redacted_thinking")
          .Key("data")
          .String(View(StringAt(detail, "data")))
          .EndObject();
    } else {
      continue;
    }
    Append(&turn.blocks, w.text());
    turn.has_thinking = true;
  }
}

absl::Status MessageTranslator::AddToolUse(Turn& turn, object call) {
  object function;
  if (call["function"].get(function) != simdjson::SUCCESS) {
    return Inexpressible(At("tool_calls"), "calls of other kinds than functions");
  }
  const absl::string_view name = View(StringAt(function, "name"));
  json::Writer w;
  w.BeginObject()
      .Key("type")
      .String("tool_use")
      .Key("id")
      .String(ToolId(View(StringAt(call, "id"))));
  w.Key("name").String(name).Key("input").Raw(ToolInput(StringAt(function, "arguments")));
  WriteCacheControl(call, w);
  w.EndObject();
  Append(&turn.blocks, w.text());
  turn.has_tool_use = true;
  if (std::find(called_tools_.begin(), called_tools_.end(), name) == called_tools_.end()) {
    called_tools_.emplace_back(name);
  }
  return absl::OkStatus();
}

// Results of parallel calls come as messages of their own and must become one user turn.
absl::Status MessageTranslator::AddTool(object message) {
  element content;
  std::string blocks;
  if (message["content"].get(content) == simdjson::SUCCESS)
    RETURN_IF_ERROR(AppendContent(content, &blocks));
  json::Writer w(blocks.size() + 96);
  w.BeginObject().Key("type").String("tool_result");
  w.Key("tool_use_id").String(ToolId(View(StringAt(message, "tool_call_id"))));
  if (!blocks.empty()) w.Key("content").BeginArray().Raw(blocks).EndArray();
  WriteCacheControl(message, w);
  w.EndObject();
  Append(&TurnOf("user").blocks, w.text());
  return absl::OkStatus();
}

absl::Status MessageTranslator::AppendContent(element content, std::string* blocks) {
  std::string_view text;
  array parts;
  if (content.is_null()) return absl::OkStatus();
  if (content.get(text) == simdjson::SUCCESS) {
    AppendText(blocks, View(text), nullptr);
    return absl::OkStatus();
  }
  if (content.get(parts) != simdjson::SUCCESS)
    return seam::InvalidField(At("content"), "must be text or a list of parts");
  size_t index = 0;
  for (const element item : parts) {
    const std::string at = At(absl::StrCat("content[", index++, "]"));
    object part;
    if (item.get(text) == simdjson::SUCCESS) {
      AppendText(blocks, View(text), nullptr);
    } else if (item.get(part) == simdjson::SUCCESS) {
      RETURN_IF_ERROR(AppendPart(part, at, blocks));
    } else {
      return seam::InvalidField(at, "must be an object");
    }
  }
  return absl::OkStatus();
}

absl::Status MessageTranslator::AppendPart(object part, absl::string_view at, std::string* blocks) {
  const std::string_view type = StringAt(part, "type");
  if (type == "text" || type == "input_text" || type == "output_text" || type == "refusal") {
    AppendText(blocks, View(StringAt(part, type == "refusal" ? "refusal" : "text")), &part);
    return absl::OkStatus();
  }
  if (type == "image_url") return AppendImage(part, at, blocks);
  if (type == "file") return AppendFile(part, at, blocks);
  return Inexpressible(at, absl::StrCat("parts of type \"", View(type).substr(0, 32), "\""));
}

absl::Status MessageTranslator::AppendImage(object part, absl::string_view at,
                                            std::string* blocks) {
  object image;
  std::string_view url;
  const bool has_url = (part["image_url"].get(image) == simdjson::SUCCESS &&
                        image["url"].get(url) == simdjson::SUCCESS) ||
                       part["image_url"].get(url) == simdjson::SUCCESS;
  if (!has_url) return seam::InvalidField(absl::StrCat(at, ".image_url"), "must hold a url");
  DataUrl data;
  json::Writer w(url.size() + 128);
  w.BeginObject().Key("type").String("image").Key("source").BeginObject();
  if (ParseDataUrl(View(url), &data)) {
    if (!IsImageType(data.media_type))
      return Inexpressible(at, "images other than PNG, JPEG, GIF and WebP");
    w.Key("type")
        .String("base64")
        .Key("media_type")
        .String(data.media_type)
        .Key("data")
        .String(data.data);
  } else {
    w.Key("type").String("url").Key("url").String(View(url));
  }
  w.EndObject();
  WriteCacheControl(part, w);
  w.EndObject();
  Append(blocks, w.text());
  return absl::OkStatus();
}

absl::Status MessageTranslator::AppendFile(object part, absl::string_view at, std::string* blocks) {
  object file;
  std::string_view source;
  if (part["file"].get(file) != simdjson::SUCCESS)
    return seam::InvalidField(absl::StrCat(at, ".file"), "is missing");
  if (file["file_data"].get(source) != simdjson::SUCCESS)
    return Inexpressible(at, "files without file_data");
  DataUrl data;
  std::string text;
  json::Writer w(source.size() + 128);
  w.BeginObject().Key("type").String("document").Key("source").BeginObject();
  if (!ParseDataUrl(View(source), &data)) {
    w.Key("type").String("url").Key("url").String(View(source));
  } else if (data.media_type == "application/pdf") {
    w.Key("type")
        .String("base64")
        .Key("media_type")
        .String(data.media_type)
        .Key("data")
        .String(data.data);
  } else if (absl::StartsWith(data.media_type, "text/") && absl::Base64Unescape(data.data, &text)) {
    w.Key("type").String("text").Key("media_type").String("text/plain").Key("data").String(text);
  } else {
    return Inexpressible(at, "files other than PDF and text");
  }
  w.EndObject();
  if (!StringAt(file, "filename").empty()) w.Key("title").String(View(StringAt(file, "filename")));
  WriteCacheControl(part, w);
  w.EndObject();
  Append(blocks, w.text());
  return absl::OkStatus();
}

AnthropicConversation MessageTranslator::Take() && {
  AnthropicConversation conversation;
  // Instructions alone are a valid request at OpenAI, not at Anthropic: they become the user's
  // turn.
  if (turns_.empty() && !system_.empty()) TurnOf("user").blocks.swap(system_);
  json::Writer w(1024);
  w.BeginArray();
  for (const Turn& turn : turns_) {
    if (turn.blocks.empty()) continue;
    w.BeginObject()
        .Key("role")
        .String(turn.role)
        .Key("content")
        .BeginArray()
        .Raw(turn.blocks)
        .EndArray()
        .EndObject();
  }
  w.EndArray();
  conversation.messages = std::move(w).Take();
  conversation.system = std::move(system_);
  conversation.called_tools = std::move(called_tools_);
  const auto last = std::find_if(turns_.rbegin(), turns_.rend(),
                                 [](const Turn& turn) { return turn.role == "assistant"; });
  conversation.may_think = last == turns_.rend() || !last->has_tool_use || last->has_thinking;
  return conversation;
}

}  // namespace

absl::Status Inexpressible(absl::string_view field, absl::string_view what) {
  common::v1::ErrorDetail detail;
  detail.set_reason(common::v1::REASON_PROVIDER_REJECTED);
  detail.set_retryable(true);
  detail.set_field(field.data(), field.size());
  detail.set_public_message(
      absl::StrCat(field, ": Anthropic's Messages API has no form for ", what));
  return seam::ToStatus(detail);
}

absl::StatusOr<AnthropicConversation> TranslateMessages(array messages) {
  MessageTranslator translator;
  const size_t count = messages.size();
  size_t position = 0;
  for (const element item : messages) {
    object message;
    if (item.get(message) != simdjson::SUCCESS) {
      return seam::InvalidField(absl::StrCat("messages[", position, "]"), "must be an object");
    }
    RETURN_IF_ERROR(translator.Add(message, position, position + 1 == count));
    ++position;
  }
  if (position == 0) return seam::InvalidField("messages", "must not be empty");
  return std::move(translator).Take();
}

}  // namespace signalbox::provider_adapter
