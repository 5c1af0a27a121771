// Request in, Script out: routing, key check, the draw of faults, the answer. One per thread: it
// owns the JSON parser and the prebuilt answers of endpoints that always say the same (the fast
// path of benchmarks).
//
// Thread-compatible. The roster outlives it.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_RESPONDER_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_RESPONDER_H_

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/chat_request.h"
#include "tests/provider-fleet/http_reader.h"
#include "tests/provider-fleet/roster.h"
#include "tests/provider-fleet/script.h"
#include "tests/provider-fleet/wire.h"

namespace signalbox::fleet {

struct Reply {
  Script script;
  Endpoint* endpoint = nullptr;  // whose counters the end of the exchange belongs to; null: none
};

class Responder {
 public:
  explicit Responder(Roster* roster);
  Reply Respond(const HttpRequest& request);

 private:
  // A script together with everything it depends on.
  struct Prebuilt {
    std::shared_ptr<const Behaviour> behaviour;
    bool stream = false;
    bool include_usage = false;
    int64_t max_tokens = 0;
    size_t body_bytes = 0;
    std::string model;
    Script script;
  };

  Reply RespondChat(Provider* provider, Dialect dialect, const HttpRequest& request);
  Reply Answered(Endpoint* endpoint, const std::shared_ptr<const Behaviour>& behaviour);
  Script PrebuiltScript(Endpoint* endpoint, const std::shared_ptr<const Behaviour>& behaviour,
                        const ReplyHead& head);
  Script FreshScript(Endpoint* endpoint, const Behaviour& behaviour, const ReplyHead& head,
                     Rng* rng);

  Roster* const roster_;
  ChatRequestParser parser_;
  ChatRequest chat_;
  absl::flat_hash_map<const Endpoint*, Prebuilt> prebuilt_;
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_RESPONDER_H_
