#include "services/ingress/options.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/host/address.h"

namespace signalbox::ingress {
namespace {

constexpr absl::string_view kDefaultListen = "127.0.0.1:8080";

void Take(bool present, const google::protobuf::Duration& value, absl::Duration* option) {
  if (present) *option = absl::Seconds(value.seconds()) + absl::Nanoseconds(value.nanos());
}

template <typename Number>
void Take(int64_t value, Number* option) {
  if (value > 0) *option = static_cast<Number>(value);
}

provider::v1::ToolCallGuard GuardFrom(config::v1::ToolCallGuard guard) {
  switch (guard) {
    case config::v1::TOOL_CALL_GUARD_OFF:
      return provider::v1::TOOL_CALL_GUARD_OFF;
    case config::v1::TOOL_CALL_GUARD_OBSERVE:
      return provider::v1::TOOL_CALL_GUARD_OBSERVE;
    case config::v1::TOOL_CALL_GUARD_ENFORCE:
      return provider::v1::TOOL_CALL_GUARD_ENFORCE;
    default:
      return provider::v1::TOOL_CALL_GUARD_UNSPECIFIED;
  }
}

}  // namespace

// Proto fields have no accessor to their presence and value in one: a macro would hide more than
// these lines repeat.
ChatOptions ChatOptionsFrom(const config::v1::IngressConfig& config) {
  ChatOptions options;
  Take(config.limits().max_body_bytes(), &options.request.max_body_bytes);
  Take(config.limits().max_json_depth(), &options.request.max_json_depth);

  const config::v1::AttemptConfig& attempts = config.attempts();
  Take(attempts.max_attempts(), &options.attempts.max_attempts);
  Take(attempts.max_attempts_per_provider(), &options.attempts.max_attempts_per_provider);
  Take(attempts.has_total_timeout(), attempts.total_timeout(), &options.attempts.total_timeout);
  Take(attempts.has_first_token_timeout(), attempts.first_token_timeout(),
       &options.attempts.first_token_timeout);
  if (attempts.has_retry_invalid_tool_calls()) {
    options.attempts.retry_invalid_tool_calls = attempts.retry_invalid_tool_calls();
  }
  options.tool_call_guard = GuardFrom(attempts.tool_call_guard());
  Take(attempts.has_decide_timeout(), attempts.decide_timeout(), &options.decide_timeout);

  const config::v1::AuthConfig& auth = config.auth();
  Take(auth.has_fresh_for(), auth.fresh_for(), &options.auth.fresh_for);
  Take(auth.has_stale_for(), auth.stale_for(), &options.auth.stale_for);
  Take(auth.has_negative_for(), auth.negative_for(), &options.auth.negative_for);
  Take(auth.cache_entries(), &options.auth.cache_entries);

  const config::v1::ConversationConfig& conversations = config.conversations();
  Take(conversations.has_idle(), conversations.idle(), &options.conversations.idle);
  Take(conversations.max_remembered(), &options.conversations.max_remembered);
  Take(conversations.min_opening_tokens(), &options.conversations.min_opening_tokens);

  const config::v1::CircuitConfig& circuits = config.circuits();
  Take(circuits.failures(), &options.circuits.failures);
  Take(circuits.has_open(), circuits.open(), &options.circuits.open);
  Take(circuits.has_max_open(), circuits.max_open(), &options.circuits.max_open);

  options.markup_basis_points = config.markup_basis_points();
  Take(config.has_keepalive_interval(), config.keepalive_interval(), &options.keepalive_interval);
  Take(config.has_generation_ttl(), config.generation_ttl(), &options.settlement.ttl);
  return options;
}

HttpApiOptions HttpApiOptionsFrom(const config::v1::IngressConfig& config) {
  HttpApiOptions options;
  Take(config.limits().max_in_flight(), &options.max_in_flight);
  Take(config.limits().stream_buffer_bytes(), &options.stream_buffer_bytes);
  return options;
}

absl::StatusOr<http::ServerOptions> ServerOptionsFrom(const config::v1::IngressConfig& config) {
  const absl::string_view listen =
      config.http_listen().empty() ? kDefaultListen : absl::string_view(config.http_listen());
  ASSIGN_OR_RETURN(const host::Address address, host::ParseListenAddress(listen));
  http::ServerOptions options;
  options.address = address.host;
  options.port = address.port;
  const config::v1::LimitsConfig& limits = config.limits();
  Take(limits.max_body_bytes(), &options.max_body_bytes);
  Take(limits.max_connections(), &options.max_connections);
  Take(limits.has_header_timeout(), limits.header_timeout(), &options.header_timeout);
  Take(limits.has_body_timeout(), limits.body_timeout(), &options.body_timeout);
  Take(limits.has_idle_timeout(), limits.idle_timeout(), &options.idle_timeout);
  Take(limits.has_write_stall_timeout(), limits.write_stall_timeout(),
       &options.write_stall_timeout);
  // The stream is paused above this many bytes, and resumed by the server's low watermark: they
  // must be of one measure.
  options.write_high_watermark = HttpApiOptionsFrom(config).stream_buffer_bytes;
  options.write_low_watermark = options.write_high_watermark / 4;
  options.error_response = HttpApi::ServerError;
  return options;
}

}  // namespace signalbox::ingress
