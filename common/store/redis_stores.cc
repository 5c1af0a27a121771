#include "common/store/redis_stores.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/store/key_record.h"

namespace signalbox::store {
namespace {

using redis::Reply;

// KEYS: record. ARGV: field, value, … Replaces the whole record.
const redis::Script& PutKeyScript() {
  static const redis::Script* script = new redis::Script(R"lua(
redis.call('DEL', KEYS[1])
return redis.call('HSET', KEYS[1], unpack(ARGV))
)lua");
  return *script;
}

// KEYS: usage total, day, week, month, then the records. ARGV: ttl ms of the records, ttl s of day,
// week, month, sum of the costs, then cost and json of each record; costs are nano-USD as text. The
// arithmetic is HINCRBY's (64-bit; Lua's is double), the total first: the only one that could
// overflow fails before anything is written. Records that are there already have been charged.
const redis::Script& PutGenerationsScript() {
  static const redis::Script* script = new redis::Script(R"lua(
local function charge(nano, n)
  for i = 1, 4 do
    redis.call('HINCRBY', KEYS[i], 'nano', nano)
    redis.call('HINCRBY', KEYS[i], 'n', n)
  end
end
local function keep(i)
  redis.call('SET', KEYS[4 + i], ARGV[5 + 2 * i], 'PX', ARGV[1])
end
local n = #KEYS - 4
if redis.call('EXISTS', unpack(KEYS, 5)) == 0 then
  charge(ARGV[5], n)
  for i = 1, n do keep(i) end
else
  for i = 1, n do
    if redis.call('EXISTS', KEYS[4 + i]) == 0 then
      charge(ARGV[4 + 2 * i], 1)
      keep(i)
    end
  end
end
for i = 2, 4 do redis.call('EXPIRE', KEYS[i], ARGV[i]) end
return n
)lua");
  return *script;
}

constexpr absl::string_view kDayTtlSeconds = "259200";     // 3 days
constexpr absl::string_view kWeekTtlSeconds = "1296000";   // 15 days
constexpr absl::string_view kMonthTtlSeconds = "5443200";  // 63 days
constexpr absl::string_view kScanCount = "500";

// No client waits for a charge: a store that writes to its disk for a moment is waited for
// rather than asked once more.
constexpr absl::Duration kSettleTimeout = absl::Seconds(1);

absl::Status AsUnavailable(const absl::Status& status) {
  return absl::UnavailableError(absl::StrCat("store: ", status.message()));
}

absl::Status Unexpected(absl::string_view what) {
  return absl::UnavailableError(absl::StrCat("store: unexpected answer to ", what));
}

// The connection of the executor, or an answer saying that there is none.
template <typename Done>
redis::Connection* ConnectionOf(redis::PerLoop& connections, Executor& executor, const Done& done) {
  redis::Connection* connection = connections.For(executor);
  if (connection == nullptr) {
    executor.Post(
        [done] { done(absl::UnavailableError("store: called from a loop it was not made for")); });
  }
  return connection;
}

// A write that was answered, for whom it may concern once enough replicas hold it.
template <typename Done>
void WhenReplicated(redis::Connection& connection, Done done) {
  if (connection.replicas() == 0) return done(absl::OkStatus());
  connection.AwaitReplicas([done = std::move(done)](const absl::Status& replicated) {
    done(replicated.ok() ? replicated : AsUnavailable(replicated));
  });
}

int64_t ToNano(const Reply& reply) {
  int64_t value = 0;
  return absl::SimpleAtoi(reply.string(), &value) ? value : 0;
}

int64_t UtcDay(absl::Time time) { return absl::ToUnixSeconds(time) / (24 * 60 * 60); }

// Generations that one script can store: of one key and one day, and their sum is a number.
struct Bill {
  std::vector<const Generation*> generations;  // each id once
  std::vector<size_t> positions;               // of all that it stands for
  NanoUsd sum;

