#include "common/rpc/keep_warm.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

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
  explicit Impl(const std::string& self)
      : stub_(grpc::CreateChannel(self, grpc::InsecureChannelCredentials())),
        thread_([this] { Run(); }) {}

  ~Impl() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
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

KeepWarm::KeepWarm(const std::string& self) : impl_(std::make_unique<Impl>(self)) {}
KeepWarm::~KeepWarm() = default;

}  // namespace signalbox::rpc
