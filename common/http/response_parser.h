// Bytes of an untrusted server to one response, without I/O. Strict for the same reason as the
// request parser: a response whose end is a matter of opinion poisons the next one on the
// connection.
//
// Thread-compatible. One parser per response; interim (1xx) responses are skipped inside.
#ifndef SIGNALBOX_COMMON_HTTP_RESPONSE_PARSER_H_
#define SIGNALBOX_COMMON_HTTP_RESPONSE_PARSER_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "common/http/message.h"

namespace signalbox::http {

class ResponseParser {
 public:
  struct Limits {
    size_t header_bytes;
    size_t header_count;
    uint64_t body_bytes;
  };
  enum class Body {
    kExpected,  // as the head says
    kNone,      // the answer to HEAD, or a successful CONNECT
  };
  enum class Event {
    kNeedMore,
    kHead,
    kBody,  // body() views the next bytes inside the input
    kDone,
    kProtocolError,
    kTooLarge,
  };

  ResponseParser(const Limits& limits, Body body);
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  // Works through `input`; the first `*consumed` bytes are not to be presented again, all others
  // are.
  Event Next(absl::string_view input, size_t* consumed);
  // The server has closed its side in an orderly way. kDone when that ends the message, kNeedMore
  // when it is cut short.
  Event Eof();

  // After kHead.
  int status() const;
  const Headers& headers() const;
  absl::string_view body() const;
  // After kDone: whether the connection may carry another request.
  bool keep_alive() const;
  // After an error: for logs.
  absl::string_view reason() const;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_RESPONSE_PARSER_H_
