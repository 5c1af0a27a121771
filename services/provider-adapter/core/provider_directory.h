// Which providers can be used right now, and with what: key, base URL, load. Follows the catalogue
// and the secrets.
//
// A provider is active when it is not disabled, its base URL is one, and its key resolves (or it
// needs none). A key that the provider refuses goes into quarantine for a while: attempts then fail
// at once with the same reason, and the provider counts as inactive, so that the router looks
// elsewhere.
//
// ProviderDirectory is thread-safe. A Directory is immutable but for the counters in it.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_PROVIDER_DIRECTORY_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_PROVIDER_DIRECTORY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/catalogue/catalogue.h"
#include "common/config/secrets.h"
#include "common/http/client.h"
#include "signalbox/common/v1/error.pb.h"

namespace signalbox::provider_adapter {

// Requests in flight at one endpoint. Thread-safe.
class EndpointLoad {
 public:
  // False: `limit` are in flight already. True: the caller calls Leave later.
  bool Enter(int limit) {
    if (in_flight_.fetch_add(1, std::memory_order_relaxed) < limit) return true;
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  void Leave() { in_flight_.fetch_sub(1, std::memory_order_relaxed); }
  int in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int> in_flight_{0};
};

// Whether the provider accepts our key. Lives as long as the key stays the same. Thread-safe.
class KeyHealth {
 public:
  // True when this begins a quarantine (of the many attempts in flight at that moment only one
  // does).
  bool Quarantine(common::v1::Reason reason, absl::Duration now, absl::Duration length);
  // UNSPECIFIED = usable.
  common::v1::Reason QuarantinedFor(absl::Duration now) const;

 private:
  std::atomic<int64_t> until_ns_{0};
  std::atomic<int> reason_{common::v1::REASON_UNSPECIFIED};
};

struct ProviderAccess {
  bool active = false;
  config::Secret key;
  http::Origin origin;
  std::shared_ptr<KeyHealth> health;
};

struct Directory {
  std::shared_ptr<const catalogue::Catalogue> catalogue;
  std::vector<ProviderAccess> providers;             // by provider_index
  std::vector<std::shared_ptr<EndpointLoad>> loads;  // by Endpoint::index
};

class ProviderDirectory {
 public:
  // `secrets` outlives the directory.
  explicit ProviderDirectory(config::SecretResolver& secrets);

  // A new catalogue is in force. Reads secrets: may block on files.
  void Update(std::shared_ptr<const catalogue::Catalogue> catalogue);
  // Looks at the secrets again; makes a new Directory only when something has changed. May block on
  // files.
  void Refresh();
  // Never null; empty before the first Update.
  std::shared_ptr<const Directory> Get() const;

 private:
  std::shared_ptr<const Directory> Build(std::shared_ptr<const catalogue::Catalogue> catalogue,
                                         const Directory& before) const;
  ProviderAccess Access(const config::v1::Provider& provider, const ProviderAccess* before) const;
  void Publish(std::shared_ptr<const Directory> next);

  config::SecretResolver& secrets_;
  absl::Mutex build_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);  // one update at a time
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Directory> current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_PROVIDER_DIRECTORY_H_
