// A weighted choice that every process makes alike, without talking: of the members on offer each
// session takes the one with the smallest key, and it takes each with probability proportional to
// its weight. A member that goes moves only the sessions it had; one that comes takes its part from
// all others evenly (weighted rendezvous hashing).
//
// Sorting by the keys is the order of a weighted draw without replacement, so a session's second
// choice is as fair as its first. The router and the ingress both place conversations with it.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_BASE_RENDEZVOUS_H_
#define SIGNALBOX_COMMON_BASE_RENDEZVOUS_H_

#include <cmath>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/base/stable_hash.h"

namespace signalbox {

class Rendezvous {
 public:
  explicit Rendezvous(absl::string_view session) : seed_(StableHash(session)) {}

  // Uniform in (0, 1) over sessions and members.
  double Uniform(absl::string_view member) const {
    return (static_cast<double>(StableHash(member, seed_) >> 11) + 0.5) * 0x1.0p-53;
  }
  // Smallest first. REQUIRES: weight > 0.
  double Key(absl::string_view member, double weight) const {
    return -std::log(Uniform(member)) / weight;
  }

 private:
  const uint64_t seed_;
};

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_RENDEZVOUS_H_
