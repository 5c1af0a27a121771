#include "services/provider-adapter/core/tool_validation.h"

#include <algorithm>
#include <list>
#include <utility>
#include <vector>

#include "absl/base/call_once.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/optional.h"
#include "common/base/ids.h"
#include "common/json/parse.h"
#include "common/json/patch.h"
#include "nlohmann/json.hpp"
#include "services/provider-adapter/core/schema_check.h"
#include "services/provider-adapter/core/schema_flatten.h"
#include "services/provider-adapter/core/tool_leak.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;
namespace v1 = common::v1;

constexpr size_t kMaxTools = 1024;
constexpr size_t kMaxToolsBytes = 4 * 1024 * 1024;
// Raw bytes of all cached sets; compiled they take a multiple.
constexpr size_t kMaxCachedBytes = 32 * 1024 * 1024;
constexpr size_t kMaxCheckedArguments = 1024 * 1024;  // larger ones are not held against the schema
constexpr int kMaxArgumentsDepth = 1024;              // deeper ones are a model stuck on "[[[["
constexpr int kMaxToolsDepth = 160;
constexpr size_t kMaxNameBytes = 64;

std::string Printable(absl::string_view name) {
  std::string out;
  for (char c : name.substr(0, kMaxNameBytes)) out += (c > 0x20 && c < 0x7f && c != '"') ? c : '?';
  return out;
}

// A tool offered by the request. Its schema is compiled when the first answer calls it.
class Tool {
 public:
  Tool(std::string schema_json, bool free_text)
      : schema_json_(std::move(schema_json)), free_text_(free_text) {}

  // Arguments are text, not JSON (OpenAI's custom tools).
  bool free_text() const { return free_text_; }

  const CompiledSchema* schema() const {
    absl::call_once(once_, [this] {
      if (!schema_json_.empty()) schema_ = CompiledSchema::Compile(schema_json_);
    });
    return schema_.get();
  }

 private:
  const std::string schema_json_;
  const bool free_text_;
  mutable absl::once_flag once_;
  mutable std::unique_ptr<const CompiledSchema> schema_;
};

struct Choice {
  enum class Mode { kAuto, kNone, kRequired, kNamed };
  Mode mode = Mode::kAuto;
  std::string name;
};

std::string TextMember(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Choice ChoiceOfWord(absl::string_view word) {
  if (word == "none") return {Choice::Mode::kNone, ""};
  if (word == "required" || word == "any") return {Choice::Mode::kRequired, ""};
  return {};
}

// "required" · {"type":"function","function":{"name":…}} · {"type":"tool","name":…} ·
// {"type":"allowed_tools",…}
Choice ParseChoice(absl::string_view raw) {
  const json choice = json::parse(raw.begin(), raw.end(), nullptr, false);
  if (choice.is_string()) return ChoiceOfWord(choice.get_ref<const std::string&>());
  if (!choice.is_object()) return {};
  const std::string type = TextMember(choice, "type");
  for (const char* member : {"function", "custom"}) {
    const auto it = choice.find(member);
    if (it == choice.end() || !it->is_object()) continue;
    std::string name = TextMember(*it, "name");
    if (!name.empty()) return {Choice::Mode::kNamed, std::move(name)};
  }
  if (type == "allowed_tools") {
    const auto allowed = choice.find("allowed_tools");
    return ChoiceOfWord(allowed != choice.end() && allowed->is_object()
                            ? TextMember(*allowed, "mode")
                            : TextMember(choice, "mode"));
  }
  std::string name = TextMember(choice, "name");
  if (!name.empty()) return {Choice::Mode::kNamed, std::move(name)};
  return ChoiceOfWord(type);
}

// Are the arguments one JSON object?
enum class Form { kObject, kOtherValue, kNotJson };

Form FormByNlohmann(absl::string_view text) {
  const json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) return Form::kNotJson;
  return value.is_object() ? Form::kObject : Form::kOtherValue;
}

