// How one simulated endpoint behaves: speed, length of answers, tool-call quality, faults. Plain
// values; an endpoint holds an immutable Behaviour that is replaced as a whole when a schedule or
// the admin API changes it.
//
// Thread-compatible. Every draw takes its Rng, so the same seed gives the same behaviour.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_BEHAVIOUR_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_BEHAVIOUR_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/rng.h"

namespace signalbox::fleet {

enum class Dialect : uint8_t { kOpenAi, kAnthropic };

// A constant (p99 unset) or a log-normal given by its median and 99th percentile.
struct Distribution {
  double p50 = 0;
  double p99 = 0;

  bool constant() const { return p99 <= p50; }
  double Sample(Rng& rng) const;
};

enum class FaultKind : uint8_t {
  kRefuse,            // the provider's own port is closed
  kResetBefore,       // RST before any byte
  kResetAfter,        // RST after N content events or N bytes
  kStall,             // accepts the request and never answers
  kStallAfter,        // stops after N content events
  kSlowDrip,          // one byte at a time
  kStatus,            // an HTTP error with a provider-shaped body
  kError200,          // HTTP 200 whose JSON body is an error
  kErrorFirstEvent,   // SSE whose first event is an error
  kErrorEvent,        // SSE with an error after N events
  kHtml200,           // HTTP 200 with an HTML page
  kWrongContentType,  // SSE labelled JSON and the reverse
  kBrokenSse,         // an event with invalid JSON or without its blank line
  kCutStream,         // ends without finish and without [DONE]
  kEmpty,             // no tokens, finish reason null
  kHugeEvent,         // one event of `bytes` bytes
  kUsageMissing,      // no usage anywhere
};
inline constexpr int kFaultKinds = static_cast<int>(FaultKind::kUsageMissing) + 1;

absl::string_view FaultName(FaultKind kind);
std::optional<FaultKind> FaultFromName(absl::string_view name);

struct Fault {
  FaultKind kind = FaultKind::kStatus;
  double probability = 1;
  // Active while from <= t < until, in seconds of fleet time; with `every` only in the first
  // `lasts` seconds of each period.
  double from = 0;
  double until = std::numeric_limits<double>::infinity();
  double every = 0;
  double lasts = 0;

  // Events with content (text, reasoning, tool call) that go out untouched: reset_after,
  // stall_after, cut_stream, error_event, broken_sse, huge_event, slow_drip (there 0 unless set:
  // drips from the first byte).
  int after_events = 1;
  int64_t after_bytes = -1;  // reset_after: counts response bytes instead of events when >= 0
  int status = 500;
  std::string retry_after;  // status: seconds, "http-date", "garbage" or any text; empty: no header
  std::string message;      // replaces the default error message
  double delay_ms = 0;  // before the fault's first byte (status, error_200, html_200, reset_before)
  double interval_ms = 20;  // slow_drip: between two bytes
  double stall_ms = 0;      // stall, stall_after: goes on after this time; 0 = never
  int64_t bytes = 1 << 20;  // huge_event
  bool clean = true;  // cut_stream: proper end of the HTTP body; false: connection just closes
  // broken_sse: invalid_json | missing_blank_line; wrong_content_type: mislabelled | other_body;
  // empty: drawn.
  std::string variant;

  bool Active(double now) const;
};

enum class ToolErrorKind : uint8_t {
  kNone,
  kInvalidJson,
  kUnknownTool,
  kSchemaMismatch,
  kLeakedMarkup
};
inline constexpr int kToolErrorKinds = static_cast<int>(ToolErrorKind::kLeakedMarkup) + 1;
absl::string_view ToolErrorName(ToolErrorKind kind);

// Relative weights of the ways a tool call goes wrong.
struct ToolErrorSplit {
  double invalid_json = 0.35;
  double unknown_tool = 0.10;
  double schema_mismatch = 0.45;
  double leaked_markup = 0.10;

  ToolErrorKind Draw(Rng& rng) const;
};

struct Behaviour {
  Dialect dialect = Dialect::kOpenAi;
  std::string require_key;  // empty: any key or none
  bool refuse = false;      // the provider's own port is closed while any of its endpoints says so

  Distribution ttft_ms;            // request received to first token
  Distribution tokens_per_second;  // 0: everything after the first token in one burst
  Distribution tokens{40, 0};      // length of a text answer
  Distribution reasoning_tokens;
  std::string reply;        // answers this text instead of generated words
  bool early_head = false;  // status line and opening event at once instead of with the first token
  int chunk_events = 1;     // events per HTTP chunk and write
  int comments = 0;         // SSE comments spread over the time to the first token
  bool keep_alive = true;   // false: closes after each answer without having said so
  int split_bytes = 0;      // > 0: HTTP chunks of this size, whatever the event edges

  double tool_call_rate = 1;  // probability of a call when the choice is the model's
  double parallel_call_rate = 0.15;
  double preamble_rate = 0;  // text before a tool call
  double tool_error_rate = 0;
  ToolErrorSplit tool_errors;
  double cached_token_share = 0;

  std::vector<Fault> faults;

  // First fault that is active now and drawn; every fault of the list consumes one draw, so that
  // switching one on does not shift the others. Null: none.
  const Fault* DrawFault(double now, Rng& rng) const;
  // The provider's own port must be closed: by `refuse` or by an active fault of that kind.
  bool Refuses(double now) const;
  // Whether it may ever refuse: then the provider needs a port of its own.
  bool MayRefuse() const;
};

// Spreads the bits of a sequence of numbers over one seed.
uint64_t MixSeed(uint64_t a, uint64_t b);
// Stable between runs and machines, unlike absl::Hash.
uint64_t StableHash(absl::string_view bytes);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_BEHAVIOUR_H_
