// The stores of stores.h on Redis. Calls are answered on the loop they were made on; every failure
// of Redis, of whatever kind, comes back as Unavailable (the cause in the message), so that it can
// never be taken for a statement about a key.
//
// Thread-safe: each loop uses its own connection.
#ifndef SIGNALBOX_COMMON_STORE_REDIS_STORES_H_
#define SIGNALBOX_COMMON_STORE_REDIS_STORES_H_

#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/redis/per_loop.h"
#include "common/store/keys.h"
#include "common/store/stores.h"

namespace signalbox::store {

class RedisKeyStore final : public KeyStore {
 public:
  // The connections and the clock outlive the store. The clock chooses the day, week and month of
  // Usage().
  RedisKeyStore(redis::PerLoop& connections, Keys keys, const Clock& clock = Clock::Real());

  void Lookup(Executor& executor, const std::string& hash, LookupCallback done) override;
  void Put(Executor& executor, const KeyRecord& record,
           std::function<void(absl::Status)> done) override;
  // Removes the record; what the key has spent stays.
  void Remove(Executor& executor, const std::string& hash,
              std::function<void(absl::StatusOr<bool>)> done) override;
  // In no order; at most kMaxListed records.
  void List(Executor& executor,
            std::function<void(absl::StatusOr<std::vector<KeyRecord>>)> done) override;
  void Usage(Executor& executor, const std::string& hash,
             std::function<void(absl::StatusOr<KeyUsage>)> done) override;

  static constexpr size_t kMaxListed = 100'000;

 private:
  redis::PerLoop& connections_;
  const Keys keys_;
  const Clock& clock_;
};

class RedisGenerationStore final : public GenerationStore {
 public:
  // The connections outlive the store.
  RedisGenerationStore(redis::PerLoop& connections, Keys keys);

  // The record is also the mark that its cost was added: "once" holds for `ttl`. What one key
  // finished on one day is one script. Error: InvalidArgument, a negative cost.
  void Put(Executor& executor, absl::Span<const Generation> generations, absl::Duration ttl,
           PutCallback done) override;
  void Get(Executor& executor, const std::string& id, const std::string& key_hash,
           std::function<void(absl::StatusOr<std::optional<std::string>>)> done) override;

 private:
  redis::PerLoop& connections_;
  const Keys keys_;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_REDIS_STORES_H_
