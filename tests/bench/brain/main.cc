// What the brain costs: `./dev bench brain`. README.md says how to read it.
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <iostream>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/catalogue/catalogue.h"
#include "common/config/loader.h"
#include "common/net/event_loop.h"
#include "services/metrics-aggregator/aggregator.h"
#include "services/metrics-aggregator/core/score_book.h"
#include "services/router-decision/core/policy.h"
#include "services/router-decision/core/snapshot.h"
#include "tests/support/redis_server.h"

namespace {
std::atomic<int64_t> allocations{0};
}  // namespace

void* operator new(size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace signalbox {
namespace {

using metrics_aggregator::ScoreBook;
using router_decision::Snapshot;
using router_decision::SnapshotHolder;

constexpr int kEndpoints = 25;

double ProcessSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void Show(absl::string_view what, const std::string& value, absl::string_view bar = "") {
  std::cout << absl::StrFormat("%-58s %16s   %s\n", what, value, bar) << std::flush;
}

std::shared_ptr<const catalogue::Catalogue> LargeModel() {
  std::string providers = "providers:\n";
  std::string model = "models:\n- id: a/one\n  context_length: 100000\n  endpoints:\n";
  for (int i = 0; i < kEndpoints; ++i) {
    absl::StrAppend(&providers, "- {slug: provider-", i, "}\n");
    absl::StrAppend(&model, "  - {tag: provider-", i, ", price: {prompt: 0.00000", 1 + i % 9,
                    "}, supported_parameters: [max_tokens, temperature, tools]}\n");
  }
  config::v1::Catalogue source;
  if (!config::LoadYaml(providers + model, "bench.yaml", &source).ok()) std::abort();
  return *catalogue::Catalogue::Build(std::move(source));
}

std::shared_ptr<metrics::v1::ScoreSnapshot> Scores(const catalogue::Catalogue& catalogue,
                                                   uint64_t version) {
  auto scores = std::make_shared<metrics::v1::ScoreSnapshot>();
  scores->set_version(version);
  Rng rng(version);
  for (const catalogue::Endpoint& endpoint : catalogue.endpoints()) {
    metrics::v1::EndpointScore& score = *scores->add_endpoints();
    score.set_endpoint_id(endpoint.id);
    score.mutable_tool_error()->set_mean(0.001 + 0.05 * rng.Uniform());
    score.mutable_tool_error()->set_weight(50 + 1000 * rng.Uniform());
    score.mutable_throughput_tps()->set_p50(20 + 100 * rng.Uniform());
    score.set_tool_outcomes(1000);
  }
  return scores;
}

SnapshotHolder& World() {
  static auto* const holder = [] {
    auto* made = new SnapshotHolder();
    const auto catalogue = LargeModel();
    absl::flat_hash_set<std::string> active;
    for (const config::v1::Provider* provider : catalogue->providers())
      active.insert(provider->slug());
    made->SetActiveProviders(std::move(active));
    made->SetCatalogue(catalogue);
    made->SetScores(Scores(*catalogue, 1));
    return made;
  }();
  return *holder;
}

router::v1::RequestFeatures ToolRequest() {
  router::v1::RequestFeatures features;
  features.add_models("a/one");
  features.set_request_class(common::v1::REQUEST_CLASS_TOOLS);
  return features;
}

// Nanoseconds of each of `count` orderings.
std::vector<int64_t> TimeOrderings(int count) {
  const router::v1::RequestFeatures features = ToolRequest();
  Rng rng(1);
  std::vector<int64_t> times;
  times.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const int64_t start = absl::GetCurrentTimeNanos();
    const std::shared_ptr<const Snapshot> snapshot = World().Get();
    const auto choices = router_decision::ChooseModels(snapshot->catalogue(), features);
    const router_decision::RequestFilters filters(features);
    const router_decision::Ranking ranking = router_decision::Rank(
        *snapshot, features, filters, *choices, absl::FromUnixSeconds(1), rng);
    if (ranking.candidates.size() != kEndpoints) std::abort();
    times.push_back(absl::GetCurrentTimeNanos() - start);
  }
  return times;
}

std::string Percentile(std::vector<int64_t>& times, double q) {
  const auto at =
      times.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(times.size() - 1));
  std::nth_element(times.begin(), at, times.end());
  return absl::StrFormat("%.2f us", static_cast<double>(*at) / 1000);
}

void BenchOrdering(int count) {
  TimeOrderings(1000);
  const int64_t before = allocations.load();
  std::vector<int64_t> times = TimeOrderings(count);
  const int64_t made = allocations.load() - before - 1;  // the vector of times
  Show("ordering 25 endpoints, p50", Percentile(times, 0.5), "< 15 us");
  Show("ordering 25 endpoints, p99", Percentile(times, 0.99), "< 15 us");
  Show("ordering 25 endpoints, allocations each",
       absl::StrFormat("%.2f", static_cast<double>(made) / count), "0");
}

void BenchSwap(int count) {
  std::vector<int64_t> quiet = TimeOrderings(count);
  std::atomic<bool> stop{false};
  std::atomic<int> swaps{0};
  std::thread publisher([&] {
    uint64_t version = 2;
    while (!stop) {
      World().SetScores(Scores(World().Get()->catalogue(), version++));
      ++swaps;
      absl::SleepFor(absl::Milliseconds(10));
    }
  });
  std::vector<int64_t> busy = TimeOrderings(count);
  stop = true;
  publisher.join();
  Show(absl::StrCat("… p99 while ", swaps.load(), " snapshots are swapped in"),
       Percentile(busy, 0.99), absl::StrCat("quiet: ", Percentile(quiet, 0.99)));
}

store::WindowCounts BusyBucket(Rng& rng, bool cells) {
  store::WindowCounts counts;
  const auto requests = static_cast<int64_t>(10 + rng.Below(100));
  counts[store::Count::kRequests] = counts[store::Count::kOk] = requests;
  counts[store::Count::kToolRequests] = requests / 2;
  counts[store::Count::kToolBad] = rng.Below(10) == 0 ? 1 : 0;
  for (int i = 0; cells && i < 12; ++i) {
    counts.ttft.Add(static_cast<int32_t>(50 + i), 1 + i);
    counts.throughput.Add(static_cast<int32_t>(30 + i), 1 + i);
  }
  return counts;
}

// Every endpoint with outcomes in every bucket of the last 20 minutes, 3 hours and 2 days.
void BenchRecompute(int endpoints) {
  ScoreBook::Options options;
  options.max_endpoints = 1'000'000;
  ScoreBook book(options);
  const absl::Time now = absl::FromUnixSeconds(1'800'000'007);
  Rng rng(3);
  store::WindowNews news{now, {}, {}};
  for (int i = 0; i < endpoints; ++i)
    news.touched.push_back(absl::StrFormat("author-%d/model@provider-%d", i / 25, i % 25));
  for (const ScoreBook::Read& read : book.Plan(news)) {
    std::vector<store::WindowCounts> windows(read.buckets.size());
    for (size_t i = 0; i < windows.size(); ++i) {
      const store::BucketId& id = read.buckets[i];
      if (id.resolution == store::Resolution::kHour && now - id.start() > absl::Hours(48)) continue;
      windows[i] = BusyBucket(rng, id.resolution != store::Resolution::kHour);
    }
    book.Take(read, std::move(windows), now);
  }
  double best = 1e9;
  size_t bytes = 0;
  for (int round = 0; round < 10; ++round) {
    const double start = ProcessSeconds();
    const metrics::v1::ScoreSnapshot snapshot = book.Build(static_cast<uint64_t>(round + 1), now);
    best = std::min(best, ProcessSeconds() - start);
    bytes = snapshot.ByteSizeLong();
  }
  Show(absl::StrCat("recompute of ", endpoints, " busy endpoints, processor time"),
       absl::StrFormat("%.0f ms", best * 1000), "< 250 ms");
  Show("… size of the snapshot", absl::StrFormat("%.1f MiB", static_cast<double>(bytes) / 1048576));
}

metrics::v1::ReportRequest Batch(uint64_t sequence, int outcomes, int endpoints, Rng& rng) {
  metrics::v1::ReportRequest batch;
  batch.set_reporter_id("bench");
  batch.set_sequence(sequence);
  for (int i = 0; i < outcomes; ++i) {
    common::v1::Outcome& outcome = *batch.add_outcomes();
    const uint64_t endpoint = rng.Below(static_cast<uint64_t>(endpoints));
    outcome.set_endpoint_id(
        absl::StrCat("author/model-", endpoint / 25, "@provider-", endpoint % 25));
    outcome.set_request_class(common::v1::REQUEST_CLASS_TOOLS);
    outcome.set_ttft_us(static_cast<int64_t>(200'000 + rng.Below(1'000'000)));
    outcome.set_duration_us(static_cast<int64_t>(1'000'000 + rng.Below(10'000'000)));
    outcome.set_completion_tokens(static_cast<int64_t>(50 + rng.Below(1000)));
    outcome.set_finished_with_tool_calls(true);
    outcome.set_tool_call_verdict(rng.Below(50) == 0 ? common::v1::TOOL_CALL_VERDICT_INVALID_JSON
                                                     : common::v1::TOOL_CALL_VERDICT_VALID);
  }
  return batch;
}

// "cmdstat_evalsha:calls=123,usec=…" -> 123
int64_t CommandsOf(testing::RedisServer& redis) {
  int64_t calls = 0;
  for (absl::string_view line : absl::StrSplit(redis.Run({"INFO", "stats"}), '\n')) {
    if (absl::StartsWith(line, "total_commands_processed:"))
      (void)absl::SimpleAtoi(absl::StripAsciiWhitespace(line.substr(line.find(':') + 1)), &calls);
  }
  return calls;
}

double LoopSeconds(net::EventLoop& loop) {
  std::promise<double> promise;
  loop.Post([&] {
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    promise.set_value(static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec));
  });
  return promise.get_future().get();
}

// As many outcomes as the aggregator takes, Redis writes and publication included.
void BenchIntake(double seconds, int endpoints) {
  testing::RedisServer redis;
  if (!redis.Start()) return Show("outcomes taken in", "no Redis", redis.problem());
  redis::Options options;
  options.address = *redis::ParseAddress(redis.address());
  options.command_timeout = absl::Seconds(1);  // as the service's module has it
  net::EventLoop loop("bench");
  redis::Connection connection(loop, options);
  metrics_aggregator::AggregatorOptions aggregator_options;
  metrics_aggregator::Aggregator aggregator(connection, options, store::Keys(), aggregator_options,
                                            Clock::Real(), nullptr);
  Rng rng(5);
  constexpr int kBatch = 1000;
  std::vector<metrics::v1::ReportRequest> batches;
  for (int i = 0; i < 64; ++i) batches.push_back(Batch(1, kBatch, endpoints, rng));
  const int64_t commands = CommandsOf(redis);
  const double loop_before = LoopSeconds(loop);
  const absl::Time start = absl::Now();
  std::atomic<int64_t> taken{0};
  std::atomic<int> under_way{0};
  uint64_t sequence = 0;
  while (absl::Now() - start < absl::Seconds(seconds)) {
    if (under_way > 16) {
      absl::SleepFor(absl::Microseconds(100));
      continue;
    }
    metrics::v1::ReportRequest batch = batches[sequence % batches.size()];
    batch.set_sequence(++sequence);
    ++under_way;
    aggregator.Report(std::move(batch), [&](const absl::Status& status) {
      if (status.ok()) taken += kBatch;
      --under_way;
    });
  }
  aggregator.Flush(absl::Seconds(10));
  const double wall = absl::ToDoubleSeconds(absl::Now() - start);
  const double processor = LoopSeconds(loop) - loop_before;
  Show(absl::StrCat("outcomes per second, ", endpoints, " endpoints, wall time"),
       absl::StrFormat("%.0f", static_cast<double>(taken) / wall));
  Show("outcomes per second of the aggregator's core",
       absl::StrFormat("%.0f", static_cast<double>(taken) / processor), ">= 100000");
  Show("Redis commands per second meanwhile",
       absl::StrFormat("%.0f", static_cast<double>(CommandsOf(redis) - commands) / wall),
       "bounded by endpoints, not by outcomes");
}

}  // namespace
}  // namespace signalbox

int main(int argc, char** argv) {
  const std::vector<absl::string_view> arguments(argv + 1, argv + argc);
  const auto has = [&](absl::string_view word) {
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
  };
  const bool quick = has("--quick");
  const bool all = !has("ordering") && !has("swap") && !has("recompute") && !has("intake");
  if (all || has("ordering")) signalbox::BenchOrdering(quick ? 20'000 : 500'000);
  if (all || has("swap")) signalbox::BenchSwap(quick ? 20'000 : 500'000);
  if (all || has("recompute")) signalbox::BenchRecompute(quick ? 1000 : 10'000);
  if (all || has("intake")) {
    for (int endpoints : {100, 1000}) signalbox::BenchIntake(quick ? 2 : 10, endpoints);
  }
  return 0;
}
