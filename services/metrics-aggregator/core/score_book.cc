#include "services/metrics-aggregator/core/score_book.h"

#include <algorithm>
#include <set>
#include <utility>

namespace signalbox::metrics_aggregator {
namespace {

// At most so many whole reads are added to one plan to keep the book fresh: a restart reads
// everything at once anyway.
constexpr size_t kMaxRereads = 50;

}  // namespace

std::vector<ScoreBook::Read> ScoreBook::Plan(const store::WindowNews& news) {
  const std::set<std::string> late(news.late.begin(), news.late.end());
  std::vector<Read> reads;
  for (const std::string& endpoint : news.touched) {
    const auto found = endpoints_.find(endpoint);
    if (found == endpoints_.end() && endpoints_.size() >= options_.max_endpoints) {
      ++refused_;
      continue;
    }
    if (found == endpoints_.end() || late.count(endpoint) != 0 ||
        found->second.last_whole_read == absl::InfinitePast()) {
      reads.push_back(WholeRead(endpoint, news.now));
    } else {
      reads.push_back({endpoint, RecentBuckets(found->second.last_read, news.now)});
    }
  }
  size_t rereads = 0;
  for (const auto& [endpoint, entry] : endpoints_) {
    if (rereads == kMaxRereads) break;
    if (news.now - entry.last_whole_read < options_.reread_interval ||
        entry.last_whole_read == absl::InfinitePast())
      continue;
    reads.push_back(WholeRead(endpoint, news.now));
    ++rereads;
  }
  if (!reads.empty()) changed_ = true;
  return reads;
}

ScoreBook::Read ScoreBook::WholeRead(const std::string& endpoint, absl::Time now) {
  endpoints_[endpoint];
  return {endpoint, AllBuckets(now)};
}

void ScoreBook::Take(const Read& read, std::vector<store::WindowCounts> windows, absl::Time now) {
  Entry& entry = endpoints_[read.endpoint];
  for (size_t i = 0; i < read.buckets.size(); ++i)
    entry.window.Set(read.buckets[i], std::move(windows[i]));
  entry.window.Trim(now);
  entry.last_read = now;
  if (read.buckets == AllBuckets(now)) entry.last_whole_read = now;
}

bool ScoreBook::PublicationDue(absl::Time now) const {
  return changed_ || now - published_ >= options_.max_age;
}

metrics::v1::ScoreSnapshot ScoreBook::Build(uint64_t version, absl::Time now) {
  metrics::v1::ScoreSnapshot snapshot;
  snapshot.set_version(version);
  snapshot.set_computed_unix_ms(absl::ToUnixMillis(now));
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    it->second.window.Trim(now);
    if (it->second.window.empty()) {
      it = endpoints_.erase(it);
      continue;
    }
    *snapshot.add_endpoints() = Estimate(it->first, it->second.window, now, options_.estimator);
    ++it;
  }
  JudgeSnapshot(options_.exacto, &snapshot);
  return snapshot;
}

void ScoreBook::OnPublished(absl::Time now) {
  published_ = now;
  changed_ = false;
}

uint64_t NextVersion(uint64_t last, absl::Time now) {
  return std::max(last + 1, static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMillis(now))));
}

}  // namespace signalbox::metrics_aggregator
