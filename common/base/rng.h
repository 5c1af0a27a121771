// Random numbers as a value that is handed in: fast, not cryptographic (ids and keys use
// common/base/ids.h).
//
// Thread-compatible: one Rng per thread.
#ifndef SIGNALBOX_COMMON_BASE_RNG_H_
#define SIGNALBOX_COMMON_BASE_RNG_H_

#include <cstdint>

namespace signalbox {

// xoshiro256** seeded by splitmix64. Satisfies std::uniform_random_bit_generator.
class Rng {
 public:
  using result_type = uint64_t;
  explicit Rng(uint64_t seed);
  // Seeded from the operating system.
  static Rng FromEntropy();

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()();

  // Uniform in [0, 1).
  double Uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }
  // Uniform in [0, bound). REQUIRES: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>((*this)()) * bound) >> 64);
  }

 private:
  uint64_t state_[4];
};

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_RNG_H_