Form FormOf(absl::string_view text) {
  // An empty text is how several providers say "no arguments".
  if (text.empty()) return Form::kObject;
  if (NestsDeeperThan(text, kMaxArgumentsDepth)) return Form::kNotJson;
  signalbox::json::Parser parser({kMaxArgumentsDepth + 1, text.size()});
  const absl::StatusOr<simdjson::dom::element> root = parser.Parse(text);
  if (root.ok()) return root->is_object() ? Form::kObject : Form::kOtherValue;
  // simdjson refuses integers beyond 64 bits, which are valid JSON.
  return text.size() <= kMaxCheckedArguments ? FormByNlohmann(text) : Form::kNotJson;
}

int DepthOf(const json& value) {
  int deepest = 0;
  if (value.is_structured()) {
    for (const json& child : value) deepest = std::max(deepest, DepthOf(child));
  }
  return deepest + 1;
}

std::string CallLabel(size_t position, absl::string_view name) {
  return absl::StrCat("call ", position, name.empty() ? "" : " ", Printable(name), ": ");
}

class ParsedToolSet final : public ToolSet {
 public:
  ParsedToolSet(const json& tools, Choice choice) : choice_(std::move(choice)) {
    for (const json& tool : tools) {
      if (tools_.size() >= kMaxTools) break;
      if (tool.is_object()) AddTool(tool);
    }
  }

  Verdict Judge(const AnswerFacts& facts) const override {
    if (facts.finish_reason == "length" && CutInsideArguments(facts)) return {};
    for (const auto check :
         {&ParsedToolSet::CheckCalls, &ParsedToolSet::CheckFinish, &ParsedToolSet::CheckChoice,
          &ParsedToolSet::CheckLeaks, &ParsedToolSet::CheckIds, &ParsedToolSet::CheckStream}) {
      const absl::optional<Verdict> failed = (this->*check)(facts);
      if (failed.has_value()) return *failed;
    }
    if (!facts.tool_calls.empty()) return {v1::TOOL_CALL_VERDICT_VALID, ""};
    // Cut off or refused before it could call: says nothing about tool use.
    if (EndedEarly(facts)) return {};
    return {v1::TOOL_CALL_VERDICT_NO_CALL, ""};
  }

  bool ArgumentsParse(const ToolCall& call) const override {
    const Tool* tool = Find(call.name);
    if (tool != nullptr && tool->free_text()) return true;
    return !call.arguments.empty() && FormOf(call.arguments) == Form::kObject;
  }

  bool choice_is_free() const override { return choice_.mode == Choice::Mode::kAuto; }

 private:
  void AddTool(const json& tool) {
    for (const char* member : {"function", "custom"}) {
      const auto it = tool.find(member);
      if (it == tool.end() || !it->is_object()) continue;
      const auto schema = it->find("parameters");
      Add(TextMember(*it, "name"),
          schema == it->end() ? "" : schema->dump(-1, ' ', false, json::error_handler_t::replace),
          *member == 'c');
      return;
    }
    // Tools a provider runs by itself, and Anthropic's flat form.
    const auto schema = tool.find("input_schema");
    std::string name = TextMember(tool, "name");
    if (name.empty()) name = TextMember(tool, "type");
    Add(name,
        schema == tool.end() ? "" : schema->dump(-1, ' ', false, json::error_handler_t::replace),
        false);
  }

  void Add(const std::string& name, std::string schema_json, bool free_text) {
    if (!name.empty())
      tools_.try_emplace(name, std::make_unique<Tool>(std::move(schema_json), free_text));
  }

  static bool EndedEarly(const AnswerFacts& facts) {
    return facts.finish_reason == "length" || facts.finish_reason == "content_filter" ||
           facts.finish_reason == "error";
  }

  const Tool* Find(const std::string& name) const {
    const auto it = tools_.find(name);
    return it == tools_.end() ? nullptr : it->second.get();
  }

  // max_tokens ended the answer while it wrote arguments: the request's doing, not the provider's.
  bool CutInsideArguments(const AnswerFacts& facts) const {
    if (facts.tool_calls.empty()) return false;
    const ToolCall& last = facts.tool_calls.back();
    const Tool* tool = Find(last.name);
    if (tool != nullptr && tool->free_text()) return true;
    return last.arguments.empty() || FormOf(last.arguments) != Form::kObject;
  }

