#include "services/metrics-aggregator/core/score_book.h"

#include <algorithm>
#include <set>
#include <utility>

namespace signalbox::metrics_aggregator {
namespace {

// At most so many whole reads are added to one plan to keep the book fresh: a restart reads
// everything at once anyway.
constexpr size_t kMaxRereads = 50;

// Hours before that are closed for good: late writes are minutes late, not hours.
constexpr absl::Duration kLongRead = absl::Hours(3);

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
        found->second.last_long_read == absl::InfinitePast()) {
      reads.push_back(LongRead(endpoint, news.now));
    } else {
      reads.push_back({endpoint, RecentBuckets(found->second.last_read, news.now), false});
    }
  }
  size_t rereads = 0;
  for (const auto& [endpoint, entry] : endpoints_) {
    if (rereads == kMaxRereads) break;
    if (news.now - entry.last_long_read < options_.reread_interval ||
        entry.last_long_read == absl::InfinitePast())
      continue;
    reads.push_back(LongRead(endpoint, news.now));
    ++rereads;
  }
  if (!reads.empty()) changed_ = true;
  return reads;
}

ScoreBook::Read ScoreBook::LongRead(const std::string& endpoint, absl::Time now) {
  const bool known = endpoints_[endpoint].last_long_read != absl::InfinitePast();
  return {endpoint, known ? RecentBuckets(now - kLongRead, now) : AllBuckets(now), true};
}

void ScoreBook::Take(const Read& read, std::vector<store::WindowCounts> windows, absl::Time now) {
  Entry& entry = endpoints_[read.endpoint];
  for (size_t i = 0; i < read.buckets.size(); ++i) entry.window.Set(read.buckets[i], windows[i]);
  entry.window.Trim(now);
  entry.last_read = now;
  if (read.reaches_back) entry.last_long_read = now;
}

bool ScoreBook::PublicationDue(absl::Time now) const {
  return changed_ || now - published_ >= options_.max_age;
}

metrics::v1::ScoreSnapshot ScoreBook::Build(uint64_t version, absl::Time now,
                                            const BenchmarkTable& benchmarks) {
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
  *snapshot.mutable_tool_error_prior() = PriorOf(options_.estimator.tools);
  *snapshot.mutable_failure_prior() = PriorOf(options_.estimator.failures);
  CompareCalls(now, &snapshot);
  ApplyBenchmarks(benchmarks, &snapshot);
  JudgeSnapshot(options_.exacto, &snapshot);
  return snapshot;
}

// Endpoints of one model stand next to each other: both are sorted by id.
void ScoreBook::CompareCalls(absl::Time now, metrics::v1::ScoreSnapshot* snapshot) const {
  auto* scores = snapshot->mutable_endpoints();
  for (int begin = 0; begin < scores->size();) {
    const absl::string_view model = ModelOf(scores->Get(begin).endpoint_id());
    std::vector<CallCounts> counts;
    int end = begin;
    for (; end < scores->size() && ModelOf(scores->Get(end).endpoint_id()) == model; ++end) {
      const EndpointWindow& window = endpoints_.find(scores->Get(end).endpoint_id())->second.window;
      const TallySum day = window.Sum(store::Resolution::kHour, absl::Hours(24), now);
      counts.push_back({day.free_offered, day.free_called});
    }
    const std::vector<double> excess = CallExcess(counts, options_.peers);
    for (int i = begin; i < end; ++i)
      scores->Mutable(i)->set_call_excess(excess[static_cast<size_t>(i - begin)]);
    begin = end;
  }
}

void ScoreBook::OnPublished(absl::Time now) {
  published_ = now;
  changed_ = false;
}

uint64_t NextVersion(uint64_t last, absl::Time now) {
  return std::max(last + 1, static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMillis(now))));
}

}  // namespace signalbox::metrics_aggregator
