#include "services/provider-adapter/core/dialects/sampling.h"

#include <algorithm>

namespace signalbox::provider_adapter {

absl::Span<const absl::string_view> SamplingParameters() {
  static constexpr absl::string_view kParameters[] = {"temperature",
                                                      "top_p",
                                                      "top_k",
                                                      "top_a",
                                                      "min_p",
                                                      "frequency_penalty",
                                                      "presence_penalty",
                                                      "repetition_penalty",
                                                      "seed",
                                                      "verbosity"};
  return kParameters;
}

bool Takes(const catalogue::Endpoint& endpoint, absl::string_view parameter) {
  return endpoint.parameters.empty() ||
         std::binary_search(endpoint.parameters.begin(), endpoint.parameters.end(), parameter);
}

}  // namespace signalbox::provider_adapter
