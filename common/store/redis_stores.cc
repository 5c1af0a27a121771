#include "common/store/redis_stores.h"

#include <memory>
#include <utility>

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

// KEYS: record, usage total, day, week, month. ARGV: json, ttl ms, nano-USD as text, ttl s of day,
// week, month. The arithmetic is HINCRBY's (64-bit; Lua's is double), the total first: the only one
// that could overflow fails before anything is written. Returns 1 = stored, 0 = was there.
const redis::Script& PutGenerationScript() {
  static const redis::Script* script = new redis::Script(R"lua(
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 2, 5 do
  redis.call('HINCRBY', KEYS[i], 'nano', ARGV[3])
  redis.call('HINCRBY', KEYS[i], 'n', 1)
  if i > 2 then redis.call('EXPIRE', KEYS[i], ARGV[i + 1]) end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
)lua");
  return *script;
}

constexpr absl::string_view kDayTtlSeconds = "259200";     // 3 days
constexpr absl::string_view kWeekTtlSeconds = "1296000";   // 15 days
constexpr absl::string_view kMonthTtlSeconds = "5443200";  // 63 days
constexpr absl::string_view kScanCount = "500";

// No client waits for a settlement: a store that writes to its disk for a moment is waited for
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

void RedisGenerationStore::Put(Executor& executor, const std::string& id,
                               const std::string& key_hash, NanoUsd cost, absl::Time now,
                               const std::string& json, absl::Duration ttl,
                               std::function<void(absl::Status)> done) {
  redis::Connection* connection = ConnectionOf(connections_, executor, done);
  if (connection == nullptr) return;
  if (cost.value < 0 || ttl < absl::Seconds(1)) {
    executor.Post([done = std::move(done)] {
      done(absl::InvalidArgumentError("generation: negative cost or no ttl"));
    });
    return;
  }
  const std::string record = keys_.Generation(key_hash, id);
  const std::string total = keys_.UsageTotal(key_hash);
  const std::string day = keys_.UsageDay(key_hash, now);
  const std::string week = keys_.UsageWeek(key_hash, now);
  const std::string month = keys_.UsageMonth(key_hash, now);
  const std::string ttl_ms = absl::StrCat(absl::ToInt64Milliseconds(ttl));
  const std::string nano = absl::StrCat(cost.value);
  connection->Eval(
      PutGenerationScript(), {record, total, day, week, month},
      {json, ttl_ms, nano, kDayTtlSeconds, kWeekTtlSeconds, kMonthTtlSeconds},
      [connection, done = std::move(done)](absl::StatusOr<Reply> reply) {
        if (!reply.ok()) return done(AsUnavailable(reply.status()));
        WhenReplicated(*connection, done);
      },
      kSettleTimeout);
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
