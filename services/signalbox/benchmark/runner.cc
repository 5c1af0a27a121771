#include "services/signalbox/benchmark/runner.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/json/parse.h"
#include "services/signalbox/benchmark/grader.h"

namespace signalbox::benchmark {
namespace {

constexpr absl::Duration kLookAtStop = absl::Milliseconds(100);
constexpr double kNanoPerUsd = 1e9;
constexpr size_t kMaxReason = 300;
// 503 is a pause of Signalbox or of the provider, not an answer.
constexpr int kTries = 4;
constexpr absl::Duration kPause = absl::Seconds(1);

std::string ErrorMessage(const std::string& body) {
  json::Parser parser;
  const auto root = parser.Parse(body);
  if (!root.ok()) return "no chat completion";
  const auto message = root->at_pointer("/error/message").get_string();
  if (message.error() != simdjson::SUCCESS) return "no chat completion";
  return std::string(message.value_unsafe().substr(0, kMaxReason));
}

Finding FromError(const HttpAnswer& answer) {
  const std::string reason = absl::StrCat(answer.status, ": ", ErrorMessage(answer.body));
  if (absl::StrContains(answer.body, "\"tool_call_invalid\""))
    return {Finding::Kind::kFailed, "an invalid tool call", 0};
  switch (answer.status) {
    case 401:
    case 402:
    case 403:
    case 404:
      return {Finding::Kind::kUnreachable, reason, 0};
    default:
      return {Finding::Kind::kUnanswered, reason, 0};
  }
}

// One Run; everything but the waiting happens on the fetcher's loop.
class Session {
 public:
  Session(const config::v1::BenchmarkSuite& suite, const PromptOptions& prompt,
          HttpFetcher& fetcher, Plan* plan)
      : suite_(suite), prompt_(prompt), fetcher_(fetcher), plan_(plan) {}

  void RunUntil(const std::atomic<bool>& stop) {
    fetcher_.loop().Post([this] { Pump(); });
    bool told = false;
    while (!finished_.WaitForNotificationWithTimeout(kLookAtStop)) {
      if (!stop || std::exchange(told, true)) continue;
      fetcher_.loop().Post([this] {
        plan_->Stop("interrupted");
        Pump();
      });
    }
    fetcher_.loop().RunAndWait([] {});  // what was posted above refers to this
  }

 private:
  void Pump() {
    while (const std::optional<Task> task = plan_->Next()) Ask(*task);
    if (plan_->finished() && !std::exchange(over_, true)) finished_.Notify();
  }

  void Ask(const Task& task, int tries = 1) {
    const Endpoint& endpoint = plan_->results()[task.endpoint].endpoint;
    PromptOptions options = prompt_;
    options.model = endpoint.model;
    options.tag = endpoint.tag;
    const auto& item = suite_.cases(task.item);
    fetcher_.Start("POST", "/api/v1/chat/completions", RequestBody(suite_, item, options),
                   [this, task, tries, &item](const absl::StatusOr<HttpAnswer>& answer) {
                     if (tries < kTries && answer.ok() && answer->status == 503) {
                       fetcher_.loop().RunAfter(kPause,
                                                [this, task, tries] { Ask(task, tries + 1); });
                       return;
                     }
                     plan_->Done(task, FindingOf(item, answer));
                     Pump();
                   });
  }

  const config::v1::BenchmarkSuite& suite_;
  const PromptOptions& prompt_;
  HttpFetcher& fetcher_;
  Plan* const plan_;
  bool over_ = false;
  absl::Notification finished_;
};

}  // namespace

Finding FindingOf(const config::v1::BenchmarkCase& item, const absl::StatusOr<HttpAnswer>& answer) {
  if (!answer.ok()) return {Finding::Kind::kUnanswered, std::string(answer.status().message()), 0};
  if (answer->status != 200) return FromError(*answer);
  const absl::StatusOr<Answer> read = ReadAnswer(answer->body);
  if (!read.ok()) return FromError(*answer);
  const Grade grade = GradeAnswer(item, *read);
  return {grade.passed ? Finding::Kind::kPassed : Finding::Kind::kFailed, grade.reason,
          std::llround(read->cost_usd * kNanoPerUsd)};
}

void Run(const config::v1::BenchmarkSuite& suite, const PromptOptions& prompt, HttpFetcher& fetcher,
         const std::atomic<bool>& stop, Plan* plan) {
  Session(suite, prompt, fetcher, plan).RunUntil(stop);
}

}  // namespace signalbox::benchmark
