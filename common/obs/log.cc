#include "common/obs/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace signalbox::obs {
namespace {

// A pipe that polls writable takes this much without blocking (PIPE_BUF); longer lines go in
// slices.
constexpr size_t kSliceBytes = 4096;
// How long one line may wait for standard error. Once it has, the following lines wait no more
// until it recovers.
constexpr int kWriteWaitMs = 50;

std::atomic<int> level_setting{kInfo};
std::atomic<int64_t> lines_dropped{0};

// Everything that touches the output. Never destroyed: threads may log while the process exits.
class Output {
 public:
  void Write(absl::string_view line) {
    absl::MutexLock lock(&mutex_);
    if (sink_) {
      sink_(line);
    } else {
      WriteStderr(line);
    }
  }
  void SetSink(std::function<void(absl::string_view)> sink) {
    absl::MutexLock lock(&mutex_);
    sink_ = std::move(sink);
  }
  void SetService(absl::string_view service) {
    absl::MutexLock lock(&mutex_);
    service_field_ = ",\"service\":";
    AppendJsonString(&service_field_, service, Log::kMaxKeyBytes);
  }
  void AppendService(std::string* line) {
    absl::MutexLock lock(&mutex_);
    line->append(service_field_);
  }

 private:
  void WriteStderr(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::string with_newline = absl::StrCat(line, "\n");
    absl::string_view rest = with_newline;
    while (!rest.empty()) {
      pollfd descriptor{STDERR_FILENO, POLLOUT, 0};
      const int ready = poll(&descriptor, 1, stuck_ ? 0 : kWriteWaitMs);
      if (ready < 0 && errno == EINTR) continue;
      stuck_ = ready <= 0;
      if (stuck_) break;
      const ssize_t written = write(STDERR_FILENO, rest.data(), std::min(rest.size(), kSliceBytes));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) break;
      rest.remove_prefix(static_cast<size_t>(written));
    }
    if (!rest.empty()) lines_dropped.fetch_add(1, std::memory_order_relaxed);
  }

  absl::Mutex mutex_;
  std::function<void(absl::string_view)> sink_ ABSL_GUARDED_BY(mutex_);
  std::string service_field_ ABSL_GUARDED_BY(mutex_);
  bool stuck_ ABSL_GUARDED_BY(mutex_) = false;
};

Output& TheOutput() {
  static Output* const output = new Output;
  return *output;
}

// Length of the well-formed UTF-8 sequence at the start of the text, or 0.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i, unsigned char low = 0x80, unsigned char high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool second = continues(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF);
    return second && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool second = continues(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void AppendEscaped(std::string* out, char c) {
  switch (c) {
    case '"':
      out->append("\\\"");
      return;
    case '\\':
      out->append("\\\\");
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      break;
  }
  if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
    absl::StrAppendFormat(out, "\\u%04x", static_cast<unsigned>(c));
  } else {
    out->push_back(c);
  }
}

}  // namespace

void AppendJsonString(std::string* out, absl::string_view text, size_t max_bytes) {
  out->push_back('"');
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.substr(i));
    if (i + std::max<size_t>(length, 1) > max_bytes) {
      out->append("…");
      break;
    }
    if (length == 1) {
      AppendEscaped(out, text[i]);
    } else if (length == 0) {
      out->append("\xEF\xBF\xBD");
    } else {
      out->append(text.data() + i, length);
    }
    i += std::max<size_t>(length, 1);
  }
  out->push_back('"');
}

absl::string_view LevelName(Level level) {
  switch (level) {
    case kDebug:
      return "debug";
    case kInfo:
      return "info";
    case kWarning:
      return "warning";
    case kError:
      return "error";
  }
  return "unknown";
}

absl::optional<Level> ParseLevel(absl::string_view name) {
  for (const Level level : {kDebug, kInfo, kWarning, kError}) {
    if (name == LevelName(level)) return level;
  }
  return absl::nullopt;
}

