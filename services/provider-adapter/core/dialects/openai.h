// OpenAI's chat completions and everything that speaks them: the client's body passes through with
// a few members patched, and so does the answer.
//
// Stateless and thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_H_

#include "services/provider-adapter/core/dialect.h"

namespace signalbox::provider_adapter {

class OpenAiDialect final : public Dialect {
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

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_OPENAI_H_
