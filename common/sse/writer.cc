#include "common/sse/writer.h"

namespace signalbox::sse {
namespace {

void Append(std::string* out, absl::string_view text) { out->append(text.data(), text.size()); }

}  // namespace

void AppendData(std::string* out, absl::string_view data) {
  out->reserve(out->size() + data.size() + 8);
  Append(out, "data: ");
  Append(out, data);
  Append(out, "\n\n");
}

void AppendEvent(std::string* out, absl::string_view type, absl::string_view data) {
  Append(out, "event: ");
  Append(out, type);
  Append(out, "\n");
  AppendData(out, data);
}

void AppendComment(std::string* out, absl::string_view text) {
  Append(out, ": ");
  Append(out, text);
  Append(out, "\n\n");
}

}  // namespace signalbox::sse