  bool Takes(const Generation& generation) const {
    const Generation& last = *generations.back();
    return generation.key_hash == last.key_hash &&
           UtcDay(generation.finished) == UtcDay(last.finished) &&
           generation.cost.value <= std::numeric_limits<int64_t>::max() - sum.value;
  }
  bool HasNegativeCost() const {
    return absl::c_any_of(generations, [](const Generation* g) { return g->cost.value < 0; });
  }
  void Add(const Generation& generation, size_t position) {
    positions.push_back(position);
    if (!generations.empty() && generations.back()->id == generation.id) return;
    generations.push_back(&generation);
    sum.value += generation.cost.value;
  }
};

std::vector<Bill> BillsOf(absl::Span<const Generation> generations) {
  std::vector<size_t> sorted(generations.size());
  absl::c_iota(sorted, 0);
  const auto order = [&](size_t i) {
    const Generation& g = generations[i];
    return std::tuple<const std::string&, int64_t, const std::string&>(g.key_hash,
                                                                       UtcDay(g.finished), g.id);
  };
  absl::c_sort(sorted, [&](size_t a, size_t b) { return order(a) < order(b); });
  std::vector<Bill> bills;
  for (size_t position : sorted) {
    const Generation& generation = generations[position];
    if (bills.empty() || !bills.back().Takes(generation)) bills.emplace_back();
    bills.back().Add(generation, position);
  }
  return bills;
}

// The answers to all bills of one Put.
class BillAnswers {
 public:
  BillAnswers(size_t bills, GenerationStore::PutCallback done)
      : left_(bills), done_(std::move(done)) {}

  void Add(const absl::Status& status, const std::vector<size_t>& positions) {
    first_error_.Update(status);
    if (!status.ok()) failed_.insert(failed_.end(), positions.begin(), positions.end());
    if (--left_ == 0) done_(first_error_, std::move(failed_));
  }

 private:
  size_t left_;
  absl::Status first_error_;
  std::vector<size_t> failed_;
  const GenerationStore::PutCallback done_;
};

void Charge(redis::Connection& connection, const Keys& key_names, const Bill& bill,
            absl::string_view ttl_ms, std::function<void(const absl::Status&)> done) {
  const Generation& first = *bill.generations.front();
  std::vector<std::string> names = {key_names.UsageTotal(first.key_hash),
                                    key_names.UsageDay(first.key_hash, first.finished),
                                    key_names.UsageWeek(first.key_hash, first.finished),
                                    key_names.UsageMonth(first.key_hash, first.finished)};
  std::vector<std::string> costs = {absl::StrCat(bill.sum.value)};
  for (const Generation* generation : bill.generations) {
    names.push_back(key_names.Generation(generation->key_hash, generation->id));
    costs.push_back(absl::StrCat(generation->cost.value));
  }
  std::vector<absl::string_view> arguments = {ttl_ms, kDayTtlSeconds, kWeekTtlSeconds,
                                              kMonthTtlSeconds, costs[0]};
  for (size_t i = 0; i < bill.generations.size(); ++i) {
    arguments.push_back(costs[1 + i]);
    arguments.push_back(bill.generations[i]->json);
  }
  connection.Eval(
      PutGenerationsScript(), std::vector<absl::string_view>(names.begin(), names.end()), arguments,
      [&connection, done = std::move(done)](absl::StatusOr<Reply> reply) {
        if (!reply.ok()) return done(AsUnavailable(reply.status()));
        WhenReplicated(connection, done);
      },
      kSettleTimeout);
}

// Walks the index page by page and reads the records of a page in one pipeline.
class KeyListing : public std::enable_shared_from_this<KeyListing> {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<KeyRecord>>)>;
  KeyListing(redis::Connection& connection, const Keys& keys, Done done)
      : connection_(connection), keys_(keys), done_(std::move(done)) {}

