#include "common/base/money.h"

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace signalbox {
namespace {

constexpr int64_t kPicoPerUsd = 1'000'000'000'000;
constexpr int64_t kMaxUsd = 9'000'000;  // pico-USD of this still fits 63 bits

std::string FixedPoint(int64_t value, int decimals) {
  const bool negative = value < 0;
  uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  std::string fraction(decimals, '0');
  for (int i = decimals - 1; i >= 0; --i) {
    fraction[i] = static_cast<char>('0' + magnitude % 10);
    magnitude /= 10;
  }
  while (!fraction.empty() && fraction.back() == '0') fraction.pop_back();
  return absl::StrCat(negative ? "-" : "", magnitude, fraction.empty() ? "" : ".", fraction);
}

}  // namespace

void CostSum::MarkUp(int32_t basis_points) {
  if (basis_points == 0) return;
  pico_ *= 10'000 + basis_points;
  divisor_ *= 10'000;
}

NanoUsd CostSum::Rounded() const {
  const __int128 unit = static_cast<__int128>(1'000) * divisor_;
  const __int128 nano = (pico_ + unit / 2) / unit;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return NanoUsd{nano > kMax ? kMax : static_cast<int64_t>(nano)};
}

absl::StatusOr<int64_t> ParseUsdToPico(absl::string_view decimal) {
  const auto error = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("price \"", decimal, "\": ", why));
  };
  size_t position = 0;
  int64_t whole = 0;
  for (; position < decimal.size() && absl::ascii_isdigit(decimal[position]); ++position) {
    whole = whole * 10 + (decimal[position] - '0');
    if (whole > kMaxUsd) return error("above 9000000 USD");
  }
  if (position == 0) return error("expected a decimal such as 0.0000008");
  int64_t fraction = 0;
  int64_t scale = kPicoPerUsd;
  if (position < decimal.size() && decimal[position] == '.') {
    const size_t first = ++position;
    for (; position < decimal.size() && absl::ascii_isdigit(decimal[position]); ++position) {
      const int digit = decimal[position] - '0';
      if (scale > 1) {
        scale /= 10;
        fraction += digit * scale;
      } else if (digit != 0) {
        return error("finer than 1e-12 USD");
      }
    }
    if (position == first) return error("digits expected after the point");
  }
  if (position != decimal.size()) return error("expected a decimal such as 0.0000008");
  return whole * kPicoPerUsd + fraction;
}

std::string PicoToDecimal(int64_t pico) { return FixedPoint(pico, 12); }
std::string NanoToDecimal(NanoUsd amount) { return FixedPoint(amount.value, 9); }

}  // namespace signalbox
