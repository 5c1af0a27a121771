// Logging: one JSON object per line on standard error, one line per event.
//
//   obs::Log(obs::kInfo, "listener_started").With("address", address).With("port", port);
//   {"time":"2026-08-22T10:00:00.123456Z","level":"info","service":"ingress","event":"listener_started",…}
//
// The event name is a fixed word (the names of a room are listed in its README); everything that
// varies is a field. The line is written when the Log object dies, at the end of the statement.
// Lines, keys and values are bounded, and a line that standard error does not take is dropped and
// counted instead of holding up the thread. Prompts, client keys and provider keys never enter a
// log field.
//
// Thread-safe, except that one Log or one LogEvery's Log object is used by the statement that makes
// it.
#ifndef SIGNALBOX_COMMON_OBS_LOG_H_
#define SIGNALBOX_COMMON_OBS_LOG_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/base/clock.h"

namespace signalbox::obs {

enum Level { kDebug = 0, kInfo = 1, kWarning = 2, kError = 3 };

// "debug", "info", "warning", "error".
absl::string_view LevelName(Level level);
absl::optional<Level> ParseLevel(absl::string_view name);

// Events below the level cost one atomic load. May be changed at any time.
void SetLogLevel(Level level);
Level GetLogLevel();

// Adds a "service" field to every line. Set once, early in main.
void SetLogService(absl::string_view service);

// Lines dropped since the start because standard error did not take them.
int64_t LogLinesDropped();

// Lets one event through per interval and counts the others, so that a trouble that repeats a
// thousand times a second makes one line with "suppressed":999. Thread-safe; one object per place
// that logs.
class LogEvery {
 public:
  explicit LogEvery(absl::Duration interval, const Clock& clock = Clock::Real())
      : interval_(interval), clock_(clock) {}
  // The number of events held back since the last one let through, or nullopt: hold this one back.
  absl::optional<int64_t> Admit();

 private:
  const absl::Duration interval_;
  const Clock& clock_;
  absl::Mutex mutex_;
  absl::optional<absl::Duration> last_ ABSL_GUARDED_BY(mutex_);
  int64_t suppressed_ ABSL_GUARDED_BY(mutex_) = 0;
};

class Log {
 public:
  Log(Level level, absl::string_view event);
  Log(Level level, absl::string_view event, LogEvery& every);
  ~Log();  // writes the line
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Values longer than kMaxValueBytes are cut; bytes that are not UTF-8 become U+FFFD.
  Log& With(absl::string_view key, absl::string_view value);
  Log& With(absl::string_view key, const char* value) {
    return With(key, absl::string_view(value));
  }
  Log& With(absl::string_view key, const std::string& value) {
    return With(key, absl::string_view(value));
  }
  Log& With(absl::string_view key, bool value);
  Log& With(absl::string_view key, double value);  // not finite: null
  // Written as milliseconds under "<key>_ms"; infinite: null.
  Log& With(absl::string_view key, absl::Duration value);
  // "UNAVAILABLE: connection refused".
  Log& With(absl::string_view key, const absl::Status& value);
  template <typename T, typename = std::enable_if_t<std::is_integral_v<T>>>
  Log& With(absl::string_view key, T value) {
    if constexpr (std::is_unsigned_v<T>) {
      return WithUnsigned(key, value);
    } else {
      return WithSigned(key, value);
    }
  }

  static constexpr size_t kMaxValueBytes = 2048;
  static constexpr size_t kMaxKeyBytes = 64;
  static constexpr size_t kMaxLineBytes = 16 * 1024;

 private:
  void Begin(Level level, absl::string_view event);
  Log& WithSigned(absl::string_view key, int64_t value);
  Log& WithUnsigned(absl::string_view key, uint64_t value);
  // False when the line is off or full.
  bool StartField(absl::string_view key, size_t value_bytes);

  bool enabled_ = false;
  bool truncated_ = false;
  std::string line_;
};

// Sends all lines to a function instead of standard error while it lives. For tests; one at a time.
class ScopedLogSink {
 public:
  explicit ScopedLogSink(std::function<void(absl::string_view line)> sink);
  ~ScopedLogSink();
  ScopedLogSink(const ScopedLogSink&) = delete;
  ScopedLogSink& operator=(const ScopedLogSink&) = delete;
};

// Appends the text as a quoted JSON string, at most max_bytes of it (cut at a character and marked
// with "…").
void AppendJsonString(std::string* out, absl::string_view text, size_t max_bytes);

}  // namespace signalbox::obs

#endif  // SIGNALBOX_COMMON_OBS_LOG_H_
