#include "services/signalbox/private_redis.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/obs/log.h"

extern char** environ;

namespace signalbox {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(500);
constexpr absl::Duration kStartPatience = absl::Seconds(10);
constexpr absl::Duration kStopPatience = absl::Seconds(10);

std::string Absolute(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) != nullptr ? std::string(resolved) : path;
}

absl::Status MakeFolder(const std::string& folder) {
  for (size_t slash = folder.find('/', 1);; slash = folder.find('/', slash + 1)) {
    const std::string part = folder.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
      return absl::UnavailableError(absl::StrCat("cannot create ", part, ": ", strerror(errno)));
    }
    if (slash == std::string::npos) return absl::OkStatus();
  }
}

bool Accepts(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, socket_path.c_str(), socket_path.size() + 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return connected;
}

}  // namespace

class PrivateRedis::Impl : public std::enable_shared_from_this<PrivateRedis::Impl> {
 public:
  explicit Impl(std::string folder) : folder_(std::move(folder)) {}

  absl::Status Start(Executor& executor) {
    RETURN_IF_ERROR(MakeFolder(folder_));
    folder_ = Absolute(folder_);
    socket_ = absl::StrCat(folder_, "/redis.sock");
    if (socket_.size() >= sizeof(sockaddr_un::sun_path)) {
      return absl::InvalidArgumentError(
          absl::StrCat("serve.data_dir: ", socket_, " is too long for a unix socket"));
    }
    if (Accepts(socket_)) {
      obs::Log(obs::kInfo, "private_redis_adopted").With("socket", socket_);
    } else {
      RETURN_IF_ERROR(Spawn());
      RETURN_IF_ERROR(WaitUntilAccepting());
    }
    Watch(executor);
    return absl::OkStatus();
  }

  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (pid_ <= 0) return;
    kill(pid_, SIGTERM);
    const absl::Time end = absl::Now() + kStopPatience;
    while (waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (absl::Now() > end) kill(pid_, SIGKILL);
      absl::SleepFor(absl::Milliseconds(10));
    }
    pid_ = 0;
  }

 private:
  absl::Status Spawn() {
    const std::vector<std::string> arguments = {"redis-server",
                                                "--port",
                                                "0",
                                                "--unixsocket",
                                                socket_,
                                                "--unixsocketperm",
                                                "700",
                                                "--dir",
                                                folder_,
                                                "--daemonize",
                                                "no",
                                                "--appendonly",
                                                "yes",
                                                "--appendfsync",
                                                "always",
                                                "--save",
                                                "",
                                                "--maxmemory-policy",
                                                "noeviction",
                                                "--loglevel",
                                                "warning",
                                                "--logfile",
                                                absl::StrCat(folder_, "/redis.log")};
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);

    // Signals are blocked in this process and a terminal's Ctrl-C goes to the whole group: neither
    // may reach the child.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    const int error = posix_spawnp(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
      return absl::UnavailableError(absl::StrCat("cannot start redis-server: ", strerror(error),
                                                 "; install it or set redis.scores.address"));
    }
    pid_ = pid;
    return absl::OkStatus();
  }

  absl::Status WaitUntilAccepting() {
    const absl::Time end = absl::Now() + kStartPatience;
    while (!Accepts(socket_)) {
      if (waitpid(pid_, nullptr, WNOHANG) != 0 || absl::Now() > end) {
        return absl::UnavailableError(
            absl::StrCat("redis-server did not start, see ", folder_, "/redis.log"));
      }
      absl::SleepFor(absl::Milliseconds(10));
    }
    return absl::OkStatus();
  }

  void Watch(Executor& executor) {
    std::weak_ptr<Impl> weak = weak_from_this();
    executor.Post([weak, &executor] {
      executor.RunAfter(kLook, [weak, &executor] {
        const std::shared_ptr<Impl> self = weak.lock();
        if (self == nullptr || !self->Look()) return;
        self->Watch(executor);
      });
    });
  }

  // Starts the server again when it has ended. False = stopping.
  bool Look() {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return false;
    const bool gone = pid_ > 0 ? waitpid(pid_, nullptr, WNOHANG) != 0 : !Accepts(socket_);
    if (!gone) return true;
    obs::Log(obs::kError, "private_redis_ended");
    pid_ = 0;
    const absl::Status spawned = Spawn();
    if (!spawned.ok()) obs::Log(obs::kError, "private_redis_not_started").With("error", spawned);
    return true;
  }

  std::string folder_;
  std::string socket_;
  absl::Mutex mutex_;
  pid_t pid_ = 0;  // 0 = adopted or not running
  bool stopping_ = false;
};

PrivateRedis::PrivateRedis(std::string folder) : impl_(std::make_shared<Impl>(std::move(folder))) {}
PrivateRedis::~PrivateRedis() { impl_->Stop(); }
std::string PrivateRedis::AddressIn(const std::string& folder) {
  return absl::StrCat("unix:", Absolute(folder), "/redis.sock");
}
absl::Status PrivateRedis::Start(Executor& executor) { return impl_->Start(executor); }

}  // namespace signalbox
