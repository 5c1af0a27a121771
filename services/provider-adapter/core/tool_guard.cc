#include "services/provider-adapter/core/tool_guard.h"

#include <algorithm>
#include <iterator>

#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/json/patch.h"
#include "services/provider-adapter/core/json_repair.h"

namespace signalbox::provider_adapter {
namespace {

namespace v1 = common::v1;
using json::View;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;
using Result = GuardRuling::Result;

constexpr absl::string_view kHeadMembers[] = {"id", "object", "created", "model", "provider"};
constexpr absl::string_view kDataPrefix = "data: ";
constexpr absl::string_view kEventEnd = "\n\n";

int64_t IndexOf(element value) {
  int64_t index = 0;
  const simdjson::error_code absent = value["index"].get(index);
  (void)absent;  // stays 0
  return index;
}

using Write = absl::FunctionRef<void(element)>;

// Copies an object but for one member's value, which `write` writes; anything else as it is.
void CopyBut(element value, std::string_view name, json::Writer* w, Write write) {
  object members;
  if (value.get(members) != simdjson::SUCCESS) {
    w->Raw(simdjson::minify(value));
    return;
  }
  w->BeginObject();
  for (const auto [key, member] : members) {
    w->Key(View(key));
    if (key == name) {
      write(member);
    } else {
      w->Raw(simdjson::minify(member));
    }
  }
  w->EndObject();
}

// The same for the elements of an array.
void CopyEach(element value, json::Writer* w, Write write) {
  array items;
  if (value.get(items) != simdjson::SUCCESS) {
    w->Raw(simdjson::minify(value));
    return;
  }
  w->BeginArray();
  for (const element item : items) write(item);
  w->EndArray();
}

bool IsEmptyText(element value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS && text.empty();
}

bool MayHoldCallsOrEnds(absl::string_view event) {
  return absl::StrContains(event, "\"tool_calls\"") ||
         absl::StrContains(event, "\"finish_reason\":\"");
}

// The arguments with what can be mended mended; nullopt = all of them are fine.
absl::optional<std::vector<std::string>> Mended(const ToolSet& tools, const AnswerFacts& facts) {
  std::vector<std::string> arguments;
  bool changed = false;
  for (const ToolCall& call : facts.tool_calls) {
    arguments.push_back(call.arguments);
    if (tools.ArgumentsParse(call)) continue;
    absl::optional<std::string> repaired = RepairArguments(call.arguments);
    if (!repaired.has_value()) continue;
    arguments.back() = *std::move(repaired);
    changed = true;
  }
  if (!changed) return absl::nullopt;
  return arguments;
}

bool HoldsUp(const ToolSet& tools, AnswerFacts facts, const std::vector<std::string>* arguments,
             bool text_is_final) {
  if (text_is_final) facts.text.clear();
  for (size_t i = 0; arguments != nullptr && i < arguments->size(); ++i)
    facts.tool_calls[i].arguments = (*arguments)[i];
  return tools.Judge(facts).verdict == v1::TOOL_CALL_VERDICT_VALID;
}

}  // namespace

GuardRuling RuleOn(const ToolSet& tools, const AnswerFacts& facts, GuardSituation situation) {
  GuardRuling ruling;
  ruling.verdict = tools.Judge(facts);
  const v1::ToolCallVerdict verdict = ruling.verdict.verdict;
  const bool no_case = verdict == v1::TOOL_CALL_VERDICT_UNSPECIFIED ||
                       verdict == v1::TOOL_CALL_VERDICT_NO_CALL || facts.tool_calls.empty();
  if (no_case) {
    const bool fault = situation.calls_only || verdict > v1::TOOL_CALL_VERDICT_VALID;
    ruling.result = fault ? Result::kRejected : Result::kNone;
    return ruling;
  }
  absl::optional<std::vector<std::string>> mended = Mended(tools, facts);
  const bool text_is_final = situation.text_is_final || situation.calls_only;
  if (mended.has_value() && HoldsUp(tools, facts, &*mended, text_is_final)) {
    ruling.result = Result::kRepaired;
    ruling.arguments = *std::move(mended);
  } else if (verdict == v1::TOOL_CALL_VERDICT_VALID ||
             (text_is_final && verdict == v1::TOOL_CALL_VERDICT_LEAKED &&
              HoldsUp(tools, facts, nullptr, text_is_final))) {
    ruling.result = Result::kPassed;
  } else {
    ruling.result = Result::kRejected;
  }
  return ruling;
}

std::string MendCompletion(absl::string_view completion, const AnswerFacts& facts,
                           absl::Span<const std::string> arguments) {
  json::Parser parser({.max_depth = 1024});
  const absl::StatusOr<element> root = parser.Parse(completion);
  element choices;
  if (!root.ok() || (*root)["choices"].get(choices) != simdjson::SUCCESS)
    return std::string(completion);
  const auto mended = [&](int64_t choice, int64_t index) -> const std::string* {
    for (size_t i = 0; i < facts.tool_calls.size() && i < arguments.size(); ++i) {
      const ToolCall& call = facts.tool_calls[i];
      if (call.choice == choice && call.index == index) return &arguments[i];
    }
    return nullptr;
  };
  json::Writer w(completion.size());
  CopyEach(choices, &w, [&](element choice) {
    const int64_t at = IndexOf(choice);
    CopyBut(choice, "message", &w, [&](element message) {
      CopyBut(message, "tool_calls", &w, [&](element calls) {
        int64_t index = 0;
        CopyEach(calls, &w, [&](element call) {
          const std::string* const text = mended(at, index++);
          CopyBut(call, "function", &w, [&](element function) {
            CopyBut(function, "arguments", &w, [&](element as_it_came) {
              text == nullptr ? w.Raw(simdjson::minify(as_it_came)) : w.String(*text);
            });
          });
        });
      });
    });
  });
  json::ObjectPatch patch;
  patch.Set("choices", w.text());
  return patch.Apply(completion);
}

void ToolCallHold::Take(std::string* events) {
  if (!calls_only_ && !MayHoldCallsOrEnds(*events)) {
    opened_ = opened_ || !events->empty();
    return;
  }
  std::string rest;
  absl::string_view left = *events;
  while (!left.empty()) {
    const size_t end = std::min(left.find(kEventEnd), left.size() - kEventEnd.size());
    const absl::string_view event = left.substr(0, end + kEventEnd.size());
    left.remove_prefix(event.size());
    if (calls_only_ || MayHoldCallsOrEnds(event)) {
      TakeEvent(event, &rest);
    } else {
      rest.append(event.data(), event.size());
      opened_ = true;
    }
  }
  *events = std::move(rest);
}

void ToolCallHold::TakeEvent(absl::string_view event, std::string* rest) {
  const absl::string_view data =
      event.substr(kDataPrefix.size(), event.size() - kDataPrefix.size() - kEventEnd.size());
  if (head_.empty()) {
    json::ForEachMember(data, [&](const json::Member& member) {
      if (std::find(std::begin(kHeadMembers), std::end(kHeadMembers), member.name) !=
          std::end(kHeadMembers)) {
        absl::StrAppend(&head_, member.whole, ",");
      }
      return true;
    });
  }
  if (calls_only_ && !MayHoldCallsOrEnds(event)) return;
  const absl::StatusOr<element> root = parser_.Parse(data);
  array choices;
  if (!root.ok() || (*root)["choices"].get(choices) != simdjson::SUCCESS) return;
  json::Writer w(event.size());
  bool anything = false;
  w.BeginArray();
  for (const element item : choices) {
    if (WriteRest(item, &w)) anything = true;
  }
  w.EndArray();
  if (!anything || calls_only_) return;
  json::ObjectPatch patch;
  patch.Set("choices", w.text());
  absl::StrAppend(rest, kDataPrefix, patch.Apply(data), kEventEnd);
}

// Writes what is left of a choice, if anything is.
bool ToolCallHold::WriteRest(element item, json::Writer* w) {
  object choice;
  if (item.get(choice) != simdjson::SUCCESS) return false;
  const int64_t index = IndexOf(item);
  element reason;
  if (choice["finish_reason"].get(reason) == simdjson::SUCCESS && !reason.is_null()) {
    element native;
    const bool has_native = choice["native_finish_reason"].get(native) == simdjson::SUCCESS;
    ends_.push_back(
        {index, simdjson::minify(reason), has_native ? simdjson::minify(native) : "null"});
  }
  json::Writer delta;
  object pieces;
  if (choice["delta"].get(pieces) != simdjson::SUCCESS || !WriteRestOfDelta(index, pieces, &delta))
    return false;
  w->BeginObject().Key("index").Int(index).Key("delta").Raw(delta.text());
  for (const auto [name, value] : choice) {
    const bool ours = name == "index" || name == "delta" || name == "finish_reason" ||
                      name == "native_finish_reason";
    if (!ours) w->Key(View(name)).Raw(simdjson::minify(value));
  }
  w->Key("finish_reason").Null().Key("native_finish_reason").Null().EndObject();
  return true;
}

bool ToolCallHold::WriteRestOfDelta(int64_t choice, object delta, json::Writer* w) {
  bool content = false;
  bool role = false;
  w->BeginObject();
  for (const auto [name, value] : delta) {
    if (name == "tool_calls") {
      NoteCalls(choice, value);
      continue;
    }
    if (name == "role") {
      role = true;
    } else if (!value.is_null() && !IsEmptyText(value)) {
      content = true;
    }
    w->Key(View(name)).Raw(simdjson::minify(value));
  }
  w->EndObject();
  const bool opens = role && !opened_;
  if (role || content) opened_ = true;
  return content || opens;
}

void ToolCallHold::NoteCalls(int64_t choice, element calls) {
  array items;
  if (calls.get(items) != simdjson::SUCCESS) return;
  for (const element item : items) {
    object call;
    if (item.get(call) != simdjson::SUCCESS) continue;
    std::string extra;
    for (const auto [name, value] : call) {
      const bool ours = name == "index" || name == "id" || name == "type" || name == "function";
      if (ours || value.is_null()) continue;
      absl::StrAppend(&extra, ",", json::Quoted(View(name)), ":", simdjson::minify(value));
    }
    // The first fragment that has some speaks for the call: members may not occur twice.
    if (!extra.empty()) extras_.try_emplace({choice, IndexOf(item)}, std::move(extra));
  }
}

void ToolCallHold::WriteCall(const ToolCall& call, absl::string_view arguments, json::Writer* w) {
  json::Writer member(arguments.size() + 128);
  member.BeginObject().Key("index").Int(call.index).Key("id").String(call.id);
  member.Key("type").String("function").Key("function").BeginObject();
  member.Key("name").String(call.name).Key("arguments").String(arguments).EndObject().EndObject();
  std::string text = std::move(member).Take();
  const auto extra = extras_.find({call.choice, call.index});
  if (extra != extras_.end()) text.insert(text.size() - 1, extra->second);

  w->BeginArray().BeginObject().Key("index").Int(call.choice).Key("delta").BeginObject();
  if (!opened_ && !calls_only_) w->Key("role").String("assistant").Key("content").Null();
  opened_ = true;
  w->Key("tool_calls").BeginArray().Raw(text).EndArray().EndObject();
  w->Key("finish_reason").Null().Key("native_finish_reason").Null().EndObject().EndArray();
}

void ToolCallHold::AppendEvent(const json::Writer& choices, std::string* out) const {
  absl::StrAppend(out, kDataPrefix, "{", head_, "\"choices\":", choices.text(), "}", kEventEnd);
}

void ToolCallHold::Release(const AnswerFacts& facts, absl::Span<const std::string> arguments,
                           std::string* out) {
  for (size_t i = 0; i < facts.tool_calls.size(); ++i) {
    const ToolCall& call = facts.tool_calls[i];
    json::Writer w(call.arguments.size() + 256);
    WriteCall(call, arguments.empty() ? call.arguments : arguments[i], &w);
    AppendEvent(w, out);
  }
  for (const End& end : ends_) {
    json::Writer w(160);
    w.BeginArray()
        .BeginObject()
        .Key("index")
        .Int(end.choice)
        .Key("delta")
        .BeginObject()
        .EndObject();
    w.Key("finish_reason").Raw(end.reason).Key("native_finish_reason").Raw(end.native_reason);
    w.EndObject().EndArray();
    AppendEvent(w, out);
  }
}

}  // namespace signalbox::provider_adapter
