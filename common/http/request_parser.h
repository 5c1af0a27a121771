// Bytes to Request, without I/O. Strict: whatever leaves room for two opinions about where a
// request ends, or which host it is for, is an error with the status to answer.
//
// Thread-compatible. Reused for all requests of a connection.
#ifndef SIGNALBOX_COMMON_HTTP_REQUEST_PARSER_H_
#define SIGNALBOX_COMMON_HTTP_REQUEST_PARSER_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "common/http/message.h"

namespace signalbox::http {

class RequestParser {
 public:
  struct Limits {
    size_t header_bytes;
    size_t header_count;
    size_t target_bytes;
    size_t body_bytes;
  };
  enum class Event {
    kNeedMore,
    kHead,  // once per request: the head is complete and acceptable; the body follows
    kDone,  // TakeRequest is due
    kError  // status() and reason() say what to answer; the connection is of no further use
  };

  explicit RequestParser(const Limits& limits);
  ~RequestParser();

  // Works through `input`; the first `*consumed` bytes are not to be presented again, all others
  // are.
  Event Next(absl::string_view input, size_t* consumed);

  // After kHead.
  bool http11() const;
  bool keep_alive() const;
  bool has_body() const;
  bool expects_continue() const;
  absl::string_view method() const;
  uint64_t body_bytes() const;

  // After kDone; the parser is ready for the next request.
  Request TakeRequest();

  // After kError.
  int status() const;
  absl::string_view reason() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_REQUEST_PARSER_H_
