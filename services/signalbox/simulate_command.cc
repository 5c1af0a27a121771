// `signalbox simulate`: what a policy would do with given endpoints, in virtual time.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "services/signalbox/command.h"
#include "services/signalbox/recorded_day.h"
#include "services/signalbox/simulate/plot.h"
#include "services/signalbox/simulate/study.h"

namespace signalbox {
namespace {

constexpr char kUsage[] =
    R"(signalbox simulate --endpoints TABLE.csv [--prior EARLIER.csv] [--policy price,documented,exacto,oracle]
                   [--rate 1] [--hours 6] [--seeds 5] [--guard] [--break] [--json OUT]
  --endpoints  CSV: model, provider, quantization, tok_s, latency_ms, tool_err_pct, price_completion_per_m
  --prior      an earlier table, as what is stored of the time before
  --policy     of price (1/price^2; always there, to compare with), cheapest, documented (the published Auto Exacto rule), documented-success (the same, best
               measured success first), exacto (Signalbox), balanced (the same, price weighing more), oracle
  --rate       requests with tools per second and model      --hours  simulated hours
  --seeds      runs per model and policy                     --seed   the first one (1)
  --guard      the tool-call guard enforces (all policies but price)
  --break      at half time each run's favourite breaks for 20 minutes: every second call is invalid
  --json OUT   the results for machines                      --plot OUT   error rate over time, as SVG
  --trace      CSV at_s, model: the requests, in place of --rate
  --events     CSV at_s, model, provider, tool_err_pct, requests_per_s: endpoints break, recover or have a capacity
  --recorded   in place of --endpoints: what this installation's Redis holds of the last day, hour by hour; needs --config FILE
More: --model NAME (only this one), --min-providers 4, --threads N, --conversations SHARE (of requests that are turns of a
  conversation), --prior-age HOURS (24), --prior-outcomes N (500 per endpoint), --tokens MEDIAN (200), --price-weight W
  docs/routing.md says what is assumed.
)";

using simulate::Policy;
using simulate::PolicyKind;

constexpr double kBalancedPriceWeight = 0.013;

absl::StatusOr<Policy> PolicyNamed(absl::string_view name) {
  Policy policy;
  policy.name = std::string(name);
  // Price alone: what price-first otherwise prices in is left out, in the published rule as well.
  policy.settings.adjusted_price = {0, 0, 0, 0};
  policy.settings.auto_exacto = false;
  if (name == "price") return policy;
  if (name == "cheapest") {
    policy.kind = PolicyKind::kCheapest;
    return policy;
  }
  if (name == "oracle") {
    policy.kind = PolicyKind::kOracle;
    return policy;
  }
  policy.settings.auto_exacto = true;
  if (name == "documented" || name == "documented-success") {
    policy.kind = name == "documented" ? PolicyKind::kDocumented : PolicyKind::kSuccess;
    policy.settings.documented_exacto = true;
    return policy;
  }
  policy.kind = PolicyKind::kExacto;
  if (name == "balanced") policy.settings.auto_exacto_weights.price = kBalancedPriceWeight;
  if (name == "exacto" || name == "balanced") return policy;
  return absl::InvalidArgumentError(absl::StrCat("--policy: there is no \"", name, "\""));
}

// A flag's number; `value` stays when the flag is absent.
absl::Status ReadNumber(const Arguments& arguments, const std::string& flag, double least,
                        double* value) {
  if (!arguments.Has(flag)) return absl::OkStatus();
  if (!absl::SimpleAtod(arguments.Get(flag), value) || !(*value >= least)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, ": must be a number of at least ", least));
  }
  return absl::OkStatus();
}

absl::Status ReadCount(const Arguments& arguments, const std::string& flag, int least, int* value) {
  double number = *value;
  RETURN_IF_ERROR(ReadNumber(arguments, flag, least, &number));
  if (number > 1e9) return absl::InvalidArgumentError(absl::StrCat("--", flag, ": is too large"));
  *value = static_cast<int>(number);
  return absl::OkStatus();
}

