#include "services/signalbox/benchmark/prompt.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/rng.h"
#include "common/base/stable_hash.h"
#include "common/json/writer.h"

namespace signalbox::benchmark {
namespace {

using config::v1::BenchmarkCase;
using config::v1::BenchmarkMessage;
using config::v1::BenchmarkSuite;

constexpr absl::string_view kSubjects[] = {
    "The team",         "Our supplier",      "The committee",     "A visitor",
    "The archive",      "The night shift",   "The quiet corner",  "An old colleague",
    "The front office", "The spring review", "The back entrance", "A patient reader"};
constexpr absl::string_view kVerbs[] = {"discussed",  "described", "postponed", "welcomed",
                                        "reviewed",   "mentioned", "preferred", "remembered",
                                        "questioned", "summarised"};
constexpr absl::string_view kObjects[] = {
    "the layout of the hallway",       "a plan for the garden",
    "the colour of the folders",       "the order of the shelves",
    "an earlier version of the text",  "the view from the window",
    "the habits of the neighbourhood", "a list of open questions",
    "the smell of fresh paint",        "the tone of the last letter"};
constexpr absl::string_view kEndings[] = {
    " without reaching a conclusion.", " before the break.", " in great detail.",
    " and left it at that.",           " once more.",        " with some hesitation."};

constexpr uint64_t kSeedsPerMessage = 1'000;

template <size_t N>
absl::string_view Pick(const absl::string_view (&list)[N], Rng* rng) {
  return list[rng->Below(N)];
}

void WriteMessage(const BenchmarkMessage& message, uint64_t seed, json::Writer* w) {
  w->BeginObject().Key("role").String(message.role());
  w->Key("content").String(WithFiller(message.content(), seed));
  if (!message.tool_call_id().empty()) w->Key("tool_call_id").String(message.tool_call_id());
  if (!message.tool_calls().empty()) {
    w->Key("tool_calls").BeginArray();
    for (const auto& call : message.tool_calls()) {
      w->BeginObject().Key("id").String(call.id()).Key("type").String("function");
      w->Key("function").BeginObject().Key("name").String(call.name());
      w->Key("arguments").String(call.arguments()).EndObject().EndObject();
    }
    w->EndArray();
  }
  w->EndObject();
}

void WriteTool(const config::v1::BenchmarkTool& tool, json::Writer* w) {
  w->BeginObject().Key("type").String("function").Key("function").BeginObject();
  w->Key("name").String(tool.name()).Key("description").String(tool.description());
  w->Key("parameters").Raw(tool.parameters()).EndObject().EndObject();
}

void WriteTools(const BenchmarkSuite& suite, const BenchmarkCase& item, json::Writer* w) {
  w->Key("tools").BeginArray();
  for (const std::string& name : item.tools()) {
    for (const auto& tool : suite.tools()) {
      if (tool.name() == name) WriteTool(tool, w);
    }
  }
  w->EndArray();
  if (!item.tool_choice().empty()) w->Key("tool_choice").String(item.tool_choice());
}

}  // namespace

std::string Filler(size_t characters, uint64_t seed) {
  Rng rng(seed);
  std::string text;
  while (text.size() < characters) {
    absl::StrAppend(&text, text.empty() ? "" : " ", Pick(kSubjects, &rng), " ", Pick(kVerbs, &rng),
                    " ", Pick(kObjects, &rng), Pick(kEndings, &rng));
  }
  text.resize(characters);
  return text;
}

std::string WithFiller(absl::string_view text, uint64_t seed) {
  constexpr absl::string_view kOpen = "{{filler ";
  std::string out;
  for (uint64_t n = 0;; ++n) {
    const size_t at = text.find(kOpen);
    const size_t end = at == absl::string_view::npos ? at : text.find("}}", at);
    if (end == absl::string_view::npos) break;
    size_t characters = 0;
    absl::string_view count = text.substr(at + kOpen.size(), end - at - kOpen.size());
    if (!absl::SimpleAtoi(count, &characters)) break;
    absl::StrAppend(&out, text.substr(0, at), Filler(characters, seed + n));
    text.remove_prefix(end + 2);
  }
  absl::StrAppend(&out, text);
  return out;
}

std::string RequestBody(const BenchmarkSuite& suite, const BenchmarkCase& item,
                        const PromptOptions& options) {
  json::Writer w(4'096);
  w.BeginObject().Key("model").String(options.model);
  w.Key("provider").BeginObject().Key("order").BeginArray().String(options.tag).EndArray();
  w.Key("allow_fallbacks").Bool(false).EndObject();
  w.Key("messages").BeginArray();
  uint64_t seed = StableHash(item.id(), options.seed);
  for (const BenchmarkMessage& message : item.messages()) {
    WriteMessage(message, seed, &w);
    seed += kSeedsPerMessage;
  }
  w.EndArray();
  WriteTools(suite, item, &w);
  w.Key("temperature").Int(0).Key("max_tokens").Int(options.max_tokens);
  w.Key("stream").Bool(false).EndObject();
  return std::move(w).Take();
}

}  // namespace signalbox::benchmark
