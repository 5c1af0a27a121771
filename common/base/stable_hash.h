// A 64-bit hash with the same value in every process, build and release, for placing and naming
// things. Not cryptographic: whoever chooses the text can make two texts collide.
//
// Pure; thread-safe. About 0.5 ns per byte of short texts, less of long ones.
#ifndef SIGNALBOX_COMMON_BASE_STABLE_HASH_H_
#define SIGNALBOX_COMMON_BASE_STABLE_HASH_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace signalbox {

// Hashes chain: StableHash(b, StableHash(a)) tells ("ab", "c") from ("a", "bc").
uint64_t StableHash(absl::string_view text, uint64_t seed = 0);

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_STABLE_HASH_H_
