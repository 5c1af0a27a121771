// W3C Trace Context: the `traceparent` header, which joins the log lines and spans of one request
// over all hops.
//
//   const auto incoming = TraceContext::FromHeader(request.headers.Get("traceparent"));
//   const TraceContext mine = incoming ? incoming->Child(rng) : TraceContext::NewRoot(rng);
//   upstream_headers.Add("traceparent", mine.ToHeader());
//
// A value type. Pure; thread-compatible.
#ifndef SIGNALBOX_COMMON_OBS_TRACE_CONTEXT_H_
#define SIGNALBOX_COMMON_OBS_TRACE_CONTEXT_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/base/rng.h"

namespace signalbox::obs {

class TraceContext {
 public:
  // Accepts version 00 and, as the specification asks, the known part of later versions. nullopt:
  // the header is malformed (also upper-case hex or an id of zeros) and a new trace is to be
  // started.
  static absl::optional<TraceContext> FromHeader(absl::string_view traceparent);
  // A new trace, marked as sampled.
  static TraceContext NewRoot(Rng& rng);

  // The same trace and flags under a new span id.
  TraceContext Child(Rng& rng) const;
  // "00-<32 hex>-<16 hex>-<2 hex>".
  std::string ToHeader() const;

  std::string TraceIdHex() const;
  std::string SpanIdHex() const;
  bool sampled() const { return (flags_ & 1) != 0; }

  friend bool operator==(const TraceContext& a, const TraceContext& b) {
    return a.trace_id_ == b.trace_id_ && a.span_id_ == b.span_id_ && a.flags_ == b.flags_;
  }

 private:
  TraceContext() = default;

  std::array<uint8_t, 16> trace_id_{};
  std::array<uint8_t, 8> span_id_{};
  uint8_t flags_ = 0;
};

}  // namespace signalbox::obs

#endif  // SIGNALBOX_COMMON_OBS_TRACE_CONTEXT_H_
