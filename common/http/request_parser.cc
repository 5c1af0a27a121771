#include "common/http/request_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/http/message_core.h"

namespace signalbox::http {
namespace {

namespace beast_http = boost::beast::http;

// Room in the first line for the method, the version and the blanks around the target.
constexpr size_t kFirstLineRest = 64;

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(c) ||
           absl::string_view("!#$%&'*+-.^_`|~").find(c) != absl::string_view::npos;
  });
}

// "host", "host:port", "[v6]", "[v6]:port"; nothing that another parser could read as user data or
// a path.
bool IsAuthority(absl::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '[') {
    const size_t close = text.find(']');
    if (close == absl::string_view::npos || close == 1) return false;
    const absl::string_view address = text.substr(1, close - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != absl::string_view::npos)
      return false;
    text.remove_prefix(close + 1);
    if (!text.empty() && text[0] != ':') return false;
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    const auto host_char = [](char c) {
      return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
    };
    if (colon == 0 || !std::all_of(text.begin(), text.begin() + colon, host_char)) return false;
    text.remove_prefix(colon);
  }
  if (text.empty()) return true;
  text.remove_prefix(1);
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

// The target becomes path and query of `request`. An absolute target must name the host the Host
// field names.
bool SplitTarget(absl::string_view target, absl::string_view host, Request* request) {
  const auto acceptable = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  if (!std::all_of(target.begin(), target.end(), acceptable)) return false;
  if (target[0] != '/' && target != "*") {
    const size_t scheme_end = target.find("://");
    if (scheme_end == absl::string_view::npos) return false;
    const absl::string_view scheme = target.substr(0, scheme_end);
    if (!absl::EqualsIgnoreCase(scheme, "http") && !absl::EqualsIgnoreCase(scheme, "https"))
      return false;
    target.remove_prefix(scheme_end + 3);
    const absl::string_view authority = target.substr(0, target.find_first_of("/?"));
    if (!IsAuthority(authority) || !(host.empty() || absl::EqualsIgnoreCase(authority, host)))
      return false;
    target.remove_prefix(authority.size());
  } else if (target == "*" && request->method != "OPTIONS") {
    return false;
  }
  const size_t question = std::min(target.find('?'), target.size());
  const absl::string_view path = target.substr(0, question);
  request->path = path.empty() ? "/" : std::string(path);
  request->query = std::string(target.substr(std::min(question + 1, target.size())));
  return true;
}

bool LooksLikeOtherVersion(absl::string_view head) {
  const absl::string_view line = head.substr(0, head.find('\r'));
  const size_t last_blank = line.rfind(' ');
  if (last_blank == absl::string_view::npos) return false;
  const absl::string_view version = line.substr(last_blank + 1);
  return version.size() == 8 && absl::StartsWith(version, "HTTP/") &&
         absl::ascii_isdigit(version[5]) && version[6] == '.' && absl::ascii_isdigit(version[7]) &&
         version != "HTTP/1.1" && version != "HTTP/1.0";
}

}  // namespace

class RequestParser::Core {
 public:
  explicit Core(const Limits& limits)
      : limits_(limits),
        scanner_(HeadScanner::Section::kHead,
                 {limits.header_bytes, limits.header_count, limits.target_bytes + kFirstLineRest}) {
    Reset();
  }

  Event Next(absl::string_view input, size_t* consumed) {
    *consumed = 0;
    if (status_ != 0) return Event::kError;
    return in_body_ ? NextBody(input, consumed) : NextHead(input, consumed);
  }

  Request Take() {
    Request request = std::move(request_);
    Reset();
    return request;
  }

  bool HasBody() const { return !message_->is_done(); }

  std::optional<MessageCore<true>> message_;
  Request request_;
  uint64_t body_bytes_ = 0;
  bool expects_continue_ = false;
  int status_ = 0;
  absl::string_view reason_;

 private:
  void Reset() {
    message_.emplace(limits_.header_bytes, limits_.body_bytes);
    request_ = Request();
    scanner_.Reset();
    body_bytes_ = 0;
    in_body_ = skipped_empty_line_ = expects_continue_ = false;
  }

  Event Fail(int status, absl::string_view reason) {
    status_ = status;
    reason_ = reason;
    return Event::kError;
  }

  Event NextHead(absl::string_view input, size_t* consumed) {
    // RFC 9112 §2.2: one empty line before a request is forgiven (old clients end a body with it).
    if (!skipped_empty_line_ && absl::StartsWith(input, "\r")) {
      if (input.size() == 1) return Event::kNeedMore;
      if (input[1] != '\n') return Fail(400, "malformed request line");
      skipped_empty_line_ = true;
      *consumed = 2;
      input.remove_prefix(2);
    }
    switch (scanner_.Scan(input)) {
      case HeadScanner::Result::kIncomplete:
        return Event::kNeedMore;
      case HeadScanner::Result::kComplete:
        break;
      case HeadScanner::Result::kBareLineFeed:
        return Fail(400, "line does not end in CRLF");
      case HeadScanner::Result::kFolded:
        return Fail(400, "folded header field");
      case HeadScanner::Result::kEmptyFirstLine:
        return Fail(400, "empty request line");
      case HeadScanner::Result::kTooLarge:
        return Fail(431, "header section too large");
      case HeadScanner::Result::kTooManyFields:
        return Fail(431, "too many header fields");
      case HeadScanner::Result::kFirstLineTooLong:
        return Fail(414, "request target too long");
    }
    *consumed += scanner_.size();
    return ParseHead(input.substr(0, scanner_.size()));
  }

