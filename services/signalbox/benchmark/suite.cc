#include "services/signalbox/benchmark/suite.h"

#include <re2/re2.h>

#include <map>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "common/json/parse.h"
#include "services/signalbox/benchmark/argument_path.h"

namespace signalbox::benchmark {
namespace {

using config::v1::BenchmarkCase;
using config::v1::BenchmarkSuite;
using config::v1::ExpectedArgument;
using config::v1::ExpectedCall;

constexpr size_t kMaxSuiteName = 64;

// Checks one suite; problems go to the report by path.
class Checker {
 public:
  Checker(const BenchmarkSuite& suite, config::Report* report) : suite_(suite), report_(report) {}

  void Check() {
    CheckName();
    for (int i = 0; i < suite_.tools_size(); ++i) CheckTool(i);
    if (suite_.cases().empty()) report_->Add("cases", "at least one is needed");
    for (int i = 0; i < suite_.cases_size(); ++i)
      CheckCase(absl::StrCat("cases[", i, "]"), suite_.cases(i));
  }

 private:
  void CheckName() {
    const std::string& name = suite_.name();
    const bool fits =
        !name.empty() && name.size() <= kMaxSuiteName && absl::c_all_of(name, [](char c) {
          return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.';
        });
    if (!fits) report_->Add("name", "1 to 64 letters, digits, - _ or .");
  }

  void CheckTool(int i) {
    const auto& tool = suite_.tools(i);
    const std::string path = absl::StrCat("tools[", i, "]");
    if (tool.name().empty() || !tools_.insert(tool.name()).second)
      report_->Add(absl::StrCat(path, ".name"), "missing, or given twice");
    const auto schema = json::ThreadLocalParser().Parse(tool.parameters());
    if (!schema.ok() || !schema->is_object())
      report_->Add(absl::StrCat(path, ".parameters"), "is no JSON object");
  }

  void CheckCase(const std::string& path, const BenchmarkCase& item) {
    if (item.id().empty() || !ids_.insert(item.id()).second)
      report_->Add(absl::StrCat(path, ".id"), "missing, or given twice");
    if (item.kind() == config::v1::BENCHMARK_KIND_UNSPECIFIED)
      report_->Add(absl::StrCat(path, ".kind"), "missing");
    CheckOffer(path, item);
    CheckMessages(path, item);
    if ((item.kind() == config::v1::BENCHMARK_KIND_NO_CALL) != item.calls().empty())
      report_->Add(path, "calls are expected exactly where kind is not no_call");
    if (item.kind() == config::v1::BENCHMARK_KIND_PARALLEL && item.calls_size() < 2)
      report_->Add(path, "a parallel case expects at least two calls");
    for (int i = 0; i < item.calls_size(); ++i)
      CheckCall(absl::StrCat(path, ".calls[", i, "]"), item, item.calls(i));
  }

  void CheckOffer(const std::string& path, const BenchmarkCase& item) {
    if (item.tools().empty()) report_->Add(absl::StrCat(path, ".tools"), "at least one is needed");
    for (const std::string& tool : item.tools()) {
      if (tools_.count(tool) == 0)
        report_->Add(absl::StrCat(path, ".tools"), absl::StrCat("unknown tool ", tool));
    }
    const std::string& choice = item.tool_choice();
    if (!choice.empty() && choice != "auto" && choice != "required" && choice != "none")
      report_->Add(absl::StrCat(path, ".tool_choice"), "auto, required or none");
  }

  void CheckMessages(const std::string& path, const BenchmarkCase& item) {
    if (item.messages().empty())
      report_->Add(absl::StrCat(path, ".messages"), "at least one is needed");
    for (int i = 0; i < item.messages_size(); ++i) {
      const auto& message = item.messages(i);
      const std::string at = absl::StrCat(path, ".messages[", i, "]");
      if (message.role() != "system" && message.role() != "user" && message.role() != "assistant" &&
          message.role() != "tool")
        report_->Add(absl::StrCat(at, ".role"), "system, user, assistant or tool");
      if ((message.role() == "tool") == message.tool_call_id().empty())
        report_->Add(at, "tool_call_id belongs to tool messages, and each has one");
      if (!message.tool_calls().empty() && message.role() != "assistant")
        report_->Add(at, "tool_calls belong to assistant messages");
    }
  }

  void CheckCall(const std::string& path, const BenchmarkCase& item, const ExpectedCall& call) {
    if (!absl::c_linear_search(item.tools(), call.tool()))
      report_->Add(absl::StrCat(path, ".tool"), "is not among the case's tools");
    for (int i = 0; i < call.arguments_size(); ++i)
      CheckArgument(absl::StrCat(path, ".arguments[", i, "]"), call.arguments(i));
  }

  void CheckArgument(const std::string& path, const ExpectedArgument& argument) {
    const auto steps = ParsePath(argument.path());
    if (!steps.ok()) report_->Add(absl::StrCat(path, ".path"), steps.status().message());
    switch (argument.value_case()) {
      case ExpectedArgument::VALUE_NOT_SET:
        report_->Add(path,
                     "says nothing: text, number, boolean, regex, json, one_of, set or absent");
        break;
      case ExpectedArgument::kRegex: {
        const re2::RE2 regex(argument.regex(), re2::RE2::Quiet);
        if (!regex.ok()) report_->Add(absl::StrCat(path, ".regex"), regex.error());
        break;
      }
      case ExpectedArgument::kJson:
        if (!json::ThreadLocalParser().Parse(argument.json()).ok())
          report_->Add(absl::StrCat(path, ".json"), "is no JSON");
        break;
      default:
        break;
    }
    if (argument.tolerance() < 0) report_->Add(absl::StrCat(path, ".tolerance"), "is negative");
  }

  const BenchmarkSuite& suite_;
  config::Report* const report_;
  std::set<std::string> tools_;
  std::set<std::string> ids_;
};

absl::StatusOr<BenchmarkSuite> Checked(BenchmarkSuite suite, config::Report report) {
  if (report.ok()) Checker(suite, &report).Check();
  if (!report.ok()) return report.ToStatus();
  return suite;
}

}  // namespace

absl::StatusOr<BenchmarkSuite> LoadSuite(const std::string& path) {
  BenchmarkSuite suite;
  config::Report report = config::LoadFile(path, &suite);
  return Checked(std::move(suite), std::move(report));
}

absl::StatusOr<BenchmarkSuite> ParseSuite(absl::string_view yaml, absl::string_view name) {
  BenchmarkSuite suite;
  config::Report report = config::LoadYaml(yaml, name, &suite);
  return Checked(std::move(suite), std::move(report));
}

std::string KindName(config::v1::BenchmarkKind kind) {
  constexpr absl::string_view kPrefix = "BENCHMARK_KIND_";
  return absl::AsciiStrToLower(config::v1::BenchmarkKind_Name(kind).substr(kPrefix.size()));
}

}  // namespace signalbox::benchmark