  void NextPage(const std::string& cursor) {
    connection_.Command({"SSCAN", keys_.KeyIndex(), cursor, "COUNT", kScanCount},
                        [self = shared_from_this()](absl::StatusOr<Reply> reply) {
                          if (!reply.ok()) return self->done_(AsUnavailable(reply.status()));
                          self->OnPage(*reply);
                        });
  }

 private:
  void OnPage(const Reply& reply) {
    if (!reply.is_array() || reply.array().size() != 2) return done_(Unexpected("SSCAN"));
    cursor_ = reply.array()[0].string();
    const std::vector<Reply>& hashes = reply.array()[1].array();
    if (hashes.empty()) return OnRecordsRead();
    left_ = hashes.size();
    for (const Reply& hash : hashes) ReadRecord(hash.string());
  }

  void ReadRecord(const std::string& hash) {
    connection_.Command({"HGETALL", keys_.Key(hash)},
                        [self = shared_from_this(), hash](absl::StatusOr<Reply> reply) {
                          self->OnRecord(hash, std::move(reply));
                        });
  }

  void OnRecord(const std::string& hash, absl::StatusOr<Reply> reply) {
    if (!reply.ok()) {
      error_ = AsUnavailable(reply.status());
    } else if (!reply->array().empty()) {  // a removed key may still be in the index
      absl::StatusOr<KeyRecord> record = DecodeKeyRecord(hash, *reply);
      if (record.ok()) {
        records_[hash] = *std::move(record);
      } else {
        error_ = AsUnavailable(record.status());
      }
    }
    if (--left_ == 0) OnRecordsRead();
  }

  void OnRecordsRead() {
    if (!error_.ok()) return done_(error_);
    if (cursor_ != "0" && records_.size() < RedisKeyStore::kMaxListed) return NextPage(cursor_);
    std::vector<KeyRecord> list;
    for (auto& [hash, record] : records_) list.push_back(std::move(record));
    done_(std::move(list));
  }

  redis::Connection& connection_;
  const Keys keys_;
  const Done done_;
  std::string cursor_;
  size_t left_ = 0;
  absl::Status error_;
  absl::flat_hash_map<std::string, KeyRecord> records_;  // a scan may name a key twice
};

}  // namespace

RedisKeyStore::RedisKeyStore(redis::PerLoop& connections, Keys keys, const Clock& clock)
    : connections_(connections), keys_(std::move(keys)), clock_(clock) {}

void RedisKeyStore::Lookup(Executor& executor, const std::string& hash, LookupCallback done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  connection->Command({"HGETALL", keys_.Key(hash)},
                      [hash, done = std::move(done)](absl::StatusOr<Reply> reply) {
                        if (!reply.ok()) return done(AsUnavailable(reply.status()));
                        if (!reply->is_array()) return done(Unexpected("HGETALL"));
                        if (reply->array().empty()) return done(std::optional<KeyRecord>());
                        absl::StatusOr<KeyRecord> record = DecodeKeyRecord(hash, *reply);
                        if (!record.ok()) return done(AsUnavailable(record.status()));
                        done(std::optional<KeyRecord>(*std::move(record)));
                      });
}

// Index first: a record without an index entry would be a key nobody can list.
void RedisKeyStore::Put(Executor& executor, const KeyRecord& record,
                        std::function<void(absl::Status)> done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  auto write = [connection, key = keys_.Key(record.hash), fields = EncodeKeyRecord(record),
                done](absl::StatusOr<Reply> indexed) {
    if (!indexed.ok()) return done(AsUnavailable(indexed.status()));
    const std::vector<absl::string_view> arguments(fields.begin(), fields.end());
    connection->Eval(PutKeyScript(), {key}, arguments,
                     [connection, done](absl::StatusOr<Reply> reply) {
                       if (!reply.ok()) return done(AsUnavailable(reply.status()));
                       WhenReplicated(*connection, done);
                     });
  };
  connection->Command({"SADD", keys_.KeyIndex(), record.hash}, std::move(write));
}

