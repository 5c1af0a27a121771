// Providers from a table of public measurements: one provider per distinct name, one endpoint per
// model.
//
// CSV whose header names its columns; used are model, provider, quantization, tok_s, latency_ms,
// tool_err_pct, price_prompt_per_m and price_completion_per_m, others are ignored. Lines starting
// with '#' are comments; missing values leave the default. An endpoint named twice keeps its first
// values and takes missing ones from later rows.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_TABLE_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_TABLE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/config.h"

namespace signalbox::fleet {

// Adds the table's endpoints to `config`, on top of its defaults. Errors name the line.
absl::Status AddTable(absl::string_view csv, FleetConfig* config);
// The same for a file.
absl::Status AddTableFile(const std::string& path, FleetConfig* config);

// "Google AI Studio" → "google-ai-studio".
std::string ProviderSlug(absl::string_view name);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_TABLE_H_
