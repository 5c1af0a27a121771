#include "common/http/address_policy.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace signalbox::http {
namespace {

struct Range4 {
  uint32_t network;
  int bits;
};

// IANA special-purpose registry for IPv4, plus multicast and the former class E.
constexpr Range4 kNotPublic4[] = {
    {0x00000000, 8},  {0x0A000000, 8},  {0x64400000, 10}, {0x7F000000, 8},  {0xA9FE0000, 16},
    {0xAC100000, 12}, {0xC0000000, 24}, {0xC0000200, 24}, {0xC0586300, 24}, {0xC0A80000, 16},
    {0xC6120000, 15}, {0xC6336400, 24}, {0xCB007100, 24}, {0xE0000000, 4},  {0xF0000000, 4},
};

bool IsPublic4(uint32_t address) {
  return std::none_of(
      std::begin(kNotPublic4), std::end(kNotPublic4), [address](const Range4& range) {
        return (address >> (32 - range.bits)) == (range.network >> (32 - range.bits));
      });
}

uint32_t Word(const std::array<unsigned char, 16>& bytes, size_t at) {
  return static_cast<uint32_t>(bytes[at]) << 24 | static_cast<uint32_t>(bytes[at + 1]) << 16 |
         static_cast<uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}

bool IsPublic6(const std::array<unsigned char, 16>& bytes) {
  constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr unsigned char kNat64[12] = {0, 0x64, 0xff, 0x9b};
  if (std::memcmp(bytes.data(), kMapped, 12) == 0 || std::memcmp(bytes.data(), kNat64, 12) == 0) {
    return IsPublic4(Word(bytes, 12));
  }
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return IsPublic4(Word(bytes, 2));  // 6to4
  if (Word(bytes, 0) == 0x20010DB8) return false;                              // documentation
  if (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 2)
    return false;                    // Teredo, ORCHID, benchmarking
  return (bytes[0] & 0xE0) == 0x20;  // 2000::/3 is all the global unicast space there is
}

}  // namespace

bool IsPublicAddress(const boost::asio::ip::address& address) {
  return address.is_v4() ? IsPublic4(address.to_v4().to_uint())
                         : IsPublic6(address.to_v6().to_bytes());
}

}  // namespace signalbox::http
