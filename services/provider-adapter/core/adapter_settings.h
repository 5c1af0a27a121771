// The adapter's configuration with every default filled in, and the limits of one attempt that
// follow from it.
//
// Pure values; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ADAPTER_SETTINGS_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ADAPTER_SETTINGS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/catalogue/catalogue.h"
#include "common/http/client.h"
#include "services/provider-adapter/core/generation.h"
#include "signalbox/config/v1/services.pb.h"
#include "signalbox/provider/v1/provider.pb.h"

namespace signalbox::provider_adapter {

struct AdapterSettings {
  absl::Duration connect_timeout = absl::Seconds(5);
  absl::Duration first_token_timeout = absl::Seconds(30);
  absl::Duration idle_timeout = absl::Seconds(30);
  absl::Duration total_timeout = absl::Seconds(600);
  int32_t max_in_flight_per_endpoint = 1000;
  int64_t max_response_bytes = 64 * 1024 * 1024;
  int64_t max_event_bytes = 4 * 1024 * 1024;
  int32_t max_pending_outcomes = 100'000;
  absl::Duration report_interval = absl::Milliseconds(200);
  // How long a key is left alone after the provider refused it, or said that its account is out of
  // quota.
  absl::Duration auth_quarantine = absl::Seconds(60);
  absl::Duration quota_quarantine = absl::Seconds(300);
};

AdapterSettings SettingsOf(const config::v1::AdapterConfig& config);
http::ClientOptions ClientOptionsOf(const config::v1::AdapterConfig& config);

// First content: the request's own limit; else, where the provider is asked for a stream, the
// provider's or the default. An answer in one piece may take as long as it is long.
GenerationLimits LimitsOf(const AdapterSettings& settings, const catalogue::Endpoint& endpoint,
                          const provider::v1::GenerateRequest& request);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_ADAPTER_SETTINGS_H_
