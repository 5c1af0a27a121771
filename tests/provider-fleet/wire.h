// The two dialects' bytes: an Answer as a JSON body or as SSE events, and the error bodies
// providers of each dialect send. Written from the providers' public documentation, not from the
// product's translation code.
//
// Pure functions.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_WIRE_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_WIRE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/provider-fleet/answer.h"
#include "tests/provider-fleet/behaviour.h"
#include "tests/provider-fleet/script.h"

namespace signalbox::fleet {

// What an answer carries beside its content.
struct ReplyHead {
  std::string id;  // 16 characters; each dialect adds its prefix
  std::string model;
  int64_t created = 0;         // Unix seconds
  bool include_usage = false;  // OpenAI streams: usage chunk wanted
};

namespace openai {
std::string Body(const Answer& answer, const ReplyHead& head);
void WriteEvents(const Answer& answer, const ReplyHead& head, EventList* out);
}  // namespace openai

namespace anthropic {
std::string Body(const Answer& answer, const ReplyHead& head);
void WriteEvents(const Answer& answer, const ReplyHead& head, EventList* out);
}  // namespace anthropic

// The body a provider sends with this status; an empty message takes the usual one.
std::string ErrorBody(Dialect dialect, int status, absl::string_view message, absl::string_view id);
// The same as an SSE event in a stream.
std::string ErrorEvent(Dialect dialect, int status, absl::string_view message,
                       absl::string_view id);
// GET …/models.
std::string ModelList(Dialect dialect, const std::vector<std::string>& models);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_WIRE_H_
