#include "tests/provider-fleet/chat_request.h"

#include <simdjson.h>

#include <string_view>

#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/http_reader.h"
#include "tests/provider-fleet/structured_part.h"

namespace signalbox::fleet {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(HttpReader::kPadding >= simdjson::SIMDJSON_PADDING);

absl::Status Bad(absl::string_view message) { return absl::InvalidArgumentError(message); }

// What the top-level scan found; `structured` decides whether the body is parsed whole.
struct Scan {
  bool messages = false;
  bool structured = false;
};

simdjson::error_code ReadStreamOptions(ondemand::value value, ChatRequest* out) {
  ondemand::object options;
  if (auto error = value.get_object().get(options)) return error;
  for (auto field : options) {
    std::string_view key;
    if (auto error = field.unescaped_key().get(key)) return error;
    if (key == "include_usage") {
      if (auto error = field.value().get_bool().get(out->include_usage)) return error;
    }
  }
  return simdjson::SUCCESS;
}

// Tools and formats count when they are a non-empty array or an object; null and [] do not.
simdjson::error_code NoteStructure(ondemand::value value, bool* structured) {
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  if (type == ondemand::json_type::object) *structured = true;
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    bool empty = true;
    if (auto error = value.get_array().get(array)) return error;
    if (auto error = array.is_empty().get(empty)) return error;
    *structured |= !empty;
  }
  return simdjson::SUCCESS;
}

bool NamesStructure(std::string_view key) {
  return key == "tools" || key == "response_format" || key == "output_format" ||
         key == "output_config";
}

simdjson::error_code ReadMember(std::string_view key, ondemand::value value, ChatRequest* out,
                                Scan* scan) {
  if (key == "model") {
    std::string_view model;
    if (auto error = value.get_string().get(model)) return error;
    out->model.assign(model);
  } else if (key == "stream") {
    bool is_null = value.is_null();
    if (!is_null) return value.get_bool().get(out->stream);
  } else if (key == "max_tokens" || key == "max_completion_tokens") {
    bool is_null = value.is_null();
    if (!is_null) return value.get_int64().get(out->max_tokens);
  } else if (key == "stream_options") {
    bool is_null = value.is_null();
    if (!is_null) return ReadStreamOptions(value, out);
  } else if (key == "messages") {
    ondemand::array messages;
    scan->messages = true;
    return value.get_array().get(messages);
  } else if (NamesStructure(key)) {
    return NoteStructure(value, &scan->structured);
  }
  return simdjson::SUCCESS;
}

}  // namespace

struct ChatRequestParser::Scanner {
  ondemand::parser parser;

  absl::Status Run(absl::string_view body, ChatRequest* out, Scan* scan) {
    ondemand::document document;
    ondemand::object root;
    if (parser.iterate(body.data(), body.size(), body.size() + HttpReader::kPadding)
            .get(document) ||
        document.get_object().get(root)) {
      return Bad("We could not parse the JSON body of your request.");
    }
    for (auto field : root) {
      std::string_view key;
      ondemand::value value;
      if (field.unescaped_key().get(key) || field.value().get(value)) {
        return Bad("We could not parse the JSON body of your request.");
      }
      const std::string name(key);  // reading the value may move the parser's string buffer
      if (ReadMember(name, value, out, scan))
        return Bad(absl::StrCat("Invalid type for '", name, "'."));
    }
    return absl::OkStatus();
  }
};

ChatRequestParser::ChatRequestParser() : scanner_(std::make_unique<Scanner>()) {}
ChatRequestParser::~ChatRequestParser() = default;

absl::Status ChatRequestParser::Parse(Dialect dialect, absl::string_view body, ChatRequest* out) {
  *out = ChatRequest();
  out->dialect = dialect;
  out->body_bytes = body.size();
  out->hash = StableHash(body);
  Scan scan;
  if (absl::Status scanned = scanner_->Run(body, out, &scan); !scanned.ok()) return scanned;
  if (out->model.empty()) return Bad("you must provide a model parameter");
  if (!scan.messages) return Bad("Missing required parameter: 'messages'.");
  if (out->max_tokens < 0) return Bad("max_tokens must be at least 1");
  if (dialect == Dialect::kAnthropic) {
    if (out->max_tokens == 0) return Bad("max_tokens: Field required");
    out->include_usage = true;
  }
  if (!scan.structured) return absl::OkStatus();
  auto part = ParseStructuredPart(dialect, body);
  if (!part.ok()) return part.status();
  out->part = *std::move(part);
  return absl::OkStatus();
}

}  // namespace signalbox::fleet
