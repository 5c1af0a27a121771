// Main as a process: exit codes, what it prints, and signals from outside. Each case runs in a
// child process.
#include "common/host/main.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::HasSubstr;
using testing::Not;

class IdleModule : public Module {
 public:
  explicit IdleModule(int in_flight) : in_flight_(in_flight) {}
  absl::string_view name() const override { return "idle"; }
  absl::Status Start() override { return absl::OkStatus(); }
  void BeginDrain() override {}
  int InFlight() const override { return in_flight_; }
  void Stop() override {}

 private:
  const int in_flight_;
};

Program IdleProgram(int in_flight = 0) {
  Program program;
  program.name = "idle";
  program.create = [in_flight](const Env&) -> absl::StatusOr<Modules> {
    Modules modules;
    modules.push_back(std::make_unique<IdleModule>(in_flight));
    return modules;
  };
  program.validate = [](const config::v1::Config& config, config::Report* report) {
    if (config.ingress().threads() < 0) report->Add("ingress.threads", "must not be negative");
  };
  return program;
}

// Main in a forked child, its two outputs in one pipe.
class Child {
 public:
  Child(const Program& program, std::vector<std::string> arguments) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      std::vector<char*> argv{const_cast<char*>("idle")};
      for (std::string& argument : arguments) argv.push_back(argument.data());
      _exit(Main(static_cast<int>(argv.size()), argv.data(), program));
    }
    close(ends[1]);
    output_fd_ = ends[0];
  }
  ~Child() {
    kill(pid_, SIGKILL);
    close(output_fd_);
  }

  // Reads until the text was seen or the child has closed its output.
  bool ReadUntil(const std::string& text) {
    while (output_.find(text) == std::string::npos) {
      pollfd descriptor{output_fd_, POLLIN, 0};
      if (poll(&descriptor, 1, 20'000) <= 0) return false;
      char block[4096];
      const ssize_t got = read(output_fd_, block, sizeof(block));
      if (got <= 0) return false;
      output_.append(block, static_cast<size_t>(got));
    }
    return true;
  }
  void Signal(int signal) { kill(pid_, signal); }
  int Wait() {
    ReadUntil("\x01 never written");
    int status = 0;
    waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  const std::string& output() const { return output_; }

 private:
  pid_t pid_ = 0;
  int output_fd_ = -1;
  std::string output_;
};

// A configuration file that is deleted at the end.
class ScopedFile {
 public:
  explicit ScopedFile(const std::string& text)
      : path_(testing::TempDir() + absl::StrCat("signalbox-main-", getpid(), ".yaml")) {
    std::ofstream(path_) << text;
  }
  ~ScopedFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

TEST(Main, PrintsHelpVersionAndOptions) {
  Child help(IdleProgram(), {"--help"});
  EXPECT_EQ(help.Wait(), kExitOk);
  EXPECT_THAT(help.output(), HasSubstr("usage: idle [flags]"));
  Child version(IdleProgram(), {"--version"});
  EXPECT_EQ(version.Wait(), kExitOk);
  EXPECT_THAT(version.output(), testing::StartsWith("idle "));
  Child options(IdleProgram(), {"--describe_config"});
  EXPECT_EQ(options.Wait(), kExitOk);
  EXPECT_THAT(options.output(), HasSubstr("| `host.drain_timeout` | duration"));
}

TEST(Main, BadFlagsAndBadConfigurationExitWith64) {
  Child flags(IdleProgram(), {"--nope"});
  EXPECT_EQ(flags.Wait(), kExitBadConfig);
  Child missing(IdleProgram(), {"--config", "/nonexistent/x.yaml"});
  EXPECT_EQ(missing.Wait(), kExitBadConfig);
  const ScopedFile file("host:\n  listen: nowhere\n  log_level: loud\ningress:\n  threads: -1\n");
  Child bad(IdleProgram(), {"--config", file.path()});
  EXPECT_EQ(bad.Wait(), kExitBadConfig);
  EXPECT_THAT(bad.output(),
              HasSubstr(absl::StrCat(file.path(), ":2:3: host.listen: \"nowhere\" is no address")));
  EXPECT_THAT(bad.output(),
              HasSubstr(absl::StrCat(file.path(), ":3:3: host.log_level: expected debug")));
  EXPECT_THAT(bad.output(),
              HasSubstr(absl::StrCat(file.path(), ":5:3: ingress.threads: must not be negative")));
}

TEST(Main, ChecksAndPrintsTheConfiguration) {
  const ScopedFile file("redis:\n  scores:\n    password: {env: REDIS_PASSWORD}\n");
  Child check(IdleProgram(), {"--config", file.path(), "--check_config"});
  EXPECT_EQ(check.Wait(), kExitOk);
  Child print(IdleProgram(), {"--config", file.path(), "--print_config", "--log_level=debug"});
  EXPECT_EQ(print.Wait(), kExitOk);
  EXPECT_THAT(print.output(), HasSubstr("log_level: \"debug\""));
  EXPECT_THAT(print.output(), HasSubstr("env: \"REDIS_PASSWORD\""));
}

TEST(Main, AModuleThatCannotBeMadeIsAFailedStart) {
  Program program = IdleProgram();
  program.create = [](const Env&) -> absl::StatusOr<Modules> {
    return absl::UnavailableError("no store");
  };
  Child child(program, {});
  EXPECT_EQ(child.Wait(), kExitFailedStart);
  EXPECT_THAT(child.output(), HasSubstr("no store"));
}

TEST(Main, SigtermDrainsAndExitsWithZero) {
  Child child(IdleProgram(), {});
  ASSERT_TRUE(child.ReadUntil("\"event\":\"serving\"")) << child.output();
  child.Signal(SIGTERM);
  EXPECT_EQ(child.Wait(), kExitOk);
  EXPECT_THAT(child.output(), HasSubstr("\"event\":\"drained\""));
}

TEST(Main, ASecondSignalExitsAtOnce) {
  Child child(IdleProgram(/*in_flight=*/1), {});
  ASSERT_TRUE(child.ReadUntil("\"event\":\"serving\"")) << child.output();
  child.Signal(SIGTERM);
  ASSERT_TRUE(child.ReadUntil("\"event\":\"draining\""));
  child.Signal(SIGINT);
  EXPECT_EQ(child.Wait(), 128 + SIGINT);
  EXPECT_THAT(child.output(), Not(HasSubstr("\"event\":\"drained\"")));
}

TEST(Main, SighupDoesNotEndIt) {
  Child child(IdleProgram(), {});
  ASSERT_TRUE(child.ReadUntil("\"event\":\"serving\""));
  child.Signal(SIGHUP);
  ASSERT_TRUE(child.ReadUntil("\"event\":\"reload_requested\""));
  child.Signal(SIGINT);
  EXPECT_EQ(child.Wait(), kExitOk);
}

TEST(Main, ProbesAnotherProcess) {
  Child child(IdleProgram(), {});
  ASSERT_TRUE(child.ReadUntil("\"event\":\"serving\""));
  ASSERT_TRUE(child.ReadUntil("\n"));
  const size_t at = child.output().find("\"admin\":\"") + 9;
  const std::string admin = child.output().substr(at, child.output().find('"', at) - at);
  Child ready(IdleProgram(), {"--probe", admin});
  EXPECT_EQ(ready.Wait(), 0);
  child.Signal(SIGTERM);
  EXPECT_EQ(child.Wait(), 0);
  Child gone(IdleProgram(), {"--probe", admin});
  EXPECT_EQ(gone.Wait(), 1);
  EXPECT_THAT(gone.output(), HasSubstr("cannot connect"));
}

}  // namespace
}  // namespace signalbox::host
