// `signalbox benchmark`: measures how well endpoints call tools, and records what was found.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/status_macros.h"
#include "common/config/loader.h"
#include "common/config/secrets.h"
#include "services/signalbox/benchmark/discovery.h"
#include "services/signalbox/benchmark/http_fetcher.h"
#include "services/signalbox/benchmark/plan.h"
#include "services/signalbox/benchmark/prompt.h"
#include "services/signalbox/benchmark/recorder.h"
#include "services/signalbox/benchmark/report.h"
#include "services/signalbox/benchmark/result_csv.h"
#include "services/signalbox/benchmark/runner.h"
#include "services/signalbox/benchmark/suite.h"
#include "services/signalbox/command.h"

namespace signalbox {
namespace {

constexpr char kUsage[] =
    R"(signalbox benchmark run --key-file FILE --model MODEL [--model MODEL…] [options]
  --key-file FILE     holds the client key; or --key KEY, which shows in the process list
  --server URL        a running Signalbox; default http://127.0.0.1:8080
  --model MODEL       repeatable; `all` = every model that takes tools
  --provider TAG      only these, repeatable: deepinfra, deepinfra/fp8
  --suite FILE        default deploy/benchmark/tool-calling.yaml
  --budget-usd X      ends when the answers have cost so much; default 1; 0 = no bound
  --max-requests N    ends after so many requests; default 0 = no bound
  --concurrency N     requests at a time; default 4
  --repeat N          asks every case so often; default 1
  --seed S            of the filler texts; default 1
  --max-tokens N      of each answer; default 4096
  --every DURATION    runs again and again, from start to start, until stopped; bounds hold per run
  --json OUT          writes the last run with every wrong answer to a file
signalbox benchmark import FILE.csv
signalbox benchmark list
Where results are kept, for all three (run: or --no-record):
  --aggregator ADDR   a metrics-aggregator, or `signalbox serve` with `serve: {grpc: true}`
  --config FILE       the Redis of that configuration, directly
)";

constexpr char kDefaultServer[] = "http://127.0.0.1:8080";
constexpr char kDefaultSuite[] = "deploy/benchmark/tool-calling.yaml";
constexpr char kDefaultBudget[] = "1";
constexpr size_t kMaxCsvBytes = 64 * 1024 * 1024;
constexpr int64_t kMaxCount = 1'000'000;
constexpr absl::Duration kLookAtStop = absl::Milliseconds(100);

std::atomic<bool> stop_asked{false};

// The first signal ends the run properly, the second the process.
void StopOnSignal() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop_asked = true; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// Takes the values of a flag that may be given several times, or with commas, out of `arguments`.
std::vector<std::string> TakeRepeated(absl::string_view flag,
                                      std::vector<absl::string_view>* arguments) {
  std::vector<std::string> values;
  std::vector<absl::string_view> rest;
  const std::string with_value = absl::StrCat(flag, "=");
  for (size_t i = 0; i < arguments->size(); ++i) {
    absl::string_view value = (*arguments)[i];
    if (value == flag && i + 1 < arguments->size()) {
      value = (*arguments)[++i];
    } else if (!absl::ConsumePrefix(&value, with_value)) {
      rest.push_back(value);
      continue;
    }
    for (const absl::string_view part : absl::StrSplit(value, ',', absl::SkipEmpty()))
      values.emplace_back(part);
  }
  *arguments = std::move(rest);
  return values;
}

absl::StatusOr<int64_t> Count(const Arguments& arguments, const std::string& flag,
                              int64_t otherwise, int64_t least) {
  if (!arguments.Has(flag)) return otherwise;
  int64_t value = 0;
  if (absl::SimpleAtoi(arguments.Get(flag), &value) && value >= least && value <= kMaxCount)
    return value;
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": expected a number from ", least, " to ", kMaxCount));
}

absl::StatusOr<absl::Duration> Interval(const Arguments& arguments) {
  if (!arguments.Has("every")) return absl::InfiniteDuration();
  absl::Duration interval;
  if (absl::ParseDuration(arguments.Get("every"), &interval) && interval > absl::ZeroDuration())
    return interval;
  return absl::InvalidArgumentError("--every: expected a duration such as 24h");
}

// nullptr with --no-record.
absl::StatusOr<std::unique_ptr<benchmark::Recorder>> OpenRecorder(const Arguments& arguments) {
  if (arguments.Has("no-record")) return std::unique_ptr<benchmark::Recorder>();
  if (arguments.Has("aggregator")) return benchmark::RecorderAt(arguments.Get("aggregator"));
  if (!arguments.Has("config")) {
    return absl::InvalidArgumentError(
        "where are results kept? --aggregator ADDR or --config FILE (or, to run only, "
        "--no-record)");
  }
  ASSIGN_OR_RETURN(const config::v1::Config config, LoadConfiguration(arguments.Get("config")));
  return benchmark::RecorderInStore(config);
}

