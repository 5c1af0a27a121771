// Whole HTTP answers for a command line: requests in, each answered by a callback once.
//
// Start is thread-safe; callbacks run on the fetcher's own loop and may start further requests.
// Destroying it drops what is under way.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_HTTP_FETCHER_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_HTTP_FETCHER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/http/client.h"
#include "common/net/event_loop.h"

namespace signalbox::benchmark {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

class HttpFetcher {
 public:
  // `key` is sent as bearer token.
  HttpFetcher(http::Origin server, std::string key);
  ~HttpFetcher();
  HttpFetcher(const HttpFetcher&) = delete;
  HttpFetcher& operator=(const HttpFetcher&) = delete;

  using Done = std::function<void(absl::StatusOr<HttpAnswer>)>;
  // Error: Unavailable = no complete answer.
  void Start(const std::string& method, const std::string& path, std::string body, Done done);
  // The same, waited for. Not on the loop.
  absl::StatusOr<HttpAnswer> Ask(const std::string& method, const std::string& path,
                                 std::string body = "");

  net::EventLoop& loop() { return loop_; }

 private:
  class Exchange;

  void Finish(uint64_t id);

  net::EventLoop loop_;
  const http::Origin server_;
  const std::string key_;
  // On the loop.
  std::unique_ptr<http::Client> client_;
  std::map<uint64_t, std::unique_ptr<Exchange>> exchanges_;
  uint64_t last_id_ = 0;
};

}  // namespace signalbox::benchmark

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_BENCHMARK_HTTP_FETCHER_H_
