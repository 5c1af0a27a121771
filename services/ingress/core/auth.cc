#include "services/ingress/core/auth.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/base/ids.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

constexpr absl::string_view kKeyPrefix = "sk-sb-v1-";
constexpr size_t kKeyHexChars = 64;
// Unknown keys get a cache of their own: a flood of them must not push out the known ones.
constexpr size_t kMaxUnknown = 10'000;

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Milliseconds(200);

bool LooksLikeKey(absl::string_view secret) {
  return absl::ConsumePrefix(&secret, kKeyPrefix) && secret.size() == kKeyHexChars &&
         absl::c_all_of(secret,
                        [](char c) { return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'); });
}

absl::Status Unauthenticated(absl::string_view what) {
  return seam::MakeError(common::v1::REASON_UNAUTHENTICATED, what);
}

absl::Status UnknownKey() {
  return Unauthenticated("The API key is not known. Check that it was copied whole.");
}

absl::Status StoreAway() {
  return seam::MakeError(
      common::v1::REASON_UNAVAILABLE,
      "The key could not be checked because the key store is temporarily unavailable.");
}

}  // namespace

absl::string_view AuthSourceName(AuthSource source) {
  switch (source) {
    case AuthSource::kFresh:
      return "fresh";
    case AuthSource::kStore:
      return "store";
    case AuthSource::kStale:
      return "stale";
    case AuthSource::kNegative:
      return "negative";
    case AuthSource::kMalformed:
      return "malformed";
    case AuthSource::kStoreAway:
      return "store_away";
  }
  return "unknown";
}

absl::string_view SecretFrom(absl::string_view authorization, absl::string_view x_api_key) {
  constexpr absl::string_view kBearer = "bearer ";
  if (absl::StartsWithIgnoreCase(authorization, kBearer)) {
    return absl::StripAsciiWhitespace(authorization.substr(kBearer.size()));
  }
  return absl::StripAsciiWhitespace(x_api_key);
}

Authenticator::Authenticator(const AuthOptions& options, store::KeyStore& keys, Executor& executor,
                             const Clock& clock, std::function<void(AuthSource)> observe)
    : options_(options),
      keys_(keys),
      executor_(executor),
      clock_(clock),
      observe_(std::move(observe)),
      known_(std::max<size_t>(options.cache_entries, 1)),
      unknown_(std::clamp<size_t>(options.cache_entries, 1, kMaxUnknown)) {}

void Authenticator::Authenticate(absl::string_view secret, Done done) {
  if (secret.empty()) {
    Observe(AuthSource::kMalformed);
    done(Unauthenticated(
        "No API key. Send it as \"Authorization: Bearer <key>\" or \"x-api-key: <key>\"."));
    return;
  }
  if (!LooksLikeKey(secret)) {
    Observe(AuthSource::kMalformed);
    done(UnknownKey());
    return;
  }
  const std::string hash = Sha256Hex(secret);
  const absl::Duration now = clock_.Monotonic();
  if (const Known* known = known_.Find(hash);
      known != nullptr && now - known->asked_at < options_.fresh_for) {
    Observe(AuthSource::kFresh);
    done(Admit(known->record));
    return;
  }
  if (const absl::Duration* until = unknown_.Find(hash); until != nullptr && now < *until) {
    Observe(AuthSource::kNegative);
    done(UnknownKey());
    return;
  }
  const Known* const stale = UsableStale(hash);
  if (stale != nullptr && now < store_away_until_) {
    Observe(AuthSource::kStale);
    done(Admit(stale->record));
    return;
  }
  if (stale == nullptr && now < gave_up_until_) {
    Observe(AuthSource::kStoreAway);
    done(StoreAway());
    return;
  }
  Ask(hash, std::move(done));
}

void Authenticator::Ask(const std::string& hash, Done done) {
  LookUp& look_up = look_ups_[hash];
  look_up.waiters.push_back(std::move(done));
  if (look_up.waiters.size() > 1) return;
  look_up.began = clock_.Monotonic();
  look_up.next_pause = kFirstPause;
  AskStore(hash);
}

void Authenticator::AskStore(const std::string& hash) {
  keys_.Lookup(executor_, hash,
               [this, hash, alive = std::weak_ptr<bool>(alive_)](
                   absl::StatusOr<std::optional<store::KeyRecord>> answer) {
                 if (!alive.expired()) OnAnswer(hash, std::move(answer));
               });
}

void Authenticator::OnAnswer(const std::string& hash,
                             absl::StatusOr<std::optional<store::KeyRecord>> answer) {
  if (!answer.ok() && AskAgain(hash)) return;
  const std::vector<Done> waiters = std::move(look_ups_[hash].waiters);
  look_ups_.erase(hash);
  const absl::StatusOr<Principal> result = Conclude(hash, std::move(answer));
  for (const Done& done : waiters) done(result);
}

// False: the key is known well enough here, or the patience is over.
bool Authenticator::AskAgain(const std::string& hash) {
  LookUp& look_up = look_ups_[hash];
  const absl::Duration waited = clock_.Monotonic() - look_up.began;
  if (UsableStale(hash) != nullptr || waited + look_up.next_pause > options_.patience) return false;
  executor_.RunAfter(look_up.next_pause, [this, hash, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) AskStore(hash);
  });
  look_up.next_pause = std::min(2 * look_up.next_pause, kLongestPause);
  return true;
}

absl::StatusOr<Authenticator::Principal> Authenticator::Conclude(
    const std::string& hash, absl::StatusOr<std::optional<store::KeyRecord>> answer) {
  const absl::Duration now = clock_.Monotonic();
  if (!answer.ok()) {
    store_away_until_ = now + options_.store_retry;
    const Known* stale = UsableStale(hash);
    Observe(stale != nullptr ? AuthSource::kStale : AuthSource::kStoreAway);
    if (stale == nullptr) {
      gave_up_until_ = now + options_.store_retry;
      return StoreAway();
    }
    return Admit(stale->record);
  }
  Observe(AuthSource::kStore);
  if (!answer->has_value()) {
    known_.Erase(hash);
    unknown_.Put(hash, now + options_.negative_for);
    return UnknownKey();
  }
  unknown_.Erase(hash);
  const Known& known =
      known_.Put(hash, {std::make_shared<const store::KeyRecord>(**std::move(answer)), now});
  return Admit(known.record);
}

absl::StatusOr<Authenticator::Principal> Authenticator::Admit(const Principal& record) const {
  if (record->disabled) return Unauthenticated("The API key is disabled.");
  if (record->expires.has_value() && clock_.Now() >= *record->expires)
    return Unauthenticated("The API key has expired.");
  return record;
}

const Authenticator::Known* Authenticator::UsableStale(const std::string& hash) {
  const Known* known = known_.Find(hash);
  if (known == nullptr || clock_.Monotonic() - known->asked_at > options_.stale_for) return nullptr;
  return known;
}

void Authenticator::Observe(AuthSource source) const {
  if (observe_) observe_(source);
}

}  // namespace signalbox::ingress
