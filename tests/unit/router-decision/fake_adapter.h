// An adapter that knows which providers are active, and nothing else.
#ifndef SIGNALBOX_TESTS_UNIT_ROUTER_DECISION_FAKE_ADAPTER_H_
#define SIGNALBOX_TESTS_UNIT_ROUTER_DECISION_FAKE_ADAPTER_H_

#include <map>
#include <memory>
#include <string>

#include "common/seam/provider_adapter.h"

namespace signalbox::router_decision {

// Answers inside the call.
class FakeAdapter final : public seam::ProviderAdapter {
 public:
  std::unique_ptr<seam::Attempt> Generate(provider::v1::GenerateRequest, Executor&,
                                          seam::GenerateSink*) override {
    return nullptr;
  }
  void ListProviders(absl::Duration, Executor&, ListProvidersCallback done) override {
    ++asked;
    done(answer);
  }
  void Say(std::map<std::string, bool> providers) {
    provider::v1::ListProvidersResponse response;
    for (const auto& [slug, active] : providers) {
      auto& provider = *response.add_providers();
      provider.set_slug(slug);
      provider.set_active(active);
    }
    answer = response;
  }

  int asked = 0;
  absl::StatusOr<provider::v1::ListProvidersResponse> answer = absl::UnavailableError("not there");
};

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_TESTS_UNIT_ROUTER_DECISION_FAKE_ADAPTER_H_
