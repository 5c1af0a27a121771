#include "common/http/resolver.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/http/lazy_deadline.h"
#include "common/net/event_loop_asio.h"

namespace signalbox::http {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr int64_t kFreshNanos = 30'000'000'000;
constexpr absl::Duration kStaleAfter =
    absl::Milliseconds(300);  // a slower refresh is not waited for
// After a refresh that failed the old addresses serve so long before it is tried again.
constexpr int64_t kRetryNanos = 5'000'000'000;
constexpr size_t kMaxHosts = 1024;

void CallAll(std::vector<Resolver::Callback> waiting,
             const absl::StatusOr<Resolver::Addresses>& answer) {
  for (const Resolver::Callback& callback : waiting) callback(answer);
}

}  // namespace

Resolver::Resolver(net::EventLoop& loop) : loop_(loop), resolver_(net::IoContextOf(loop)) {}

void Resolver::Resolve(const std::string& host, Callback callback) {
  error_code not_literal;
  const auto literal = boost::asio::ip::make_address(host, not_literal);
  if (!not_literal) return callback(Addresses{literal});
  std::unique_ptr<Entry>& slot = entries_[host];
  if (slot == nullptr) slot = std::make_unique<Entry>();
  Entry& entry = *slot;
  if (!entry.addresses.empty() && (entry.slow || LazyDeadline::NowNanos() < entry.fresh_until_ns)) {
    const Addresses addresses = entry.addresses;
    return callback(addresses);
  }
  entry.waiting.push_back(std::move(callback));
  if (!entry.asking) Ask(host, entry);
}

void Resolver::Ask(const std::string& host, Entry& entry) {
  entry.asking = true;
  if (entries_.size() > kMaxHosts) Evict();
  resolver_.async_resolve(host, "0", tcp::resolver::numeric_service,
                          [self = shared_from_this(), host](
                              const error_code& error, const tcp::resolver::results_type& results) {
                            self->OnAnswer(host, error, results);
                          });
  if (entry.addresses.empty()) return;
  loop_.RunAfter(kStaleAfter, [weak = weak_from_this(), host] {
    if (const auto self = weak.lock()) self->OnSlowRefresh(host);
  });
}

void Resolver::OnAnswer(const std::string& host, const error_code& error,
                        const tcp::resolver::results_type& results) {
  const auto found = entries_.find(host);
  if (found == entries_.end()) return;
  Entry& entry = *found->second;
  entry.asking = entry.slow = false;
  const bool good = !error && !results.empty();
  if (good) {
    entry.addresses.clear();
    for (const auto& result : results) entry.addresses.push_back(result.endpoint().address());
  }
  entry.fresh_until_ns = LazyDeadline::NowNanos() + (good ? kFreshNanos : kRetryNanos);
  absl::StatusOr<Addresses> answer = entry.addresses;
  if (entry.addresses.empty()) {
    answer = absl::UnavailableError(absl::StrCat("cannot resolve ", host, ": ", error.message()));
  }
  auto waiting = std::exchange(entry.waiting, {});
  if (!answer.ok()) entries_.erase(found);
  CallAll(std::move(waiting), answer);
}

void Resolver::OnSlowRefresh(const std::string& host) {
  const auto found = entries_.find(host);
  if (found == entries_.end() || !found->second->asking || found->second->addresses.empty()) return;
  found->second->slow = true;
  const absl::StatusOr<Addresses> answer = found->second->addresses;
  CallAll(std::exchange(found->second->waiting, {}), answer);
}

void Resolver::Evict() {
  const int64_t now = LazyDeadline::NowNanos();
  absl::erase_if(entries_, [now](const auto& item) {
    return !item.second->asking && item.second->fresh_until_ns <= now;
  });
}

void Resolver::Stop() {
  resolver_.cancel();
  entries_.clear();
}

}  // namespace signalbox::http
