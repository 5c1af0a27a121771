// A Script is the whole reply to one request as a plan: which bytes go out when, and how the
// exchange ends. Everything the fleet does to a client is a Script; a Connection only plays it.
// That gives exact control over the bytes on the wire and lets tests look at a reply without a
// socket.
//
// Plain values.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_SCRIPT_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace signalbox::fleet {

struct Script {
  enum class End : uint8_t {
    kKeepAlive,  // the answer is complete, the connection stays
    kClose,      // FIN
    kReset,      // RST
    kHang,       // nothing more, until the client leaves
  };
  // bytes[previous.end, end) are sent `at_ns` after the request was complete.
  struct Step {
    uint32_t end;
    int64_t at_ns;
  };

  std::string bytes;
  std::vector<Step> steps;  // ascending in both members
  End end = End::kKeepAlive;
  int64_t end_at_ns = 0;             // not before the last step
  std::vector<uint32_t> id_offsets;  // where the 16 characters of the request's id stand, for reuse
  bool answered = true;              // counts as answered when played to its end (false: a fault)

  // Appends bytes to be sent at `at_ns`; equal times share a step.
  void Add(absl::string_view more, int64_t at_ns);
  // Makes the last step cover everything appended to `bytes` directly.
  void CoverTail(int64_t at_ns);
  // Drops all bytes from `size` on.
  void Truncate(size_t size);
  // One byte at a time from byte `from` on, `interval_ns` apart.
  void Drip(size_t from, int64_t interval_ns);
};

// Events of an SSE stream as bytes of the body, and what each is, for pacing.
class EventList {
 public:
  enum class Kind : uint8_t { kOpening, kToken, kClosing };
  struct Mark {
    uint32_t end;
    Kind kind;
  };

  // Append to bytes(), then Close the event.
  std::string& bytes() { return bytes_; }
  void Close(Kind kind) { events_.push_back({static_cast<uint32_t>(bytes_.size()), kind}); }

  size_t size() const { return events_.size(); }
  Kind kind(size_t i) const { return events_[i].kind; }
  absl::string_view Event(size_t i) const;
  // Keeps the first `count` events.
  void Truncate(size_t count);
  // Gives event `i` other bytes.
  void Replace(size_t i, absl::string_view with);

 private:
  std::string bytes_;
  std::vector<Mark> events_;
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_SCRIPT_H_
