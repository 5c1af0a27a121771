#include "tests/provider-fleet/table.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace signalbox::fleet {
namespace {

struct Row {
  std::string model, provider, quantization;
  std::optional<double> tok_s, latency_ms, tool_err_pct, price_prompt, price_completion;

  void TakeMissing(const Row& other) {
    if (quantization.empty()) quantization = other.quantization;
    for (auto field : {&Row::tok_s, &Row::latency_ms, &Row::tool_err_pct, &Row::price_prompt,
                       &Row::price_completion}) {
      if (!(this->*field)) this->*field = other.*field;
    }
  }
};

// Splits at commas outside double quotes; "" inside quotes is one quote.
std::vector<std::string> SplitCsv(absl::string_view line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

class Columns {
 public:
  explicit Columns(absl::string_view header) {
    const std::vector<std::string> names = SplitCsv(header);
    for (size_t i = 0; i < names.size(); ++i) {
      index_[std::string(absl::StripAsciiWhitespace(names[i]))] = i;
    }
  }

  bool Has(absl::string_view name) const { return index_.contains(name); }

  std::string Text(const std::vector<std::string>& cells, absl::string_view name) const {
    auto it = index_.find(name);
    if (it == index_.end() || it->second >= cells.size()) return "";
    return std::string(absl::StripAsciiWhitespace(cells[it->second]));
  }

  // False: the cell is there and not a number >= 0.
  bool Number(const std::vector<std::string>& cells, absl::string_view name,
              std::optional<double>* out) const {
    const std::string text = Text(cells, name);
    if (text.empty()) return true;
    double value = 0;
    if (!absl::SimpleAtod(text, &value) || !std::isfinite(value) || value < 0) return false;
    *out = value;
    return true;
  }

 private:
  absl::flat_hash_map<std::string, size_t> index_;
};

bool ReadRow(const Columns& columns, absl::string_view line, Row* row) {
  const std::vector<std::string> cells = SplitCsv(line);
  row->model = columns.Text(cells, "model");
  row->provider = columns.Text(cells, "provider");
  row->quantization = columns.Text(cells, "quantization");
  return !row->model.empty() && !row->provider.empty() &&
         columns.Number(cells, "tok_s", &row->tok_s) &&
         columns.Number(cells, "latency_ms", &row->latency_ms) &&
         columns.Number(cells, "tool_err_pct", &row->tool_err_pct) &&
         columns.Number(cells, "price_prompt_per_m", &row->price_prompt) &&
         columns.Number(cells, "price_completion_per_m", &row->price_completion);
}

void AddEndpoint(const Row& row, FleetConfig* config) {
  ProviderConfig& provider = ProviderNamed(ProviderSlug(row.provider), *config);
  EndpointConfig endpoint{row.model, provider.defaults, {}};
  Behaviour& behaviour = endpoint.behaviour;
  if (row.tok_s) behaviour.tokens_per_second = {*row.tok_s, 0};
  if (row.latency_ms) behaviour.ttft_ms = {*row.latency_ms, 0};
  if (row.tool_err_pct) behaviour.tool_error_rate = std::fmin(1, *row.tool_err_pct / 100);
  endpoint.facts = {row.price_prompt.value_or(0), row.price_completion.value_or(0),
                    row.quantization};
  provider.endpoints.push_back(std::move(endpoint));
}

}  // namespace

std::string ProviderSlug(absl::string_view name) {
  std::string slug;
  for (char c : name) {
    if (absl::ascii_isalnum(c) || c == '.' || c == '_') {
      slug += absl::ascii_tolower(c);
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug;
}

absl::Status AddTable(absl::string_view csv, FleetConfig* config) {
  std::optional<Columns> columns;
  std::vector<Row> rows;
  absl::flat_hash_map<std::pair<std::string, std::string>, size_t> seen;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(csv, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    if (!columns) {
      columns.emplace(line);
      if (columns->Has("model") && columns->Has("provider")) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": header needs model and provider"));
    }
    Row row;
    if (!ReadRow(*columns, line, &row)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", number, ": needs model and provider, and numbers >= 0 where numbers belong"));
    }
    auto [it, added] = seen.try_emplace({ProviderSlug(row.provider), row.model}, rows.size());
    if (added) {
      rows.push_back(std::move(row));
    } else {
      rows[it->second].TakeMissing(row);
    }
  }
  for (const Row& row : rows) AddEndpoint(row, config);
  return absl::OkStatus();
}

absl::Status AddTableFile(const std::string& path, FleetConfig* config) {
  auto text = ReadWholeFile(path);
  if (!text.ok()) return text.status();
  absl::Status added = AddTable(*text, config);
  if (!added.ok()) return absl::InvalidArgumentError(absl::StrCat(path, ": ", added.message()));
  return added;
}

}  // namespace signalbox::fleet
