// Exact money. Prices are pico-USD per unit (1e-12 USD), amounts are nano-USD (1e-9 USD); products
// run in 128 bits and are rounded once, half up, when a generation is settled. No double takes part
// (design decision D10).
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_BASE_MONEY_H_
#define SIGNALBOX_COMMON_BASE_MONEY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox {

struct NanoUsd {
  int64_t value = 0;
  friend bool operator==(NanoUsd a, NanoUsd b) { return a.value == b.value; }
  friend bool operator<(NanoUsd a, NanoUsd b) { return a.value < b.value; }
  NanoUsd& operator+=(NanoUsd other) {
    value += other.value;
    return *this;
  }
};

// A sum of price × quantity, kept unrounded.
class CostSum {
 public:
  // price_pico: pico-USD per unit, >= 0. quantity >= 0.
  void Add(int64_t price_pico, int64_t quantity) {
    pico_ += static_cast<__int128>(price_pico) * quantity;
  }
  // Multiplies the sum by (1 + basis_points / 10,000): the operator's mark-up.
  void MarkUp(int32_t basis_points);
  // Rounded half up to nano-USD; saturates at the largest representable amount.
  NanoUsd Rounded() const;

 private:
  __int128 pico_ = 0;
  int64_t divisor_ = 1;
};

// "0.0000008" USD per unit -> 800000 pico-USD. Error: not a plain non-negative decimal, more than
// 12 decimals with a non-zero digit beyond the twelfth, or above 9,000,000 USD.
absl::StatusOr<int64_t> ParseUsdToPico(absl::string_view decimal);

// 800000 pico-USD -> "0.0000008": shortest exact decimal.
std::string PicoToDecimal(int64_t pico);

// 1500 nano-USD -> "0.0000015": shortest exact decimal, valid as a JSON number.
std::string NanoToDecimal(NanoUsd amount);

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_MONEY_H_
