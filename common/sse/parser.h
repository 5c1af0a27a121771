// Server-sent events, reading (WHATWG HTML §9.2.6), incrementally: bytes in any split give the same
// events. CR, LF and CRLF ends, a leading BOM, comments, multi-line data, unknown fields are
// handled as the standard says.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_COMMON_SSE_PARSER_H_
#define SIGNALBOX_COMMON_SSE_PARSER_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace signalbox::sse {

// Views are valid during the callback.
struct Event {
  absl::string_view type;  // "message" when the stream names none
  absl::string_view data;  // lines joined by '\n'
};

class Parser {
 public:
  // An event or line above max_event_bytes is an error: the stream cannot be trusted any further.
  explicit Parser(size_t max_event_bytes = 4 * 1024 * 1024) : max_event_bytes_(max_event_bytes) {}

  // Calls `on_event` for each event completed by `bytes`; returning false drops the rest of
  // `bytes`. Error: ResourceExhausted, from then on for ever.
  absl::Status Feed(absl::string_view bytes, absl::FunctionRef<bool(const Event&)> on_event);
  // End of input: an unfinished last event is reported through `on_event` only if its data lines
  // were complete lines and `lenient` is set (providers that forget the final blank line).
  void Finish(bool lenient, absl::FunctionRef<bool(const Event&)> on_event);
  // True when bytes of an unfinished event are held.
  bool HasPartial() const;

 private:
  // One complete line. `stable`: the line's bytes outlive the Feed's loop (they are the caller's
  // block).
  bool Line(absl::string_view line, bool stable, absl::FunctionRef<bool(const Event&)> on_event);
  void AddData(absl::string_view value, bool stable);
  bool Dispatch(absl::FunctionRef<bool(const Event&)> on_event);
  // Copies what still points into the caller's block.
  void Hold();
  absl::Status CheckSize(size_t more);

  const size_t max_event_bytes_;
  std::string line_;  // a line cut by the end of a block
  std::string type_;
  std::string data_;             // data lines so far, unless…
  absl::string_view data_view_;  // …there is one only and it lies in the block being read: no copy
  bool has_data_ = false;
  bool at_start_ = true;
  bool skip_lf_ = false;  // the block ended in CR: an LF that follows belongs to it
  bool broken_ = false;   // a limit was passed
};

}  // namespace signalbox::sse

#endif  // SIGNALBOX_COMMON_SSE_PARSER_H_