absl::StatusOr<simulate::StudyOptions> ReadOptions(const Arguments& arguments) {
  simulate::StudyOptions options;
  simulate::Scenario& scenario = options.scenario;
  RETURN_IF_ERROR(ReadNumber(arguments, "rate", 1e-4, &scenario.rate));
  RETURN_IF_ERROR(ReadNumber(arguments, "hours", 1e-3, &scenario.hours));
  RETURN_IF_ERROR(ReadNumber(arguments, "conversations", 0, &scenario.conversation_share));
  RETURN_IF_ERROR(ReadNumber(arguments, "prior-age", 0, &scenario.prior_age_hours));
  RETURN_IF_ERROR(ReadNumber(arguments, "prior-outcomes", 1, &scenario.prior_outcomes));
  RETURN_IF_ERROR(ReadNumber(arguments, "tokens", 1, &scenario.median_tokens));
  scenario.break_favourite = arguments.Has("break");
  int seed = 1;
  options.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  RETURN_IF_ERROR(ReadCount(arguments, "seeds", 1, &options.seeds));
  RETURN_IF_ERROR(ReadCount(arguments, "seed", 0, &seed));
  RETURN_IF_ERROR(ReadCount(arguments, "threads", 1, &options.threads));
  RETURN_IF_ERROR(ReadCount(arguments, "min-providers", 1, &options.min_providers));
  options.first_seed = static_cast<uint64_t>(seed);
  // Everything is compared with price-first, asked for or not.
  std::vector<std::string> names = {"price"};
  for (absl::string_view name :
       absl::StrSplit(arguments.Get("policy", "price,documented,exacto,oracle"), ',')) {
    if (name != names.front()) names.emplace_back(name);
  }
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(Policy policy, PolicyNamed(name));
    RETURN_IF_ERROR(
        ReadNumber(arguments, "price-weight", 0, &policy.settings.auto_exacto_weights.price));
    policy.guard = arguments.Has("guard") && policy.kind != PolicyKind::kPrice;
    options.policies.push_back(std::move(policy));
  }
  return options;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  if (out.flush()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(path, ": cannot be written"));
}

absl::Status ReadTraces(const Arguments& arguments, simulate::Traces* traces) {
  if (arguments.Has("trace")) {
    ASSIGN_OR_RETURN(const std::string csv, ReadFile(arguments.Get("trace")));
    RETURN_IF_ERROR(simulate::ParseArrivals(csv, traces));
  }
  if (!arguments.Has("events")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string csv, ReadFile(arguments.Get("events")));
  return simulate::ParseEvents(csv, traces);
}

absl::StatusOr<simulate::Table> ReadEndpoints(const Arguments& arguments,
                                              simulate::StudyOptions* options) {
  if (!arguments.Has("recorded")) {
    ASSIGN_OR_RETURN(simulate::Table table, simulate::ReadTable(arguments.Get("endpoints")));
    RETURN_IF_ERROR(ReadTraces(arguments, &options->traces));
    return table;
  }
  ASSIGN_OR_RETURN(const config::v1::Config config, LoadConfiguration(arguments.Get("config")));
  ASSIGN_OR_RETURN(simulate::Recorded recorded, ReadRecordedDay(config, options->first_seed));
  options->traces = std::move(recorded.traces);
  options->scenario.hours = recorded.hours;
  return std::move(recorded.table);
}

absl::Status Simulate(const Arguments& arguments) {
  ASSIGN_OR_RETURN(simulate::StudyOptions options, ReadOptions(arguments));
  ASSIGN_OR_RETURN(simulate::Table table, ReadEndpoints(arguments, &options));
  simulate::Table prior;
  if (arguments.Has("prior")) {
    ASSIGN_OR_RETURN(prior, simulate::ReadTable(arguments.Get("prior")));
  }
  if (arguments.Has("model")) {
    const auto found = table.find(arguments.Get("model"));
    if (found == table.end())
      return absl::NotFoundError(absl::StrCat("the table has no model ", arguments.Get("model")));
    table = simulate::Table{{found->first, found->second}};
  }
  const simulate::Study study = simulate::RunStudy(table, prior, options);
  if (study.models == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no model has ", options.min_providers, " rated providers (--min-providers)"));
  }
  std::cout << simulate::ToText(study);
  if (arguments.Has("json"))
    RETURN_IF_ERROR(WriteFile(arguments.Get("json"), simulate::ToJson(study, options)));
  if (!arguments.Has("plot")) return absl::OkStatus();
  return WriteFile(arguments.Get("plot"), simulate::ToSvg(study, options.scenario.hours));
}

}  // namespace

int SimulateCommand(absl::Span<const absl::string_view> arguments) {
  const absl::StatusOr<Arguments> parsed = ParseArguments(
      arguments, {"endpoints",     "prior",        "policy",        "rate",      "hours",
                  "seeds",         "seed",         "json",          "plot",      "model",
                  "min-providers", "threads",      "conversations", "prior-age", "prior-outcomes",
                  "tokens",        "price-weight", "trace",         "events",    "config"},
      {"guard", "break", "recorded", "help"});
  if (!parsed.ok()) return Fail("simulate", parsed.status());
  const bool has_input = parsed->Has("endpoints") != parsed->Has("recorded");
  if (parsed->Has("help") || !has_input) {
    std::cout << kUsage;
    return parsed->Has("help") ? kOk : kBadUsage;
  }
  const absl::Status status = Simulate(*parsed);
  return status.ok() ? kOk : Fail("simulate", status);
}

}  // namespace signalbox