  absl::optional<Verdict> CheckCalls(const AnswerFacts& facts) const {
    for (size_t i = 0; i < facts.tool_calls.size(); ++i) {
      absl::optional<Verdict> failed = CheckCall(i, facts.tool_calls[i]);
      if (failed.has_value()) return failed;
    }
    return absl::nullopt;
  }

  absl::optional<Verdict> CheckCall(size_t position, const ToolCall& call) const {
    const std::string label = CallLabel(position, call.name);
    const Tool* tool = Find(call.name);
    if (tool != nullptr && tool->free_text()) return absl::nullopt;
    const Form form = FormOf(call.arguments);
    if (form != Form::kObject) {
      return Verdict{
          v1::TOOL_CALL_VERDICT_INVALID_JSON,
          absl::StrCat(label, form == Form::kNotJson ? "arguments are not one JSON value"
                                                     : "arguments are not a JSON object")};
    }
    if (call.name.empty())
      return Verdict{v1::TOOL_CALL_VERDICT_MALFORMED, absl::StrCat(label, "no name")};
    if (tool == nullptr) {
      return Verdict{
          v1::TOOL_CALL_VERDICT_UNKNOWN_NAME,
          absl::StrCat(label, HoldsControlToken(call.name) ? "control tokens in the name"
                                                           : "no tool of that name was offered")};
    }
    return CheckSchema(label, *tool, call.arguments);
  }

  static absl::optional<Verdict> CheckSchema(absl::string_view label, const Tool& tool,
                                             absl::string_view text) {
    const CompiledSchema* schema = tool.schema();
    if (schema == nullptr || text.size() > kMaxCheckedArguments ||
        NestsDeeperThan(text, kMaxValueDepth)) {
      return absl::nullopt;
    }
    json arguments =
        text.empty() ? json::object() : json::parse(text.begin(), text.end(), nullptr, false);
    NormaliseNumbers(&arguments);
    const absl::optional<CompiledSchema::Fault> fault =
        schema->Check(arguments, DepthOf(arguments));
    if (!fault.has_value()) return absl::nullopt;
    return Verdict{
        v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH,
        absl::StrCat(label, fault->what, fault->pointer.empty() ? "" : " at ", fault->pointer)};
  }

  absl::optional<Verdict> CheckFinish(const AnswerFacts& facts) const {
    if (facts.finish_reason != "tool_calls" || !facts.tool_calls.empty()) return absl::nullopt;
    return Verdict{v1::TOOL_CALL_VERDICT_EMPTY, "finish_reason tool_calls without a call"};
  }

  absl::optional<Verdict> CheckChoice(const AnswerFacts& facts) const {
    const auto ignored = [](absl::string_view how) {
      return Verdict{v1::TOOL_CALL_VERDICT_CHOICE_IGNORED, absl::StrCat("tool_choice ", how)};
    };
    const bool called = !facts.tool_calls.empty();
    switch (choice_.mode) {
      case Choice::Mode::kAuto:
        return absl::nullopt;
      case Choice::Mode::kNone:
        if (called) return ignored("none, but a tool was called");
        return absl::nullopt;
      case Choice::Mode::kRequired:
        if (!called && !EndedEarly(facts)) return ignored("required, but no tool was called");
        return absl::nullopt;
      case Choice::Mode::kNamed:
        if (!called && !EndedEarly(facts)) return ignored("names a tool, but none was called");
        for (const ToolCall& call : facts.tool_calls) {
          if (call.name != choice_.name) return ignored("names another tool than the one called");
        }
        return absl::nullopt;
    }
    return absl::nullopt;
  }

  absl::optional<Verdict> CheckLeaks(const AnswerFacts& facts) const {
    const absl::string_view markup = FindToolMarkup(facts.text);
    if (markup.empty()) return absl::nullopt;
    return Verdict{v1::TOOL_CALL_VERDICT_LEAKED, absl::StrCat("markup ", markup, " in the text")};
  }