void RedisKeyStore::Remove(Executor& executor, const std::string& hash,
                           std::function<void(absl::StatusOr<bool>)> done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  auto unindex = [connection, index = keys_.KeyIndex(), hash, done](absl::StatusOr<Reply> removed) {
    if (!removed.ok()) return done(AsUnavailable(removed.status()));
    // An index entry left behind names no record and is skipped.
    connection->Command({"SREM", index, hash}, [connection, done, existed = removed->integer() > 0](
                                                   absl::StatusOr<Reply>) {
      WhenReplicated(*connection, [done, existed](const absl::Status& replicated) {
        replicated.ok() ? done(existed) : done(replicated);
      });
    });
  };
  connection->Command({"DEL", keys_.Key(hash)}, std::move(unindex));
}

void RedisKeyStore::List(Executor& executor,
                         std::function<void(absl::StatusOr<std::vector<KeyRecord>>)> done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  std::make_shared<KeyListing>(*connection, keys_, std::move(done))->NextPage("0");
}

void RedisKeyStore::Usage(Executor& executor, const std::string& hash,
                          std::function<void(absl::StatusOr<KeyUsage>)> done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  struct Gathering {
    KeyUsage usage;
    absl::Status error;
    int left = 4;
  };
  auto gathering = std::make_shared<Gathering>();
  auto read = [&](const std::string& key, NanoUsd KeyUsage::*period) {
    connection->Command({"HGET", key, "nano"},
                        [gathering, period, done](absl::StatusOr<Reply> reply) {
                          if (reply.ok()) {
                            (gathering->usage.*period).value = ToNano(*reply);
                          } else {
                            gathering->error = AsUnavailable(reply.status());
                          }
                          if (--gathering->left > 0) return;
                          if (gathering->error.ok()) return done(gathering->usage);
                          done(gathering->error);
                        });
  };
  const absl::Time now = clock_.Now();
  read(keys_.UsageTotal(hash), &KeyUsage::total);
  read(keys_.UsageDay(hash, now), &KeyUsage::day);
  read(keys_.UsageWeek(hash, now), &KeyUsage::week);
  read(keys_.UsageMonth(hash, now), &KeyUsage::month);
}

RedisGenerationStore::RedisGenerationStore(redis::PerLoop& connections, Keys keys)
    : connections_(connections), keys_(std::move(keys)) {}

void RedisGenerationStore::Put(Executor& executor, absl::Span<const Generation> generations,
                               absl::Duration ttl, PutCallback done) {
  std::vector<Bill> bills = BillsOf(generations);
  auto answers = std::make_shared<BillAnswers>(bills.size(), std::move(done));
  const std::string ttl_ms = absl::StrCat(absl::ToInt64Milliseconds(ttl));
  for (Bill& bill : bills) {
    auto answered = [answers, positions = std::move(bill.positions)](const absl::Status& status) {
      answers->Add(status, positions);
    };
    if (ttl < absl::Seconds(1) || bill.HasNegativeCost()) {
      executor.Post([answered = std::move(answered)] {
        answered(absl::InvalidArgumentError("generation: negative cost or no ttl"));
      });
    } else if (redis::Connection* connection = ConnectionOf(connections_, executor, answered);
               connection != nullptr) {
      Charge(*connection, keys_, bill, ttl_ms, std::move(answered));
    }
  }
}

void RedisGenerationStore::Get(
    Executor& executor, const std::string& id, const std::string& key_hash,
    std::function<void(absl::StatusOr<std::optional<std::string>>)> done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  connection->Command({"GET", keys_.Generation(key_hash, id)},
                      [done = std::move(done)](absl::StatusOr<Reply> reply) {
                        if (!reply.ok()) return done(AsUnavailable(reply.status()));
                        if (reply->is_nil()) return done(std::optional<std::string>());
                        if (!reply->is_string()) return done(Unexpected("GET"));
                        done(std::optional<std::string>(std::move(reply->string())));
                      });
}

}  // namespace signalbox::store
