// A client key's record as the fields of a Redis hash.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_STORE_KEY_RECORD_H_
#define SIGNALBOX_COMMON_STORE_KEY_RECORD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/redis/reply.h"
#include "common/store/stores.h"

namespace signalbox::store {

// field, value, field, value, …
std::vector<std::string> EncodeKeyRecord(const KeyRecord& record);

// A setting of KeyRecord::tool_call_guard.
bool IsToolCallGuard(absl::string_view word);

// From the answer of HGETALL, which must not be empty. Unknown fields are ignored (a newer version
// may have written them). Error: DataLoss naming the field that cannot be read: never a record that
// permits more than was stored.
absl::StatusOr<KeyRecord> DecodeKeyRecord(absl::string_view hash, const redis::Reply& fields);

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_KEY_RECORD_H_
