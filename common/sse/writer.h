// Server-sent events, writing.
#ifndef SIGNALBOX_COMMON_SSE_WRITER_H_
#define SIGNALBOX_COMMON_SSE_WRITER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace signalbox::sse {

// "data: <data>\n\n". REQUIRES: no line break in data (compact JSON has none).
void AppendData(std::string* out, absl::string_view data);
// "event: <type>\ndata: <data>\n\n"
void AppendEvent(std::string* out, absl::string_view type, absl::string_view data);
// ": <text>\n\n"
void AppendComment(std::string* out, absl::string_view text);

constexpr absl::string_view kDone = "data: [DONE]\n\n";

}  // namespace signalbox::sse

#endif  // SIGNALBOX_COMMON_SSE_WRITER_H_
