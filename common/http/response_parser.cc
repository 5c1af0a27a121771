#include "common/http/response_parser.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "common/http/message_core.h"

namespace signalbox::http {
namespace {

namespace beast_http = boost::beast::http;

constexpr int kMaxInterimResponses = 8;
constexpr size_t kMaxStatusLine = 8 * 1024;

}  // namespace

class ResponseParser::Core {
 public:
  Core(const Limits& limits, Body body)
      : limits_(limits),
        body_(body),
        scanner_(HeadScanner::Section::kHead,
                 {limits.header_bytes, limits.header_count, kMaxStatusLine}) {
    Reset();
  }

  Event Next(absl::string_view input, size_t* consumed) {
    *consumed = 0;
    while (!in_body_) {
      size_t step = 0;
      const Event event = NextHead(input.substr(*consumed), &step);
      *consumed += step;
      if (event != Event::kNeedMore || step == 0) return event;
    }
    size_t step = 0;
    const Event event = NextBody(input.substr(*consumed), &step);
    *consumed += step;
    return event;
  }

  Event Eof() {
    if (!in_body_ || !message_->need_eof()) return Event::kNeedMore;
    boost::beast::error_code error;
    message_->put_eof(error);
    return error ? Event::kNeedMore : Event::kDone;
  }

  std::optional<MessageCore<false>> message_;
  absl::string_view reason_;

 private:
  void Reset() {
    message_.emplace(limits_.header_bytes, limits_.body_bytes);
    message_->skip(body_ == Body::kNone);
    scanner_.Reset();
  }

  Event Fail(Event event, absl::string_view reason) {
    reason_ = reason;
    return event;
  }

  // kNeedMore with consumed bytes: an interim response was skipped.
  Event NextHead(absl::string_view input, size_t* consumed) {
    switch (scanner_.Scan(input)) {
      case HeadScanner::Result::kIncomplete:
        return Event::kNeedMore;
      case HeadScanner::Result::kComplete:
        break;
      case HeadScanner::Result::kTooLarge:
      case HeadScanner::Result::kTooManyFields:
      case HeadScanner::Result::kFirstLineTooLong:
        return Fail(Event::kTooLarge, "response header section too large");
      default:
        return Fail(Event::kProtocolError, "malformed line in the response head");
    }
    *consumed = scanner_.size();
    if (message_->ParseHead(input.substr(0, scanner_.size())) == beast_http::error::body_limit) {
      return Fail(Event::kTooLarge, "declared response body too large");
    }
    if (!message_->is_header_done()) {
      return Fail(Event::kProtocolError, "malformed or ambiguous response head");
    }
    return CheckHead();
  }

  Event CheckHead() {
    const int status = message_->status_code;
    if (status < 100 || status == 101 || status > 599) {
      return Fail(Event::kProtocolError, "unexpected status code");
    }
    if (status < 200) {
      if (++interim_ > kMaxInterimResponses) {
        return Fail(Event::kProtocolError, "too many interim responses");
      }
      Reset();
      return Event::kNeedMore;
    }
    if (message_->content_lengths > 1 || message_->transfer_encodings > 1 ||
        (message_->content_lengths > 0 && message_->transfer_encodings > 0)) {
      return Fail(Event::kProtocolError, "ambiguous response length");
    }
    if (message_->transfer_encodings > 0 &&
        (message_->version < 11 ||
         !absl::EqualsIgnoreCase(message_->headers.Get("Transfer-Encoding"), "chunked"))) {
      return Fail(Event::kProtocolError, "unsupported transfer coding");
    }
    const absl::string_view coding = message_->headers.Get("Content-Encoding");
    if (!coding.empty() && !absl::EqualsIgnoreCase(coding, "identity")) {
      return Fail(Event::kProtocolError, "content coding that was not asked for");
    }
    in_body_ = true;
    return Event::kHead;
  }

  Event NextBody(absl::string_view input, size_t* consumed) {
    switch (message_->NextBody(input, consumed)) {
      case MessageCore<false>::Step::kPiece:
        return Event::kBody;
      case MessageCore<false>::Step::kNeedMore:
        return Event::kNeedMore;
      case MessageCore<false>::Step::kDone:
        return Event::kDone;
      case MessageCore<false>::Step::kTrailerTooLarge:
        return Fail(Event::kTooLarge, "trailer section too large");
      case MessageCore<false>::Step::kError:
        break;
    }
    return message_->body_limit_hit() ? Fail(Event::kTooLarge, "response body too large")
                                      : Fail(Event::kProtocolError, "malformed chunk");
  }

  const Limits limits_;
  const Body body_;
  HeadScanner scanner_;
  bool in_body_ = false;
  int interim_ = 0;
};

ResponseParser::ResponseParser(const Limits& limits, Body body)
    : core_(std::make_unique<Core>(limits, body)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

ResponseParser::Event ResponseParser::Next(absl::string_view input, size_t* consumed) {
  return core_->Next(input, consumed);
}
ResponseParser::Event ResponseParser::Eof() { return core_->Eof(); }
int ResponseParser::status() const { return core_->message_->status_code; }
const Headers& ResponseParser::headers() const { return core_->message_->headers; }
absl::string_view ResponseParser::body() const { return core_->message_->piece; }
bool ResponseParser::keep_alive() const { return core_->message_->keep_alive(); }
absl::string_view ResponseParser::reason() const { return core_->reason_; }

}  // namespace signalbox::http
