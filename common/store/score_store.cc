#include "common/store/score_store.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::store {
namespace {

using redis::Reply;
using redis::Script;

// KEYS: lease, scores, version. ARGV: lease value, version, blob, channel. Versions are below 2^53:
// exact in Lua.
const Script& PublishScript() {
  static const Script* script = new Script(R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lease' end
if tonumber(redis.call('GET', KEYS[3]) or '0') >= tonumber(ARGV[2]) then return 'version' end
redis.call('SET', KEYS[2], ARGV[3])
redis.call('SET', KEYS[3], ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[2])
return 'ok'
)lua");
  return *script;
}

// KEYS: scores. Returns {blob or nil, now ms}.
const Script& ReadScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
return {redis.call('GET', KEYS[1]), time[1] * 1000 + math.floor(time[2] / 1000)}
)lua");
  return *script;
}

absl::Status ToStatus(const Reply& answer) {
  if (answer.string() == "ok") return absl::OkStatus();
  if (answer.string() == "lease")
    return absl::FailedPreconditionError("scores: the lease is another's");
  if (answer.string() == "version")
    return absl::AbortedError("scores: the store has a newer version");
  return absl::InternalError("scores: unexpected answer");
}

}  // namespace

ScoreStore::ScoreStore(redis::Connection& connection, Keys keys)
    : connection_(connection), keys_(std::move(keys)) {}

void ScoreStore::Publish(const std::string& lease, const metrics::v1::ScoreSnapshot& snapshot,
                         std::function<void(absl::Status)> done) {
  connection_.Eval(PublishScript(), {keys_.ScoresLease(), keys_.Scores(), keys_.ScoresVersion()},
                   {lease, absl::StrCat(snapshot.version()), snapshot.SerializeAsString(),
                    keys_.ScoresChannel()},
                   [done = std::move(done)](absl::StatusOr<Reply> reply) {
                     done(reply.ok() ? ToStatus(*reply) : reply.status());
                   });
}

void ScoreStore::ReadVersion(std::function<void(absl::StatusOr<uint64_t>)> done) {
  connection_.Command({"GET", keys_.ScoresVersion()},
                      [done = std::move(done)](absl::StatusOr<Reply> reply) {
                        if (!reply.ok()) return done(reply.status());
                        uint64_t version = 0;
                        if (!reply->is_nil() && !absl::SimpleAtoi(reply->string(), &version)) {
                          return done(absl::DataLossError("scores: the version is no number"));
                        }
                        done(version);
                      });
}

void ScoreStore::Read(std::function<void(absl::StatusOr<std::optional<Stored>>)> done) {
  connection_.Eval(
      ReadScript(), {keys_.Scores()}, {}, [done = std::move(done)](absl::StatusOr<Reply> reply) {
        if (!reply.ok()) return done(reply.status());
        if (reply->array().size() != 2)
          return done(absl::InternalError("scores: unexpected answer"));
        const Reply& blob = reply->array()[0];
        if (blob.is_nil()) return done(std::optional<Stored>());
        auto snapshot = std::make_shared<metrics::v1::ScoreSnapshot>();
        if (!blob.is_string() || !snapshot->ParseFromString(blob.string())) {
          return done(absl::DataLossError("scores: what is stored is no snapshot"));
        }
        const absl::Time now = absl::FromUnixMillis(reply->array()[1].integer());
        const absl::Duration age = now - absl::FromUnixMillis(snapshot->computed_unix_ms());
        done(std::optional<Stored>(Stored{std::move(snapshot), age}));
      });
}

}  // namespace signalbox::store
