#include "common/base/stable_hash.h"

#include <cstddef>

namespace signalbox {
namespace {

// Odd constants without structure (fractions of the square roots of 2, 3 and 5).
constexpr uint64_t kFirst = 0x6a09e667f3bcc909;
constexpr uint64_t kSecond = 0xbb67ae8584caa73b;
constexpr uint64_t kThird = 0x3c6ef372fe94f82b;

// Both halves of the 128-bit product: every bit of the operands reaches every bit of the result.
uint64_t Fold(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Little-endian whatever the machine: compilers make one load of it.
uint64_t Word(const char* bytes, size_t count) {
  uint64_t word = 0;
  for (size_t i = 0; i < count; ++i)
    word |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return word;
}

}  // namespace

uint64_t StableHash(absl::string_view text, uint64_t seed) {
  uint64_t state = seed ^ kFirst;
  const char* next = text.data();
  size_t left = text.size();
  for (; left >= 8; next += 8, left -= 8) state = Fold(state ^ Word(next, 8), kSecond) ^ kThird;
  if (left > 0) state = Fold(state ^ Word(next, left), kSecond) ^ kThird;
  // The length last: texts that differ in trailing zero bytes only differ here.
  state = Fold(state ^ text.size(), kThird);
  return Fold(state ^ kFirst, kSecond);
}

}  // namespace signalbox
