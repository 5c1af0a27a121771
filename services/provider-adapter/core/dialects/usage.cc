#include "services/provider-adapter/core/dialects/usage.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "common/json/parse.h"

namespace signalbox::provider_adapter {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr double kLargest = 1e15;  // beyond any count; keeps sums inside int64

absl::optional<int64_t> CountOf(element value) {
  double number = 0;
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    if (!absl::SimpleAtod(json::View(text), &number) || !std::isfinite(number))
      return absl::nullopt;
  } else if (value.get(number) != simdjson::SUCCESS) {
    return absl::nullopt;
  }
  return static_cast<int64_t>(std::clamp(number, 0.0, kLargest));
}

int64_t CountIn(object usage, std::string_view group, absl::string_view name) {
  object details;
  if (usage[group].get(details) != simdjson::SUCCESS) return 0;
  return CountAt(details, name).value_or(0);
}

// Every name of the number of input tokens read from the provider's cache.
int64_t CachedTokens(object usage) {
  return std::max({CountIn(usage, "prompt_tokens_details", "cached_tokens"),
                   CountAt(usage, "prompt_cache_hit_tokens").value_or(0),  // DeepSeek
                   CountAt(usage, "num_cached_tokens").value_or(0),        // Mistral
                   CountAt(usage, "cached_tokens").value_or(0)});          // Moonshot
}

}  // namespace

absl::optional<int64_t> CountAt(object members, absl::string_view name) {
  element value;
  if (members[std::string_view(name.data(), name.size())].get(value) != simdjson::SUCCESS)
    return absl::nullopt;
  return CountOf(value);
}

void ReadOpenAiUsage(element value, common::v1::Usage* usage) {
  object members;
  if (value.get(members) != simdjson::SUCCESS) return;
  const absl::optional<int64_t> prompt = CountAt(members, "prompt_tokens");
  const absl::optional<int64_t> completion = CountAt(members, "completion_tokens");
  if (!prompt.has_value() && !completion.has_value()) return;
  usage->Clear();
  usage->set_source(common::v1::Usage::SOURCE_REPORTED);
  usage->set_prompt_tokens(prompt.value_or(0));
  usage->set_completion_tokens(completion.value_or(0));
  const int64_t reasoning =
      std::max(CountIn(members, "completion_tokens_details", "reasoning_tokens"),
               CountAt(members, "reasoning_tokens").value_or(0));
  // xAI leaves reasoning out of completion_tokens; only the total tells.
  const int64_t total = CountAt(members, "total_tokens").value_or(0);
  if (reasoning > 0 && total == usage->prompt_tokens() + usage->completion_tokens() + reasoning) {
    usage->set_completion_tokens(usage->completion_tokens() + reasoning);
  }
  usage->set_reasoning_tokens(std::min(reasoning, usage->completion_tokens()));
  usage->set_cached_tokens(std::min(CachedTokens(members), usage->prompt_tokens()));
  const int64_t written = CountIn(members, "prompt_tokens_details", "cache_write_tokens");
  usage->set_cache_write_tokens(std::min(written, usage->prompt_tokens() - usage->cached_tokens()));
  usage->set_audio_prompt_tokens(
      std::min(CountIn(members, "prompt_tokens_details", "audio_tokens"), usage->prompt_tokens()));
  usage->set_audio_completion_tokens(std::min(
      CountIn(members, "completion_tokens_details", "audio_tokens"), usage->completion_tokens()));
}

}  // namespace signalbox::provider_adapter
