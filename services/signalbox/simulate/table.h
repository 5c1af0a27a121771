// The table a simulation starts from: what endpoints cost, how fast they are and how often their
// tool calls break. CSV with a header; lines starting with # are comments.
//
// Pure but for ReadTable; thread-safe.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_TABLE_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_TABLE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox::simulate {

// One provider of one model. Rows of a table that differ in quantization or price only are one
// endpoint: rates are given by provider.
struct EndpointRow {
  std::string provider;
  double tool_error = 0;  // 0..1
  double price = 0;       // USD per million completion tokens
  double throughput_tps = 0;
  double latency_ms = 0;
};

// Endpoints with a tool-call error rate, by model; both sorted by name.
using Table = std::map<std::string, std::vector<EndpointRow>>;

// Columns: model, provider, tool_err_pct; optionally quantization, tok_s, latency_ms,
// price_completion_per_m (a price that is missing is taken for that of the model's median, a speed
// for 40 tokens/s and a latency for 1 s). Others are ignored. Rows without a rate are left out.
// Error: InvalidArgument naming the line.
absl::StatusOr<Table> ParseTable(absl::string_view csv);
absl::StatusOr<Table> ReadTable(const std::string& path);

// The fields of a CSV line; "" inside quotes is a quote.
std::vector<std::string> SplitCsv(absl::string_view line);

}  // namespace signalbox::simulate

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_SIMULATE_TABLE_H_
