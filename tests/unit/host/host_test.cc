// The host with real ports: admin over HTTP, health over gRPC.
#include "common/host/host.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/host/probe.h"
#include "common/obs/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kService[] = "test.v1.Anything";

struct Journal {
  absl::Mutex mutex;
  std::vector<std::string> events;
  void Note(std::string what) {
    absl::MutexLock lock(&mutex);
    events.push_back(std::move(what));
  }
};

class FakeModule : public Module {
 public:
  FakeModule(std::string name, Journal* journal, bool with_grpc = false)
      : name_(std::move(name)), journal_(journal), with_grpc_(with_grpc) {}
  ~FakeModule() override { journal_->Note(absl::StrCat("gone ", name_)); }

  absl::string_view name() const override { return name_; }
  std::vector<std::string> GrpcServices() const override {
    return with_grpc_ ? std::vector<std::string>{kService} : std::vector<std::string>{};
  }
  void Register(grpc::ServerBuilder& builder) override {
    journal_->Note(absl::StrCat("register ", name_));
    if (with_grpc_) builder.RegisterCallbackGenericService(&service_);
  }
  absl::Status Start() override {
    journal_->Note(absl::StrCat("start ", name_));
    return start_status;
  }
  std::vector<std::pair<std::string, std::string>> Addresses() const override {
    return {{name_, "127.0.0.1:1"}};
  }
  void BeginDrain() override {
    journal_->Note(absl::StrCat("drain ", name_));
    draining.Notify();
  }
  int InFlight() const override { return in_flight; }
  void Stop() override { journal_->Note(absl::StrCat("stop ", name_)); }

  absl::Status start_status;
  std::atomic<int> in_flight{0};
  absl::Notification draining;

 private:
  const std::string name_;
  Journal* const journal_;
  const bool with_grpc_;
  grpc::CallbackGenericService service_;  // answers UNIMPLEMENTED
};

// The byte of HealthCheckResponse.status: 1 serving, 2 not serving; 0 when the call failed.
int HealthOf(const std::string& address, const std::string& service) {
  grpc::GenericStub stub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  std::string request;
  if (!service.empty())
    request = absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
  grpc::Slice slice(request);
  grpc::ByteBuffer in(&slice, 1);
  grpc::ByteBuffer out;
  absl::Notification done;
  int status = 0;
  stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &in, &out,
                 [&](grpc::Status result) {
                   grpc::Slice answer;
                   if (result.ok() && out.DumpToSingleSlice(&answer).ok() && answer.size() == 2)
                     status = answer.begin()[1];
                   done.Notify();
                 });
  done.WaitForNotification();
  return status;
}

// Status line and body of a GET.
std::string HttpGet(const std::string& address, const std::string& path) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  std::string answer;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) {
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
    char block[4096];
    for (ssize_t got = 0; (got = recv(fd, block, sizeof(block), 0)) > 0;)
      answer.append(block, static_cast<size_t>(got));
  }
  close(fd);
  return answer;
}

class HostTest : public testing::Test {
 protected:
  ~HostTest() override {
    if (runner_.joinable()) {
      host_->RequestDrain();
      runner_.join();
    }
  }

  FakeModule* Add(const std::string& name, bool with_grpc = false) {
    auto module = std::make_unique<FakeModule>(name, &journal_, with_grpc);
    FakeModule* const raw = module.get();
    modules_.push_back(std::move(module));
    return raw;
  }

  void Run(HostOptions options = {}) {
    options.service = "test";
    options.config_text = [] { return "host: {}\n"; };
    options.drain_timeout = absl::Seconds(30);
    host_.emplace(std::move(options), Clock::Real(), metrics_);
    runner_ = std::thread([this] { result_ = host_->Run(std::move(modules_)); });
  }
  void Finish() {
    host_->RequestDrain();
    runner_.join();
  }

  obs::ScopedLogSink quiet_{[](absl::string_view) {}};
  Journal journal_;
  obs::Metrics metrics_;
  std::vector<std::unique_ptr<Module>> modules_;
  absl::optional<Host> host_;
  absl::Status result_;
  std::thread runner_;
};

TEST_F(HostTest, StartsInOrderAndEndsInReverse) {
  Add("router", true);
  Add("ingress");
  Run();
  ASSERT_TRUE(host_->WaitUntilServing());
  Finish();
  EXPECT_TRUE(result_.ok()) << result_;
  EXPECT_THAT(journal_.events,
              ElementsAre("register router", "register ingress", "start router", "start ingress",
                          "drain ingress", "drain router", "stop ingress", "stop router",
                          "gone ingress", "gone router"));
  EXPECT_THAT(metrics_.Render(), HasSubstr("signalbox_host_state{state=\"stopped\"} 1\n"));
}

TEST_F(HostTest, ServesItsAdminPages) {
  Add("ingress");
  Run();
  ReadinessLatch latch = host_->readiness().AddLatch("catalogue");
  ASSERT_TRUE(host_->WaitUntilServing());
  const std::string admin = host_->admin_address();
  EXPECT_THAT(HttpGet(admin, "/livez"), HasSubstr("200"));
  EXPECT_THAT(HttpGet(admin, "/configz"), HasSubstr("host: {}"));
  EXPECT_THAT(HttpGet(admin, "/metrics"), HasSubstr("signalbox_host_state{state=\"serving\"} 1\n"));
  EXPECT_THAT(HttpGet(admin, "/readyz"), HasSubstr("not ready: catalogue"));
  EXPECT_FALSE(ProbeReady(admin, absl::Seconds(5)).ok());
  latch.Release();
  EXPECT_THAT(HttpGet(admin, "/readyz"), HasSubstr("200"));
  EXPECT_TRUE(ProbeReady(admin, absl::Seconds(5)).ok());
  Finish();
}

