#include "common/store/benchmark_store.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace signalbox::store {
namespace {

using redis::Reply;
using redis::Script;

constexpr absl::Duration kMaxAhead = absl::Hours(1);  // clocks differ
constexpr size_t kMaxName = 64;
constexpr size_t kMaxEndpointId = 256;
constexpr int64_t kMaxAnswers = 10'000'000;
// Endpoints read at the same time: well below the connection's queue.
constexpr size_t kReadsAtOnce = 64;

// KEYS: runs of an endpoint. ARGV: field, "<finished ms> <passed> <total> <cases>", finished ms,
// kept ms, most ahead ms, most runs. Returns 1, or 0 when the end of the run is out of range.
const Script& RecordScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local oldest = now - tonumber(ARGV[4])
local finished = tonumber(ARGV[3])
if finished < oldest or finished > now + tonumber(ARGV[5]) then return 0 end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4] + ARGV[5])
local all = redis.call('HGETALL', KEYS[1])
local runs = {}
for i = 1, #all, 2 do
  runs[#runs + 1] = {all[i], tonumber(string.match(all[i + 1], '^%d+')) or 0}
end
table.sort(runs, function(a, b) return a[2] > b[2] end)
for i, run in ipairs(runs) do
  if i > tonumber(ARGV[6]) or run[2] < oldest then redis.call('HDEL', KEYS[1], run[1]) end
end
return 1
)lua");
  return *script;
}

// KEYS: index. ARGV: finished ms, endpoint, kept ms, most endpoints.
const Script& IndexScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], 'GT', ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
return 1
)lua");
  return *script;
}

// KEYS: index. ARGV: kept ms. Returns {oldest that counts ms, endpoint …}.
const Script& ListScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
return {oldest, redis.call('ZRANGEBYSCORE', KEYS[1], oldest, '+inf')}
)lua");
  return *script;
}

// Part of a field's name, in which '|' separates.
bool IsName(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxName && absl::c_all_of(text, [](char c) {
    return absl::ascii_isalnum(c) || absl::string_view("-_./").find(c) != absl::string_view::npos;
  });
}

absl::Status Check(const metrics::v1::RecordBenchmarkRequest& result) {
  const auto wrong = [](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("benchmark: ", what));
  };
  if (!IsTag(result.endpoint_id(), kMaxEndpointId))
    return wrong("endpoint_id: not the id of an endpoint");
  if (!IsName(result.suite())) return wrong("suite: 1 to 64 letters, digits, - _ . or /");
  if (!IsName(result.run_id())) return wrong("run_id: 1 to 64 letters, digits, - _ . or /");
  if (result.total() <= 0 || result.total() > kMaxAnswers)
    return wrong("total: from 1 to 10,000,000");
  if (result.passed() < 0 || result.passed() > result.total()) return wrong("passed: 0 to total");
  if (result.cases() < 0 || result.cases() > result.total()) return wrong("cases: 0 to total");
  return absl::OkStatus();
}

std::string Milliseconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Milliseconds(duration));
}

// Adds one field of an endpoint's hash; what cannot be read counts nothing.
void AddRun(absl::string_view field, absl::string_view value, int64_t oldest_ms,
            std::map<std::string, BenchmarkSums>* suites) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, ' ');
  int64_t finished_ms, passed, total, cases;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &finished_ms) ||
      !absl::SimpleAtoi(parts[1], &passed) || !absl::SimpleAtoi(parts[2], &total) ||
      !absl::SimpleAtoi(parts[3], &cases) || finished_ms < oldest_ms) {
    return;
  }
  BenchmarkSums& sums = (*suites)[std::string(field.substr(0, field.find('|')))];
  sums.passed += passed;
  sums.total += total;
  sums.cases = std::max(sums.cases, cases);
}

// One ReadAll under way. Its callbacks may outlive the store, not the connection.
struct Reading {
  Reading(redis::Connection& its_connection, Keys its_keys)
      : connection(its_connection), keys(std::move(its_keys)) {}