  absl::optional<Verdict> CheckIds(const AnswerFacts& facts) const {
    absl::flat_hash_set<absl::string_view> seen;
    for (size_t i = 0; i < facts.tool_calls.size(); ++i) {
      const ToolCall& call = facts.tool_calls[i];
      const char* fault = call.id.empty()               ? "no id"
                          : seen.insert(call.id).second ? nullptr
                                                        : "id used twice";
      if (fault != nullptr) {
        return Verdict{v1::TOOL_CALL_VERDICT_MALFORMED,
                       absl::StrCat(CallLabel(i, call.name), fault)};
      }
    }
    return absl::nullopt;
  }

  absl::optional<Verdict> CheckStream(const AnswerFacts& facts) const {
    if (!facts.tool_stream_malformed) return absl::nullopt;
    return Verdict{v1::TOOL_CALL_VERDICT_MALFORMED,
                   "indices, ids or names of the streamed calls do not fit together"};
  }

  const Choice choice_;
  absl::flat_hash_map<std::string, std::unique_ptr<Tool>> tools_;
};

std::shared_ptr<const ToolSet> ParseToolSet(absl::string_view tools, absl::string_view choice) {
  if (tools.size() > kMaxToolsBytes || NestsDeeperThan(tools, kMaxToolsDepth)) return nullptr;
  if (NestsDeeperThan(choice, kMaxToolsDepth)) choice = {};
  const json parsed = json::parse(tools.begin(), tools.end(), nullptr, false);
  if (!parsed.is_array() || parsed.empty()) return nullptr;
  return std::make_shared<ParsedToolSet>(parsed, ParseChoice(choice));
}

}  // namespace

// Least recently used last.
class ToolSetCache::Impl {
 public:
  explicit Impl(size_t max_entries) : max_entries_(std::max<size_t>(max_entries, 1)) {}

  std::shared_ptr<const ToolSet> Get(absl::string_view tools, absl::string_view choice) {
    // NUL cannot occur in JSON outside escapes, so the pair is unambiguous.
    const std::string key = Sha256Hex(absl::StrCat(tools, absl::string_view("\0", 1), choice));
    if (const absl::optional<std::shared_ptr<const ToolSet>> found = Find(key)) return *found;
    // Outside the lock: two threads may parse the same set, the second result is dropped.
    std::shared_ptr<const ToolSet> made = ParseToolSet(tools, choice);
    Insert(key, made, tools.size() + choice.size());
    return made;
  }

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const ToolSet> set;
    size_t bytes;
  };

  absl::optional<std::shared_ptr<const ToolSet>> Find(const std::string& key) {
    absl::MutexLock lock(&mutex_);
    const auto it = by_key_.find(key);
    if (it == by_key_.end()) return absl::nullopt;
    entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->set;
  }

  void Insert(const std::string& key, std::shared_ptr<const ToolSet> set, size_t bytes) {
    absl::MutexLock lock(&mutex_);
    if (by_key_.contains(key)) return;
    entries_.push_front({key, std::move(set), bytes});
    by_key_[key] = entries_.begin();
    bytes_ += bytes;
    while (entries_.size() > max_entries_ || (bytes_ > kMaxCachedBytes && entries_.size() > 1)) {
      bytes_ -= entries_.back().bytes;
      by_key_.erase(entries_.back().key);
      entries_.pop_back();
    }
  }

  const size_t max_entries_;
  absl::Mutex mutex_;
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

ToolSetCache::ToolSetCache(size_t max_entries) : impl_(std::make_unique<Impl>(max_entries)) {}
ToolSetCache::~ToolSetCache() = default;

std::shared_ptr<const ToolSet> ToolSetCache::Get(absl::string_view request_body) {
  absl::string_view tools;
  absl::string_view choice;
  signalbox::json::ForEachMember(request_body, [&](const signalbox::json::Member& member) {
    if (member.name == "tools") tools = member.value;
    if (member.name == "tool_choice") choice = member.value;
    return true;
  });
  if (tools.empty() || tools == "null" || tools == "[]") return nullptr;
  return impl_->Get(tools, choice);
}

}  // namespace signalbox::provider_adapter
