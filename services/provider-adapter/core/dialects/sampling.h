// Request members that tune sampling and may be left out without changing what is asked for: an
// endpoint that does not list one does not get it (OpenRouter's rule; require_parameters is the
// router's business).
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_SAMPLING_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_SAMPLING_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/catalogue/catalogue.h"

namespace signalbox::provider_adapter {

absl::Span<const absl::string_view> SamplingParameters();

// An endpoint that lists nothing takes everything.
bool Takes(const catalogue::Endpoint& endpoint, absl::string_view parameter);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECTS_SAMPLING_H_
