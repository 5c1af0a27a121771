#include "services/provider-adapter/core/dialects/provider_error.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/json/parse.h"

namespace signalbox::provider_adapter {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

constexpr int kMaxNesting = 6;  // {"error":{"metadata":{"raw":"{\"error\":{…}}"}}} is five
constexpr size_t kMaxBody = 64 * 1024;  // an error text longer than this is no error text
constexpr size_t kMaxMessage = 4 * 1024;

// Members whose value names the kind of error, and those that hold the text or a nested error.
constexpr absl::string_view kWordMembers[] = {"code",   "type",       "status",    "error_type",
                                              "reason", "error_code", "errorcode", "__type",
                                              "error",  "errorType",  "name"};
constexpr absl::string_view kTextMembers[] = {
    "message",   "msg",   "detail", "error_description", "status_msg", "faultstring", "Message",
    "error_msg", "title", "failure"};
constexpr absl::string_view kNestedMembers[] = {"error",     "errors",     "detail",  "details",
                                                "message",   "metadata",   "raw",     "fault",
                                                "base_resp", "innererror", "response"};

template <size_t kSize>
bool OneOf(absl::string_view name, const absl::string_view (&names)[kSize]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Codes are short and have no spaces; anything else under "status" or "error" is prose.
bool IsWord(absl::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_of(" \t\n") == absl::string_view::npos;
}

class Reader {
 public:
  explicit Reader(ProviderError& error) : error_(error) {}

  void Read(element value, int depth) {
    if (depth > kMaxNesting) return;
    if (value.type() == element_type::OBJECT) ReadObject(value.get_object().value(), depth);
    if (value.type() == element_type::ARRAY) ReadArray(value.get_array().value(), depth);
    if (value.type() == element_type::STRING)
      ReadText(json::View(value.get_string().value()), depth);
  }

 private:
  void ReadObject(object members, int depth) {
    for (const auto [key, value] : members) {
      const absl::string_view name = json::View(key);
      if (OneOf(name, kWordMembers)) AddWord(value);
      if (name == "retryDelay" && value.is_string())
        ReadDelay(json::View(value.get_string().value()));
      if (name == "status_code" || name == "statusCode") AddStatus(value);
    }
    for (const auto [key, value] : members) {
      if (OneOf(json::View(key), kTextMembers) && value.is_string())
        AddMessage(json::View(value.get_string().value()));
    }
    for (const auto [key, value] : members) {
      if (OneOf(json::View(key), kNestedMembers)) Read(value, depth + 1);
    }
  }

  void ReadArray(array items, int depth) {
    int read = 0;
    for (const element item : items) {
      if (++read > 8) return;
      Read(item, depth + 1);
    }
  }

  // A string where an error was expected: a message, or another JSON body as text.
  void ReadText(absl::string_view text, int depth) {
    const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
    if (absl::StartsWith(trimmed, "{")) {
      json::Parser nested;
      absl::StatusOr<element> root = nested.Parse(trimmed);
      if (root.ok()) return Read(*root, depth + 1);
    }
    AddMessage(trimmed);
  }

  void AddWord(element value) {
    if (value.is_string()) {
      const absl::string_view text = json::View(value.get_string().value());
      if (IsWord(text)) absl::StrAppend(&error_.words, absl::AsciiStrToLower(text), " ");
      int number = 0;
      if (absl::SimpleAtoi(text, &number)) SetStatus(number);
    } else {
      AddStatus(value);
    }
  }

  void AddStatus(element value) {
    int64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS) return;
    absl::StrAppend(&error_.words, number, " ");
    SetStatus(number);
  }

  void SetStatus(int64_t number) {
    if (error_.status == 0 && number >= 400 && number <= 599)
      error_.status = static_cast<int>(number);
  }

  void AddMessage(absl::string_view text) {
    if (!error_.message.empty() || text.empty()) return;
    if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{"))
      return;  // read as a nested body
    error_.message = std::string(text.substr(0, kMaxMessage));
  }

  void ReadDelay(absl::string_view text) {
    absl::Duration delay;
    if (absl::ParseDuration(text, &delay) && delay > absl::ZeroDuration())
      error_.retry_after = delay;
  }

  ProviderError& error_;
};

// "<html>…<title>502 Bad Gateway</title>…" -> "502 Bad Gateway".
std::string HtmlTitle(absl::string_view body) {
  const std::string lower = absl::AsciiStrToLower(body);
  const size_t open = lower.find("<title");
  const size_t begin = open == std::string::npos ? open : lower.find('>', open);
  const size_t end = begin == std::string::npos ? begin : lower.find("</title", begin);
  if (end == std::string::npos) return "an HTML page";
  return std::string(
      absl::StripAsciiWhitespace(body.substr(begin + 1, end - begin - 1)).substr(0, kMaxMessage));
}

}  // namespace

bool ProviderError::HasWord(absl::string_view word) const {
  return absl::StrContains(words, absl::StrCat(" ", word, " "));
}

ProviderError ReadProviderError(absl::string_view body) {
  ProviderError error;
  body = absl::StripAsciiWhitespace(body.substr(0, kMaxBody));
  absl::ConsumePrefix(&body, "\xef\xbb\xbf");
  if (absl::StartsWith(body, "<")) {
    error.message = HtmlTitle(body);
    return error;
  }
  // Its own parser: the caller may hold a document of the thread's.
  json::Parser parser;
  absl::StatusOr<element> root = parser.Parse(body);
  if (root.ok()) {
    Reader(error).Read(*root, 0);
  } else {
    error.message = std::string(body.substr(0, kMaxMessage));
  }
  return error;
}

bool IsErrorValue(element value) {
  switch (value.type()) {
    case element_type::NULL_VALUE:
      return false;
    case element_type::BOOL:
      return value.get_bool().value();
    case element_type::STRING:
      return !value.get_string().value().empty();
    default:
      return true;
  }
}

bool LooksLikeError(object members) {
  for (const auto [key, value] : members) {
    const absl::string_view name = json::View(key);
    const bool says_error = name == "error" || name == "errors" || name == "detail" ||
                            name == "message" || name == "msg" || name == "error_msg" ||
                            name == "fault";
    if (says_error && IsErrorValue(value)) return true;
    int64_t code = 0;
    if (name == "base_resp" && value["status_code"].get(code) == simdjson::SUCCESS && code != 0)
      return true;
    std::string_view kind;
    const bool is_kind = name == "object" || name == "type";
    if (is_kind && value.get(kind) == simdjson::SUCCESS && kind == "error") return true;
  }
  return false;
}

}  // namespace signalbox::provider_adapter
