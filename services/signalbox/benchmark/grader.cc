#include "services/signalbox/benchmark/grader.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/json/parse.h"
#include "services/provider-adapter/core/tool_leak.h"
#include "services/signalbox/benchmark/argument_path.h"

namespace signalbox::benchmark {
namespace {

namespace dom = simdjson::dom;
using config::v1::ExpectedArgument;
using config::v1::ExpectedCall;
using config::v1::ExpectedTexts;

std::string TextOf(dom::object object, const char* member) {
  const auto text = object.at_key(member).get_string();
  return text.error() == simdjson::SUCCESS ? std::string(text.value_unsafe()) : "";
}

std::string Normal(absl::string_view text, bool ignore_case) {
  const absl::string_view stripped = absl::StripAsciiWhitespace(text);
  return ignore_case ? absl::AsciiStrToLower(stripped) : std::string(stripped);
}

// Text as it is, anything else as its JSON.
std::string AsText(dom::element value) {
  if (value.is_string()) return std::string(value.get_string().value_unsafe());
  return simdjson::minify(value);
}

bool IsOneOf(dom::element value, const ExpectedTexts& texts, bool ignore_case) {
  return value.is_string() && absl::c_any_of(texts.values(), [&](const std::string& text) {
           return Normal(AsText(value), ignore_case) == Normal(text, ignore_case);
         });
}

bool IsSet(dom::element value, const ExpectedTexts& texts, bool ignore_case) {
  if (!value.is_array()) return false;
  std::vector<std::string> got, wanted;
  for (const dom::element item : dom::array(value))
    got.push_back(Normal(AsText(item), ignore_case));
  for (const std::string& text : texts.values()) wanted.push_back(Normal(text, ignore_case));
  absl::c_sort(got);
  absl::c_sort(wanted);
  return got == wanted;
}

bool IsNumber(dom::element value, double number, double tolerance) {
  if (value.is_string() || value.is_bool()) return false;
  double got = 0;
  return value.get(got) == simdjson::SUCCESS && std::abs(got - number) <= tolerance + 1e-9;
}

bool IsJson(dom::element value, const std::string& expected) {
  json::Parser parser;
  const auto other = parser.Parse(expected);
  return other.ok() && SameJson(value, *other);
}

bool Holds(const ExpectedArgument& expected, dom::element value) {
  switch (expected.value_case()) {
    case ExpectedArgument::kText:
      return value.is_string() && Normal(AsText(value), expected.ignore_case()) ==
                                      Normal(expected.text(), expected.ignore_case());
    case ExpectedArgument::kNumber:
      return IsNumber(value, expected.number(), expected.tolerance());
    case ExpectedArgument::kBoolean:
      return value.is_bool() && bool(value) == expected.boolean();
    case ExpectedArgument::kRegex:
      return value.is_string() && re2::RE2::FullMatch(AsText(value), expected.regex());
    case ExpectedArgument::kJson:
      return IsJson(value, expected.json());
    case ExpectedArgument::kOneOf:
      return IsOneOf(value, expected.one_of(), expected.ignore_case());
    case ExpectedArgument::kSet:
      return IsSet(value, expected.set(), expected.ignore_case());
    case ExpectedArgument::kAbsent:
      return !expected.absent();
    case ExpectedArgument::VALUE_NOT_SET:
      return false;
  }
  return false;
}

// What is wrong with one argument; empty = nothing.
std::string WrongArgument(const ExpectedArgument& expected, dom::element arguments) {
  const auto path = ParsePath(expected.path());
  if (!path.ok()) return std::string(path.status().message());
  const std::optional<dom::element> value = ValueAt(arguments, *path);
  const bool must_be_absent =
      expected.value_case() == ExpectedArgument::kAbsent && expected.absent();
  if (!value.has_value()) {
    return must_be_absent || expected.optional() ? ""
                                                 : absl::StrCat(expected.path(), " is missing");
  }
  if (Holds(expected, *value)) return "";
  return absl::StrCat(expected.path(), must_be_absent ? " should not be there" : " is wrong");
}

// What is wrong with a call if it is meant to be the expected one; empty = nothing.
std::string WrongCall(const ExpectedCall& expected, const Call& call) {
  if (call.tool != expected.tool())
    return absl::StrCat("called ", call.tool, " instead of ", expected.tool());
  json::Parser parser;
  const auto arguments =
      parser.Parse(absl::StripAsciiWhitespace(call.arguments).empty() ? "{}" : call.arguments);
  if (!arguments.ok() || !arguments->is_object())
    return absl::StrCat(call.tool, ": arguments are no JSON object");
  std::vector<std::string> covered;
  for (const ExpectedArgument& argument : expected.arguments()) {
    const std::string wrong = WrongArgument(argument, *arguments);
    if (!wrong.empty()) return absl::StrCat(call.tool, ": ", wrong);
    covered.push_back(argument.path());
  }
  if (expected.others_allowed()) return "";
  const std::vector<std::string> uncovered = UncoveredPaths(*arguments, covered);
  if (uncovered.empty()) return "";
  return absl::StrCat(call.tool, ": ", uncovered.front(), " was not asked for");
}

// Can the expected calls from `next` on be given each a call of its own?
bool Match(const config::v1::BenchmarkCase& item, const Answer& answer, int next,
           std::vector<bool>* taken) {
  if (next == item.calls_size()) return true;
  for (size_t i = 0; i < answer.calls.size(); ++i) {
    if ((*taken)[i] || !WrongCall(item.calls(next), answer.calls[i]).empty()) continue;
    (*taken)[i] = true;
    if (Match(item, answer, next + 1, taken)) return true;
    (*taken)[i] = false;
  }
  return false;
}

// Why no matching exists: the first expected call that no call fulfils.
std::string WhyNoMatch(const config::v1::BenchmarkCase& item, const Answer& answer) {
  for (const ExpectedCall& expected : item.calls()) {
    std::string closest;
    bool fulfilled = false;
    for (const Call& call : answer.calls) {
      const std::string wrong = WrongCall(expected, call);
      fulfilled = fulfilled || wrong.empty();
      if (closest.empty() || call.tool == expected.tool()) closest = wrong;
    }
    if (!fulfilled) return closest;
  }
  return "one call stands for two expected ones";
}

Grade GradeNoCall(const Answer& answer) {
  if (!answer.calls.empty())
    return {false, absl::StrCat("called ", answer.calls.front().tool, " where no call was right")};
  if (!provider_adapter::FindToolMarkup(answer.text).empty())
    return {false, "markup of a tool call in the text"};
  if (absl::StripAsciiWhitespace(answer.text).empty()) return {false, "said nothing"};
  return {true, ""};
}

void ReadCalls(dom::object message, Answer* answer) {
  dom::array calls;
  if (message.at_key("tool_calls").get(calls) != simdjson::SUCCESS) return;
  for (const dom::element item : calls) {
    dom::object function;
    if (item.at_key("function").get(function) != simdjson::SUCCESS) {
      answer->calls.push_back({"", ""});
      continue;
    }
    answer->calls.push_back({TextOf(function, "name"), TextOf(function, "arguments")});
  }
}

}  // namespace

absl::StatusOr<Answer> ReadAnswer(absl::string_view body) {
  json::Parser parser;
  const auto root = parser.Parse(body);
  if (!root.ok()) return root.status();
  dom::object message;
  if (root->at_pointer("/choices/0/message").get(message) != simdjson::SUCCESS)
    return absl::InvalidArgumentError("not a chat completion");
  Answer answer;
  answer.text = TextOf(message, "content");
  ReadCalls(message, &answer);
  double cost = 0;
  if (root->at_pointer("/usage/cost").get(cost) == simdjson::SUCCESS) answer.cost_usd = cost;
  return answer;
}

Grade GradeAnswer(const config::v1::BenchmarkCase& item, const Answer& answer) {
  if (item.calls().empty()) return GradeNoCall(answer);
  if (answer.calls.empty()) return {false, "called nothing"};
  if (answer.calls.size() != static_cast<size_t>(item.calls_size())) {
    return {false, absl::StrCat(answer.calls.size(), " calls instead of ", item.calls_size())};
  }
  std::vector<bool> taken(answer.calls.size(), false);
  if (Match(item, answer, 0, &taken)) return {true, ""};
  return {false, WhyNoMatch(item, answer)};
}

}  // namespace signalbox::benchmark
