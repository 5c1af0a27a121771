#include "common/http/head_scanner.h"

#include <cstring>

#include "absl/strings/ascii.h"

namespace signalbox::http {

HeadScanner::Result HeadScanner::Scan(absl::string_view bytes) {
  while (scanned_ < bytes.size()) {
    const void* found = std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_);
    if (found == nullptr) break;
    const size_t line_feed = static_cast<const char*>(found) - bytes.data();
    if (line_feed == line_start_ || bytes[line_feed - 1] != '\r') return Result::kBareLineFeed;
    const absl::string_view line = bytes.substr(line_start_, line_feed - 1 - line_start_);
    line_start_ = scanned_ = line_feed + 1;
    if (line_start_ > limits_.bytes) return Result::kTooLarge;
    const Result result = Line(line);
    if (result != Result::kIncomplete) return result;
  }
  scanned_ = bytes.size();
  const size_t open_line = bytes.size() - line_start_;
  if (lines_ == 0 && section_ == Section::kHead && open_line > limits_.first_line + 1) {
    return Result::kFirstLineTooLong;
  }
  return bytes.size() > limits_.bytes ? Result::kTooLarge : Result::kIncomplete;
}

HeadScanner::Result HeadScanner::Line(absl::string_view line) {
  const bool first = lines_++ == 0 && section_ == Section::kHead;
  if (line.empty()) return first ? Result::kEmptyFirstLine : Result::kComplete;
  if (first)
    return line.size() > limits_.first_line ? Result::kFirstLineTooLong : Result::kIncomplete;
  if (line[0] == ' ' || line[0] == '\t') return Result::kFolded;
  const size_t fields = section_ == Section::kHead ? lines_ - 1 : lines_;
  return fields > limits_.fields ? Result::kTooManyFields : Result::kIncomplete;
}

void HeadScanner::Reset() { scanned_ = line_start_ = lines_ = 0; }

ChunkLine CheckChunkLine(absl::string_view bytes, bool after_data, size_t* length) {
  constexpr size_t kMaxHexDigits = 16;  // of a 64-bit size
  constexpr size_t kMaxExtension = 256;
  size_t i = 0;
  if (after_data) {
    if (i < bytes.size() && bytes[i++] != '\r') return ChunkLine::kBad;
    if (i < bytes.size() && bytes[i++] != '\n') return ChunkLine::kBad;
  }
  const size_t digits = i;
  while (i < bytes.size() && absl::ascii_isxdigit(bytes[i])) ++i;
  if (i - digits > kMaxHexDigits) return ChunkLine::kBad;
  if (i == bytes.size()) return ChunkLine::kIncomplete;
  if (i == digits || (bytes[i] != '\r' && bytes[i] != ';')) return ChunkLine::kBad;
  const size_t extension = i;
  while (i < bytes.size() && (absl::ascii_isprint(bytes[i]) || bytes[i] == '\t')) ++i;
  if (i - extension > kMaxExtension) return ChunkLine::kBad;
  if (i == bytes.size()) return ChunkLine::kIncomplete;
  if (bytes[i] != '\r') return ChunkLine::kBad;
  if (++i == bytes.size()) return ChunkLine::kIncomplete;
  if (bytes[i] != '\n') return ChunkLine::kBad;
  *length = i + 1;
  return ChunkLine::kComplete;
}

}  // namespace signalbox::http
