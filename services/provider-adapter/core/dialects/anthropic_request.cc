#include "services/provider-adapter/core/dialects/anthropic_request.h"

#include <simdjson.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/types/optional.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/json/writer.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/dialects/anthropic_messages.h"
#include "services/provider-adapter/core/dialects/sampling.h"

namespace signalbox::provider_adapter {
namespace {

using json::View;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr int64_t kDefaultMaxTokens = 4096;
constexpr int64_t kSmallestBudget = 1024;  // Anthropic's own
constexpr int64_t kLargestBudget = 128'000;
constexpr int kFirstAdaptive = 46;
constexpr int kFirstWithoutSampling = 47;
constexpr int kFirstOneSamplingKnob = 41;  // temperature or top_p, not both

constexpr absl::string_view kJsonInstruction =
    "{\"type\":\"text\",\"text\":\"Answer with one valid JSON object and nothing else: no "
    "explanation, no code fence.\"}";

// Share of max_tokens that an effort may think with (OpenRouter's published table).
double EffortShare(absl::string_view effort) {
  if (effort == "max" || effort == "xhigh") return 0.95;
  if (effort == "high") return 0.8;
  if (effort == "low") return 0.2;
  return effort == "minimal" ? 0.1 : 0.5;
}

struct Reasoning {
  bool wanted = false;
  absl::string_view effort;  // empty = not said
  absl::optional<int64_t> max_tokens;
};

class RequestTranslator {
 public:
  RequestTranslator(const catalogue::Endpoint& endpoint, object body, bool stream)
      : endpoint_(endpoint),
        body_(body),
        stream_(stream),
        version_(ClaudeVersion(endpoint.upstream_model)) {}

  absl::StatusOr<std::string> Translate();

 private:
  // The member, unless absent or null.
  absl::optional<element> Member(std::string_view name) const;
  absl::optional<int64_t> Int(std::string_view name) const;
  absl::optional<double> Number(std::string_view name) const;
  absl::string_view Text(std::string_view name) const;

  absl::Status CheckExpressible() const;
  Reasoning ReadReasoning() const;
  bool ForcesTool() const;

  absl::Status WriteTools(json::Writer& w) const;
  absl::Status WriteTool(object tool, size_t index, json::Writer& w) const;
  void WriteKnownTools(json::Writer& w) const;
  absl::Status WriteToolChoice(json::Writer& w) const;
  // Decides on max_tokens too: it must exceed the budget.
  void WriteThinking(json::Writer& w);
  absl::Status WriteOutputConfig(json::Writer& w);
  void WriteSampling(json::Writer& w) const;
  void WriteStop(json::Writer& w) const;

