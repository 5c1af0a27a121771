// How a conversation begins, as two numbers: enough to know the conversation again by, nothing of
// its text is kept. The opening is the first system or developer message and the first other
// message; the text and the media of their content count, not members such as cache_control that
// clients move from turn to turn.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_OPENING_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_OPENING_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "services/ingress/core/json_check.h"

namespace signalbox::ingress {

struct Opening {
  uint64_t hash = 0;
  int64_t tokens = 0;  // upper estimate, as of a prompt
  // Of the opening and the first answer in it, which tells conversations apart that open alike;
  // `hash` as long as there is none.
  uint64_t continued_hash = 0;
  int answers = 0;  // assistant messages: 0 = the first turn
};

class OpeningScan {
 public:
  // The messages in their order. REQUIRES: their shape was checked.
  void Add(absl::string_view role, simdjson::dom::object message);
  Opening Result() const;

 private:
  void AddToOpening(simdjson::dom::object message, uint64_t* hash);

  uint64_t instructions_ = 0;  // 0 = none yet
  uint64_t first_ = 0;
  uint64_t answer_ = 0;
  uint64_t text_bytes_ = 0;
  int media_ = 0;
  int answers_ = 0;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_OPENING_H_
