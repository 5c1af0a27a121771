// Anthropic's Messages API: a real translation both ways.
//
// Stateless and thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_H_

#include "services/provider-adapter/core/dialect.h"

namespace signalbox::provider_adapter {

class AnthropicDialect final : public Dialect {
 public:
  absl::StatusOr<UpstreamRequest> Translate(
      const catalogue::Endpoint& endpoint,
      const provider::v1::GenerateRequest& request) const override;
  http::Headers::Entry KeyHeader(const catalogue::Endpoint& endpoint,
                                 absl::string_view key) const override;
  std::unique_ptr<AnswerReader> ReadAnswer(const AnswerOptions& options,
                                           absl::string_view content_type) const override;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_ANTHROPIC_H_
