#include "tests/support/redis_server.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace signalbox::testing {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(20);

using Context = std::unique_ptr<redisContext, decltype(&redisFree)>;

// Below the range from which the kernel takes ports for outgoing connections.
uint16_t RandomPort() {
  std::random_device entropy;
  return static_cast<uint16_t>(20'000 + entropy() % 12'000);
}

std::string ToText(const redisReply* reply) {
  switch (reply->type) {
    case REDIS_REPLY_INTEGER:
      return absl::StrCat(reply->integer);
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_ARRAY: {
      std::vector<std::string> parts;
      for (size_t i = 0; i < reply->elements; ++i) parts.push_back(ToText(reply->element[i]));
      return absl::StrJoin(parts, " ");
    }
    default:
      return std::string(reply->str, reply->len);
  }
}

std::string MakeFolder() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "signalbox-redis-").string() + std::string(6, 'X');
  return mkdtemp(pattern.data()) != nullptr ? pattern : std::string();
}

}  // namespace

RedisServer::RedisServer(Options options)
    : options_(std::move(options)), folder_(MakeFolder()), port_(options_.tcp ? RandomPort() : 0) {}

RedisServer::~RedisServer() {
  Kill();
  std::error_code ignored;
  if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
}

std::string RedisServer::address() const {
  return options_.tcp ? absl::StrCat("127.0.0.1:", port_)
                      : absl::StrCat("unix:", folder_, "/redis.sock");
}

bool RedisServer::Start() {
  for (int attempt = 0; attempt < 5; ++attempt) {
    if (!Spawn()) return false;
    if (WaitUntilItAnswers(kStartLimit)) return true;
    Kill();
    if (!options_.tcp) break;
    port_ = RandomPort();  // taken by someone else
  }
  if (problem_.empty()) problem_ = absl::StrCat("redis-server did not come up in ", folder_);
  return false;
}

bool RedisServer::Spawn() {
  std::vector<std::string> arguments = {"redis-server",
                                        "--bind",
                                        "127.0.0.1",
                                        options_.authority != nullptr ? "--tls-port" : "--port",
                                        absl::StrCat(port_),
                                        "--dir",
                                        folder_,
                                        "--save",
                                        "",
                                        "--daemonize",
                                        "no",
                                        "--logfile",
                                        folder_ + "/log",
                                        "--appendonly",
                                        options_.append_only ? "yes" : "no",
                                        "--appendfsync",
                                        "always",
                                        "--unixsocket",
                                        folder_ + "/redis.sock"};
  if (options_.authority != nullptr) {
    for (const std::string& argument :
         {std::string("--port"), std::string("0"), std::string("--tls-cert-file"),
          options_.certificate.certificate, std::string("--tls-key-file"), options_.certificate.key,
          std::string("--tls-ca-cert-file"), options_.authority->ca(),
          std::string("--tls-auth-clients"), std::string("optional")})
      arguments.push_back(argument);
  }
  if (!options_.sentinel.empty()) {
    const std::string file = folder_ + "/sentinel.conf";
    std::ofstream(file) << absl::StrJoin(options_.sentinel, "\n") << "\n";
    arguments.insert(arguments.begin() + 1, file);
    arguments.emplace_back("--sentinel");
  }
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  return pid_ > 0;
}

bool RedisServer::WaitUntilItAnswers(absl::Duration limit) {
  const absl::Time end = absl::Now() + limit;
  while (absl::Now() < end) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        problem_ = "redis-server is not installed";
      return false;
    }
    if (Run({"PING"}) == "PONG") return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

void RedisServer::Kill() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void RedisServer::Freeze() {
  if (pid_ > 0) kill(pid_, SIGSTOP);
}

void RedisServer::Thaw() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

bool RedisServer::Restart() {
  Kill();
  return Spawn() && WaitUntilItAnswers(kStartLimit);
}

std::string RedisServer::Run(const std::vector<std::string>& command) {
  const timeval limit = {5, 0};
  Context context(redisConnectUnixWithTimeout((folder_ + "/redis.sock").c_str(), limit),
                  &redisFree);
  if (context == nullptr || context->err != 0) return "(no connection)";
  redisSetTimeout(context.get(), limit);
  if (!options_.password.empty()) {
    freeReplyObject(redisCommand(context.get(), "AUTH %s", options_.password.c_str()));
  }
  std::vector<const char*> argv;
  std::vector<size_t> sizes;
  for (const std::string& argument : command) {
    argv.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(context.get(), static_cast<int>(argv.size()), argv.data(), sizes.data()));
  if (reply == nullptr) return "(no answer)";
  std::string text = ToText(reply);
  freeReplyObject(reply);
  return text;
}

}  // namespace signalbox::testing
