// Who is calling: from a client key to a principal, through a local cache in front of the key
// store.
//
// Rules: an outage of the store is never the client's fault (503, not 401); a key once known good
// is served from the cache while the store is away (AuthConfig.stale_for); an unknown key is asked
// for once per AuthConfig.negative_for; a string that cannot be a key is never asked for; many
// requests with one key make one look-up.
//
// Thread-compatible: one Authenticator per event loop, so that the hot path takes no lock.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_AUTH_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_AUTH_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/executor.h"
#include "common/store/stores.h"
#include "services/ingress/core/lru_map.h"

namespace signalbox::ingress {

struct AuthOptions {
  absl::Duration fresh_for = absl::Seconds(5);
  absl::Duration stale_for = absl::Hours(24);
  absl::Duration negative_for = absl::Seconds(5);
  size_t cache_entries = 100'000;
  // After the store could not be asked it is left alone so long, and known keys are served without
  // waiting for it.
  absl::Duration store_retry = absl::Seconds(1);
  // A key that is not known here is asked for again so long while the store does not answer: a new
  // ingress knows no key at all, and a store that pauses for a moment is no reason to refuse.
  absl::Duration patience = absl::Seconds(1);
};

// How an authentication was answered; a metric label.
enum class AuthSource { kFresh, kStore, kStale, kNegative, kMalformed, kStoreAway };
constexpr int kAuthSources = 6;
absl::string_view AuthSourceName(AuthSource source);

class Authenticator {
 public:
  // Shared, so that a running request keeps what it was admitted with.
  using Principal = std::shared_ptr<const store::KeyRecord>;
  using Done = std::function<void(absl::StatusOr<Principal>)>;

  // `observe` may be empty. All references outlive the authenticator.
  Authenticator(const AuthOptions& options, store::KeyStore& keys, Executor& executor,
                const Clock& clock, std::function<void(AuthSource)> observe);

  // Calls `done` inside the call when the cache has the answer, later on the executor otherwise.
  // Errors: UNAUTHENTICATED (malformed, unknown, disabled, expired), UNAVAILABLE (not known here
  // and the store is away).
  void Authenticate(absl::string_view secret, Done done);

 private:
  struct Known {
    Principal record;
    absl::Duration asked_at;  // monotonic
  };

  // Requests that wait for one look-up.
  struct LookUp {
    std::vector<Done> waiters;
    absl::Duration began;
    absl::Duration next_pause;
  };

  void Ask(const std::string& hash, Done done);
  void AskStore(const std::string& hash);
  bool AskAgain(const std::string& hash);
  void OnAnswer(const std::string& hash, absl::StatusOr<std::optional<store::KeyRecord>> answer);
  absl::StatusOr<Principal> Conclude(const std::string& hash,
                                     absl::StatusOr<std::optional<store::KeyRecord>> answer);
  absl::StatusOr<Principal> Admit(const Principal& record) const;
  // The record when the key is known and not older than stale_for.
  const Known* UsableStale(const std::string& hash);
  void Observe(AuthSource source) const;

  const AuthOptions options_;
  store::KeyStore& keys_;
  Executor& executor_;
  const Clock& clock_;
  const std::function<void(AuthSource)> observe_;
  LruMap<Known> known_;
  LruMap<absl::Duration> unknown_;  // until when
  absl::flat_hash_map<std::string, LookUp> look_ups_;
  absl::Duration store_away_until_ = -absl::InfiniteDuration();  // for keys known here
  absl::Duration gave_up_until_ = -absl::InfiniteDuration();     // for all others
  // Callbacks of the store hold it weakly: they may come after the end.
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// The key of a request: "Authorization: Bearer <key>", else "x-api-key". Empty = none.
absl::string_view SecretFrom(absl::string_view authorization, absl::string_view x_api_key);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_AUTH_H_