TEST_F(HostTest, RunsWithoutAGrpcServerWhenNoModuleHasAService) {
  Add("ingress");
  Run();
  ASSERT_TRUE(host_->WaitUntilServing());
  EXPECT_EQ(host_->grpc_address(), "");
}

TEST_F(HostTest, HealthFollowsReadiness) {
  FakeModule* const module = Add("router", true);
  module->in_flight = 1;
  Run();
  ReadinessLatch latch = host_->readiness().AddLatch("catalogue");
  ASSERT_TRUE(host_->WaitUntilServing());
  const std::string grpc = host_->grpc_address();
  EXPECT_EQ(HealthOf(grpc, ""), 2);
  EXPECT_EQ(HealthOf(grpc, kService), 2);
  latch.Release();
  EXPECT_EQ(HealthOf(grpc, ""), 1);
  EXPECT_EQ(HealthOf(grpc, kService), 1);
  host_->RequestDrain();
  module->draining.WaitForNotification();
  EXPECT_EQ(HealthOf(grpc, kService), 2)
      << "still answers while a request is in flight, but is not serving";
  EXPECT_THAT(HttpGet(host_->admin_address(), "/readyz"), HasSubstr("503"));
  module->in_flight = 0;
  Finish();
  EXPECT_EQ(HealthOf(grpc, ""), 0);
}

TEST_F(HostTest, AModuleThatDoesNotStartEndsTheRunAndStopsTheOthers) {
  Add("router", true);
  Add("ingress")->start_status = absl::UnavailableError("port taken");
  Run();
  EXPECT_FALSE(host_->WaitUntilServing());
  runner_.join();
  EXPECT_EQ(result_, absl::UnavailableError("ingress: port taken"));
  EXPECT_THAT(journal_.events,
              ElementsAre("register router", "register ingress", "start router", "start ingress",
                          "stop router", "gone ingress", "gone router"));
}

TEST_F(HostTest, ASecondServerOnTheSamePortIsAnError) {
  Add("router", true);
  Run();
  ASSERT_TRUE(host_->WaitUntilServing());
  HostOptions options;
  options.listen = *ParseListenAddress(host_->grpc_address());
  obs::Metrics metrics;
  Host second(options, Clock::Real(), metrics);
  std::vector<std::unique_ptr<Module>> modules;
  modules.push_back(std::make_unique<FakeModule>("second", &journal_, true));
  const absl::Status status = second.Run(std::move(modules));
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot listen on"));
}

TEST_F(HostTest, ATakenAdminPortIsAnError) {
  Run();
  ASSERT_TRUE(host_->WaitUntilServing());
  HostOptions options;
  options.admin = *ParseListenAddress(host_->admin_address());
  obs::Metrics metrics;
  Host second(options, Clock::Real(), metrics);
  EXPECT_THAT(std::string(second.Run({}).message()), HasSubstr("admin port"));
}

TEST_F(HostTest, WritesItsAddressesToAFile) {
  HostOptions options;
  options.addresses_file =
      testing::TempDir() + absl::StrCat("signalbox-addresses-", getpid(), ".json");
  Add("http", true);
  Run(options);
  ASSERT_TRUE(host_->WaitUntilServing());
  std::ifstream in(options.addresses_file);
  const auto json = nlohmann::json::parse(std::string(std::istreambuf_iterator<char>(in), {}));
  EXPECT_EQ(json["admin"], host_->admin_address());
  EXPECT_EQ(json["grpc"], host_->grpc_address());
  EXPECT_EQ(json["http"], "127.0.0.1:1");
  std::remove(options.addresses_file.c_str());
}

TEST_F(HostTest, AReloadReachesTheWatchers) {
  Run();
  ASSERT_TRUE(host_->WaitUntilServing());
  absl::Notification reloaded;
  host_->watcher().Watch({}, [&] { reloaded.Notify(); });
  host_->RequestReload();
  EXPECT_TRUE(reloaded.WaitForNotificationWithTimeout(absl::Seconds(10)));
  Finish();
}

TEST_F(HostTest, ADrainAskedForDuringTheStartIsNotLost) {
  Add("router", true);
  Run();
  Finish();
  EXPECT_TRUE(result_.ok());
}

TEST(HostOptions, TakeDefaultsWhereTheConfigurationIsSilent) {
  const auto defaults = ToHostOptions("x", {});
  ASSERT_TRUE(defaults.ok());
  EXPECT_EQ(defaults->listen.ToString(), "127.0.0.1:0");
  EXPECT_EQ(defaults->drain_notice, absl::ZeroDuration());
  EXPECT_EQ(defaults->drain_timeout, absl::Seconds(600));
  config::v1::HostConfig config;
  config.mutable_drain_notice()->set_seconds(5);
  config.set_listen("nowhere");
  EXPECT_FALSE(ToHostOptions("x", config).ok());
  config.set_listen("[::]:9000");
  EXPECT_EQ(ToHostOptions("x", config)->drain_notice, absl::Seconds(5));
}

}  // namespace
}  // namespace signalbox::host
