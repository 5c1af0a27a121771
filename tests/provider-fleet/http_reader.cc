#include "tests/provider-fleet/http_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace signalbox::fleet {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string PercentDecode(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// Size of a chunk from its line "1a;extension"; -1 when malformed.
int64_t ChunkSize(absl::string_view line) {
  int64_t size = 0;
  size_t digits = 0;
  for (; digits < line.size() && HexDigit(line[digits]) >= 0; ++digits) {
    if (digits == 12) return -1;
    size = size * 16 + HexDigit(line[digits]);
  }
  return digits == 0 ? -1 : size;
}

}  // namespace

absl::string_view HttpRequest::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

std::string HttpRequest::Query(absl::string_view name) const {
  for (absl::string_view pair : absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) {
      return PercentDecode(equals < pair.size() ? pair.substr(equals + 1) : "");
    }
  }
  return "";
}

void HttpReader::Reset() {
  request_.headers.clear();
  request_.body = {};
  request_.keep_alive = true;
  head_bytes_ = content_length_ = consumed_ = scanned_ = chunk_at_ = 0;
  chunked_ = expect_continue_ = false;
  decoded_.clear();
  head_data_ = nullptr;
}

HttpReader::Result HttpReader::Parse(absl::string_view in, HttpRequest* request) {
  if (head_bytes_ == 0) {
    const Result head = ParseHead(in);
    if (head != Result::kComplete) return head;
  } else if (head_data_ != in.data()) {
    request_.headers.clear();
    ParseStartLine(in.substr(0, in.find("\r\n")));
    ParseHeaders(in.substr(0, head_bytes_));
    head_data_ = in.data();
  }
  const Result body = chunked_ ? ParseChunks(in) : ParseBody(in);
  if (body == Result::kComplete) std::swap(*request, request_);
  return body;
}

HttpReader::Result HttpReader::ParseHead(absl::string_view in) {
  const size_t end = in.find("\r\n\r\n", scanned_);
  if (end == absl::string_view::npos) {
    scanned_ = in.size() < 3 ? 0 : in.size() - 3;
    return in.size() > kMaxHeadBytes ? Result::kTooLarge : Result::kNeedMore;
  }
  const absl::string_view head = in.substr(0, end + 4);
  if (!ParseStartLine(head.substr(0, head.find("\r\n"))) || !ParseHeaders(head) ||
      !UnderstandBody()) {
    return Result::kMalformed;
  }
  if (static_cast<int64_t>(content_length_) > max_body_bytes_) return Result::kTooLarge;
  head_bytes_ = chunk_at_ = head.size();
  head_data_ = in.data();
  return Result::kComplete;
}

bool HttpReader::ParseStartLine(absl::string_view line) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == absl::string_view::npos || last <= first) return false;
  request_.method = line.substr(0, first);
  const absl::string_view target = line.substr(first + 1, last - first - 1);
  const size_t question = std::min(target.find('?'), target.size());
  request_.path = target.substr(0, question);
  request_.query = question < target.size() ? target.substr(question + 1) : absl::string_view();
  request_.keep_alive = line.substr(last + 1) == "HTTP/1.1";
  return absl::StartsWith(line.substr(last + 1), "HTTP/1.") && absl::StartsWith(target, "/");
}

bool HttpReader::ParseHeaders(absl::string_view head) {
  size_t at = head.find("\r\n") + 2;
  while (at + 2 < head.size()) {
    const size_t end = head.find("\r\n", at);
    const absl::string_view line = head.substr(at, end - at);
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || colon == 0) return false;
    request_.headers.emplace_back(line.substr(0, colon),
                                  absl::StripAsciiWhitespace(line.substr(colon + 1)));
    at = end + 2;
  }
  return true;
}

bool HttpReader::UnderstandBody() {
  for (const auto& [key, value] : request_.headers) {
    if (absl::EqualsIgnoreCase(key, "content-length")) {
      if (!absl::SimpleAtoi(value, &content_length_)) return false;
    } else if (absl::EqualsIgnoreCase(key, "transfer-encoding")) {
      if (!absl::EqualsIgnoreCase(value, "chunked")) return false;
      chunked_ = true;
    } else if (absl::EqualsIgnoreCase(key, "connection")) {
      if (absl::EqualsIgnoreCase(value, "close")) request_.keep_alive = false;
    } else if (absl::EqualsIgnoreCase(key, "expect")) {
      expect_continue_ = absl::EqualsIgnoreCase(value, "100-continue");
    }
  }
  return !chunked_ || content_length_ == 0;
}

HttpReader::Result HttpReader::ParseBody(absl::string_view in) {
  if (in.size() < head_bytes_ + content_length_) return Result::kNeedMore;
  request_.body = in.substr(head_bytes_, content_length_);
  consumed_ = head_bytes_ + content_length_;
  return Result::kComplete;
}

HttpReader::Result HttpReader::ParseChunks(absl::string_view in) {
  while (true) {
    const size_t line_end = in.find("\r\n", chunk_at_);
    if (line_end == absl::string_view::npos) {
      return in.size() - chunk_at_ > 1024 ? Result::kMalformed : Result::kNeedMore;
    }
    const int64_t size = ChunkSize(in.substr(chunk_at_, line_end - chunk_at_));
    if (size < 0) return Result::kMalformed;
    if (static_cast<int64_t>(decoded_.size()) + size > max_body_bytes_) return Result::kTooLarge;
    const size_t data = line_end + 2;
    const size_t next = data + static_cast<size_t>(size) + 2;
    if (in.size() < next) return Result::kNeedMore;
    if (in.substr(next - 2, 2) != "\r\n")
      return Result::kMalformed;  // also: trailers are not for us
    chunk_at_ = next;
    if (size == 0) break;
    decoded_.append(in.data() + data, static_cast<size_t>(size));
  }
  consumed_ = chunk_at_;
  decoded_.reserve(decoded_.size() + kPadding);
  request_.body = decoded_;
  return Result::kComplete;
}

}  // namespace signalbox::fleet
