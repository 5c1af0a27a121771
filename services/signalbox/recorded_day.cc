#include "services/signalbox/recorded_day.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/catalogue/catalogue.h"
#include "common/config/secrets.h"
#include "common/net/event_loop.h"
#include "common/redis/connection.h"
#include "common/store/connect.h"
#include "common/store/window_store.h"
#include "services/metrics-aggregator/core/tally.h"
#include "services/signalbox/await.h"

namespace signalbox {
namespace {

using store::BucketId;
using store::Resolution;

constexpr int kHours = 24;
constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr double kPicoPerTokenToUsdPerMillion = 1e-6;
constexpr double kMicros = 1e6;

// The windows, read from another thread than their loop's.
class Reader {
 public:
  Reader(const redis::Options& options, const config::v1::RedisConfig& config)
      : loop_("recorded"),
        connection_(loop_, options),
        windows_(connection_, store::KeysOf(config)) {}

  absl::StatusOr<store::WindowNews> Endpoints() {
    absl::StatusOr<store::WindowNews> news = absl::UnavailableError("not asked");
    for (const absl::Time end = absl::Now() + kPatience; !news.ok() && absl::Now() < end;
         absl::SleepFor(absl::Milliseconds(20))) {
      news = AwaitOn<absl::StatusOr<store::WindowNews>>(
          loop_, [this](auto done) { windows_.ReadNews(absl::UnixEpoch(), std::move(done)); });
    }
    return news;
  }

  absl::StatusOr<std::vector<store::WindowCounts>> Hours(const std::string& endpoint,
                                                         const std::vector<BucketId>& buckets) {
    return AwaitOn<absl::StatusOr<std::vector<store::WindowCounts>>>(
        loop_, [&](auto done) { windows_.Read(endpoint, buckets, std::move(done)); });
  }

 private:
  net::EventLoop loop_;
  redis::Connection connection_;
  store::WindowStore windows_;
};

std::vector<BucketId> LastHours(absl::Time now) {
  std::vector<BucketId> hours;
  BucketId last = BucketId::At(Resolution::kHour, now);
  for (int i = kHours - 1; i >= 0; --i) hours.push_back({Resolution::kHour, last.index - i});
  return hours;
}

simulate::RecordedEndpoint ToRecorded(const catalogue::Endpoint& endpoint,
                                      const std::vector<BucketId>& hours,
                                      const std::vector<store::WindowCounts>& counts) {
  simulate::RecordedEndpoint recorded;
  recorded.model = endpoint.model->id();
  recorded.provider = endpoint.config->tag();
  recorded.price =
      static_cast<double>(endpoint.pricing.completion_pico()) * kPicoPerTokenToUsdPerMillion;
  double tokens = 0;
  double micros = 0;
  for (size_t i = 0; i < hours.size(); ++i) {
    tokens += static_cast<double>(counts[i][store::Count::kOutputTokens]);
    micros += static_cast<double>(counts[i][store::Count::kGenerationMicros]);
    metrics_aggregator::Tally tally;
    tally.index = hours[i].index;
    metrics_aggregator::AddTo(counts[i], &tally);
    if (tally.tool_requests > 0) recorded.hours.push_back(tally);
  }
  recorded.throughput_tps = micros > 0 ? std::max(tokens * kMicros / micros, 1.0) : 1.0;
  return recorded;
}

}  // namespace

absl::StatusOr<simulate::Recorded> ReadRecordedDay(const config::v1::Config& config,
                                                   uint64_t seed) {
  const std::vector<std::string> paths(config.catalogue().begin(), config.catalogue().end());
  ASSIGN_OR_RETURN(const auto catalogue, catalogue::Catalogue::Load(paths));
  ASSIGN_OR_RETURN(
      const redis::Options options,
      store::RedisOptions(config.redis(), store::Role::kScores, config::Environment::Process()));
  Reader reader(options, config.redis());
  ASSIGN_OR_RETURN(const store::WindowNews news, reader.Endpoints());
  const std::vector<BucketId> hours = LastHours(news.now);
  std::vector<simulate::RecordedEndpoint> recorded;
  for (const std::string& id : news.touched) {
    const catalogue::Endpoint* endpoint = catalogue->FindEndpoint(id);
    if (endpoint == nullptr) continue;  // no longer in the catalogue: without a price
    ASSIGN_OR_RETURN(const auto counts, reader.Hours(id, hours));
    recorded.push_back(ToRecorded(*endpoint, hours, counts));
  }
  simulate::Recorded day = simulate::Replay(recorded, hours.front().index, kHours, seed);
  if (day.table.empty())
    return absl::FailedPreconditionError("no tool calls are recorded of the last 24 hours");
  return day;
}

}  // namespace signalbox
