#include "services/signalbox/benchmark/http_fetcher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/signalbox/await.h"

namespace signalbox::benchmark {
namespace {

// An answer that is not streamed comes when its last token does.
constexpr absl::Duration kHeadTimeout = absl::Minutes(5);
constexpr absl::Duration kIdleTimeout = absl::Minutes(2);

}  // namespace

// One request under way. Lives until Finish, which runs after the last callback.
class HttpFetcher::Exchange final : public http::ClientHandler {
 public:
  Exchange(HttpFetcher& owner, uint64_t id, Done done)
      : owner_(owner), id_(id), done_(std::move(done)) {}

  void Begin(http::Client& client, http::ClientRequest request) {
    call_ = client.Start(std::move(request), this);
  }

  void OnHead(int status, const http::Headers&) override { answer_.status = status; }
  void OnBody(absl::string_view bytes) override { answer_.body.append(bytes.data(), bytes.size()); }
  void OnEnd() override { End(std::move(answer_)); }
  void OnError(const http::ClientError& error) override {
    End(absl::UnavailableError(absl::StrCat("no answer: ", error.message)));
  }

 private:
  void End(absl::StatusOr<HttpAnswer> answer) {
    owner_.Finish(id_);
    std::exchange(done_, nullptr)(std::move(answer));
  }

  HttpFetcher& owner_;
  const uint64_t id_;
  Done done_;
  HttpAnswer answer_;
  std::unique_ptr<http::ClientCall> call_;
};

HttpFetcher::HttpFetcher(http::Origin server, std::string key)
    : loop_("benchmark"), server_(std::move(server)), key_(std::move(key)) {
  loop_.RunAndWait(
      [this] { client_ = std::make_unique<http::Client>(loop_, http::ClientOptions()); });
}

HttpFetcher::~HttpFetcher() {
  loop_.RunAndWait([this] {
    exchanges_.clear();
    client_ = nullptr;
  });
}

void HttpFetcher::Start(const std::string& method, const std::string& path, std::string body,
                        Done done) {
  http::ClientRequest request;
  request.origin = server_;
  request.method = method;
  request.path = path;
  request.body = std::move(body);
  request.head_timeout = kHeadTimeout;
  request.idle_timeout = kIdleTimeout;
  if (!request.body.empty()) {
    request.headers.Add("Content-Type", "application/json");
    request.headers.Add("X-Signalbox-Tool-Call-Guard", "off");  // the endpoint is measured, not us
  }
  if (!key_.empty()) request.headers.Add("Authorization", absl::StrCat("Bearer ", key_));
  loop_.Dispatch([this, request = std::move(request), done = std::move(done)]() mutable {
    const uint64_t id = ++last_id_;
    auto exchange = std::make_unique<Exchange>(*this, id, std::move(done));
    Exchange& started = *exchange;
    exchanges_[id] = std::move(exchange);
    started.Begin(*client_, std::move(request));
  });
}

absl::StatusOr<HttpAnswer> HttpFetcher::Ask(const std::string& method, const std::string& path,
                                            std::string body) {
  return Await<absl::StatusOr<HttpAnswer>>(
      [&](auto done) { Start(method, path, std::move(body), std::move(done)); });
}

// Not at once: the exchange is still on the stack.
void HttpFetcher::Finish(uint64_t id) {
  loop_.Post([this, id] { exchanges_.erase(id); });
}

}  // namespace signalbox::benchmark
