#include "common/store/lease.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace signalbox::store {
namespace {

using redis::Reply;
using redis::Script;

// KEYS: lease, fence. ARGV: owner, ttl ms. Returns the value held, or nil when it is another's.
const Script& TakeOrRenewScript() {
  static const Script* script = new Script(R"lua(
local current = redis.call('GET', KEYS[1])
if current then
  if string.sub(current, 1, #ARGV[1] + 1) ~= ARGV[1] .. ':' then return false end
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return current
end
local value = ARGV[1] .. ':' .. string.format('%.0f', redis.call('INCR', KEYS[2]))
redis.call('SET', KEYS[1], value, 'NX', 'PX', ARGV[2])
return value
)lua");
  return *script;
}

// KEYS: lease. ARGV: value.
const Script& ReleaseScript() {
  static const Script* script = new Script(R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
)lua");
  return *script;
}

}  // namespace

Lease::Lease(redis::Connection& connection, const Keys& keys, std::string owner, absl::Duration ttl,
             const Clock& clock)
    : connection_(connection),
      key_(keys.ScoresLease()),
      fence_key_(keys.ScoresFence()),
      owner_(std::move(owner)),
      ttl_(ttl),
      clock_(clock) {}

Lease::~Lease() = default;

void Lease::TakeOrRenew(std::function<void(bool held)> done) {
  const absl::Duration sent = clock_.Monotonic();
  auto on_reply = [this, sent, alive = std::weak_ptr<bool>(alive_),
                   done = std::move(done)](absl::StatusOr<Reply> reply) {
    if (alive.expired()) return;
    if (reply.ok() && reply->is_string()) {
      value_ = reply->string();
      held_until_ = sent + ttl_;
    } else if (reply.ok()) {
      held_until_ = -absl::InfiniteDuration();  // another's
    }
    done(held());
  };
  connection_.Eval(TakeOrRenewScript(), {key_, fence_key_},
                   {owner_, absl::StrCat(absl::ToInt64Milliseconds(ttl_))}, std::move(on_reply));
}

bool Lease::held() const { return clock_.Monotonic() < held_until_; }

void Lease::Release(std::function<void()> done) {
  held_until_ = -absl::InfiniteDuration();
  connection_.Eval(ReleaseScript(), {key_}, {value_},
                   [done = std::move(done)](absl::StatusOr<Reply>) { done(); });
}

}  // namespace signalbox::store
