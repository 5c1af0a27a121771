#include "services/signalbox/benchmark/plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/signalbox/benchmark/suite.h"

namespace signalbox::benchmark {

Plan::Plan(const config::v1::BenchmarkSuite& suite, const std::vector<Endpoint>& endpoints,
           const PlanOptions& options)
    : suite_(suite), options_(options), unanswered_in_a_row_(endpoints.size(), 0) {
  for (const Endpoint& endpoint : endpoints) results_.emplace_back().endpoint = endpoint;
  end_ = static_cast<int64_t>(endpoints.size()) * suite.cases_size() * options.repeat;
}

std::optional<Task> Plan::Next() {
  SkipLeftAlone();
  if (!MayAsk() || in_flight_ >= options_.concurrency) return std::nullopt;
  if (options_.max_requests > 0 && requests_ >= options_.max_requests) {
    Stop(absl::StrCat("after ", requests_, " requests"));
    return std::nullopt;
  }
  if (!BudgetLeft()) {
    if (in_flight_ == 0) Stop("the budget is spent");
    return std::nullopt;
  }
  const auto endpoints = static_cast<int64_t>(results_.size());
  const int64_t cases = suite_.cases_size();
  const Task task{static_cast<int>(next_ % endpoints), static_cast<int>(next_ / endpoints % cases),
                  static_cast<int>(next_ / endpoints / cases)};
  ++next_;
  ++requests_;
  ++in_flight_;
  return task;
}

void Plan::Done(const Task& task, const Finding& finding) {
  --in_flight_;
  ++finished_requests_;
  cost_nano_ += finding.cost_nano;
  EndpointResult& result = results_[task.endpoint];
  result.cost_nano += finding.cost_nano;
  int& silent = unanswered_in_a_row_[task.endpoint];
  if (finding.kind == Finding::Kind::kPassed || finding.kind == Finding::Kind::kFailed) {
    silent = 0;
    Count(task, finding, &result);
  } else {
    ++silent;
    ++result.unanswered;
    result.left_alone = result.left_alone || finding.kind == Finding::Kind::kUnreachable ||
                        silent >= options_.max_unanswered_in_a_row;
  }
  if (finding.kind != Finding::Kind::kPassed) {
    const bool answered = finding.kind == Finding::Kind::kFailed;
    result.misses.push_back(
        {suite_.cases(task.item).id(), task.repetition, answered, finding.reason});
  }
  SkipLeftAlone();
}

void Plan::Stop(std::string why) {
  if (next_ >= end_) return;
  next_ = end_;
  stopped_ = std::move(why);
}

bool Plan::MayAsk() const { return next_ < end_; }

// What is under way will cost about what requests have cost so far.
bool Plan::BudgetLeft() const {
  if (options_.budget_nano <= 0) return true;
  const int64_t average = finished_requests_ > 0 ? cost_nano_ / finished_requests_ : 0;
  return cost_nano_ + in_flight_ * average < options_.budget_nano;
}

void Plan::SkipLeftAlone() {
  const auto endpoints = static_cast<int64_t>(results_.size());
  while (next_ < end_ && results_[next_ % endpoints].left_alone) ++next_;
}

void Plan::Count(const Task& task, const Finding& finding, EndpointResult* result) {
  const bool passed = finding.kind == Finding::Kind::kPassed;
  KindCount& kind = result->kinds[KindName(suite_.cases(task.item).kind())];
  ++kind.total;
  ++result->total;
  result->cases.insert(task.item);
  if (!passed) return;
  ++kind.passed;
  ++result->passed;
}

}  // namespace signalbox::benchmark
