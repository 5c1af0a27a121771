#include "common/obs/trace_context.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace signalbox::obs {
namespace {

constexpr size_t kHeaderBytes = 55;  // 2 + 1 + 32 + 1 + 16 + 1 + 2
constexpr uint8_t kSampled = 1;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool ParseHex(absl::string_view hex, absl::Span<uint8_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = HexDigit(hex[2 * i]);
    const int low = HexDigit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return true;
}

std::string ToHex(absl::Span<const uint8_t> bytes) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

bool AllZero(absl::Span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

void FillNonZero(absl::Span<uint8_t> out, Rng& rng) {
  do {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(rng() >> 56);
  } while (AllZero(out));
}

}  // namespace

absl::optional<TraceContext> TraceContext::FromHeader(absl::string_view traceparent) {
  if (traceparent.size() < kHeaderBytes) return absl::nullopt;
  if (traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-')
    return absl::nullopt;
  TraceContext context;
  uint8_t version = 0;
  if (!ParseHex(traceparent.substr(0, 2), absl::MakeSpan(&version, 1)) ||
      !ParseHex(traceparent.substr(3, 32), absl::MakeSpan(context.trace_id_)) ||
      !ParseHex(traceparent.substr(36, 16), absl::MakeSpan(context.span_id_)) ||
      !ParseHex(traceparent.substr(53, 2), absl::MakeSpan(&context.flags_, 1))) {
    return absl::nullopt;
  }
  if (version == 0xff || AllZero(context.trace_id_) || AllZero(context.span_id_))
    return absl::nullopt;
  const bool longer = traceparent.size() > kHeaderBytes;
  if (longer && (version == 0 || traceparent[kHeaderBytes] != '-')) return absl::nullopt;
  return context;
}

TraceContext TraceContext::NewRoot(Rng& rng) {
  TraceContext context;
  FillNonZero(absl::MakeSpan(context.trace_id_), rng);
  FillNonZero(absl::MakeSpan(context.span_id_), rng);
  context.flags_ = kSampled;
  return context;
}

TraceContext TraceContext::Child(Rng& rng) const {
  TraceContext child = *this;
  FillNonZero(absl::MakeSpan(child.span_id_), rng);
  return child;
}

std::string TraceContext::ToHeader() const {
  return absl::StrCat("00-", TraceIdHex(), "-", SpanIdHex(), "-",
                      ToHex(absl::MakeSpan(&flags_, 1)));
}

std::string TraceContext::TraceIdHex() const { return ToHex(trace_id_); }
std::string TraceContext::SpanIdHex() const { return ToHex(span_id_); }

}  // namespace signalbox::obs
