#include "common/host/wrap_module.h"

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_builder.h>

#include <utility>

namespace signalbox::host {
namespace {

class Wrapper : public Module {
 public:
  explicit Wrapper(std::unique_ptr<Module> module) : module_(std::move(module)) {}

  absl::string_view name() const override { return module_->name(); }
  std::vector<std::string> GrpcServices() const override { return module_->GrpcServices(); }
  void Register(grpc::ServerBuilder& builder) override { module_->Register(builder); }
  absl::Status Start() override { return module_->Start(); }
  std::vector<std::pair<std::string, std::string>> Addresses() const override {
    return module_->Addresses();
  }
  void AnnounceDrain() override { module_->AnnounceDrain(); }
  void BeginDrain() override { module_->BeginDrain(); }
  int InFlight() const override { return module_->InFlight(); }
  void Stop() override { module_->Stop(); }

 protected:
  std::unique_ptr<Module> module_;
};

class GrpcWrapper final : public Wrapper {
 public:
  GrpcWrapper(std::unique_ptr<Module> module, std::string full_name,
              std::unique_ptr<grpc::Service> service, std::function<int()> in_flight)
      : Wrapper(std::move(module)),
        full_name_(std::move(full_name)),
        service_(std::move(service)),
        in_flight_(std::move(in_flight)) {}

  std::vector<std::string> GrpcServices() const override {
    std::vector<std::string> names = module_->GrpcServices();
    names.push_back(full_name_);
    return names;
  }
  void Register(grpc::ServerBuilder& builder) override {
    module_->Register(builder);
    builder.RegisterService(service_.get());
  }
  int InFlight() const override { return module_->InFlight() + (in_flight_ ? in_flight_() : 0); }

 private:
  const std::string full_name_;
  const std::unique_ptr<grpc::Service> service_;
  const std::function<int()> in_flight_;
};

class KeepingWrapper final : public Wrapper {
 public:
  KeepingWrapper(std::unique_ptr<Module> module, std::shared_ptr<void> parts)
      : Wrapper(std::move(module)), parts_(std::move(parts)) {}
  ~KeepingWrapper() override { module_.reset(); }

 private:
  const std::shared_ptr<void> parts_;
};

}  // namespace

std::unique_ptr<Module> WithGrpcService(std::unique_ptr<Module> module, std::string full_name,
                                        std::unique_ptr<grpc::Service> service,
                                        std::function<int()> in_flight) {
  return std::make_unique<GrpcWrapper>(std::move(module), std::move(full_name), std::move(service),
                                       std::move(in_flight));
}

std::unique_ptr<Module> Keeping(std::unique_ptr<Module> module, std::shared_ptr<void> parts) {
  return std::make_unique<KeepingWrapper>(std::move(module), std::move(parts));
}

}  // namespace signalbox::host