  const catalogue::Endpoint& endpoint_;
  const object body_;
  const bool stream_;
  const int version_;
  AnthropicConversation conversation_;
  bool thinks_with_budget_ = false;
  std::string effort_;        // for output_config; empty = none
  bool json_object_ = false;  // response_format json_object: by instruction
};

absl::optional<element> RequestTranslator::Member(std::string_view name) const {
  element value;
  if (body_[name].get(value) != simdjson::SUCCESS || value.is_null()) return absl::nullopt;
  return value;
}

absl::optional<int64_t> RequestTranslator::Int(std::string_view name) const {
  int64_t value = 0;
  if (body_[name].get(value) != simdjson::SUCCESS) return absl::nullopt;
  return value;
}

absl::optional<double> RequestTranslator::Number(std::string_view name) const {
  double value = 0;
  if (body_[name].get(value) != simdjson::SUCCESS) return absl::nullopt;
  return value;
}

absl::string_view RequestTranslator::Text(std::string_view name) const {
  std::string_view value;
  return body_[name].get(value) == simdjson::SUCCESS ? View(value) : absl::string_view();
}

absl::Status RequestTranslator::CheckExpressible() const {
  if (Int("n").value_or(1) > 1) return Inexpressible("n", "more than one choice");
  bool flag = false;
  if (body_["logprobs"].get(flag) == simdjson::SUCCESS && flag)
    return Inexpressible("logprobs", "log probabilities");
  if (Int("top_logprobs").value_or(0) > 0)
    return Inexpressible("top_logprobs", "log probabilities");
  for (std::string_view name : {"audio", "functions", "function_call", "web_search_options"}) {
    if (Member(name).has_value()) return Inexpressible(View(name), "this member");
  }
  array modalities;
  if (body_["modalities"].get(modalities) == simdjson::SUCCESS) {
    for (const element item : modalities) {
      std::string_view modality;
      if (item.get(modality) == simdjson::SUCCESS && modality != "text") {
        return Inexpressible("modalities", "output other than text");
      }
    }
  }
  return absl::OkStatus();
}

Reasoning RequestTranslator::ReadReasoning() const {
  Reasoning reasoning;
  reasoning.effort = Text("reasoning_effort");
  object members;
  bool enabled = !reasoning.effort.empty();
  if (body_["reasoning"].get(members) == simdjson::SUCCESS) {
    std::string_view effort;
    int64_t max_tokens = 0;
    if (members["effort"].get(effort) == simdjson::SUCCESS) reasoning.effort = View(effort);
    if (members["max_tokens"].get(max_tokens) == simdjson::SUCCESS)
      reasoning.max_tokens = max_tokens;
    enabled = !reasoning.effort.empty() || reasoning.max_tokens.has_value();
    const simdjson::error_code absent = members["enabled"].get(enabled);
    (void)absent;  // keeps what the other members say
  }
  reasoning.wanted = enabled && reasoning.effort != "none" && reasoning.max_tokens.value_or(1) > 0;
  return reasoning;
}

bool RequestTranslator::ForcesTool() const {
  const absl::optional<element> choice = Member("tool_choice");
  return choice.has_value() && (choice->is_object() || Text("tool_choice") == "required");
}

absl::StatusOr<std::string> RequestTranslator::Translate() {
  RETURN_IF_ERROR(CheckExpressible());
  array messages;
  if (body_["messages"].get(messages) != simdjson::SUCCESS)
    return seam::InvalidField("messages", "must be an array");
  ASSIGN_OR_RETURN(conversation_, TranslateMessages(messages));

  json::Writer w(conversation_.messages.size() + conversation_.system.size() + 1024);
  w.BeginObject().Key("model").String(endpoint_.upstream_model);
  WriteThinking(w);
  json::Writer config;
  RETURN_IF_ERROR(WriteOutputConfig(config));
  if (json_object_)
    absl::StrAppend(&conversation_.system, conversation_.system.empty() ? "" : ",",
                    kJsonInstruction);
  if (!conversation_.system.empty())
    w.Key("system").BeginArray().Raw(conversation_.system).EndArray();
  w.Key("messages").Raw(conversation_.messages);
  RETURN_IF_ERROR(WriteTools(w));
  if (config.text() != "{}") w.Key("output_config").Raw(config.text());
  WriteSampling(w);
  WriteStop(w);
  if (!Text("user").empty())
    w.Key("metadata").BeginObject().Key("user_id").String(Text("user")).EndObject();
  const absl::optional<element> cache = Member("cache_control");
  if (cache.has_value() && cache->is_object()) w.Key("cache_control").Raw(simdjson::minify(*cache));
  if (stream_) w.Key("stream").Bool(true);
  w.EndObject();
  return std::move(w).Take();
}

absl::Status RequestTranslator::WriteTools(json::Writer& w) const {
  array tools;
  const bool has_tools =
      body_["tools"].get(tools) == simdjson::SUCCESS && tools.begin() != tools.end();
  if (!has_tools) {
    if (!conversation_.called_tools.empty()) WriteKnownTools(w);
    return absl::OkStatus();
  }
  w.Key("tools").BeginArray();
  size_t index = 0;
  for (const element item : tools) {
    object tool;
    if (item.get(tool) != simdjson::SUCCESS) {
      return seam::InvalidField(absl::StrCat("tools[", index, "]"), "must be an object");
    }
    RETURN_IF_ERROR(WriteTool(tool, index++, w));
  }
  w.EndArray();
  return WriteToolChoice(w);
}

// Anthropic refuses a history with tool calls when no tools are declared, as in a request to sum a
// conversation up.
void RequestTranslator::WriteKnownTools(json::Writer& w) const {
  w.Key("tools").BeginArray();
  for (const std::string& name : conversation_.called_tools) {
    w.BeginObject()
        .Key("name")
        .String(name)
        .Key("input_schema")
        .Raw("{\"type\":\"object\"}")
        .EndObject();
  }
  w.EndArray().Key("tool_choice").Raw("{\"type\":\"none\"}");
}

absl::Status RequestTranslator::WriteTool(object tool, size_t index, json::Writer& w) const {
  object function;
  std::string_view name, description, type;
  const std::string at = absl::StrCat("tools[", index, "]");
  if (tool["function"].get(function) != simdjson::SUCCESS) {
    // A tool in Anthropic's own shape (web_search_20250305, …) goes through.
    const bool native =
        tool["type"].get(type) == simdjson::SUCCESS && tool["name"].get(name) == simdjson::SUCCESS;
    if (!native || type == "function") return Inexpressible(at, "tools of this type");
    w.Raw(simdjson::minify(tool));
    return absl::OkStatus();
  }
  if (function["name"].get(name) != simdjson::SUCCESS)
    return seam::InvalidField(absl::StrCat(at, ".function.name"), "is missing");
  w.BeginObject().Key("name").String(View(name));
  if (function["description"].get(description) == simdjson::SUCCESS)
    w.Key("description").String(View(description));
  object schema;
  w.Key("input_schema");
  if (function["parameters"].get(schema) != simdjson::SUCCESS) {
    w.Raw("{\"type\":\"object\",\"properties\":{}}");
  } else if (schema["type"].error() != simdjson::SUCCESS) {
    w.BeginObject().Key("type").String("object");
    for (const auto [member, value] : schema) w.Key(View(member)).Raw(simdjson::minify(value));
    w.EndObject();
  } else {
    w.Raw(simdjson::minify(schema));
  }
  for (object holder : {tool, function}) {
    object mark;
    if (holder["cache_control"].get(mark) != simdjson::SUCCESS) continue;
    w.Key("cache_control").Raw(simdjson::minify(mark));
    break;
  }
  w.EndObject();
  return absl::OkStatus();
}

absl::Status RequestTranslator::WriteToolChoice(json::Writer& w) const {
  bool parallel = true;
  const bool serial = body_["parallel_tool_calls"].get(parallel) == simdjson::SUCCESS && !parallel;
  const absl::optional<element> choice = Member("tool_choice");
  const absl::string_view word = Text("tool_choice");
  absl::string_view type = "auto";
  std::string_view name;
  if (choice.has_value() && choice->is_object()) {
    if (choice->at_pointer("/function/name").get(name) != simdjson::SUCCESS) {
      return Inexpressible("tool_choice", "a choice other than one function");
    }
    type = "tool";
  } else if (word == "required" || word == "any") {
    type = "any";
  } else if (word == "none") {
    type = "none";
  } else if (choice.has_value() && word != "auto") {
    return seam::InvalidField("tool_choice", "must be auto, none, required or a function");
  }
  if (!choice.has_value() && !serial) return absl::OkStatus();
  w.Key("tool_choice").BeginObject().Key("type").String(type);
  if (!name.empty()) w.Key("name").String(View(name));
  if (serial && type != "none") w.Key("disable_parallel_tool_use").Bool(true);
  w.EndObject();
  return absl::OkStatus();
}

void RequestTranslator::WriteThinking(json::Writer& w) {
  const Reasoning reasoning = ReadReasoning();
  const absl::optional<int64_t> asked =
      Int("max_completion_tokens").has_value() ? Int("max_completion_tokens") : Int("max_tokens");
  const int64_t standard =
      endpoint_.max_completion_tokens > 0 ? endpoint_.max_completion_tokens : kDefaultMaxTokens;
  int64_t max_tokens = asked.value_or(standard);
  if (reasoning.wanted && conversation_.may_think && version_ >= kFirstAdaptive) {
    effort_ = std::string(reasoning.effort);
    if (effort_ == "minimal") effort_ = "low";
    if (effort_ == "xhigh" && version_ == kFirstAdaptive)
      effort_ = "max";  // 4.6 does not know xhigh
    if (effort_.empty() && reasoning.max_tokens.has_value()) {
      effort_ = *reasoning.max_tokens <= 4096    ? "low"
                : *reasoning.max_tokens <= 16384 ? "medium"
                                                 : "high";
    }
    // Without "summarized" the newer models think in silence and the client waits without a token.
    w.Key("thinking")
        .BeginObject()
        .Key("type")
        .String("adaptive")
        .Key("display")
        .String("summarized")
        .EndObject();
  } else if (reasoning.wanted && conversation_.may_think && !ForcesTool()) {
    // Thinking with a forced tool, or with less room than the smallest budget, would be refused.
    const int64_t share =
        static_cast<int64_t>(EffortShare(reasoning.effort) * static_cast<double>(max_tokens));
    const int64_t budget =
        std::clamp(reasoning.max_tokens.value_or(share), kSmallestBudget, kLargestBudget);
    if (!asked.has_value() && max_tokens <= budget) max_tokens = budget + standard;
    thinks_with_budget_ = max_tokens > kSmallestBudget;
    if (thinks_with_budget_) {
      w.Key("thinking").BeginObject().Key("type").String("enabled");
      w.Key("budget_tokens").Int(std::min(budget, max_tokens - 1)).EndObject();
    }
  }
  w.Key("max_tokens").Int(max_tokens);
}

// json_schema becomes output_config.format, Anthropic's own structured output: models without it
// answer 400 and the router tries elsewhere, which is better than text that only looks like the
// schema. json_object has no counterpart: an instruction asks for it.
absl::Status RequestTranslator::WriteOutputConfig(json::Writer& w) {
  w.BeginObject();
  if (!effort_.empty()) w.Key("effort").String(effort_);
  object format;
  std::string_view type;
  if (body_["response_format"].get(format) == simdjson::SUCCESS &&
      format["type"].get(type) == simdjson::SUCCESS) {
    object schema;
    if (type == "json_schema") {
      if (format.at_pointer("/json_schema/schema").get(schema) != simdjson::SUCCESS) {
        return seam::InvalidField("response_format.json_schema.schema", "must be an object");
      }
      w.Key("format").BeginObject().Key("type").String("json_schema");
      w.Key("schema").Raw(simdjson::minify(schema)).EndObject();
    } else if (type == "json_object") {
      json_object_ = true;
    } else if (type != "text") {
      return Inexpressible("response_format.type", "this format");
    }
  }
  w.EndObject();
  return absl::OkStatus();
}

void RequestTranslator::WriteSampling(json::Writer& w) const {
  if (version_ >= kFirstWithoutSampling) return;
  const absl::optional<double> temperature = Number("temperature"), top_p = Number("top_p");
  const bool has_temperature = temperature.has_value() && Takes(endpoint_, "temperature");
  // Thinking fixes temperature at 1 and refuses top_k; top_p must stay near 1.
  if (has_temperature && !thinks_with_budget_)
    w.Key("temperature").Double(std::clamp(*temperature, 0.0, 1.0));
  const bool one_knob = has_temperature && version_ >= kFirstOneSamplingKnob;
  const bool top_p_fits = thinks_with_budget_ ? top_p.value_or(0) >= 0.95 : !one_knob;
  if (top_p.has_value() && top_p_fits && Takes(endpoint_, "top_p"))
    w.Key("top_p").Double(std::clamp(*top_p, 0.0, 1.0));
  const int64_t top_k = Int("top_k").value_or(0);
  if (top_k > 0 && !thinks_with_budget_ && Takes(endpoint_, "top_k")) w.Key("top_k").Int(top_k);
}

// Anthropic refuses stop sequences without a visible character.
void RequestTranslator::WriteStop(json::Writer& w) const {
  json::Writer list;
  list.BeginArray();
  const auto add = [&](absl::string_view text) {
    if (!absl::StripAsciiWhitespace(text).empty()) list.String(text);
  };
  array sequences;
  add(Text("stop"));
  if (body_["stop"].get(sequences) == simdjson::SUCCESS) {
    for (const element item : sequences) {
      std::string_view text;
      if (item.get(text) == simdjson::SUCCESS) add(View(text));
    }
  }
  list.EndArray();
  if (list.text() != "[]") w.Key("stop_sequences").Raw(list.text());
}

}  // namespace

int ClaudeVersion(absl::string_view model) {
  const size_t at = model.find("claude");
  if (at == absl::string_view::npos) return 0;
  int version = 0;
  bool has_major = false;
  for (absl::string_view piece : absl::StrSplit(model.substr(at), absl::ByAnyChar("-.@:"))) {
    int number = 0;
    const bool numeric =
        piece.size() <= 2 && absl::SimpleAtoi(piece, &number);  // longer ones are dates
    if (!numeric && has_major) break;
    if (!numeric) continue;
    if (has_major) return version + std::min(number, 9);
    version = number * 10;
    has_major = true;
  }
  return version;
}

absl::StatusOr<std::string> TranslateToAnthropic(const catalogue::Endpoint& endpoint,
                                                 absl::string_view openai_body, bool stream) {
  json::Parser& parser = json::ThreadLocalParser();
  absl::StatusOr<element> root = parser.Parse(openai_body);
  object body;
  if (!root.ok() || root->get(body) != simdjson::SUCCESS) {
    return seam::MakeError(common::v1::REASON_INVALID_REQUEST, "the body is not a JSON object");
  }
  return RequestTranslator(endpoint, body, stream).Translate();
}

}  // namespace signalbox::provider_adapter
