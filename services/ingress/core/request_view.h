// One look at the body of a chat request: everything the gateway acts on is checked here and turned
// into routing features; the bytes themselves travel on untouched, members nobody here knows
// included.
//
// Strict about what routing, billing or an adapter relies on (a wrong type is a 400 that names the
// member, as in "messages[2].role"), silent about the rest. An explicit null counts as absent, as
// in OpenAI's API.
//
// Pure; thread-safe (one parser per thread inside).
//
//   absl::StatusOr<RequestView> view = ReadChatRequest(body, limits);   // error carries an
//   ErrorDetail with `field`
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_REQUEST_VIEW_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_REQUEST_VIEW_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "services/ingress/core/opening.h"
#include "signalbox/provider/v1/provider.pb.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

struct RequestLimits {
  size_t max_body_bytes = 32 * 1024 * 1024;
  int max_json_depth = 64;
  size_t max_models = 16;  // `model` and `models` together
  size_t max_messages = 10'000;
  size_t max_tools = 1'024;
};

struct RequestView {
  router::v1::RequestFeatures features;  // without session_key: core/conversations.h sets it
  std::string user;                      // `user`, at most 256 bytes
  std::string session_id;                // `session_id`, at most 256 bytes
  std::string prompt_cache_key;
  Opening opening;
  int media_parts = 0;  // images, files, audio and video in the messages
  int audio_parts = 0;
  // `signalbox.tool_call_guard`; UNSPECIFIED = not said.
  provider::v1::ToolCallGuard tool_call_guard = provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
};

absl::StatusOr<RequestView> ReadChatRequest(absl::string_view body, const RequestLimits& limits);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_REQUEST_VIEW_H_
