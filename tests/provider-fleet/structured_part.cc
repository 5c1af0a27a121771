#include "tests/provider-fleet/structured_part.h"

#include <utility>

namespace signalbox::fleet {
namespace {

using nlohmann::json;
using Choice = StructuredPart::Choice;

// Member of an object; null when absent or when `object` is none.
const json& Member(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

std::string TextOf(const json& value) { return value.is_string() ? value.get<std::string>() : ""; }

json SchemaOf(const json& value) { return value.is_object() ? value : json::object(); }

void AddTool(const json& name, const json& schema, StructuredPart* part) {
  if (name.is_string()) part->tools.push_back({name.get<std::string>(), SchemaOf(schema)});
}

void ReadOpenAiChoice(const json& choice, StructuredPart* part) {
  if (choice == "none") part->choice = Choice::kNone;
  if (choice == "required") part->choice = Choice::kRequired;
  const json& name = Member(Member(choice, "function"), "name");
  if (!name.is_string()) return;
  part->choice = Choice::kNamed;
  part->named = name.get<std::string>();
}

void ReadOpenAi(const json& root, StructuredPart* part) {
  for (const json& tool : Member(root, "tools")) {
    const json& function = Member(tool, "function");
    AddTool(Member(function, "name"), Member(function, "parameters"), part);
  }
  ReadOpenAiChoice(Member(root, "tool_choice"), part);
  part->parallel_allowed = Member(root, "parallel_tool_calls") != false;
  const json& messages = Member(root, "messages");
  part->after_tool_result =
      messages.is_array() && !messages.empty() && Member(messages.back(), "role") == "tool";
  const json& format = Member(root, "response_format");
  if (Member(format, "type") == "json_object") part->output_schema = json::object();
  if (Member(format, "type") == "json_schema") {
    part->output_schema = SchemaOf(Member(Member(format, "json_schema"), "schema"));
  }
}

bool EndsWithToolResult(const json& messages) {
  if (!messages.is_array() || messages.empty()) return false;
  for (const json& block : Member(messages.back(), "content")) {
    if (Member(block, "type") == "tool_result") return true;
  }
  return false;
}

void ReadAnthropic(const json& root, StructuredPart* part) {
  for (const json& tool : Member(root, "tools"))
    AddTool(Member(tool, "name"), Member(tool, "input_schema"), part);
  const json& choice = Member(root, "tool_choice");
  const std::string type = TextOf(Member(choice, "type"));
  if (type == "none") part->choice = Choice::kNone;
  if (type == "any") part->choice = Choice::kRequired;
  if (type == "tool") {
    part->choice = Choice::kNamed;
    part->named = TextOf(Member(choice, "name"));
  }
  part->parallel_allowed = Member(choice, "disable_parallel_tool_use") != true;
  part->after_tool_result = EndsWithToolResult(Member(root, "messages"));
  for (const json* format :
       {&Member(root, "output_format"), &Member(Member(root, "output_config"), "format")}) {
    if (Member(*format, "type") == "json_schema")
      part->output_schema = SchemaOf(Member(*format, "schema"));
  }
}

}  // namespace

const Tool* StructuredPart::Find(absl::string_view name) const {
  for (const Tool& tool : tools) {
    if (tool.name == name) return &tool;
  }
  return nullptr;
}

absl::StatusOr<std::shared_ptr<const StructuredPart>> ParseStructuredPart(Dialect dialect,
                                                                          absl::string_view body) {
  const json root = json::parse(body.begin(), body.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object())
    return absl::InvalidArgumentError("We could not parse the JSON body of your request.");
  auto part = std::make_shared<StructuredPart>();
  if (dialect == Dialect::kOpenAi) {
    ReadOpenAi(root, part.get());
  } else {
    ReadAnthropic(root, part.get());
  }
  if (part->choice == Choice::kNamed && !part->Find(part->named)) {
    return absl::InvalidArgumentError("tool_choice names a tool that is not among the tools.");
  }
  return std::shared_ptr<const StructuredPart>(std::move(part));
}

}  // namespace signalbox::fleet
