// The server under test on real loops, and a blocking face for the client under test.
#ifndef SIGNALBOX_TESTS_UNIT_HTTP_FIXTURES_H_
#define SIGNALBOX_TESTS_UNIT_HTTP_FIXTURES_H_

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/http/client.h"
#include "common/http/server.h"
#include "common/net/event_loop.h"

namespace signalbox::http {

// A one-shot event that a test thread waits for.
class Signal {
 public:
  // The state outlives the waiter, who may go as soon as it is set.
  void Set() {
    const auto promise = promise_;
    promise->set_value();
  }
  // False when it did not come within the time.
  bool Wait(int milliseconds = 5000) {
    return future_.wait_for(std::chrono::milliseconds(milliseconds)) == std::future_status::ready;
  }
  bool IsSet() { return Wait(0); }

 private:
  const std::shared_ptr<std::promise<void>> promise_ = std::make_shared<std::promise<void>>();
  const std::future<void> future_ = promise_->get_future();
};

class TestServer {
 public:
  explicit TestServer(Handler handler, ServerOptions options = {}, int loops = 1)
      : loops_("srv", loops),
        server_(std::make_unique<Server>(loops_, std::move(options), std::move(handler))) {
    started_ = server_->Start();
  }
  uint16_t port() const { return server_->port(); }
  Server& server() { return *server_; }
  const absl::Status& started() const { return started_; }
  net::EventLoop& loop() { return loops_.at(0); }
  // Waits for a counter of the server, which other threads advance.
  template <typename Condition>
  bool Eventually(Condition condition) {
    for (int i = 0; i < 5000; ++i) {
      if (condition()) return true;
      Signal tick;
      loop().Post([&] { loop().RunAfter(absl::Milliseconds(1), [&] { tick.Set(); }); });
      tick.Wait();
    }
    return false;
  }

 private:
  net::EventLoopGroup loops_;
  std::unique_ptr<Server> server_;
  absl::Status started_;
};

struct Outcome {
  int status = 0;
  Headers headers;
  std::string body;
  bool ended = false;
  std::optional<ClientError> error;
};

// Records one call and tells when it is over. Hooks run on the loop.
class Recorder final : public ClientHandler {
 public:
  void OnHead(int status, const Headers& headers) override {
    outcome.status = status;
    outcome.headers = headers;
    if (on_head) on_head();
  }
  void OnBody(absl::string_view bytes) override {
    outcome.body.append(bytes.data(), bytes.size());
    if (on_body) on_body();
  }
  void OnEnd() override {
    outcome.ended = true;
    over.Set();
  }
  void OnError(const ClientError& error) override {
    outcome.error = error;
    over.Set();
  }

  Outcome outcome;
  std::function<void()> on_head;
  std::function<void()> on_body;
  Signal over;
};

class TestClient {
 public:
  explicit TestClient(ClientOptions options = {}) : loop_("cli") {
    loop_.RunAndWait([&] { client_ = std::make_unique<Client>(loop_, std::move(options)); });
  }
  ~TestClient() {
    loop_.RunAndWait([&] { client_.reset(); });
  }
  net::EventLoop& loop() { return loop_; }
  Client& client() { return *client_; }

  Outcome Call(ClientRequest request) {
    Recorder recorder;
    std::unique_ptr<ClientCall> call;
    loop_.RunAndWait([&] { call = client_->Start(std::move(request), &recorder); });
    const bool over = recorder.over.Wait(15000);
    loop_.RunAndWait([&] { call.reset(); });
    if (!over)
      recorder.outcome.error = ClientError{ClientError::Kind::kProtocol, false, "TEST: no outcome"};
    return recorder.outcome;
  }
  Client::Stats Stats() {
    Client::Stats stats;
    loop_.RunAndWait([&] { stats = client_->stats(); });
    return stats;
  }

 private:
  net::EventLoop loop_;
  std::unique_ptr<Client> client_;
};

inline ClientRequest RequestTo(uint16_t port, std::string path = "/", std::string body = "") {
  ClientRequest request;
  request.origin = *ParseOrigin("http://127.0.0.1:" + std::to_string(port));
  request.path = std::move(path);
  request.body = std::move(body);
  return request;
}

}  // namespace signalbox::http

#endif  // SIGNALBOX_TESTS_UNIT_HTTP_FIXTURES_H_
