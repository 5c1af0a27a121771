#include "tests/provider-fleet/fleet.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/listener.h"

namespace signalbox::fleet {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// How late a scheduled change or the closing of a port may come.
constexpr std::chrono::milliseconds kTick{10};
// Longest wait of an admin call for a port to open or close.
constexpr std::chrono::seconds kReconcileWait{1};

class RunningFleet final : public Fleet {
 public:
  explicit RunningFleet(FleetConfig config) : roster_(std::move(config)) {}

  ~RunningFleet() override {
    for (auto& worker : workers_) worker->io.stop();
    for (std::thread& thread : threads_) thread.join();
    own_ports_.clear();
    main_port_.reset();
    tick_.reset();
    // The first worker's pending accept holds sockets of the others: it goes first.
    for (auto& worker : workers_) worker.reset();
  }

  absl::Status Run(const FleetOptions& options) {
    error_code error;
    const asio::ip::address address = asio::ip::make_address(options.address, error);
    if (error) return absl::InvalidArgumentError(absl::StrCat("not an address: ", options.address));
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    const int threads = options.threads > 0 ? options.threads : static_cast<int>(cores);
    for (int i = 0; i < threads; ++i) workers_.push_back(std::make_unique<Worker>(&roster_));
    const absl::Status listening = Listen(address, static_cast<uint16_t>(options.port));
    if (!listening.ok()) return listening;
    roster_.set_on_change([this] { Reconcile(); });
    StartThreads();
    return absl::OkStatus();
  }

  int port() const override { return main_port_->port(); }
  Roster& roster() override { return roster_; }

 private:
  struct OwnPort {
    Provider* provider;
    std::unique_ptr<Listener> listener;
  };

  absl::StatusOr<std::unique_ptr<Listener>> Reserved(const asio::ip::address& address,
                                                     uint16_t port) {
    auto listener = std::make_unique<Listener>(&workers_, roster_.config().max_body_bytes);
    if (absl::Status reserved = listener->Reserve(tcp::endpoint(address, port)); !reserved.ok())
      return reserved;
    return listener;
  }

  absl::Status Listen(const asio::ip::address& address, uint16_t port) {
    auto main_port = Reserved(address, port);
    if (!main_port.ok()) return main_port.status();
    main_port_ = *std::move(main_port);
    for (const auto& provider : roster_.providers()) {
      provider->set_port(main_port_->port());
      if (!provider->own_port()) continue;
      auto own = Reserved(address, 0);
      if (!own.ok()) return own.status();
      provider->set_port((*own)->port());
      own_ports_.push_back({provider.get(), *std::move(own)});
    }
    ReconcilePorts();
    return main_port_->Open();
  }

  void StartThreads() {
    tick_ = std::make_unique<asio::steady_timer>(workers_[0]->io);
    Tick();
    for (auto& worker : workers_) {
      threads_.emplace_back([io = &worker->io] {
        auto guard = asio::make_work_guard(*io);
        io->run();
      });
    }
  }

  void Tick() {
    tick_->expires_after(kTick);
    tick_->async_wait([this](const error_code& error) {
      if (error) return;
      roster_.ApplySchedule();
      ReconcilePorts();
      Tick();
    });
  }

  // Opens and closes own ports as their providers want. On the first worker's thread, or before
  // threads start.
  void ReconcilePorts() {
    const double now = roster_.clock().Now();
    for (OwnPort& own : own_ports_) {
      const bool refuses = own.provider->Refuses(now);
      if (refuses && own.listener->is_open()) own.listener->Close();
      // The port is reserved; if opening fails all the same, the next tick tries again.
      if (!refuses && !own.listener->is_open()) own.listener->Open().IgnoreError();
    }
  }

  // The same from any thread; done when it returns.
  void Reconcile() {
    if (own_ports_.empty()) return;
    if (workers_[0]->io.get_executor().running_in_this_thread()) return ReconcilePorts();
    auto done = std::make_shared<std::promise<void>>();
    asio::post(workers_[0]->io, [this, done] {
      ReconcilePorts();
      done->set_value();
    });
    done->get_future().wait_for(kReconcileWait);
  }

  Roster roster_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Listener> main_port_;
  std::vector<OwnPort> own_ports_;
  std::unique_ptr<asio::steady_timer> tick_;
  std::vector<std::thread> threads_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Start(FleetConfig config,
                                                    const FleetOptions& options) {
  auto fleet = std::make_unique<RunningFleet>(std::move(config));
  if (absl::Status running = fleet->Run(options); !running.ok()) return running;
  return std::unique_ptr<Fleet>(std::move(fleet));
}

std::string Fleet::BaseUrl(absl::string_view provider) {
  return absl::StrCat("http://127.0.0.1:", roster().Find(provider)->port(), "/", provider, "/v1");
}

}  // namespace signalbox::fleet
