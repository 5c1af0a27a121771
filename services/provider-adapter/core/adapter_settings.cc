#include "services/provider-adapter/core/adapter_settings.h"

#include <algorithm>

#include "services/provider-adapter/core/request_limits.h"

namespace signalbox::provider_adapter {
namespace {

// A stream's end marker and the end of its body belong together; longer than this nobody waits for
// the second.
constexpr absl::Duration kEndGrace = absl::Milliseconds(50);

// Zero and unset keep the default.
void Take(const google::protobuf::Duration& configured, absl::Duration* setting) {
  const absl::Duration value =
      absl::Seconds(configured.seconds()) + absl::Nanoseconds(configured.nanos());
  if (value > absl::ZeroDuration()) *setting = value;
}

template <typename T>
void Take(T configured, T* setting) {
  if (configured > 0) *setting = configured;
}

}  // namespace

AdapterSettings SettingsOf(const config::v1::AdapterConfig& config) {
  AdapterSettings settings;
  Take(config.connect_timeout(), &settings.connect_timeout);
  Take(config.first_token_timeout(), &settings.first_token_timeout);
  Take(config.idle_timeout(), &settings.idle_timeout);
  Take(config.total_timeout(), &settings.total_timeout);
  Take(config.max_in_flight_per_endpoint(), &settings.max_in_flight_per_endpoint);
  Take(config.max_response_bytes(), &settings.max_response_bytes);
  Take(config.max_event_bytes(), &settings.max_event_bytes);
  Take(config.max_pending_outcomes(), &settings.max_pending_outcomes);
  Take(config.report_interval(), &settings.report_interval);
  return settings;
}

http::ClientOptions ClientOptionsOf(const config::v1::AdapterConfig& config) {
  http::ClientOptions options;
  options.ca_file = config.ca_file();
  options.proxy = config.proxy();
  if (config.has_allow_private_addresses())
    options.allow_private_addresses = config.allow_private_addresses();
  // The attempt's own bound speaks first, with a better message.
  options.max_response_body_bytes = static_cast<size_t>(SettingsOf(config).max_response_bytes) + 1;
  return options;
}

GenerationLimits LimitsOf(const AdapterSettings& settings, const catalogue::Endpoint& endpoint,
                          const provider::v1::GenerateRequest& request) {
  GenerationLimits limits;
  limits.max_response_bytes = settings.max_response_bytes;
  limits.max_event_bytes = static_cast<size_t>(settings.max_event_bytes);
  limits.waits.idle = settings.idle_timeout;
  limits.waits.end_grace = kEndGrace;
  limits.waits.total = settings.total_timeout;
  if (request.timeout_ms() > 0) limits.waits.total = absl::Milliseconds(request.timeout_ms());
  if (request.first_token_timeout_ms() > 0) {
    limits.waits.first_content = absl::Milliseconds(request.first_token_timeout_ms());
  } else if (StreamsUpstream(request, endpoint)) {
    const int64_t of_provider = endpoint.provider->first_token_timeout_ms();
    limits.waits.first_content =
        of_provider > 0 ? absl::Milliseconds(of_provider) : settings.first_token_timeout;
  }
  limits.connect = std::min(settings.connect_timeout, limits.waits.total);
  return limits;
}

}  // namespace signalbox::provider_adapter
