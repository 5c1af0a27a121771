// Identifiers: generation ids, client keys and their hashes.
//
// Thread-safe.
#ifndef SIGNALBOX_COMMON_BASE_IDS_H_
#define SIGNALBOX_COMMON_BASE_IDS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace signalbox {

// "gen-<unix seconds>-<20 base62 characters>": sortable by time, unguessable, the shape
// OpenRouter's clients know.
std::string NewGenerationId(absl::Time now);

// "sk-sb-v1-<64 hex characters>": 256 bits from the operating system.
std::string NewClientKey();

// Lower-case hex SHA-256. Client keys are stored and looked up by this hash only.
std::string Sha256Hex(absl::string_view text);

// 16 random bytes as 32 hex characters (lease owners, reporter ids).
std::string NewRandomHex128();

}  // namespace signalbox

#endif  // SIGNALBOX_COMMON_BASE_IDS_H_
