#include "services/provider-adapter/core/tool_leak.h"

#include "absl/strings/match.h"

namespace signalbox::provider_adapter {
namespace {

// Every marker begins with '<' or '[', which is what the scan looks for.
constexpr absl::string_view kMarkers[] = {
    "<tool_call>",  // Qwen, Hermes, GLM
    "</tool_call>",
    "<tool_calls>",
    "<|tool_calls_section_begin|>",  // Kimi K2
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call|>",  // Phi, Granite
    "<|tool_call>",   // Gemma
    "<|channel|>",    // gpt-oss harmony
    "<|call|>",
    "<|python_tag|>",    // Llama 3
    "<function=",        // Llama 3, Qwen coder
    "<function_calls>",  // Anthropic's older form
    "<function_call>",
    "<invoke name=",
    "<tool_use>",
    "<minimax:tool_call>",
    "<\xEF\xBD\x9Ctool\xE2\x96\x81"
    "calls\xE2\x96\x81"
    "begin\xEF\xBD\x9C>",  // DeepSeek, full-width bars
    "<\xEF\xBD\x9Ctool\xE2\x96\x81"
    "call\xE2\x96\x81"
    "begin\xEF\xBD\x9C>",
    "<\xEF\xBD\x9C"
    "DSML\xEF\xBD\x9C",
    "[TOOL_CALLS]",  // Mistral
    "[TOOL_REQUEST]",
};

absl::string_view MarkerAt(absl::string_view text) {
  for (absl::string_view marker : kMarkers) {
    if (absl::StartsWith(text, marker)) return marker;
  }
  return {};
}

absl::string_view FindInLine(absl::string_view line) {
  bool in_code = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '`') {
      // A lone backtick opens nothing.
      if (in_code || line.find('`', i + 1) != absl::string_view::npos) in_code = !in_code;
    } else if (!in_code && (line[i] == '<' || line[i] == '[')) {
      const absl::string_view marker = MarkerAt(line.substr(i));
      if (!marker.empty()) return marker;
    }
  }
  return {};
}

bool IsFence(absl::string_view line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  return absl::StartsWith(line, "```") || absl::StartsWith(line, "~~~");
}

}  // namespace

absl::string_view FindToolMarkup(absl::string_view text) {
  bool fenced = false;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const absl::string_view line = text.substr(0, end);
    if (IsFence(line)) {
      fenced = !fenced;
    } else if (!fenced) {
      const absl::string_view marker = FindInLine(line);
      if (!marker.empty()) return marker;
    }
    if (end == absl::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return {};
}

bool HoldsControlToken(absl::string_view name) {
  return absl::StrContains(name, "<|") || absl::StrContains(name, "|>") ||
         absl::StrContains(name, "<\xEF\xBD\x9C") || absl::StrContains(name, "</") ||
         absl::StrContains(name, "[TOOL_CALLS]");
}

}  // namespace signalbox::provider_adapter
