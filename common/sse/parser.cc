#include "common/sse/parser.h"

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace signalbox::sse {
namespace {

constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

// Position of the first CR or LF; npos when there is none. Two memchr at memory speed beat one loop
// over both characters; the second looks only at what the first has bounded.
size_t FindLineEnd(absl::string_view bytes) {
  const char* lf = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
  const size_t bound = lf == nullptr ? bytes.size() : lf - bytes.data();
  const char* cr = static_cast<const char*>(std::memchr(bytes.data(), '\r', bound));
  if (cr != nullptr) return cr - bytes.data();
  return lf == nullptr ? absl::string_view::npos : bound;
}

}  // namespace

absl::Status Parser::Feed(absl::string_view bytes, absl::FunctionRef<bool(const Event&)> on_event) {
  if (broken_) return CheckSize(0);
  while (!bytes.empty()) {
    if (skip_lf_) {
      skip_lf_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const size_t end = FindLineEnd(bytes);
    const absl::string_view piece = bytes.substr(0, end);
    if (absl::Status status = CheckSize(piece.size()); !status.ok()) return status;
    if (end == absl::string_view::npos) {
      line_.append(piece.data(), piece.size());
      break;
    }
    skip_lf_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    bool go_on;
    if (line_.empty()) {
      go_on = Line(piece, /*stable=*/true, on_event);
    } else {
      line_.append(piece.data(), piece.size());
      go_on = Line(line_, /*stable=*/false, on_event);
      line_.clear();
    }
    if (!go_on) break;
  }
  Hold();
  return absl::OkStatus();
}

void Parser::Finish(bool lenient, absl::FunctionRef<bool(const Event&)> on_event) {
  if (lenient && !broken_ && line_.empty()) Dispatch(on_event);
  line_.clear();
  type_.clear();
  data_.clear();
  has_data_ = false;
}

bool Parser::HasPartial() const { return has_data_ || !line_.empty(); }

bool Parser::Line(absl::string_view line, bool stable,
                  absl::FunctionRef<bool(const Event&)> on_event) {
  if (at_start_) {
    at_start_ = false;
    if (absl::StartsWith(line, kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  }
  if (line.empty()) return Dispatch(on_event);
  const size_t colon = line.find(':');
  const absl::string_view field = line.substr(0, colon);
  absl::string_view value =
      colon == absl::string_view::npos ? absl::string_view() : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "data") {
    AddData(value, stable);
  } else if (field == "event") {
    type_.assign(value.data(), value.size());
  }
  return true;
}

void Parser::AddData(absl::string_view value, bool stable) {
  if (!has_data_ && stable) {
    data_view_ = value;
  } else {
    Hold();
    if (has_data_) data_.push_back('\n');
    data_.append(value.data(), value.size());
  }
  has_data_ = true;
}

void Parser::Hold() {
  if (data_view_.data() == nullptr) return;
  data_.assign(data_view_.data(), data_view_.size());
  data_view_ = {};
}

bool Parser::Dispatch(absl::FunctionRef<bool(const Event&)> on_event) {
  bool go_on = true;
  if (has_data_) {
    const absl::string_view data =
        data_view_.data() != nullptr ? data_view_ : absl::string_view(data_);
    go_on =
        on_event({type_.empty() ? absl::string_view("message") : absl::string_view(type_), data});
  }
  type_.clear();
  data_.clear();
  data_view_ = {};
  has_data_ = false;
  return go_on;
}

absl::Status Parser::CheckSize(size_t more) {
  if (!broken_ && line_.size() + data_.size() + data_view_.size() + more <= max_event_bytes_)
    return absl::OkStatus();
  broken_ = true;
  return absl::ResourceExhaustedError(
      absl::StrCat("a server-sent event is longer than ", max_event_bytes_, " bytes"));
}

}  // namespace signalbox::sse