void SetLogLevel(Level level) { level_setting.store(level, std::memory_order_relaxed); }
Level GetLogLevel() { return static_cast<Level>(level_setting.load(std::memory_order_relaxed)); }
void SetLogService(absl::string_view service) { TheOutput().SetService(service); }
int64_t LogLinesDropped() { return lines_dropped.load(std::memory_order_relaxed); }

absl::optional<int64_t> LogEvery::Admit() {
  const absl::Duration now = clock_.Monotonic();
  absl::MutexLock lock(&mutex_);
  if (last_.has_value() && now - *last_ < interval_) {
    ++suppressed_;
    return absl::nullopt;
  }
  last_ = now;
  return std::exchange(suppressed_, 0);
}

Log::Log(Level level, absl::string_view event) { Begin(level, event); }

Log::Log(Level level, absl::string_view event, LogEvery& every) {
  if (level < GetLogLevel()) return;
  const absl::optional<int64_t> suppressed = every.Admit();
  if (!suppressed.has_value()) return;
  Begin(level, event);
  if (*suppressed > 0) With("suppressed", *suppressed);
}

void Log::Begin(Level level, absl::string_view event) {
  if (level < GetLogLevel()) return;
  enabled_ = true;
  line_.reserve(256);
  absl::StrAppend(
      &line_, "{\"time\":\"",
      absl::FormatTime("%E4Y-%m-%d%ET%H:%M:%E6S", Clock::Real().Now(), absl::UTCTimeZone()),
      "Z\",\"level\":\"", LevelName(level), "\"");
  TheOutput().AppendService(&line_);
  line_.append(",\"event\":");
  AppendJsonString(&line_, event, kMaxKeyBytes);
}

Log::~Log() {
  if (!enabled_) return;
  line_.append(truncated_ ? ",\"truncated\":true}" : "}");
  TheOutput().Write(line_);
}

bool Log::StartField(absl::string_view key, size_t value_bytes) {
  if (!enabled_) return false;
  // Escaping makes at most six bytes of one; the last bytes are kept for the closing mark.
  if (line_.size() + 6 * (std::min(key.size(), kMaxKeyBytes) + value_bytes) + 64 > kMaxLineBytes) {
    truncated_ = true;
    return false;
  }
  line_.push_back(',');
  AppendJsonString(&line_, key, kMaxKeyBytes);
  line_.push_back(':');
  return true;
}

Log& Log::With(absl::string_view key, absl::string_view value) {
  if (StartField(key, std::min(value.size(), kMaxValueBytes))) {
    AppendJsonString(&line_, value, kMaxValueBytes);
  }
  return *this;
}

Log& Log::With(absl::string_view key, bool value) {
  if (StartField(key, 5)) line_.append(value ? "true" : "false");
  return *this;
}

Log& Log::With(absl::string_view key, double value) {
  if (!StartField(key, 24)) return *this;
  if (std::isfinite(value)) {
    absl::StrAppend(&line_, value);
  } else {
    line_.append("null");
  }
  return *this;
}

Log& Log::With(absl::string_view key, absl::Duration value) {
  return With(absl::StrCat(key, "_ms"), absl::ToDoubleMilliseconds(value));
}

Log& Log::With(absl::string_view key, const absl::Status& value) {
  if (value.ok()) return With(key, "OK");
  return With(key, absl::StrCat(absl::StatusCodeToString(value.code()), ": ", value.message()));
}

Log& Log::WithSigned(absl::string_view key, int64_t value) {
  if (StartField(key, 20)) absl::StrAppend(&line_, value);
  return *this;
}

Log& Log::WithUnsigned(absl::string_view key, uint64_t value) {
  if (StartField(key, 20)) absl::StrAppend(&line_, value);
  return *this;
}

ScopedLogSink::ScopedLogSink(std::function<void(absl::string_view line)> sink) {
  TheOutput().SetSink(std::move(sink));
}
ScopedLogSink::~ScopedLogSink() { TheOutput().SetSink(nullptr); }

}  // namespace signalbox::obs
