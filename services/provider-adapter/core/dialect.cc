#include "services/provider-adapter/core/dialect.h"

#include "services/provider-adapter/core/dialects/anthropic.h"
#include "services/provider-adapter/core/dialects/openai.h"

namespace signalbox::provider_adapter {

const Dialect& DialectFor(config::v1::Dialect dialect) {
  static const OpenAiDialect openai;
  static const AnthropicDialect anthropic;
  switch (dialect) {
    case config::v1::DIALECT_ANTHROPIC:
      return anthropic;
    case config::v1::DIALECT_UNSPECIFIED:
    case config::v1::DIALECT_OPENAI:
    case config::v1::Dialect_INT_MIN_SENTINEL_DO_NOT_USE_:
    case config::v1::Dialect_INT_MAX_SENTINEL_DO_NOT_USE_:
      return openai;
  }
  return openai;  // a value from a newer configuration
}

}  // namespace signalbox::provider_adapter
