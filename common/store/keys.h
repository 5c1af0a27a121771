// Every name Signalbox uses in Redis, in one place. The table in README.md says what each holds and
// for how long.
//
// A part in braces is the hash tag: on a Redis Cluster, keys of one tag lie on one node, so a
// script may touch them all.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_COMMON_STORE_KEYS_H_
#define SIGNALBOX_COMMON_STORE_KEYS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace signalbox::store {

// Width of a window bucket.
enum class Resolution { kTenSeconds, kMinute, kHour };
inline constexpr Resolution kResolutions[] = {Resolution::kTenSeconds, Resolution::kMinute,
                                              Resolution::kHour};

constexpr int64_t WidthSeconds(Resolution resolution) {
  switch (resolution) {
    case Resolution::kTenSeconds:
      return 10;
    case Resolution::kMinute:
      return 60;
    case Resolution::kHour:
      return 3600;
  }
  return 0;
}

// How long a bucket stays after its last write.
constexpr absl::Duration BucketTtl(Resolution resolution) {
  switch (resolution) {
    case Resolution::kTenSeconds:
      return absl::Minutes(20);
    case Resolution::kMinute:
      return absl::Hours(3);
    case Resolution::kHour:
      return absl::Hours(32 * 24);
  }
  return absl::ZeroDuration();
}

constexpr absl::string_view ResolutionName(Resolution resolution) {
  switch (resolution) {
    case Resolution::kTenSeconds:
      return "10s";
    case Resolution::kMinute:
      return "1m";
    case Resolution::kHour:
      return "1h";
  }
  return "";
}

// Fit to stand in a hash tag: printable ASCII without braces, from 1 byte to `longest`.
inline bool IsTag(absl::string_view text, size_t longest) {
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_isgraph(c) && c != '{' && c != '}'; });
}

class Keys {
 public:
  explicit Keys(std::string prefix = "sb:") : prefix_(std::move(prefix)) {}
  const std::string& prefix() const { return prefix_; }

  // Client keys and what they spent.
  std::string Key(absl::string_view hash) const {
    return absl::StrCat(prefix_, "key:{", hash, "}");
  }
  std::string KeyIndex() const { return absl::StrCat(prefix_, "keys"); }
  std::string UsageTotal(absl::string_view hash) const { return Usage(hash, "total"); }
  std::string UsageDay(absl::string_view hash, absl::Time now) const {
    return Usage(hash, Format("d%Y%m%d", now));
  }
  // ISO week.
  std::string UsageWeek(absl::string_view hash, absl::Time now) const {
    return Usage(hash, Format("w%G%V", now));
  }
  std::string UsageMonth(absl::string_view hash, absl::Time now) const {
    return Usage(hash, Format("m%Y%m", now));
  }
  // Under the owner's tag: another key's id is simply not there.
  std::string Generation(absl::string_view key_hash, absl::string_view id) const {
    return absl::StrCat(prefix_, "gen:{", key_hash, "}:", id);
  }

  // Windows. `bucket` is the start of the bucket divided by its width.
  std::string Window(absl::string_view endpoint, Resolution resolution, int64_t bucket) const {
    return absl::StrCat(prefix_, "w:{", endpoint, "}:", ResolutionName(resolution), ":", bucket);
  }
  std::string WindowApplied(absl::string_view endpoint) const {
    return absl::StrCat(prefix_, "w:{", endpoint, "}:applied");
  }
  std::string WindowTouched() const { return absl::StrCat(prefix_, "w:{touched}"); }
  std::string WindowLate() const { return absl::StrCat(prefix_, "w:{touched}:late"); }
  std::string ReporterClaims(absl::string_view reporter, uint64_t block) const {
    return absl::StrCat(prefix_, "rep:{", reporter, "}:", block);
  }

  // Runs of benchmarks at an endpoint, and which endpoints have any.
  std::string Benchmarks(absl::string_view endpoint) const {
    return absl::StrCat(prefix_, "b:{", endpoint, "}");
  }
  std::string BenchmarkIndex() const { return absl::StrCat(prefix_, "b:{index}:endpoints"); }

  // Scores and the lease of their publisher.
  std::string Scores() const { return absl::StrCat(prefix_, "{scores}"); }
  std::string ScoresVersion() const { return absl::StrCat(prefix_, "{scores}:version"); }
  std::string ScoresChannel() const { return absl::StrCat(prefix_, "{scores}:news"); }
  std::string ScoresLease() const { return absl::StrCat(prefix_, "lease:{scores}"); }
  std::string ScoresFence() const { return absl::StrCat(prefix_, "lease:{scores}:fence"); }

 private:
  std::string Usage(absl::string_view hash, absl::string_view period) const {
    return absl::StrCat(prefix_, "usage:{", hash, "}:", period);
  }
  static std::string Format(absl::string_view format, absl::Time now) {
    return absl::FormatTime(format, now, absl::UTCTimeZone());
  }

  std::string prefix_;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_KEYS_H_
