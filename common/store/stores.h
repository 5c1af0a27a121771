// What the services keep in Redis, as interfaces: client keys, generation records, usage. (Windows
// and scores are the aggregator's own: store/score_store.h.) One implementation exists,
// redis_stores.h; tests run it against a real server.
//
// Calls are made on an event loop the stores were created with and answered on the same loop, never
// inside the call. Every call ends within the command deadline. Unavailable = the store could not
// be asked; nothing is known then.
#ifndef SIGNALBOX_COMMON_STORE_STORES_H_
#define SIGNALBOX_COMMON_STORE_STORES_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/base/executor.h"
#include "common/base/money.h"

namespace signalbox::store {

// A client key as stored: by the SHA-256 of the secret, never the secret.
struct KeyRecord {
  std::string hash;   // 64 hex characters
  std::string name;   // for people
  std::string label;  // "sk-sb-v1-0a1...c3d": enough to recognise, not to use
  bool disabled = false;
  absl::Time created = absl::UnixEpoch();
  std::optional<absl::Time> expires;
  std::optional<NanoUsd> limit;  // total spend; enforced by the accounting issue, shown by GET /key
  bool deny_data_collection = false;  // account-level policy, may only be tightened by a request
  std::string tool_call_guard;        // off, observe or enforce; empty = as configured
};

// Charged so far, nano-USD, by calendar period (UTC).
struct KeyUsage {
  NanoUsd total, day, week, month;
};

class KeyStore {
 public:
  virtual ~KeyStore() = default;
  using LookupCallback = std::function<void(absl::StatusOr<std::optional<KeyRecord>>)>;
  virtual void Lookup(Executor& executor, const std::string& hash, LookupCallback done) = 0;
  virtual void Put(Executor& executor, const KeyRecord& record,
                   std::function<void(absl::Status)> done) = 0;
  // false = there was none.
  virtual void Remove(Executor& executor, const std::string& hash,
                      std::function<void(absl::StatusOr<bool>)> done) = 0;
  virtual void List(Executor& executor,
                    std::function<void(absl::StatusOr<std::vector<KeyRecord>>)> done) = 0;
  virtual void Usage(Executor& executor, const std::string& hash,
                     std::function<void(absl::StatusOr<KeyUsage>)> done) = 0;
};

// A finished generation as stored.
struct Generation {
  std::string id;
  std::string key_hash;  // who pays
  NanoUsd cost;
  absl::Time finished;  // the day, week and month it is paid in
  std::string json;     // the `data` object of GET /generation
};

class GenerationStore {
 public:
  virtual ~GenerationStore() = default;
  // The first error, and the positions of those that are not known to be stored: offer them again.
  using PutCallback = std::function<void(const absl::Status& status, std::vector<size_t> failed)>;
  // Stores the records and adds their costs to the keys' usage, once per id however often it is
  // called. Together they cost the store less than one by one. They are read inside the call only.
  // REQUIRES: at least one.
  virtual void Put(Executor& executor, absl::Span<const Generation> generations, absl::Duration ttl,
                   PutCallback done) = 0;
  // nullopt = unknown or another key's.
  virtual void Get(Executor& executor, const std::string& id, const std::string& key_hash,
                   std::function<void(absl::StatusOr<std::optional<std::string>>)> done) = 0;
};

}  // namespace signalbox::store

#endif  // SIGNALBOX_COMMON_STORE_STORES_H_
