// A private redis-server for one test: own data folder, own unix socket (or own TCP port), gone
// with the object. The test may kill, freeze, thaw and restart it.
//
//   RedisServer server;
//   if (!server.Start()) GTEST_SKIP() << server.problem();
//
// Thread-compatible. Blocking: for test bodies, not for event loops.
#ifndef SIGNALBOX_TESTS_SUPPORT_REDIS_SERVER_H_
#define SIGNALBOX_TESTS_SUPPORT_REDIS_SERVER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/certificates.h"

namespace signalbox::testing {

class RedisServer {
 public:
  struct Options {
    bool tcp = false;                    // false = unix socket only
    bool append_only = false;            // true = data survive Kill and Restart
    std::vector<std::string> arguments;  // further ones, for example {"--requirepass", "secret"}
    std::string password;                // for this object's own commands
    // Set = the TCP port speaks TLS with this certificate, and asks clients for one they may leave
    // out. Outlives the server.
    const Certificates* authority = nullptr;
    Certificates::Files certificate;
    // Set = a sentinel with these lines of configuration, which it writes to.
    std::vector<std::string> sentinel;
  };
  RedisServer() : RedisServer(Options()) {}
  explicit RedisServer(Options options);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // Starts and waits until it answers. False: see problem() (no redis-server on this machine, or it
  // did not come up).
  bool Start();
  const std::string& problem() const { return problem_; }

  // "unix:/tmp/…/redis.sock" or "127.0.0.1:<port>"; stays the same over restarts.
  std::string address() const;
  uint16_t port() const { return port_; }

  void Kill();     // SIGKILL, and waits for its end
  void Freeze();   // SIGSTOP: sockets stay open, nothing answers
  void Thaw();     // SIGCONT
  bool Restart();  // Kill if needed, then Start on the same address and data

  // Runs a command over a blocking connection of its own; arrays become "a b c", nil "(nil)",
  // errors their text.
  std::string Run(const std::vector<std::string>& command);

 private:
  bool Spawn();
  bool WaitUntilItAnswers(absl::Duration limit);

  const Options options_;
  std::string folder_;
  std::string problem_;
  uint16_t port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace signalbox::testing

#endif  // SIGNALBOX_TESTS_SUPPORT_REDIS_SERVER_H_
