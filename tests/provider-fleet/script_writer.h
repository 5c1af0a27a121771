// Answer + behaviour + fault → Script: HTTP framing, pacing and everything that can go wrong on the
// wire.
//
// Pure functions.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_SCRIPT_WRITER_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_SCRIPT_WRITER_H_

#include <string>

#include "absl/strings/string_view.h"
#include "common/base/rng.h"
#include "tests/provider-fleet/answer.h"
#include "tests/provider-fleet/behaviour.h"
#include "tests/provider-fleet/chat_request.h"
#include "tests/provider-fleet/script.h"
#include "tests/provider-fleet/wire.h"

namespace signalbox::fleet {

// The reply to one chat request. `fault` may be null. Draws times and variants from `rng`;
// `time_scale` divides every delay.
Script WriteScript(const ChatRequest& request, const Behaviour& behaviour, const Fault* fault,
                   Answer answer, const ReplyHead& head, double time_scale, Rng& rng);

// A complete small response sent at once.
Script WriteResponse(int status, absl::string_view content_type, absl::string_view body,
                     absl::string_view extra_headers = "");

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_SCRIPT_WRITER_H_
