#include "common/store/window_store.h"

#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::store {
namespace {

using redis::Reply;
using redis::Script;

// How long a claim or an applied number is remembered: a repetition that comes later would be
// counted again.
constexpr absl::string_view kClaimTtlSeconds = "3600";     // 1 hour
constexpr absl::string_view kAppliedTtlSeconds = "86400";  // 24 hours

// KEYS: claims of a reporter's block. ARGV: owner, ttl, sequence … Returns {now ms, 1 or 0 …}.
const Script& ClaimScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
local result = {time[1] * 1000 + math.floor(time[2] / 1000)}
for i = 3, #ARGV do
  if redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[1]) == 1 or redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[1] then
    result[i - 1] = 1
  else
    result[i - 1] = 0
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return result
)lua");
  return *script;
}

// KEYS: applied numbers, buckets … ARGV: owner, number, ttl of the numbers; per bucket its ttl, the
// number of fields, then field and amount of each. The number is noted first: a script that fails
// half-way must not be counted again.
const Script& ApplyScript() {
  static const Script* script = new Script(R"lua(
local last = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) <= last then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
local a = 4
for k = 2, #KEYS do
  local ttl, fields = ARGV[a], tonumber(ARGV[a + 1])
  a = a + 2
  for i = 1, fields do
    redis.call('HINCRBY', KEYS[k], ARGV[a], ARGV[a + 1])
    a = a + 2
  end
  redis.call('EXPIRE', KEYS[k], ttl)
end
return 1
)lua");
  return *script;
}

// KEYS: touched, late. ARGV: 1 = late too, endpoint … Entries of more than 32 days ago
// go: as long as hours are kept.
const Script& TouchScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now, ARGV[i])
  if ARGV[1] == '1' then redis.call('ZADD', KEYS[2], now, ARGV[i]) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 2764800000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 2764800000)
return 1
)lua");
  return *script;
}

// KEYS: touched, late. ARGV: since, ms.
const Script& NewsScript() {
  static const Script* script = new Script(R"lua(
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000),
        redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf'),
        redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[1], '+inf')}
)lua");
  return *script;
}

