#include "services/signalbox/benchmark/report.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/json/writer.h"

namespace signalbox::benchmark {
namespace {

constexpr double kNanoPerUsd = 1e9;

double Accuracy(const EndpointResult& result) {
  return result.total > 0 ? static_cast<double>(result.passed) / static_cast<double>(result.total)
                          : 0;
}

double Usd(int64_t nano) { return static_cast<double>(nano) / kNanoPerUsd; }

// The most frequent reason among an endpoint's misses.
std::string CommonestMiss(const EndpointResult& result) {
  std::map<std::string, int> counts;
  for (const auto& miss : result.misses) ++counts[miss.reason];
  std::string commonest;
  for (const auto& [reason, count] : counts) {
    if (commonest.empty() || count > counts[commonest]) commonest = reason;
  }
  return commonest.empty() ? "" : absl::StrCat(commonest, " (", counts[commonest], ")");
}

void WriteEndpoint(const EndpointResult& result, json::Writer* w) {
  w->BeginObject().Key("endpoint").String(result.endpoint.id);
  w->Key("passed").Int(result.passed).Key("total").Int(result.total);
  w->Key("accuracy").Double(Accuracy(result)).Key("unanswered").Int(result.unanswered);
  w->Key("cost_usd").Double(Usd(result.cost_nano)).Key("left_alone").Bool(result.left_alone);
  w->Key("kinds").BeginObject();
  for (const auto& [kind, count] : result.kinds) {
    w->Key(kind).BeginObject().Key("passed").Int(count.passed);
    w->Key("total").Int(count.total).EndObject();
  }
  w->EndObject().Key("misses").BeginArray();
  for (const auto& miss : result.misses) {
    w->BeginObject().Key("case").String(miss.case_id).Key("repetition").Int(miss.repetition);
    w->Key("answered").Bool(miss.answered).Key("reason").String(miss.reason).EndObject();
  }
  w->EndArray().EndObject();
}

}  // namespace

std::vector<metrics::v1::RecordBenchmarkRequest> ResultsOf(const RunInfo& run, const Plan& plan) {
  std::vector<metrics::v1::RecordBenchmarkRequest> results;
  for (const EndpointResult& found : plan.results()) {
    if (found.total == 0) continue;
    metrics::v1::RecordBenchmarkRequest& result = results.emplace_back();
    result.set_reporter_id("signalbox-benchmark");
    result.set_endpoint_id(found.endpoint.id);
    result.set_suite(run.suite);
    result.set_run_id(run.run_id);
    result.set_finished_unix_ms(absl::ToUnixMillis(run.finished));
    result.set_passed(found.passed);
    result.set_total(found.total);
    result.set_cases(static_cast<int64_t>(found.cases.size()));
    result.set_cost_nano(found.cost_nano);
  }
  return results;
}

std::string TableOf(const Plan& plan) {
  size_t width = 8;
  for (const EndpointResult& result : plan.results())
    width = std::max(width, result.endpoint.id.size());
  std::string table =
      absl::StrFormat("%-*s  %8s  %7s  %10s  %9s  %s\n", static_cast<int>(width), "endpoint",
                      "accuracy", "answers", "unanswered", "USD", "commonest miss");
  for (const EndpointResult& result : plan.results()) {
    absl::StrAppendFormat(
        &table, "%-*s  %8s  %7d  %10d  %9.5f  %s\n", static_cast<int>(width), result.endpoint.id,
        result.total > 0 ? absl::StrFormat("%.3f", Accuracy(result)) : "-", result.total,
        result.unanswered, Usd(result.cost_nano), CommonestMiss(result));
  }
  absl::StrAppendFormat(&table, "%d requests, %.5f USD", plan.requests(), Usd(plan.cost_nano()));
  if (!plan.stopped().empty()) absl::StrAppend(&table, "; ended early: ", plan.stopped());
  return absl::StrCat(table, "\n");
}

std::string JsonOf(const RunInfo& run, const Plan& plan) {
  json::Writer w(4'096);
  w.BeginObject().Key("suite").String(run.suite).Key("run").String(run.run_id);
  w.Key("seed").UInt(run.seed);
  w.Key("started").String(absl::FormatTime(absl::RFC3339_sec, run.started, absl::UTCTimeZone()));
  w.Key("finished").String(absl::FormatTime(absl::RFC3339_sec, run.finished, absl::UTCTimeZone()));
  w.Key("requests").Int(plan.requests()).Key("cost_usd").Double(Usd(plan.cost_nano()));
  w.Key("ended_early").String(plan.stopped());
  w.Key("endpoints").BeginArray();
  for (const EndpointResult& result : plan.results()) WriteEndpoint(result, &w);
  w.EndArray().EndObject();
  return std::move(w).Take();
}

std::string TableOf(const metrics_aggregator::BenchmarkTable& verdicts) {
  size_t width = 8;
  for (const auto& [endpoint, verdict] : verdicts) width = std::max(width, endpoint.size());
  std::string table = absl::StrFormat("%-*s  %8s  %7s  %-4s  %s\n", static_cast<int>(width),
                                      "endpoint", "accuracy", "answers", "low", "why");
  for (const auto& [endpoint, verdict] : verdicts) {
    absl::StrAppendFormat(&table, "%-*s  %8.3f  %7d  %-4s  %s\n", static_cast<int>(width), endpoint,
                          verdict.accuracy, verdict.cases, verdict.low ? "yes" : "no",
                          verdict.reason);
  }
  return table;
}

}  // namespace signalbox::benchmark
