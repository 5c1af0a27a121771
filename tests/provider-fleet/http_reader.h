// A small HTTP/1.1 request reader of the fleet's own, so that a bug in the product's HTTP code is
// not on both sides of a test. Made for well-behaved clients (our adapter, curl, SDKs):
// Content-Length and chunked bodies, keep-alive, Expect: 100-continue, pipelining.
//
// Thread-compatible. The views of a request point into the bytes given to Parse and into the
// reader; they are valid until either changes.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_HTTP_READER_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_HTTP_READER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace signalbox::fleet {

struct HttpRequest {
  absl::string_view method;
  absl::string_view path;   // target up to '?'
  absl::string_view query;  // after '?'
  std::vector<std::pair<absl::string_view, absl::string_view>> headers;
  absl::string_view body;  // readable SIMDJSON_PADDING bytes past its end
  bool keep_alive = true;

  // Value of a header, names compared without case; empty when absent.
  absl::string_view Header(absl::string_view name) const;
  // Value of a query parameter, percent-decoded; empty when absent.
  std::string Query(absl::string_view name) const;
};

class HttpReader {
 public:
  enum class Result { kNeedMore, kComplete, kTooLarge, kMalformed };

  static constexpr size_t kMaxHeadBytes = 64 << 10;
  // Readable bytes callers leave behind the bytes they pass to Parse (the JSON parser reads ahead).
  static constexpr size_t kPadding = 64;

  explicit HttpReader(int64_t max_body_bytes) : max_body_bytes_(max_body_bytes) {}

  // Looks at all bytes received and not yet consumed. kComplete fills `request`; then drop
  // consumed() bytes and call Reset before the next Parse.
  Result Parse(absl::string_view in, HttpRequest* request);
  size_t consumed() const { return consumed_; }
  // Bytes the current request needs in total, as far as known; a hint for the size of the buffer.
  size_t expected() const { return head_bytes_ + content_length_; }
  // True once per request whose client waits for "100 Continue".
  bool TakeExpectContinue() { return std::exchange(expect_continue_, false); }
  void Reset();

 private:
  Result ParseHead(absl::string_view in);
  bool ParseStartLine(absl::string_view line);
  bool ParseHeaders(absl::string_view lines);
  bool UnderstandBody();
  Result ParseBody(absl::string_view in);
  Result ParseChunks(absl::string_view in);

  const int64_t max_body_bytes_;
  HttpRequest request_;
  size_t head_bytes_ = 0;  // 0: head not complete yet
  size_t content_length_ = 0;
  size_t consumed_ = 0;
  size_t scanned_ = 0;  // bytes known not to hold the end of the head
  bool chunked_ = false;
  bool expect_continue_ = false;
  size_t chunk_at_ = 0;  // start of the next chunk-size line
  std::string decoded_;
  const char* head_data_ =
      nullptr;  // where the views of request_ point: a moved buffer means parsing the head again
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_HTTP_READER_H_