// KEYS: buckets of one endpoint. Returns {position from 1, fields, …} of those that exist: most of
// a month's hours do not, and a script asks for them in one round trip.
const Script& ReadScript() {
  static const Script* script = new Script(R"lua(
local found = {}
for i = 1, #KEYS do
  local fields = redis.call('HGETALL', KEYS[i])
  if #fields > 0 then
    found[#found + 1] = i
    found[#found + 1] = fields
  end
end
return found
)lua");
  return *script;
}

std::vector<absl::string_view> Views(const std::vector<std::string>& texts) {
  return std::vector<absl::string_view>(texts.begin(), texts.end());
}

std::vector<std::string> Texts(const Reply& reply) {
  std::vector<std::string> texts;
  for (const Reply& item : reply.array()) texts.push_back(item.string());
  return texts;
}

absl::Status Unexpected(absl::string_view what) {
  return absl::InternalError(absl::StrCat("window store: unexpected answer to ", what));
}

WindowCounts DecodeWindow(const Reply& fields) {
  WindowCounts window;
  for (size_t i = 0; i + 1 < fields.array().size(); i += 2) {
    int64_t amount = 0;
    if (absl::SimpleAtoi(fields.array()[i + 1].string(), &amount)) {
      AddField(fields.array()[i].string(), amount, &window);
    }
  }
  return window;
}

void AppendFields(Resolution resolution, const WindowCounts& window,
                  std::vector<std::string>* arguments) {
  const auto fields = FieldsOf(window, /*with_cells=*/true);
  arguments->push_back(absl::StrCat(absl::ToInt64Seconds(BucketTtl(resolution))));
  arguments->push_back(absl::StrCat(fields.size()));
  for (const auto& [field, amount] : fields) {
    arguments->push_back(field);
    arguments->push_back(absl::StrCat(amount));
  }
}

}  // namespace

WindowStore::WindowStore(redis::Connection& connection, Keys keys)
    : connection_(connection), keys_(std::move(keys)) {}

void WindowStore::Claim(const std::string& reporter, const std::string& owner,
                        const std::vector<uint64_t>& sequences,
                        std::function<void(absl::StatusOr<Claims>)> done) {
  std::vector<std::string> arguments = {owner, std::string(kClaimTtlSeconds)};
  for (uint64_t sequence : sequences) arguments.push_back(absl::StrCat(sequence));
  const std::string key = keys_.ReporterClaims(reporter, sequences.front() / kClaimBlock);
  connection_.Eval(ClaimScript(), {key}, Views(arguments),
                   [count = sequences.size(), done = std::move(done)](absl::StatusOr<Reply> reply) {
                     if (!reply.ok()) return done(reply.status());
                     if (reply->array().size() != count + 1) return done(Unexpected("claim"));
                     Claims claims;
                     claims.now = absl::FromUnixMillis(reply->array()[0].integer());
                     for (size_t i = 1; i <= count; ++i)
                       claims.owned.push_back(reply->array()[i].integer() == 1);
                     done(std::move(claims));
                   });
}

void WindowStore::Apply(const std::string& endpoint, const std::string& owner, uint64_t number,
                        const WindowDelta& delta, std::function<void(absl::Status)> done) {
  std::vector<std::string> keys = {keys_.WindowApplied(endpoint)};
  std::vector<std::string> arguments = {owner, absl::StrCat(number),
                                        std::string(kAppliedTtlSeconds)};
  for (const auto& [id, counts] : BucketsOf(delta)) {
    keys.push_back(keys_.Window(endpoint, id.resolution, id.index));
    AppendFields(id.resolution, counts, &arguments);
  }
  connection_.Eval(ApplyScript(), Views(keys), Views(arguments),
                   [done = std::move(done)](absl::StatusOr<Reply> reply) { done(reply.status()); });
}

void WindowStore::Touch(const std::vector<std::string>& endpoints, bool late,
                        std::function<void(absl::Status)> done) {
  std::vector<absl::string_view> arguments = {late ? "1" : "0"};
  arguments.insert(arguments.end(), endpoints.begin(), endpoints.end());
  connection_.Eval(TouchScript(), {keys_.WindowTouched(), keys_.WindowLate()}, arguments,
                   [done = std::move(done)](absl::StatusOr<Reply> reply) { done(reply.status()); });
}

void WindowStore::ReadNews(absl::Time since, std::function<void(absl::StatusOr<WindowNews>)> done) {
  connection_.Eval(NewsScript(), {keys_.WindowTouched(), keys_.WindowLate()},
                   {absl::StrCat(absl::ToUnixMillis(since))},
                   [done = std::move(done)](absl::StatusOr<Reply> reply) {
                     if (!reply.ok()) return done(reply.status());
                     if (reply->array().size() != 3) return done(Unexpected("news"));
                     done(WindowNews{absl::FromUnixMillis(reply->array()[0].integer()),
                                     Texts(reply->array()[1]), Texts(reply->array()[2])});
                   });
}

void WindowStore::Read(const std::string& endpoint, const std::vector<BucketId>& buckets,
                       std::function<void(absl::StatusOr<std::vector<WindowCounts>>)> done) {
  std::vector<std::string> keys;
  keys.reserve(buckets.size());
  for (const BucketId& bucket : buckets)
    keys.push_back(keys_.Window(endpoint, bucket.resolution, bucket.index));
  connection_.Eval(ReadScript(), Views(keys), {},
                   [count = buckets.size(), done = std::move(done)](absl::StatusOr<Reply> reply) {
                     if (!reply.ok()) return done(reply.status());
                     std::vector<WindowCounts> windows(count);
                     const auto& found = reply->array();
                     for (size_t i = 0; i + 1 < found.size(); i += 2) {
                       const int64_t index = found[i].integer();
                       if (index < 1 || index > static_cast<int64_t>(count))
                         return done(Unexpected("read"));
                       windows[static_cast<size_t>(index - 1)] = DecodeWindow(found[i + 1]);
                     }
                     done(std::move(windows));
                   });
}

}  // namespace signalbox::store
