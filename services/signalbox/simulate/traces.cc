#include "services/signalbox/simulate/traces.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"

namespace signalbox::simulate {
namespace {

constexpr double kSecondsPerHour = 3600;
// How many outcomes the day's rate counts for in each of its hours.
constexpr double kDayWeight = 20;

using Row = std::map<std::string, std::string>;

// Rows by column name, with the number of their line.
absl::Status EachRow(absl::string_view csv, const std::vector<std::string>& needed,
                     const std::function<absl::Status(const Row&, int)>& visit) {
  std::vector<std::string> names;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(csv, '\n')) {
    ++number;
    line = absl::StripSuffix(line, "\r");
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> fields = SplitCsv(line);
    if (names.empty()) {
      for (const std::string& name : fields) names.emplace_back(absl::StripAsciiWhitespace(name));
      for (const std::string& name : needed) {
        if (std::find(names.begin(), names.end(), name) == names.end())
          return absl::InvalidArgumentError(absl::StrCat("line ", number, ": no column ", name));
      }
      continue;
    }
    Row row;
    for (size_t i = 0; i < std::min(names.size(), fields.size()); ++i)
      row[names[i]] = std::string(absl::StripAsciiWhitespace(fields[i]));
    RETURN_IF_ERROR(visit(row, number));
  }
  return absl::OkStatus();
}

absl::Status ReadNumber(const Row& row, const std::string& name, int line, double most,
                        double* value) {
  const auto found = row.find(name);
  if (found == row.end() || found->second.empty()) return absl::OkStatus();
  if (absl::SimpleAtod(found->second, value) && *value >= 0 && *value <= most)
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("line ", line, ": ", name, " must be a number between 0 and ", most));
}

void SortByTime(std::vector<Event>* events) {
  std::stable_sort(events->begin(), events->end(),
                   [](const Event& a, const Event& b) { return a.at_seconds < b.at_seconds; });
}

double RateOf(double bad, double all, double usual) {
  return (bad + kDayWeight * usual) / (all + kDayWeight);
}

}  // namespace

absl::Status ParseArrivals(absl::string_view csv, Traces* traces) {
  const absl::Status status = EachRow(csv, {"at_s", "model"}, [&](const Row& row, int line) {
    double at = 0;
    RETURN_IF_ERROR(ReadNumber(row, "at_s", line, 1e9, &at));
    traces->arrivals[row.at("model")].push_back(at);
    return absl::OkStatus();
  });
  for (auto& [model, arrivals] : traces->arrivals) std::sort(arrivals.begin(), arrivals.end());
  return status;
}

absl::Status ParseEvents(absl::string_view csv, Traces* traces) {
  const std::vector<std::string> needed = {"at_s", "model", "provider"};
  const absl::Status status = EachRow(csv, needed, [&](const Row& row, int line) {
    Event event;
    event.provider = row.at("provider");
    RETURN_IF_ERROR(ReadNumber(row, "at_s", line, 1e9, &event.at_seconds));
    double percent = -100;
    RETURN_IF_ERROR(ReadNumber(row, "tool_err_pct", line, 100, &percent));
    event.tool_error = percent / 100;
    RETURN_IF_ERROR(ReadNumber(row, "requests_per_s", line, 1e9, &event.requests_per_second));
    traces->events[row.at("model")].push_back(event);
    return absl::OkStatus();
  });
  for (auto& [model, events] : traces->events) {
    SortByTime(&events);
  }
  return status;
}

Recorded Replay(const std::vector<RecordedEndpoint>& endpoints, int64_t first_hour, int hours,
                uint64_t seed) {
  Recorded recorded;
  recorded.hours = hours;
  std::map<std::string, std::vector<double>> requests;  // by model, per hour
  for (const RecordedEndpoint& endpoint : endpoints) {
    double all = 0;
    double bad = 0;
    for (const metrics_aggregator::Tally& hour : endpoint.hours) {
      all += static_cast<double>(hour.tool_requests);
      bad += static_cast<double>(hour.tool_bad);
    }
    if (all <= 0) continue;
    const double usual = bad / all;
    EndpointRow row;
    row.provider = endpoint.provider;
    row.tool_error = usual;
    row.price = endpoint.price;
    row.throughput_tps = endpoint.throughput_tps;
    recorded.table[endpoint.model].push_back(row);
    std::vector<double>& per_hour = requests[endpoint.model];
    per_hour.resize(static_cast<size_t>(hours));
    for (const metrics_aggregator::Tally& hour : endpoint.hours) {
      const int64_t place = hour.index - first_hour;
      if (place < 0 || place >= hours) continue;
      per_hour[static_cast<size_t>(place)] += static_cast<double>(hour.tool_requests);
      Event event;
      event.at_seconds = static_cast<double>(place) * kSecondsPerHour;
      event.provider = endpoint.provider;
      event.tool_error = RateOf(static_cast<double>(hour.tool_bad),
                                static_cast<double>(hour.tool_requests), usual);
      recorded.traces.events[endpoint.model].push_back(event);
    }
  }
  Rng rng(seed);
  for (const auto& [model, per_hour] : requests) {
    std::vector<double>& arrivals = recorded.traces.arrivals[model];
    for (size_t hour = 0; hour < per_hour.size(); ++hour) {
      for (int i = 0; i < static_cast<int>(per_hour[hour]); ++i)
        arrivals.push_back((static_cast<double>(hour) + rng.Uniform()) * kSecondsPerHour);
    }
    std::sort(arrivals.begin(), arrivals.end());
    std::vector<Event>& events = recorded.traces.events[model];
    SortByTime(&events);
  }
  return recorded;
}

}  // namespace signalbox::simulate
