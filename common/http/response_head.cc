#include "common/http/response_head.h"

#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace signalbox::http {
namespace {

absl::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

// "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n", formatted once per second and thread.
absl::string_view DateLine() {
  thread_local time_t formatted_for = 0;
  thread_local char line[64];
  thread_local size_t length = 0;
  const time_t now = std::time(nullptr);
  if (now != formatted_for) {
    tm utc;
    gmtime_r(&now, &utc);
    length = std::strftime(line, sizeof(line), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    formatted_for = now;
  }
  return {line, length};
}

bool IsServersBusiness(absl::string_view name) {
  switch (name.size()) {
    case 4:
      return absl::EqualsIgnoreCase(name, "Date");
    case 10:
      return absl::EqualsIgnoreCase(name, "Connection") ||
             absl::EqualsIgnoreCase(name, "Keep-Alive");
    case 14:
      return absl::EqualsIgnoreCase(name, "Content-Length");
    case 17:
      return absl::EqualsIgnoreCase(name, "Transfer-Encoding");
    default:
      return false;
  }
}

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(c) ||
         absl::string_view("!#$%&'*+-.^_`|~").find(c) != absl::string_view::npos;
}

}  // namespace

bool IsSafeField(absl::string_view name, absl::string_view value) {
  if (name.empty()) return false;
  for (const char c : name) {
    if (!IsTokenChar(c)) return false;
  }
  for (const char c : value) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return true;
}

bool StatusHasBody(int status) { return status >= 200 && status != 204 && status != 304; }

void AppendResponseHead(int status, const Headers& headers, Framing framing, uint64_t length,
                        ConnectionField connection, std::string* out) {
  absl::StrAppend(out, "HTTP/1.1 ", status, " ", ReasonPhrase(status), "\r\n", DateLine());
  if (framing == Framing::kLength) absl::StrAppend(out, "Content-Length: ", length, "\r\n");
  if (framing == Framing::kChunked) out->append("Transfer-Encoding: chunked\r\n");
  if (connection == ConnectionField::kClose) out->append("Connection: close\r\n");
  if (connection == ConnectionField::kKeepAlive) out->append("Connection: keep-alive\r\n");
  for (const auto& [name, value] : headers) {
    if (IsServersBusiness(name) || !IsSafeField(name, value)) continue;
    out->append(name).append(": ").append(value).append("\r\n");
  }
  out->append("\r\n");
}

void AppendChunk(absl::string_view bytes, std::string* out) {
  if (bytes.empty()) return;
  absl::StrAppend(out, absl::Hex(bytes.size()), "\r\n", bytes, "\r\n");
}

void AppendLastChunk(std::string* out) { out->append("0\r\n\r\n"); }

}  // namespace signalbox::http
