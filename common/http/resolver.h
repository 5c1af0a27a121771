// Names to addresses, without blocking the loop (Asio asks the system's resolver on a background
// thread). Answers are kept for a short time; when a refresh fails or takes long the old answer is
// served, because a provider that was there a minute ago usually still is.
//
// Lives on one loop.
#ifndef SIGNALBOX_COMMON_HTTP_RESOLVER_H_
#define SIGNALBOX_COMMON_HTTP_RESOLVER_H_

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/net/event_loop.h"

namespace signalbox::http {

class Resolver : public std::enable_shared_from_this<Resolver> {
 public:
  using Addresses = std::vector<boost::asio::ip::address>;
  using Callback = std::function<void(const absl::StatusOr<Addresses>&)>;

  explicit Resolver(net::EventLoop& loop);
  // Calls back at once for an address literal or a fresh answer, else later on the loop.
  void Resolve(const std::string& host, Callback callback);
  // Drops everybody who waits.
  void Stop();

 private:
  struct Entry {
    Addresses addresses;  // the last good answer
    int64_t fresh_until_ns = 0;
    bool asking = false;
    bool slow = false;  // the refresh under way takes too long to wait for
    std::vector<Callback> waiting;
  };
  void Ask(const std::string& host, Entry& entry);
  void OnAnswer(const std::string& host, const boost::system::error_code& error,
                const boost::asio::ip::tcp::resolver::results_type& results);
  void OnSlowRefresh(const std::string& host);
  void Evict();

  net::EventLoop& loop_;
  boost::asio::ip::tcp::resolver resolver_;
  absl::flat_hash_map<std::string, std::unique_ptr<Entry>> entries_;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_RESOLVER_H_
