#include "common/rpc/keep_warm.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace signalbox::rpc {
namespace {
constexpr std::chrono::milliseconds kInterval{300};
constexpr std::chrono::milliseconds kDeadline{250};
}  // namespace

class KeepWarm::Impl {
 public:
  Impl(const std::string& self, const Credentials& credentials)
      : stub_(MakeChannel(self, credentials)), thread_([this] { Run(); }) {}

  ~Impl() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  // The address is none that a certificate bears.
  static std::shared_ptr<grpc::Channel> MakeChannel(const std::string& self,
                                                    const Credentials& credentials) {
    grpc::ChannelArguments arguments;
    if (!credentials.own_name.empty()) arguments.SetSslTargetNameOverride(credentials.own_name);
    return grpc::CreateCustomChannel(self, credentials.channel, arguments);
  }

  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!changed_.wait_for(lock, kInterval, [this] { return stopping_; })) {
      lock.unlock();
      Call();
      lock.lock();
    }
  }

  // Health.Check with an empty request; the answer does not matter, the wake-up does.
  void Call() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    grpc::ByteBuffer request(&kEmpty, 1);
    grpc::ByteBuffer response;
    std::mutex mutex;
    std::condition_variable done_changed;
    bool done = false;
    stub_.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request,
                    &response, [&](const grpc::Status&) {
                      const std::lock_guard<std::mutex> lock(mutex);
                      done = true;
                      done_changed.notify_one();
                    });
    std::unique_lock<std::mutex> lock(mutex);
    done_changed.wait(lock, [&] { return done; });
  }

  static inline const grpc::Slice kEmpty{};
  grpc::GenericStub stub_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

KeepWarm::KeepWarm(const std::string& self, const Credentials& credentials)
    : impl_(std::make_unique<Impl>(self, credentials)) {}
KeepWarm::~KeepWarm() = default;

}  // namespace signalbox::rpc
