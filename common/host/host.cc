#include "common/host/host.h"

#include <cstdio>
#include <fstream>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/host/admin.h"
#include "common/host/build_info.h"
#include "common/host/drain.h"
#include "common/host/grpc_server.h"
#include "common/host/memory_limit.h"
#include "common/http/server.h"
#include "common/net/event_loop.h"
#include "common/obs/log.h"
#include "common/rpc/channels.h"

namespace signalbox::host {
namespace {

// Calls that are open when all modules have drained are cancelled after this.
constexpr absl::Duration kServerGrace = absl::Seconds(1);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

http::ServerOptions AdminOptions(const Address& address) {
  http::ServerOptions options;
  options.address = address.host;
  options.port = address.port;
  options.max_header_bytes = 16 * 1024;
  options.max_body_bytes = 64 * 1024;
  options.max_connections = 256;
  return options;
}

// Moved into place, so that a reader never sees half of it.
absl::Status WriteFile(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out || std::rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<rpc::Credentials> CredentialsOf(const config::v1::HostConfig& config) {
  if (!config.has_tls()) return rpc::Credentials();
  return rpc::Credentials::MutualTls(
      {config.tls().ca_file(), config.tls().cert_file(), config.tls().key_file()});
}

absl::StatusOr<HostOptions> ToHostOptions(std::string service,
                                          const config::v1::HostConfig& config) {
  HostOptions options;
  options.service = std::move(service);
  if (!config.listen().empty()) {
    ASSIGN_OR_RETURN(options.listen, ParseListenAddress(config.listen()));
  }
  if (!config.admin().empty()) {
    ASSIGN_OR_RETURN(options.admin, ParseListenAddress(config.admin()));
  }
  if (config.has_drain_notice()) options.drain_notice = ToDuration(config.drain_notice());
  if (config.has_drain_timeout()) options.drain_timeout = ToDuration(config.drain_timeout());
  options.reflection = config.reflection();
  if (config.has_max_connection_age()) {
    options.max_connection_age = ToDuration(config.max_connection_age());
    if (options.max_connection_age < absl::Seconds(1))
      return absl::InvalidArgumentError("host.max_connection_age: must be at least 1s");
  }
  ASSIGN_OR_RETURN(options.credentials, CredentialsOf(config));
  options.addresses_file = config.addresses_file();
  return options;
}

class Host::Impl {
 public:
  Impl(HostOptions options, const Clock& clock, obs::Metrics& metrics)
      : options_(std::move(options)),
        clock_(clock),
        state_gauges_(
            metrics.Gauge("signalbox_host_state", "1 = the state the process is in.", {"state"})),
        ready_gauge_(metrics
                         .Gauge("signalbox_host_ready",
                                "1 = it may be sent work (/readyz); 0 = it starts, waits for "
                                "something it needs, or drains.")
                         .WithNone()),
        channels_(options_.credentials),
        pages_(options_.service, options_.config_text, metrics, readiness_),
        loops_("admin", 1),
        watcher_(loops_.at(0), options_.watch_interval),
        admin_(loops_, AdminOptions(options_.admin), [this](http::Request request, auto exchange) {
          exchange->Respond(pages_.Answer(request));
        }) {
    render_hook_ = metrics.OnRender([this] { ready_gauge_.Set(readiness_.ready() ? 1 : 0); });
    metrics
        .Gauge("signalbox_host_build_info", "1; which program this is, and of which version.",
               {"process", "version"})
        .With({options_.service, Version()})
        .Set(1);
    metrics
        .Gauge("signalbox_host_memory_limit_bytes",
               "Memory the control group of the process may use, 0 = no limit.")
        .WithNone()
        .Set(static_cast<double>(MemoryLimitBytes()));
    SetState(HostState::kStarting);
  }

  absl::Status Run(std::vector<std::unique_ptr<Module>> modules) {
    modules_ = std::move(modules);
    const absl::Status started = Start();
    if (started.ok()) {
      Announce();
      WaitForDrain();
      Drain();
    } else {
      obs::Log(obs::kError, "start_failed").With("error", started);
    }
    Release();
    return started;
  }

  void RequestDrain() {
    absl::MutexLock lock(&mutex_);
    drain_requested_ = true;
  }

  bool WaitUntilServing() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(
        +[](Impl* self)
             ABSL_NO_THREAD_SAFETY_ANALYSIS { return self->state_ != HostState::kStarting; },
        this));
    return state_ == HostState::kServing || state_ == HostState::kDraining;
  }

  std::string grpc_address() const { return grpc_ == nullptr ? "" : grpc_->address().ToString(); }
  std::string admin_address() const {
    return Address{options_.admin.host, admin_.port()}.ToString();
  }

  net::EventLoopGroup& loops() { return loops_; }
  config::FileWatcher& watcher() { return watcher_; }
  Readiness& readiness() { return readiness_; }
  rpc::Channels& channels() { return channels_; }

 private:
  absl::Status Start() {
    const absl::Status admin = admin_.Start();
    if (!admin.ok()) return Failed("admin port", admin);
    std::vector<Module*> all;
    bool has_grpc = false;
    for (const auto& module : modules_) {
      all.push_back(module.get());
      has_grpc = has_grpc || !module->GrpcServices().empty();
    }
    if (has_grpc)
      grpc_ = std::make_unique<GrpcServer>(
          GrpcServerOptions{options_.reflection, options_.max_connection_age, options_.credentials},
          all);
    RETURN_IF_ERROR(StartModules(all));
    return StartServing();
  }

