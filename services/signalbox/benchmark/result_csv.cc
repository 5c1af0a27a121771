#include "services/signalbox/benchmark/result_csv.h"

#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"

namespace signalbox::benchmark {
namespace {

using metrics::v1::RecordBenchmarkRequest;

// Fields of one line; "" inside quotes is a quote. nullopt = a quote is never closed.
std::optional<std::vector<std::string>> SplitLine(absl::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
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
  if (quoted) return std::nullopt;
  for (std::string& field : fields) absl::StripAsciiWhitespace(&field);
  return fields;
}

// The fields of a line by column; a column that is not there is empty.
class Row {
 public:
  Row(const std::map<std::string, size_t>& columns, const std::vector<std::string>& fields)
      : columns_(columns), fields_(fields) {}
  std::string operator[](const std::string& column) const {
    const auto found = columns_.find(column);
    return found == columns_.end() ? "" : fields_[found->second];
  }

 private:
  const std::map<std::string, size_t>& columns_;
  const std::vector<std::string>& fields_;
};

absl::StatusOr<std::string> EndpointOf(const Row& row) {
  const std::string endpoint = row["endpoint"];
  if (absl::StrContains(endpoint, '@')) return endpoint;
  const std::string tag = endpoint.empty() ? row["provider"] : endpoint;
  if (row["model"].empty() || tag.empty())
    return absl::InvalidArgumentError("model and provider, or endpoint, are missing");
  return absl::StrCat(row["model"], "@", tag);
}

absl::StatusOr<int64_t> Count(const Row& row, const std::string& column) {
  int64_t value = 0;
  if (absl::SimpleAtoi(row[column], &value) && value >= 0) return value;
  return absl::InvalidArgumentError(absl::StrCat(column, ": expected a whole number"));
}

absl::StatusOr<int64_t> Passed(const Row& row, int64_t total) {
  if (!row["passed"].empty()) return Count(row, "passed");
  double accuracy = 0;
  if (!absl::SimpleAtod(row["accuracy"], &accuracy) || !(accuracy >= 0 && accuracy <= 1))
    return absl::InvalidArgumentError("passed, or accuracy from 0 to 1, is missing");
  return static_cast<int64_t>(std::llround(accuracy * static_cast<double>(total)));
}

absl::StatusOr<RecordBenchmarkRequest> ReadRow(const Row& row) {
  RecordBenchmarkRequest result;
  ASSIGN_OR_RETURN(*result.mutable_endpoint_id(), EndpointOf(row));
  result.set_suite(row["suite"]);
  if (result.suite().empty()) return absl::InvalidArgumentError("suite is missing");
  ASSIGN_OR_RETURN(const int64_t total, Count(row, "total"));
  ASSIGN_OR_RETURN(const int64_t passed, Passed(row, total));
  if (passed > total || total == 0)
    return absl::InvalidArgumentError("passed and total: expected passed <= total, total > 0");
  result.set_total(total);
  result.set_passed(passed);
  if (!row["cases"].empty()) {
    ASSIGN_OR_RETURN(const int64_t cases, Count(row, "cases"));
    result.set_cases(cases);
  }
  absl::Time finished;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, row["finished"], &finished, &error))
    return absl::InvalidArgumentError("finished: expected a time such as 2026-07-07T12:00:00Z");
  result.set_finished_unix_ms(absl::ToUnixMillis(finished));
  const std::string content =
      absl::StrJoin({result.endpoint_id(), result.suite(), absl::StrCat(passed),
                     absl::StrCat(total), absl::StrCat(result.finished_unix_ms())},
                    "|");
  result.set_run_id(absl::StrCat("csv-", Sha256Hex(content).substr(0, 24)));
  result.set_reporter_id("import");
  return result;
}

}  // namespace

absl::StatusOr<std::vector<RecordBenchmarkRequest>> ReadResultCsv(absl::string_view text) {
  std::vector<RecordBenchmarkRequest> results;
  std::map<std::string, size_t> columns;
  std::string problems;
  int number = 0;
  const auto complain = [&](absl::string_view what) {
    absl::StrAppend(&problems, problems.empty() ? "" : "\n", "line ", number, ": ", what);
  };
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view stripped = absl::StripAsciiWhitespace(line);
    if (stripped.empty() || stripped[0] == '#') continue;
    const auto fields = SplitLine(stripped);
    if (!fields.has_value()) {
      complain("a quote is never closed");
    } else if (columns.empty()) {
      for (size_t i = 0; i < fields->size(); ++i) columns[(*fields)[i]] = i;
    } else if (fields->size() < columns.size()) {
      complain(absl::StrCat(fields->size(), " fields under ", columns.size(), " columns"));
    } else {
      auto result = ReadRow(Row(columns, *fields));
      if (result.ok()) {
        results.push_back(*std::move(result));
      } else {
        complain(result.status().message());
      }
    }
  }
  if (!problems.empty()) return absl::InvalidArgumentError(problems);
  if (results.empty()) return absl::InvalidArgumentError("no line of results");
  return results;
}

}  // namespace signalbox::benchmark