// Everything one `benchmark run` was asked for.
struct RunOrder {
  config::v1::BenchmarkSuite suite;
  http::Origin server;
  std::string key;
  std::vector<std::string> models;
  std::vector<std::string> providers;
  benchmark::PlanOptions plan;
  benchmark::PromptOptions prompt;
  absl::Duration every;
  std::string json_file;
};

absl::StatusOr<std::string> KeyOf(const Arguments& arguments) {
  if (!arguments.Has("key-file")) {
    if (!arguments.Get("key").empty()) return arguments.Get("key");
    return absl::InvalidArgumentError("--key-file or --key: a client key is needed");
  }
  config::v1::SecretRef reference;
  reference.set_file(arguments.Get("key-file"));
  ASSIGN_OR_RETURN(const config::Secret key,
                   config::ResolveSecret(reference, config::Environment::Process()));
  return key.Reveal();
}

absl::StatusOr<RunOrder> OrderOf(const Arguments& arguments, std::vector<std::string> models,
                                 std::vector<std::string> providers) {
  RunOrder order;
  if (models.empty()) return absl::InvalidArgumentError("--model: which? `all` = all of them");
  order.models = std::move(models);
  order.providers = std::move(providers);
  ASSIGN_OR_RETURN(order.key, KeyOf(arguments));
  ASSIGN_OR_RETURN(order.server, http::ParseOrigin(arguments.Get("server", kDefaultServer)));
  ASSIGN_OR_RETURN(order.suite, benchmark::LoadSuite(arguments.Get("suite", kDefaultSuite)));
  ASSIGN_OR_RETURN(const int64_t pico, ParseUsdToPico(arguments.Get("budget-usd", kDefaultBudget)));
  order.plan.budget_nano = pico / 1'000;
  ASSIGN_OR_RETURN(order.plan.max_requests, Count(arguments, "max-requests", 0, 0));
  ASSIGN_OR_RETURN(order.plan.concurrency, Count(arguments, "concurrency", 4, 1));
  ASSIGN_OR_RETURN(order.plan.repeat, Count(arguments, "repeat", 1, 1));
  ASSIGN_OR_RETURN(order.prompt.seed, Count(arguments, "seed", 1, 0));
  ASSIGN_OR_RETURN(order.prompt.max_tokens, Count(arguments, "max-tokens", 4'096, 1));
  ASSIGN_OR_RETURN(order.every, Interval(arguments));
  order.json_file = arguments.Get("json");
  return order;
}

absl::StatusOr<std::string> Body(benchmark::HttpFetcher& fetcher, const std::string& path) {
  ASSIGN_OR_RETURN(const benchmark::HttpAnswer answer, fetcher.Ask("GET", path));
  if (answer.status == 200) return answer.body;
  return absl::FailedPreconditionError(absl::StrCat("GET ", path, ": ", answer.status));
}

absl::StatusOr<std::vector<benchmark::Endpoint>> Discover(const RunOrder& order,
                                                          benchmark::HttpFetcher& fetcher) {
  std::vector<std::string> models = order.models;
  if (models == std::vector<std::string>{"all"}) {
    ASSIGN_OR_RETURN(const std::string body,
                     Body(fetcher, "/api/v1/models?supported_parameters=tools"));
    ASSIGN_OR_RETURN(models, benchmark::ReadModels(body));
  }
  std::vector<benchmark::Endpoint> wanted;
  for (const std::string& model : models) {
    ASSIGN_OR_RETURN(const std::string body,
                     Body(fetcher, absl::StrCat("/api/v1/models/", model, "/endpoints")));
    ASSIGN_OR_RETURN(const auto endpoints, benchmark::ReadEndpoints(body));
    for (const benchmark::Endpoint& endpoint : endpoints) {
      if (benchmark::IsWanted(endpoint, order.providers)) wanted.push_back(endpoint);
    }
  }
  if (wanted.empty()) return absl::NotFoundError("no endpoint of these models takes tools");
  return wanted;
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text << "\n";
  file.close();
  return file.good() ? absl::OkStatus()
                     : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

absl::Status RunOnce(const RunOrder& order, benchmark::Recorder* recorder) {
  benchmark::HttpFetcher fetcher(order.server, order.key);
  ASSIGN_OR_RETURN(const auto endpoints, Discover(order, fetcher));
  std::cout << order.suite.name() << ": " << order.suite.cases_size() << " cases at "
            << endpoints.size() << " endpoints" << std::endl;
  benchmark::RunInfo info{
      order.suite.name(), NewRandomHex128(), order.prompt.seed, absl::Now(), {}};
  benchmark::Plan plan(order.suite, endpoints, order.plan);
  benchmark::Run(order.suite, order.prompt, fetcher, stop_asked, &plan);
  info.finished = absl::Now();
  std::cout << TableOf(plan) << std::flush;
  if (!order.json_file.empty()) RETURN_IF_ERROR(WriteFile(order.json_file, JsonOf(info, plan)));
  const auto results = ResultsOf(info, plan);
  if (results.empty()) return absl::UnavailableError("no endpoint gave an answer");
  if (recorder == nullptr) return absl::OkStatus();
  for (const auto& result : results) RETURN_IF_ERROR(recorder->Record(result));
  std::cout << "recorded " << results.size() << " results as run " << info.run_id << std::endl;
  return absl::OkStatus();
}

absl::Status RunAll(const Arguments& arguments, std::vector<std::string> models,
                    std::vector<std::string> providers) {
  ASSIGN_OR_RETURN(const RunOrder order,
                   OrderOf(arguments, std::move(models), std::move(providers)));
  ASSIGN_OR_RETURN(const std::unique_ptr<benchmark::Recorder> recorder, OpenRecorder(arguments));
  StopOnSignal();
  for (absl::Time next = absl::Now();;) {
    const absl::Status ran = RunOnce(order, recorder.get());
    if (order.every == absl::InfiniteDuration()) return ran;
    if (!ran.ok()) Fail("benchmark", ran);  // the next run may fare better
    next = std::max(next + order.every, absl::Now());
    while (absl::Now() < next && !stop_asked) absl::SleepFor(kLookAtStop);
    if (stop_asked) return absl::OkStatus();
  }
}

absl::Status Import(const Arguments& arguments, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, config::ReadFile(path, kMaxCsvBytes));
  ASSIGN_OR_RETURN(const auto results, benchmark::ReadResultCsv(text));
  ASSIGN_OR_RETURN(const auto recorder, OpenRecorder(arguments));
  if (recorder == nullptr) return absl::InvalidArgumentError("import: --no-record makes no sense");
  int refused = 0;
  for (const auto& result : results) {
    const absl::Status recorded = recorder->Record(result);
    if (!recorded.ok() && !absl::IsInvalidArgument(recorded)) return recorded;
    if (recorded.ok()) continue;
    ++refused;
    std::cerr << result.endpoint_id() << " " << result.suite() << ": " << recorded.message()
              << "\n";
  }
  std::cout << "imported " << results.size() - refused << " of " << results.size() << " results\n";
  return refused == 0 ? absl::OkStatus() : absl::FailedPreconditionError("some were refused");
}

absl::Status List(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto recorder, OpenRecorder(arguments));
  if (recorder == nullptr) return absl::InvalidArgumentError("list: --no-record makes no sense");
  ASSIGN_OR_RETURN(const auto verdicts, recorder->Read());
  std::cout << benchmark::TableOf(verdicts);
  return absl::OkStatus();
}

}  // namespace

