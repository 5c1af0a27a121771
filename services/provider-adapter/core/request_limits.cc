#include "services/provider-adapter/core/request_limits.h"

#include <algorithm>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "common/json/patch.h"

namespace signalbox::provider_adapter {
namespace {

constexpr int64_t kBytesPerToken = 16;  // four times the average
constexpr int64_t kSlackBytes = 32 * 1024;
constexpr int64_t kMaxTokens = int64_t{1} << 32;
constexpr int64_t kMaxChoices = 128;

constexpr int64_t kSlowestTokensPerSecond = 20;
constexpr int64_t kAssumedMaxTokens = 4'096;

struct Stated {
  int64_t max_tokens = 0;  // 0 = not stated
  int64_t choices = 1;
  bool whole_only = false;  // has a member whose streamed form loses something
};

Stated Read(absl::string_view body) {
  Stated stated;
  json::ForEachMember(body, [&](const json::Member& member) {
    if (member.name == "logprobs" || member.name == "modalities" || member.name == "audio") {
      stated.whole_only |= member.value != "null" && member.value != "false";
    }
    int64_t value;
    if (!absl::SimpleAtoi(member.value, &value) || value <= 0) return true;
    if (member.name == "max_tokens" || member.name == "max_completion_tokens") {
      stated.max_tokens = std::max(stated.max_tokens, value);
    } else if (member.name == "n") {
      stated.choices = std::min(value, kMaxChoices);
    }
    return true;
  });
  return stated;
}

}  // namespace

bool StreamsUpstream(const provider::v1::GenerateRequest& request,
                     const catalogue::Endpoint& endpoint) {
  if (request.stream()) return true;
  if (endpoint.provider->quirks().no_stream_options()) return false;
  const Stated stated = Read(request.body());
  if (stated.whole_only || stated.choices > 1) return false;
  return stated.max_tokens == 0 || stated.max_tokens > kShortAnswerTokens;
}

absl::Duration LongestGeneration(absl::string_view request_body) {
  const int64_t stated = Read(request_body).max_tokens;
  return absl::Seconds(stated > 0 ? std::min(stated, kMaxTokens) : kAssumedMaxTokens) /
         kSlowestTokensPerSecond;
}

int64_t RunawayBytes(absl::string_view request_body, int64_t endpoint_max_tokens) {
  Stated stated;
  // Most bodies hold one of the names; the search spares the walk for those that do not.
  if (absl::StrContains(request_body, "\"max_") || endpoint_max_tokens > 0)
    stated = Read(request_body);
  const int64_t tokens = stated.max_tokens > 0 ? stated.max_tokens : endpoint_max_tokens;
  if (tokens <= 0) return std::numeric_limits<int64_t>::max();
  return std::min(tokens, kMaxTokens) * kBytesPerToken * stated.choices + kSlackBytes;
}

}  // namespace signalbox::provider_adapter
