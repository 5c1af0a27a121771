#include "services/signalbox/simulate/table.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace signalbox::simulate {
namespace {

constexpr double kUnknownThroughput = 40;
constexpr double kUnknownLatencyMs = 1000;

absl::Status BadLine(int line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", what));
}

// Where the columns stand; -1 = absent.
struct Columns {
  int model = -1;
  int provider = -1;
  int tool_error = -1;
  int price = -1;
  int throughput = -1;
  int latency = -1;
};

absl::StatusOr<Columns> ReadHeader(const std::vector<std::string>& names, int line) {
  Columns columns;
  const std::pair<absl::string_view, int*> wanted[] = {{"model", &columns.model},
                                                       {"provider", &columns.provider},
                                                       {"tool_err_pct", &columns.tool_error},
                                                       {"price_completion_per_m", &columns.price},
                                                       {"tok_s", &columns.throughput},
                                                       {"latency_ms", &columns.latency}};
  for (size_t i = 0; i < names.size(); ++i) {
    for (const auto& [name, column] : wanted) {
      if (absl::StripAsciiWhitespace(names[i]) == name) *column = static_cast<int>(i);
    }
  }
  if (columns.model < 0 || columns.provider < 0 || columns.tool_error < 0)
    return BadLine(line, "the header must name model, provider and tool_err_pct");
  return columns;
}

// Sums over rows of one provider.
struct Gathered {
  struct Mean {
    double sum = 0;
    int count = 0;
    void Add(double value) {
      sum += value;
      ++count;
    }
    double Or(double otherwise) const { return count > 0 ? sum / count : otherwise; }
  };
  Mean tool_error;
  Mean throughput;
  Mean latency;
  double lowest_price = -1;  // -1 = none given
};

// Empty = not given.
absl::StatusOr<double> Number(const std::vector<std::string>& fields, int column, int line,
                              bool* given) {
  *given = false;
  if (column < 0 || static_cast<size_t>(column) >= fields.size()) return 0;
  const absl::string_view text = absl::StripAsciiWhitespace(fields[static_cast<size_t>(column)]);
  if (text.empty()) return 0;
  double value = 0;
  if (!absl::SimpleAtod(text, &value) || !(value >= 0))
    return BadLine(line, absl::StrCat("\"", text, "\" is no number"));
  *given = true;
  return value;
}

class Reader {
 public:
  absl::Status Line(absl::string_view text, int line) {
    const std::vector<std::string> fields = SplitCsv(text);
    if (columns_.model < 0) {
      ASSIGN_OR_RETURN(columns_, ReadHeader(fields, line));
      return absl::OkStatus();
    }
    bool rated = false;
    ASSIGN_OR_RETURN(const double error, Number(fields, columns_.tool_error, line, &rated));
    if (!rated) return absl::OkStatus();
    if (error > 100) return BadLine(line, "tool_err_pct is above 100");
    Gathered& row = models_[Text(fields, columns_.model)][Text(fields, columns_.provider)];
    row.tool_error.Add(error / 100);
    return ReadOptional(fields, line, &row);
  }

  Table Finish() const {
    Table table;
    for (const auto& [model, providers] : models_) {
      std::vector<double> prices;
      for (const auto& [provider, row] : providers) {
        if (row.lowest_price >= 0) prices.push_back(row.lowest_price);
      }
      std::sort(prices.begin(), prices.end());
      const double usual = prices.empty() ? 1 : prices[prices.size() / 2];
      for (const auto& [provider, row] : providers) {
        table[model].push_back(
            {provider, row.tool_error.Or(0), row.lowest_price >= 0 ? row.lowest_price : usual,
             row.throughput.Or(kUnknownThroughput), row.latency.Or(kUnknownLatencyMs)});
      }
    }
    return table;
  }

  bool has_header() const { return columns_.model >= 0; }

 private:
  static std::string Text(const std::vector<std::string>& fields, int column) {
    return static_cast<size_t>(column) < fields.size()
               ? std::string(absl::StripAsciiWhitespace(fields[static_cast<size_t>(column)]))
               : "";
  }

  absl::Status ReadOptional(const std::vector<std::string>& fields, int line, Gathered* row) {
    bool given = false;
    ASSIGN_OR_RETURN(const double price, Number(fields, columns_.price, line, &given));
    if (given && (row->lowest_price < 0 || price < row->lowest_price)) row->lowest_price = price;
    ASSIGN_OR_RETURN(const double throughput, Number(fields, columns_.throughput, line, &given));
    if (given && throughput > 0) row->throughput.Add(throughput);
    ASSIGN_OR_RETURN(const double latency, Number(fields, columns_.latency, line, &given));
    if (given) row->latency.Add(latency);
    return absl::OkStatus();
  }

  Columns columns_;
  std::map<std::string, std::map<std::string, Gathered>> models_;
};

}  // namespace

std::vector<std::string> SplitCsv(absl::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back().push_back('"');
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  return fields;
}

absl::StatusOr<Table> ParseTable(absl::string_view csv) {
  Reader reader;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(csv, '\n')) {
    ++number;
    line = absl::StripSuffix(line, "\r");
    if (line.empty() || line[0] == '#') continue;
    RETURN_IF_ERROR(reader.Line(line, number));
  }
  if (!reader.has_header()) return absl::InvalidArgumentError("no header line");
  Table table = reader.Finish();
  if (table.empty()) return absl::InvalidArgumentError("no row has a tool_err_pct");
  return table;
}

absl::StatusOr<Table> ReadTable(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  std::ostringstream text;
  text << file.rdbuf();
  absl::StatusOr<Table> table = ParseTable(text.str());
  if (table.ok()) return table;
  return absl::Status(table.status().code(), absl::StrCat(path, ": ", table.status().message()));
}

}  // namespace signalbox::simulate
