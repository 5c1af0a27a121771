#include "tests/provider-fleet/behaviour.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

namespace signalbox::fleet {
namespace {

constexpr absl::string_view kFaultNames[] = {"refuse",      "reset_before", "reset_after",
                                             "stall",       "stall_after",  "slow_drip",
                                             "status",      "error_200",    "error_first_event",
                                             "error_event", "html_200",     "wrong_content_type",
                                             "broken_sse",  "cut_stream",   "empty",
                                             "huge_event",  "usage_missing"};
static_assert(std::size(kFaultNames) == kFaultKinds);

constexpr absl::string_view kToolErrorNames[] = {"none", "invalid_json", "unknown_tool",
                                                 "schema_mismatch", "leaked_markup"};
static_assert(std::size(kToolErrorNames) == kToolErrorKinds);

// The 99th percentile of the standard normal.
constexpr double kZ99 = 2.3263478740408408;

double StandardNormal(Rng& rng) {
  const double u = 1.0 - rng.Uniform();  // (0, 1]: the logarithm needs it
  const double v = rng.Uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * M_PI * v);
}

}  // namespace

double Distribution::Sample(Rng& rng) const {
  if (constant()) return p50;
  const double sigma = std::log(p99 / p50) / kZ99;
  return p50 * std::exp(sigma * StandardNormal(rng));
}

absl::string_view FaultName(FaultKind kind) { return kFaultNames[static_cast<int>(kind)]; }

std::optional<FaultKind> FaultFromName(absl::string_view name) {
  for (int i = 0; i < kFaultKinds; ++i) {
    if (kFaultNames[i] == name) return static_cast<FaultKind>(i);
  }
  return std::nullopt;
}

absl::string_view ToolErrorName(ToolErrorKind kind) {
  return kToolErrorNames[static_cast<int>(kind)];
}

bool Fault::Active(double now) const {
  if (now < from || now >= until) return false;
  return every <= 0 || std::fmod(now - from, every) < lasts;
}

ToolErrorKind ToolErrorSplit::Draw(Rng& rng) const {
  double x = rng.Uniform() * (invalid_json + unknown_tool + schema_mismatch + leaked_markup);
  if ((x -= invalid_json) < 0) return ToolErrorKind::kInvalidJson;
  if ((x -= unknown_tool) < 0) return ToolErrorKind::kUnknownTool;
  if ((x -= schema_mismatch) < 0) return ToolErrorKind::kSchemaMismatch;
  return ToolErrorKind::kLeakedMarkup;
}

const Fault* Behaviour::DrawFault(double now, Rng& rng) const {
  const Fault* drawn = nullptr;
  for (const Fault& fault : faults) {
    const bool hit = rng.Uniform() < fault.probability;
    if (!drawn && hit && fault.kind != FaultKind::kRefuse && fault.Active(now)) drawn = &fault;
  }
  return drawn;
}

bool Behaviour::Refuses(double now) const {
  if (refuse) return true;
  return std::any_of(faults.begin(), faults.end(), [now](const Fault& fault) {
    return fault.kind == FaultKind::kRefuse && fault.Active(now);
  });
}

bool Behaviour::MayRefuse() const {
  return refuse || std::any_of(faults.begin(), faults.end(),
                               [](const Fault& fault) { return fault.kind == FaultKind::kRefuse; });
}

uint64_t MixSeed(uint64_t a, uint64_t b) {
  uint64_t x = a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2));
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t StableHash(absl::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325u ^ bytes.size();
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    hash = (hash ^ word) * 0x9fb21c651e98df25u;
    hash ^= hash >> 32;
  }
  for (; i < bytes.size(); ++i)
    hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3u;
  return MixSeed(hash, bytes.size());
}

}  // namespace signalbox::fleet
