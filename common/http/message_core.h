// Beast's HTTP/1 parser, told to hand the pieces of a message straight into our own types. Private
// to this room; the only header that includes Beast.
//
// Beast does the grammar of the start line and the fields, the body length and the chunks.
// HeadScanner and CheckChunkLine look at the raw bytes first, and the counts kept here let request
// and response parser refuse what is well-formed but ambiguous (duplicate Content-Length,
// Transfer-Encoding lists, framing fields in trailers).
#ifndef SIGNALBOX_COMMON_HTTP_MESSAGE_CORE_H_
#define SIGNALBOX_COMMON_HTTP_MESSAGE_CORE_H_

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <string>

#include "absl/strings/string_view.h"
#include "common/http/head_scanner.h"
#include "common/http/message.h"

namespace signalbox::http {

template <bool kIsRequest>
class MessageCore final : public boost::beast::http::basic_parser<kIsRequest> {
 public:
  using ErrorCode = boost::beast::error_code;
  using View = boost::beast::string_view;
  enum class Step { kNeedMore, kPiece, kDone, kTrailerTooLarge, kError };

  MessageCore(size_t max_head_bytes, uint64_t max_body_bytes)
      : trailer_(HeadScanner::Section::kTrailer, {kMaxTrailerBytes, kMaxTrailerFields, 0}) {
    // Without this a body piece that ends a chunk and the next chunk line would come in one call,
    // unchecked.
    this->eager(false);
    this->header_limit(static_cast<uint32_t>(max_head_bytes + 1));
    this->body_limit(max_body_bytes);
    headers.Reserve(kUsualFields);
  }

  // `head` is a complete head as HeadScanner found it.
  ErrorCode ParseHead(absl::string_view head) {
    ErrorCode error;
    this->put(boost::asio::const_buffer(head.data(), head.size()), error);
    return error;
  }

  // One step through the bytes after the head. kPiece: `piece` views the next bytes of the body
  // inside `input`.
  Step NextBody(absl::string_view input, size_t* consumed);
  bool body_limit_hit() const { return body_limit_hit_; }

  Headers headers;
  std::string method;
  std::string target;
  int status_code = 0;
  int version = 11;
  int hosts = 0;
  int content_lengths = 0;
  int transfer_encodings = 0;
  absl::string_view piece;

 private:
  static constexpr size_t kUsualFields = 16;
  static constexpr size_t kMaxTrailerBytes = 8 * 1024;
  static constexpr size_t kMaxTrailerFields = 32;
  using Field = boost::beast::http::field;

  static absl::string_view Absl(View view) { return {view.data(), view.size()}; }
  Step CheckChunkStart(absl::string_view input);
  void CheckTrailerField(Field name, ErrorCode& error);
  void Count(Field name, View value, ErrorCode& error);

  void on_request_impl(boost::beast::http::verb, View method_text, View target_text,
                       int http_version, ErrorCode&) override {
    method.assign(method_text.data(), method_text.size());
    target.assign(target_text.data(), target_text.size());
    version = http_version;
  }
  void on_response_impl(int code, View, int http_version, ErrorCode&) override {
    status_code = code;
    version = http_version;
  }
  void on_field_impl(Field name, View name_text, View value, ErrorCode& error) override {
    if (in_trailer_) return CheckTrailerField(name, error);
    Count(name, value, error);
    headers.Add(Absl(name_text), Absl(value));
  }
  void on_header_impl(ErrorCode&) override { at_chunk_start_ = this->chunked(); }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  std::size_t on_body_impl(View body, ErrorCode&) override {
    piece = Absl(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t size, View, ErrorCode&) override {
    in_trailer_ = size == 0;
    at_chunk_start_ = false;
  }
  std::size_t on_chunk_body_impl(std::uint64_t remain, View body, ErrorCode&) override {
    piece = Absl(body);
    at_chunk_start_ = after_data_ = body.size() == remain;
    return body.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  HeadScanner trailer_;
  bool at_chunk_start_ = false;
  bool after_data_ = false;
  bool in_trailer_ = false;
  bool body_limit_hit_ = false;
};

template <bool kIsRequest>
auto MessageCore<kIsRequest>::NextBody(absl::string_view input, size_t* consumed) -> Step {
  *consumed = 0;
  piece = {};
  while (!this->is_done()) {
    if (at_chunk_start_) {
      const Step step = CheckChunkStart(input.substr(*consumed));
      if (step != Step::kPiece) return step;
    }
    if (*consumed == input.size()) return Step::kNeedMore;
    ErrorCode error;
    *consumed += this->put(
        boost::asio::const_buffer(input.data() + *consumed, input.size() - *consumed), error);
    if (error == boost::beast::http::error::need_more) return Step::kNeedMore;
    if (error) {
      body_limit_hit_ = error == boost::beast::http::error::body_limit;
      return Step::kError;
    }
    if (!piece.empty()) return Step::kPiece;
  }
  return Step::kDone;
}

// kPiece stands for "go on".
template <bool kIsRequest>
auto MessageCore<kIsRequest>::CheckChunkStart(absl::string_view input) -> Step {
  size_t length = 0;
  switch (CheckChunkLine(input, after_data_, &length)) {
    case ChunkLine::kIncomplete:
      return Step::kNeedMore;
    case ChunkLine::kBad:
      return Step::kError;
    case ChunkLine::kComplete:
      break;
  }
  const absl::string_view digits = input.substr(after_data_ ? 2 : 0);
  const size_t nonzero = digits.find_first_not_of('0');
  if (digits[nonzero] != '\r' && digits[nonzero] != ';') return Step::kPiece;
  switch (trailer_.Scan(input.substr(length))) {
    case HeadScanner::Result::kComplete:
      return Step::kPiece;
    case HeadScanner::Result::kIncomplete:
      return Step::kNeedMore;
    case HeadScanner::Result::kTooLarge:
    case HeadScanner::Result::kTooManyFields:
      return Step::kTrailerTooLarge;
    default:
      return Step::kError;
  }
}

// Trailers are dropped; those that would change the meaning of the message are refused.
template <bool kIsRequest>
void MessageCore<kIsRequest>::CheckTrailerField(Field name, ErrorCode& error) {
  switch (name) {
    case Field::host:
    case Field::content_length:
    case Field::transfer_encoding:
    case Field::authorization:
    case Field::cookie:
    case Field::connection:
    case Field::expect:
    case Field::upgrade:
    case Field::te:
    case Field::trailer:
    case Field::content_encoding:
    case Field::content_type:
      error = boost::beast::http::error::bad_field;
      return;
    default:
      return;
  }
}

template <bool kIsRequest>
void MessageCore<kIsRequest>::Count(Field name, View value, ErrorCode& error) {
  if (name == Field::host) ++hosts;
  if (name == Field::transfer_encoding) ++transfer_encodings;
  if (name != Field::content_length) return;
  ++content_lengths;
  // Beast accepts "5, 5"; a list is how two parsers come to disagree.
  if (Absl(value).find_first_not_of("0123456789") != absl::string_view::npos) {
    error = boost::beast::http::error::bad_content_length;
  }
}

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_MESSAGE_CORE_H_