  Event ParseHead(absl::string_view head) {
    const boost::beast::error_code error = message_->ParseHead(head);
    if (error == beast_http::error::bad_version && LooksLikeOtherVersion(head)) {
      return Fail(505, "HTTP version not supported");
    }
    if (error == beast_http::error::body_limit) return Fail(413, "request body too large");
    if (error) return Fail(400, ReasonOf(error));
    return CheckFraming();
  }

  static absl::string_view ReasonOf(const boost::beast::error_code& error) {
    if (error == beast_http::error::bad_content_length ||
        error == beast_http::error::multiple_content_length) {
      return "malformed or repeated Content-Length";
    }
    if (error == beast_http::error::bad_transfer_encoding) return "ambiguous Transfer-Encoding";
    if (error == beast_http::error::bad_field) return "malformed header field name";
    if (error == beast_http::error::bad_value) return "malformed header field value";
    return "malformed request line or header";
  }

  Event CheckFraming() {
    if (message_->content_lengths > 1) return Fail(400, "malformed or repeated Content-Length");
    if (message_->transfer_encodings > 0) {
      const absl::string_view coding = message_->headers.Get("Transfer-Encoding");
      if (message_->transfer_encodings > 1 || message_->content_lengths > 0 ||
          message_->version < 11) {
        return Fail(400, "ambiguous Transfer-Encoding");
      }
      if (!absl::EqualsIgnoreCase(coding, "chunked")) {
        return IsToken(coding) ? Fail(501, "transfer coding not supported")
                               : Fail(400, "ambiguous Transfer-Encoding");
      }
    }
    return CheckTarget();
  }

  Event CheckTarget() {
    const absl::string_view host = message_->headers.Get("Host");
    if (message_->hosts > 1) return Fail(400, "repeated Host field");
    if (message_->hosts == 0 && message_->version >= 11) return Fail(400, "missing Host field");
    if (message_->hosts == 1 && !IsAuthority(host)) return Fail(400, "malformed Host field");
    if (message_->method == "CONNECT") return Fail(501, "CONNECT is not supported");
    if (message_->target.size() > limits_.target_bytes) return Fail(414, "request target too long");
    request_.method = std::move(message_->method);
    if (!SplitTarget(message_->target, host, &request_))
      return Fail(400, "malformed request target");
    const absl::string_view expect = message_->headers.Get("Expect");
    if (!expect.empty() && message_->version >= 11) {
      if (!absl::EqualsIgnoreCase(expect, "100-continue"))
        return Fail(417, "expectation not supported");
      expects_continue_ = HasBody();
    }
    return AcceptHead();
  }

  Event AcceptHead() {
    request_.headers = std::move(message_->headers);
    in_body_ = true;
    // A declared length is a claim: memory follows the bytes that really arrive.
    constexpr uint64_t kTrustedReserve = 256 * 1024;
    const auto length = message_->content_length();
    if (length) request_.body.reserve(std::min<uint64_t>(*length, kTrustedReserve));
    return Event::kHead;
  }

  Event NextBody(absl::string_view input, size_t* consumed) {
    while (true) {
      size_t step = 0;
      const auto result = message_->NextBody(input.substr(*consumed), &step);
      *consumed += step;
      switch (result) {
        case MessageCore<true>::Step::kPiece:
          request_.body.append(message_->piece.data(), message_->piece.size());
          body_bytes_ += message_->piece.size();
          break;
        case MessageCore<true>::Step::kNeedMore:
          return Event::kNeedMore;
        case MessageCore<true>::Step::kDone:
          return Event::kDone;
        case MessageCore<true>::Step::kTrailerTooLarge:
          return Fail(431, "trailer section too large");
        case MessageCore<true>::Step::kError:
          return message_->body_limit_hit() ? Fail(413, "request body too large")
                                            : Fail(400, "malformed chunk");
      }
    }
  }

  const Limits limits_;
  HeadScanner scanner_;
  bool in_body_ = false;
  bool skipped_empty_line_ = false;
};

RequestParser::RequestParser(const Limits& limits) : core_(std::make_unique<Core>(limits)) {}
RequestParser::~RequestParser() = default;

RequestParser::Event RequestParser::Next(absl::string_view input, size_t* consumed) {
  return core_->Next(input, consumed);
}
bool RequestParser::http11() const { return core_->message_->version >= 11; }
bool RequestParser::keep_alive() const { return core_->message_->keep_alive(); }
bool RequestParser::has_body() const { return core_->HasBody(); }
bool RequestParser::expects_continue() const { return core_->expects_continue_; }
absl::string_view RequestParser::method() const { return core_->request_.method; }
uint64_t RequestParser::body_bytes() const { return core_->body_bytes_; }
Request RequestParser::TakeRequest() { return core_->Take(); }
int RequestParser::status() const { return core_->status_; }
absl::string_view RequestParser::reason() const { return core_->reason_; }

}  // namespace signalbox::http