int BenchmarkCommand(absl::Span<const absl::string_view> arguments) {
  std::vector<absl::string_view> rest(arguments.begin(), arguments.end());
  std::vector<std::string> models = TakeRepeated("--model", &rest);
  std::vector<std::string> providers = TakeRepeated("--provider", &rest);
  const absl::StatusOr<Arguments> parsed = ParseArguments(
      rest,
      {"server", "key", "key-file", "suite", "budget-usd", "max-requests", "concurrency", "repeat",
       "seed", "max-tokens", "every", "json", "aggregator", "config"},
      {"no-record", "help"});
  if (!parsed.ok()) return Fail("benchmark", parsed.status());
  const std::vector<std::string>& words = parsed->words;
  const std::string verb = words.empty() ? "" : words[0];
  absl::Status done = absl::InvalidArgumentError(absl::StrCat("what?\n", kUsage));
  if (parsed->Has("help")) {
    std::cout << kUsage;
    done = absl::OkStatus();
  } else if (verb == "run" && words.size() == 1) {
    done = RunAll(*parsed, std::move(models), std::move(providers));
  } else if (verb == "import" && words.size() == 2) {
    done = Import(*parsed, words[1]);
  } else if (verb == "list" && words.size() == 1) {
    done = List(*parsed);
  }
  return done.ok() ? kOk : Fail("benchmark", done);
}

}  // namespace signalbox
