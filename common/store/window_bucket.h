// Names of window buckets, and what one flush adds to which of them.
//
// Pure; thread-compatible.
#ifndef SIGNALBOX_COMMON_STORE_WINDOW_BUCKET_H_
#define SIGNALBOX_COMMON_STORE_WINDOW_BUCKET_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/store/keys.h"
#include "common/store/window_counts.h"

namespace signalbox::store {

struct BucketId {
  Resolution resolution = Resolution::kTenSeconds;
  int64_t index = 0;  // start of the bucket in Unix seconds / its width

  static BucketId At(Resolution resolution, absl::Time time) {
    return {resolution, absl::ToUnixSeconds(time) / WidthSeconds(resolution)};
  }
  absl::Time start() const { return absl::FromUnixSeconds(index * WidthSeconds(resolution)); }
  absl::Time end() const { return absl::FromUnixSeconds((index + 1) * WidthSeconds(resolution)); }
  friend bool operator==(const BucketId& a, const BucketId& b) {
    return a.resolution == b.resolution && a.index == b.index;
  }
  friend bool operator<(const BucketId& a, const BucketId& b) {
    return a.resolution != b.resolution ? a.resolution < b.resolution : a.index < b.index;
  }
};

// Outcomes of one endpoint by the 10-second bucket they fall into.
using WindowDelta = std::map<int64_t, WindowCounts>;

// The buckets of all resolutions that a delta adds to. The 1-hour ones carry counters only:
// percentiles are asked for half an hour at most, and 32 days of cells would fill the store.
std::map<BucketId, WindowCounts> BucketsOf(const WindowDelta& delta);

// What changed in the windows, as readers are told.
struct WindowNews {
  absl::Time now;                    // store clock; ask from here next time
  std::vector<std::string> touched;  // endpoints with news
  std::vector<std::string>
      late;  // those with news in buckets older than readers look at by default
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_WINDOW_BUCKET_H_
