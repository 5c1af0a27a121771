// Writes response heads and chunks into a string: one buffer, one system call, no field container
// in between.
//
// Pure but for the Date field. Thread-safe.
#ifndef SIGNALBOX_COMMON_HTTP_RESPONSE_HEAD_H_
#define SIGNALBOX_COMMON_HTTP_RESPONSE_HEAD_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "common/http/message.h"

namespace signalbox::http {

enum class Framing { kLength, kChunked, kUntilClose, kNone };
enum class ConnectionField { kNone, kClose, kKeepAlive };

// 204 and 304 never carry a body, whatever the handler says.
bool StatusHasBody(int status);

// Status line, Date, framing, `headers`, empty line. Fields of `headers` that are the server's
// business, and those that would break the message apart (a CR, LF or NUL, a name that is no
// token), are left out. `length` is for kLength.
void AppendResponseHead(int status, const Headers& headers, Framing framing, uint64_t length,
                        ConnectionField connection, std::string* out);

// `bytes` as one chunk. Nothing for empty bytes, which would end the message.
void AppendChunk(absl::string_view bytes, std::string* out);
void AppendLastChunk(std::string* out);

// Whether a field may go on the wire.
bool IsSafeField(absl::string_view name, absl::string_view value);

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_RESPONSE_HEAD_H_
