#include "common/store/window_bucket.h"

namespace signalbox::store {

std::map<BucketId, WindowCounts> BucketsOf(const WindowDelta& delta) {
  std::map<BucketId, WindowCounts> buckets;
  for (const auto& [index, counts] : delta) {
    const absl::Time start = BucketId{Resolution::kTenSeconds, index}.start();
    for (Resolution resolution : kResolutions) {
      WindowCounts& bucket = buckets[BucketId::At(resolution, start)];
      if (resolution == Resolution::kHour) {
        bucket.AddCounts(counts);
      } else {
        bucket.Add(counts);
      }
    }
  }
  return buckets;
}

}  // namespace signalbox::store