  redis::Connection& connection;
  const Keys keys;
  std::function<void(absl::StatusOr<BenchmarkResults>)> done;
  std::vector<std::string> endpoints;
  int64_t oldest_ms = 0;
  size_t next = 0;
  size_t under_way = 0;
  absl::Status error;
  BenchmarkResults results;
};

void Take(const std::string& endpoint, const absl::StatusOr<Reply>& reply, Reading* reading) {
  --reading->under_way;
  if (!reply.ok()) {
    reading->error = reply.status();
    return;
  }
  std::map<std::string, BenchmarkSums> suites;
  const std::vector<Reply>& fields = reply->array();
  for (size_t i = 0; i + 1 < fields.size(); i += 2)
    AddRun(fields[i].string(), fields[i + 1].string(), reading->oldest_ms, &suites);
  if (!suites.empty()) reading->results[endpoint] = std::move(suites);
}

void ReadNext(const std::shared_ptr<Reading>& reading) {
  while (reading->error.ok() && reading->next < reading->endpoints.size() &&
         reading->under_way < kReadsAtOnce) {
    const std::string& endpoint = reading->endpoints[reading->next++];
    ++reading->under_way;
    reading->connection.Command({"HGETALL", reading->keys.Benchmarks(endpoint)},
                                [reading, &endpoint](const absl::StatusOr<Reply>& reply) {
                                  Take(endpoint, reply, reading.get());
                                  ReadNext(reading);
                                });
  }
  if (reading->under_way > 0) return;
  if (!reading->error.ok()) return reading->done(reading->error);
  reading->done(std::move(reading->results));
}

}  // namespace

BenchmarkStore::BenchmarkStore(redis::Connection& connection, Keys keys)
    : connection_(connection), keys_(std::move(keys)) {}

void BenchmarkStore::Record(const metrics::v1::RecordBenchmarkRequest& result,
                            std::function<void(absl::Status)> done) {
  if (absl::Status checked = Check(result); !checked.ok()) return done(std::move(checked));
  const int64_t finished_ms = result.finished_unix_ms();
  const int64_t cases = result.cases() > 0 ? result.cases() : result.total();
  connection_.Eval(
      RecordScript(), {keys_.Benchmarks(result.endpoint_id())},
      {absl::StrCat(result.suite(), "|", result.run_id()),
       absl::StrCat(std::max<int64_t>(0, finished_ms), " ", result.passed(), " ", result.total(),
                    " ", cases),
       absl::StrCat(finished_ms), Milliseconds(kKept), Milliseconds(kMaxAhead),
       absl::StrCat(kMaxRuns)},
      [&connection = connection_, index = keys_.BenchmarkIndex(), endpoint = result.endpoint_id(),
       finished_ms, done = std::move(done)](absl::StatusOr<Reply> reply) {
        if (!reply.ok()) return done(reply.status());
        if (reply->integer() != 1) {
          return done(absl::InvalidArgumentError(
              "benchmark: finished_unix_ms: within the last 32 days, and not in the future"));
        }
        connection.Eval(
            IndexScript(), {index},
            {absl::StrCat(finished_ms), endpoint, Milliseconds(kKept), absl::StrCat(kMaxEndpoints)},
            [done](absl::StatusOr<Reply> indexed) { done(indexed.status()); });
      });
}

void BenchmarkStore::ReadAll(std::function<void(absl::StatusOr<BenchmarkResults>)> done) {
  auto reading = std::make_shared<Reading>(connection_, keys_);
  reading->done = std::move(done);
  connection_.Eval(ListScript(), {keys_.BenchmarkIndex()}, {Milliseconds(kKept)},
                   [reading](absl::StatusOr<Reply> reply) {
                     if (!reply.ok()) return reading->done(reply.status());
                     if (reply->array().size() != 2)
                       return reading->done(absl::InternalError("benchmarks: unexpected answer"));
                     reading->oldest_ms = reply->array()[0].integer();
                     for (const Reply& endpoint : reply->array()[1].array())
                       reading->endpoints.push_back(endpoint.string());
                     ReadNext(reading);
                   });
}

}  // namespace signalbox::store
