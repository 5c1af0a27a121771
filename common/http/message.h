// HTTP messages as plain values, shared by server and client. No Beast type appears in any public
// header of this room: a translation unit that includes Beast costs seconds to compile.
#ifndef SIGNALBOX_COMMON_HTTP_MESSAGE_H_
#define SIGNALBOX_COMMON_HTTP_MESSAGE_H_

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace signalbox::http {

// Names and values are free of CR, LF and NUL; order is kept.
class Headers {
 public:
  using Entry = std::pair<std::string, std::string>;
  Headers() = default;
  Headers(std::initializer_list<Entry> entries) : entries_(entries) {}

  void Add(absl::string_view name, absl::string_view value) { entries_.emplace_back(name, value); }
  // First value of the name, compared without case; empty when absent.
  absl::string_view Get(absl::string_view name) const {
    for (const Entry& entry : entries_) {
      if (absl::EqualsIgnoreCase(entry.first, name)) return entry.second;
    }
    return {};
  }
  bool Has(absl::string_view name) const {
    for (const Entry& entry : entries_) {
      if (absl::EqualsIgnoreCase(entry.first, name)) return true;
    }
    return false;
  }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }
  size_t size() const { return entries_.size(); }
  void clear() { entries_.clear(); }
  void Reserve(size_t count) { entries_.reserve(count); }

 private:
  std::vector<Entry> entries_;
};

struct Request {
  std::string method;  // "GET", "POST", …
  std::string path;    // decoded up to nothing: as sent, without the query
  std::string query;   // after '?', as sent
  Headers headers;
  std::string body;
  std::string peer;  // client address without port
};

struct Response {
  int status = 200;
  Headers headers;  // Content-Length, Date and Connection are the server's business
  std::string body;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_MESSAGE_H_
