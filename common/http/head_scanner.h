// Walks the raw lines of a message head (or of the trailer section of a chunked body) as they
// arrive, finds where it ends and refuses the forms that Beast's parser tolerates but that make two
// parsers disagree about a message: lines that do not end in CRLF and folded fields. Also the place
// of the size and count limits, before anything is stored.
//
// Pure. Thread-compatible.
#ifndef SIGNALBOX_COMMON_HTTP_HEAD_SCANNER_H_
#define SIGNALBOX_COMMON_HTTP_HEAD_SCANNER_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace signalbox::http {

class HeadScanner {
 public:
  enum class Section { kHead, kTrailer };  // a trailer section has no first line and may be empty
  struct Limits {
    size_t bytes;
    size_t fields;
    size_t first_line;
  };
  enum class Result {
    kIncomplete,
    kComplete,
    kBareLineFeed,
    kFolded,
    kEmptyFirstLine,
    kTooLarge,
    kTooManyFields,
    kFirstLineTooLong,
  };

  HeadScanner(Section section, Limits limits) : section_(section), limits_(limits) {}

  // `bytes` is everything received of the section so far; each call continues where the last one
  // stopped.
  Result Scan(absl::string_view bytes);
  // After kComplete: the length of the section, its closing empty line included.
  size_t size() const { return line_start_; }
  void Reset();

 private:
  Result Line(absl::string_view line);

  const Section section_;
  const Limits limits_;
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  size_t lines_ = 0;
};

// Checks the start of `bytes` as the line that opens a chunk: with `after_data` the CRLF that ends
// the chunk before it, then 1–16 hex digits, optionally an extension of printable characters, CRLF.
// Judges every byte as soon as it is there.
enum class ChunkLine { kIncomplete, kComplete, kBad };
ChunkLine CheckChunkLine(absl::string_view bytes, bool after_data, size_t* length);

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_HEAD_SCANNER_H_
