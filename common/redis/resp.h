// The wire: commands as RESP2 bytes, bytes as replies. Reading is hiredis' parser under bounds of
// our own, because its buffer and its arrays have none and it does not check what follows a bulk
// string.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_COMMON_REDIS_RESP_H_
#define SIGNALBOX_COMMON_REDIS_RESP_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "common/redis/reply.h"

namespace signalbox::redis {

// Appends "*<n>\r\n". The caller appends exactly n bulk strings.
void AppendArrayHeader(size_t n, std::string* out);
// Appends one argument, length first: its bytes are never interpreted.
void AppendBulk(absl::string_view argument, std::string* out);
// Appends a whole command.
void AppendCommand(absl::Span<const absl::string_view> arguments, std::string* out);

// Turns the bytes of one connection into replies. After an error the reader is spent.
class ReplyReader {
 public:
  struct Limits {
    size_t max_buffered_bytes = 64 << 20;  // of one unfinished reply
    size_t max_elements = 1 << 20;         // in one reply, nested ones included
  };
  explicit ReplyReader(Limits limits);
  ~ReplyReader();

  // Error: DataLoss, the unfinished reply is above the limit.
  absl::Status Feed(absl::string_view bytes);
  // The next whole reply; nullopt = more bytes are needed. Error: DataLoss, this is not RESP2 or
  // above the limits.
  absl::StatusOr<absl::optional<Reply>> Next();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_RESP_H_