  absl::Status StartModules(const std::vector<Module*>& all) {
    for (Module* module : all) {
      const absl::Status status = module->Start();
      if (!status.ok()) return Failed(module->name(), status);
      started_.push_back(module);
      obs::Log(obs::kInfo, "module_started").With("module", module->name());
    }
    return absl::OkStatus();
  }

  absl::Status StartServing() {
    if (grpc_ != nullptr) {
      RETURN_IF_ERROR(grpc_->Start(options_.listen));
      readiness_.OnChange([server = grpc_.get()](bool ready) { server->SetServing(ready); });
    }
    return options_.addresses_file.empty() ? absl::OkStatus()
                                           : WriteFile(options_.addresses_file, AddressesJson());
  }

  static absl::Status Failed(absl::string_view part, const absl::Status& status) {
    return absl::Status(status.code(), absl::StrCat(part, ": ", status.message()));
  }

  std::string AddressesJson() const {
    std::string json = "{";
    const auto add = [&](absl::string_view name, absl::string_view address) {
      if (json.size() > 1) json.push_back(',');
      obs::AppendJsonString(&json, name, obs::Log::kMaxValueBytes);
      json.push_back(':');
      obs::AppendJsonString(&json, address, obs::Log::kMaxValueBytes);
    };
    add("admin", admin_address());
    if (grpc_ != nullptr) add("grpc", grpc_address());
    for (const Module* module : started_) {
      for (const auto& [name, address] : module->Addresses()) add(name, address);
    }
    return json + "}\n";
  }

  void Announce() {
    SetState(HostState::kServing);
    obs::Log log(obs::kInfo, "serving");
    log.With("admin", admin_address());
    if (grpc_ != nullptr) log.With("grpc", grpc_address());
    for (const Module* module : started_) {
      for (const auto& [name, address] : module->Addresses()) log.With(name, address);
    }
  }

  void WaitForDrain() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&drain_requested_));
  }

  void Drain() {
    obs::Log(obs::kInfo, "draining")
        .With("notice", options_.drain_notice)
        .With("timeout", options_.drain_timeout);
    DrainPlan plan;
    plan.notice = options_.drain_notice;
    plan.timeout = options_.drain_timeout;
    plan.turn_unready = [this] { SetState(HostState::kDraining); };
    plan.shut_down_server = [this] { ShutDownServer(); };
    const DrainResult result =
        DrainModules(started_, plan, clock_, [this](absl::Duration time) { Wait(time); });
    started_.clear();
    obs::Log(obs::kInfo, "drained")
        .With("took", result.took)
        .With("left_in_flight", result.left_in_flight);
  }

  void ShutDownServer() {
    watcher_.Stop();  // no reload reaches a module that stops
    if (grpc_ == nullptr) return;
    readiness_.OnChange(nullptr);
    grpc_->Shutdown(kServerGrace);
  }

  // After a drain, or after a start that failed half way. On the main thread, as channels demand.
  void Release() {
    watcher_.Stop();
    readiness_.OnChange(nullptr);
    if (grpc_ != nullptr && !started_.empty()) grpc_->Shutdown(absl::ZeroDuration());
    for (auto module = started_.rbegin(); module != started_.rend(); ++module) (*module)->Stop();
    started_.clear();
    SetState(HostState::kStopped);
    while (!modules_.empty()) modules_.pop_back();
    grpc_.reset();
    channels_.Release();
  }

  void SetState(HostState state) {
    readiness_.SetState(state);
    for (const HostState each :
         {HostState::kStarting, HostState::kServing, HostState::kDraining, HostState::kStopped}) {
      state_gauges_.With({HostStateName(each)}).Set(each == state ? 1 : 0);
    }
    absl::MutexLock lock(&mutex_);
    state_ = state;
  }

  // Real time: nobody ends it early, a second signal exits the process.
  void Wait(absl::Duration time) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(
                                +[](int*) { return false; }, static_cast<int*>(nullptr)),
                            time);
  }

  const HostOptions options_;
  const Clock& clock_;
  obs::GaugeFamily& state_gauges_;
  const obs::Gauge ready_gauge_;
  Readiness readiness_;
  rpc::Channels channels_;
  AdminPages pages_;
  net::EventLoopGroup loops_;
  config::FileWatcher watcher_;
  http::Server admin_;

  std::shared_ptr<void> render_hook_;
  std::vector<std::unique_ptr<Module>> modules_;
  std::vector<Module*> started_;
  std::unique_ptr<GrpcServer> grpc_;

  absl::Mutex mutex_;
  bool drain_requested_ ABSL_GUARDED_BY(mutex_) = false;
  HostState state_ ABSL_GUARDED_BY(mutex_) = HostState::kStarting;
};

Host::Host(HostOptions options, const Clock& clock, obs::Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), clock, metrics)) {}
Host::~Host() = default;

Executor& Host::background() { return impl_->loops().at(0); }
config::FileWatcher& Host::watcher() { return impl_->watcher(); }
Readiness& Host::readiness() { return impl_->readiness(); }
rpc::Channels& Host::channels() { return impl_->channels(); }
absl::Status Host::Run(std::vector<std::unique_ptr<Module>> modules) {
  return impl_->Run(std::move(modules));
}
void Host::RequestDrain() { impl_->RequestDrain(); }
void Host::RequestReload() { impl_->watcher().Trigger(); }
bool Host::WaitUntilServing() { return impl_->WaitUntilServing(); }
std::string Host::grpc_address() const { return impl_->grpc_address(); }
std::string Host::admin_address() const { return impl_->admin_address(); }

}  // namespace signalbox::host
