// A server that speaks as much RESP as a test scripts: delays, garbage, stray replies, cut
// connections. One thread per connection; for test bodies only.
//
//   FakeRedis server([](const FakeRedis::Command& command) { return FakeRedis::Reply{"+OK\r\n"};
//   });
#ifndef SIGNALBOX_TESTS_INTEGRATION_REDIS_FAKE_REDIS_H_
#define SIGNALBOX_TESTS_INTEGRATION_REDIS_FAKE_REDIS_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/redis/resp.h"

namespace signalbox::testing {

class FakeRedis {
 public:
  using Command = std::vector<std::string>;
  struct Reply {
    std::string bytes;
    absl::Duration delay = absl::ZeroDuration();
    bool close_after = false;
    bool byte_by_byte = false;
  };
  using Script = std::function<Reply(const Command&)>;

  // PING is answered unless the script is asked for it too.
  explicit FakeRedis(Script script, bool scripted_ping = false)
      : script_(std::move(script)),
        scripted_ping_(scripted_ping),
        listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    listen(listener_, 64);
    socklen_t size = sizeof(address);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }

  ~FakeRedis() {
    stopped_ = true;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();  // from here on nobody adds connections
    {
      std::lock_guard<std::mutex> lock(mutex_);
      for (int connection : connections_) shutdown(connection, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (int connection : connections_) close(connection);
    close(listener_);
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int connections() {
    std::lock_guard<std::mutex> lock(mutex_);
    return static_cast<int>(connections_.size());
  }

 private:
  void Accept() {
    while (!stopped_) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      std::lock_guard<std::mutex> lock(mutex_);
      connections_.push_back(connection);
      threads_.emplace_back([this, connection] { Serve(connection); });
    }
  }

  void Serve(int connection) {
    redis::ReplyReader reader(redis::ReplyReader::Limits{});
    char buffer[4096];
    while (true) {
      const ssize_t size = read(connection, buffer, sizeof(buffer));
      if (size <= 0 || !reader.Feed(absl::string_view(buffer, static_cast<size_t>(size))).ok())
        return;
      while (true) {
        auto command = reader.Next();
        if (!command.ok() || !command->has_value()) break;
        Command words;
        for (const redis::Reply& word : (*command)->array()) words.push_back(word.string());
        if (!Answer(connection, words)) return;
      }
    }
  }

  bool Answer(int connection, const Command& command) {
    const Reply reply =
        command[0] == "PING" && !scripted_ping_ ? Reply{"+PONG\r\n"} : script_(command);
    absl::SleepFor(reply.delay);
    const size_t step = reply.byte_by_byte ? 1 : reply.bytes.size();
    for (size_t at = 0; at < reply.bytes.size(); at += step) {
      if (send(connection, reply.bytes.data() + at, step, MSG_NOSIGNAL) < 0) return false;
    }
    if (reply.close_after) shutdown(connection, SHUT_RDWR);
    return !reply.close_after;
  }

  const Script script_;
  const bool scripted_ping_;
  const int listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::vector<int> connections_;
  std::vector<std::thread> threads_;  // one per connection
  std::thread acceptor_;
};

}  // namespace signalbox::testing

#endif  // SIGNALBOX_TESTS_INTEGRATION_REDIS_FAKE_REDIS_H_
