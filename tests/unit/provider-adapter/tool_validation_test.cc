#include "services/provider-adapter/core/tool_validation.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/json/writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::provider_adapter {
namespace {

using common::v1::ToolCallVerdict;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ToolCallVerdict kNotJudged = common::v1::TOOL_CALL_VERDICT_UNSPECIFIED;
constexpr ToolCallVerdict kNoCall = common::v1::TOOL_CALL_VERDICT_NO_CALL;
constexpr ToolCallVerdict kValid = common::v1::TOOL_CALL_VERDICT_VALID;
constexpr ToolCallVerdict kInvalidJson = common::v1::TOOL_CALL_VERDICT_INVALID_JSON;
constexpr ToolCallVerdict kUnknownName = common::v1::TOOL_CALL_VERDICT_UNKNOWN_NAME;
constexpr ToolCallVerdict kMismatch = common::v1::TOOL_CALL_VERDICT_SCHEMA_MISMATCH;
constexpr ToolCallVerdict kLeaked = common::v1::TOOL_CALL_VERDICT_LEAKED;
constexpr ToolCallVerdict kEmpty = common::v1::TOOL_CALL_VERDICT_EMPTY;
constexpr ToolCallVerdict kIgnored = common::v1::TOOL_CALL_VERDICT_CHOICE_IGNORED;
constexpr ToolCallVerdict kMalformed = common::v1::TOOL_CALL_VERDICT_MALFORMED;

constexpr char kTools[] = R"([
  {"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{
      "city":{"type":"string","minLength":1},"days":{"type":"integer","minimum":1,"maximum":14},
      "unit":{"enum":["c","f"]}},"required":["city"],"additionalProperties":false}}},
  {"type":"function","function":{"name":"ping","parameters":{"type":"object","properties":{}}}},
  {"type":"function","function":{"name":"free"}},
  {"type":"function","function":{"name":"broken","parameters":{"type":"strange"}}},
  {"type":"custom","custom":{"name":"shell"}}
])";

std::string Body(absl::string_view tools, absl::string_view choice = "") {
  return absl::StrCat(
      R"({"model":"m","messages":[{"role":"user","content":"tools: [] \" {"}],"tools":)", tools,
      choice.empty() ? "" : absl::StrCat(",\"tool_choice\":", choice), "}");
}

struct Call {
  const char* name;
  const char* arguments;
  const char* id = nullptr;  // nullptr = a unique one
};

AnswerFacts Answer(const std::vector<Call>& calls, absl::string_view finish = "",
                   absl::string_view text = "") {
  AnswerFacts facts;
  for (const Call& call : calls) {
    const int index = static_cast<int>(facts.tool_calls.size());
    facts.tool_calls.push_back({call.id != nullptr ? call.id : absl::StrCat("call_", index),
                                call.name, call.arguments, index});
  }
  facts.finish_reason = !finish.empty() ? std::string(finish)
                        : calls.empty() ? "stop"
                                        : "tool_calls";
  facts.text = std::string(text);
  return facts;
}

struct Case {
  const char* name;
  AnswerFacts facts;
  ToolCallVerdict verdict;
  const char* detail = "";  // contained in the detail
  const char* choice = "";
};

class JudgeTable : public ::testing::TestWithParam<Case> {};

TEST_P(JudgeTable, GivesTheVerdict) {
  const Case& c = GetParam();
  ToolSetCache cache;
  const std::shared_ptr<const ToolSet> set = cache.Get(Body(kTools, c.choice));
  ASSERT_NE(set, nullptr);
  const Verdict verdict = set->Judge(c.facts);
  EXPECT_EQ(common::v1::ToolCallVerdict_Name(verdict.verdict),
            common::v1::ToolCallVerdict_Name(c.verdict))
      << verdict.detail;
  EXPECT_THAT(verdict.detail, HasSubstr(c.detail));
  EXPECT_THAT(verdict.detail, Not(HasSubstr("SECRET")));
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

// 1. Arguments parse as one JSON object.
INSTANTIATE_TEST_SUITE_P(
    Json, JudgeTable,
    ::testing::Values(
        Case{"Valid", Answer({{"weather", R"({"city":"Ulm"})"}}), kValid},
        Case{"SpaceAround", Answer({{"weather", " {\"city\" : \"Ulm\"}\n"}}), kValid},
        Case{"Truncated", Answer({{"weather", R"({"city":"SECRET)"}}), kInvalidJson,
             "call 0 weather: arguments"},
        Case{"TrailingText", Answer({{"weather", R"({"city":"Ulm"} done)"}}), kInvalidJson},
        Case{"TwoObjects", Answer({{"weather", R"({"city":"Ulm"}{"city":"SECRET"})"}}),
             kInvalidJson},
        Case{"Array", Answer({{"weather", R"(["SECRET"])"}}), kInvalidJson, "not a JSON object"},
        Case{"Text", Answer({{"weather", R"("{\"city\":\"Ulm\"}")"}}), kInvalidJson,
             "not a JSON object"},
        Case{"Null", Answer({{"ping", "null"}}), kInvalidJson},
        Case{"SingleQuotes", Answer({{"weather", "{'city':'Ulm'}"}}), kInvalidJson},
        Case{"PythonTrue", Answer({{"free", R"({"a":True})"}}), kInvalidJson},
        Case{"Comment", Answer({{"free", "{/*x*/}"}}), kInvalidJson},
        Case{"InvalidUtf8", Answer({{"free", "{\"a\":\"\xff\"}"}}), kInvalidJson},
        Case{"HugeNumber", Answer({{"free", R"({"a":1e999})"}}), kInvalidJson},
        Case{"IntegerBeyond64Bits", Answer({{"free", R"({"a":123456789012345678901234567890})"}}),
             kValid},
        Case{"OnlySpace", Answer({{"ping", " "}}), kInvalidJson},
        Case{"MarkdownFence", Answer({{"ping", "```json\n{}\n```"}}), kInvalidJson},
        Case{"CustomToolTakesText", Answer({{"shell", "ls -la"}}), kValid},
        Case{"SecondCallIsNamed", Answer({{"ping", "{}"}, {"weather", "{"}}), kInvalidJson,
             "call 1 weather"}),
    CaseName);

// 2. The name is one of the request's.
INSTANTIATE_TEST_SUITE_P(
    Name, JudgeTable,
    ::testing::Values(
        Case{"Unknown", Answer({{"wether", R"({"city":"Ulm"})"}}), kUnknownName,
             "no tool of that name"},
        Case{"OtherCase", Answer({{"Weather", R"({"city":"Ulm"})"}}), kUnknownName},
        Case{"Prefixed", Answer({{"functions.weather", R"({"city":"Ulm"})"}}), kUnknownName},
        Case{"Polluted", Answer({{"weather<|channel|>commentary", R"({"city":"Ulm"})"}}),
             kUnknownName, "control tokens"},
        Case{"PollutedByClosingTag", Answer({{"ping</function", "{}"}}), kUnknownName,
             "control tokens"},
        Case{"TrailingSpace", Answer({{"weather ", R"({"city":"Ulm"})"}}), kUnknownName},
        Case{"Missing", Answer({{"", "{}"}}), kMalformed, "no name"},
        Case{"BinaryNameIsPrintable", Answer({{"a\nb\"\x01", "{}"}}), kUnknownName,
             "call 0 a?b??:"}),
    CaseName);

// 3, 4. The arguments fit the schema.
INSTANTIATE_TEST_SUITE_P(
    Schema, JudgeTable,
    ::testing::Values(
        Case{"AllMembers", Answer({{"weather", R"({"city":"Ulm","days":3,"unit":"c"})"}}), kValid},
        Case{"RequiredMissing", Answer({{"weather", R"({"days":3})"}}), kMismatch,
             "required member \"city\""},
        Case{"WrongType", Answer({{"weather", R"({"city":{"SECRET":1}})"}}), kMismatch,
             "type at /city"},
        Case{"NumberAsText", Answer({{"weather", R"({"city":"Ulm","days":"3"})"}}), kMismatch,
             "type at /days"},
        Case{"BelowMinimum", Answer({{"weather", R"({"city":"Ulm","days":0})"}}), kMismatch,
             "minimum at /days"},
        Case{"AboveMaximum", Answer({{"weather", R"({"city":"Ulm","days":15})"}}), kMismatch,
             "maximum at /days"},
        Case{"Fraction", Answer({{"weather", R"({"city":"Ulm","days":1.5})"}}), kMismatch,
             "type at /days"},
        Case{"WholeFractionIsAnInteger", Answer({{"weather", R"({"city":"Ulm","days":3.0})"}}),
             kValid},
        Case{"NotInEnum", Answer({{"weather", R"({"city":"Ulm","unit":"SECRET"})"}}), kMismatch,
             "enum at /unit"},
        Case{"TooShort", Answer({{"weather", R"({"city":""})"}}), kMismatch, "minLength at /city"},
        Case{"UnexpectedMember", Answer({{"weather", R"({"city":"Ulm","zip":"SECRET"})"}}),
             kMismatch, "unexpected member \"zip\""},
        Case{"NullForText", Answer({{"weather", R"({"city":null})"}}), kMismatch, "type at /city"},
        Case{"EmptyTextWithoutRequired", Answer({{"ping", ""}}), kValid},
        Case{"EmptyTextWithRequired", Answer({{"weather", ""}}), kMismatch, "required member"},
        Case{"EmptyObjectWithRequired", Answer({{"weather", "{}"}}), kMismatch, "required member"},
        Case{"NoSchemaAcceptsAll", Answer({{"free", R"({"x":[1]})"}}), kValid},
        Case{"UncompilableSchemaAcceptsAll", Answer({{"broken", R"({"x":[1]})"}}), kValid},
        Case{"SecondCallMismatch", Answer({{"ping", "{}"}, {"weather", "{}"}}), kMismatch,
             "call 1 weather: "}),
    CaseName);

// 5. finish_reason, and truncation by max_tokens.
INSTANTIATE_TEST_SUITE_P(
    Finish, JudgeTable,
    ::testing::Values(
        Case{"PlainAnswer", Answer({}), kNoCall},
        Case{"ToolCallsWithoutCall", Answer({}, "tool_calls"), kEmpty, "without a call"},
        Case{"ToolCallsWithoutCallButText", Answer({}, "tool_calls", "let me see"), kEmpty},
        Case{"CutInsideArguments", Answer({{"weather", R"({"city":"U)"}}, "length"), kNotJudged},
        Case{"CutBeforeArguments", Answer({{"weather", ""}}, "length"), kNotJudged},
        Case{"CutInSecondCall", Answer({{"ping", "{}"}, {"weather", R"({"ci)"}}, "length"),
             kNotJudged},
        Case{"CutAfterCompleteCall", Answer({{"weather", R"({"city":"Ulm"})"}}, "length"), kValid},
        Case{"CutAfterCompleteWrongCall", Answer({{"weather", R"({"town":"Ulm"})"}}, "length"),
             kMismatch},
        Case{"CutText", Answer({}, "length", "I was about to"), kNotJudged},
        Case{"Filtered", Answer({}, "content_filter"), kNotJudged}),
    CaseName);

// 6. tool_choice.
constexpr char kNamedWeather[] = R"({"type":"function","function":{"name":"weather"}})";
INSTANTIATE_TEST_SUITE_P(
    Choice, JudgeTable,
    ::testing::Values(
        Case{"AutoWithoutCall", Answer({}), kNoCall, "", R"("auto")"},
        Case{"NullChoice", Answer({}), kNoCall, "", "null"},
        Case{"NoneRespected", Answer({}), kNoCall, "", R"("none")"},
        Case{"NoneIgnored", Answer({{"ping", "{}"}}), kIgnored, "none", R"("none")"},
        Case{"RequiredRespected", Answer({{"ping", "{}"}}), kValid, "", R"("required")"},
        Case{"RequiredIgnored", Answer({}), kIgnored, "required", R"("required")"},
        Case{"RequiredCutOff", Answer({}, "length"), kNotJudged, "", R"("required")"},
        Case{"AnyIgnored", Answer({}), kIgnored, "", R"({"type":"any"})"},
        Case{"NamedRespected", Answer({{"weather", R"({"city":"Ulm"})"}}), kValid, "",
             kNamedWeather},
        Case{"NamedRespectedWithFinishStop", Answer({{"weather", R"({"city":"Ulm"})"}}, "stop"),
             kValid, "", kNamedWeather},
        Case{"NamedOther", Answer({{"ping", "{}"}}), kIgnored, "another tool", kNamedWeather},
        Case{"NamedNone", Answer({}), kIgnored, "none was called", kNamedWeather},
        Case{"AnthropicNamed", Answer({{"ping", "{}"}}), kIgnored, "",
             R"({"type":"tool","name":"weather"})"},
        Case{"AllowedToolsRequired", Answer({}), kIgnored, "",
             R"({"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[]}})"},
        Case{"SchemaComesBeforeChoice", Answer({{"weather", "{}"}}), kMismatch, "", R"("none")"},
        Case{"BrokenChoiceIsAuto", Answer({}), kNoCall, "", "17"}),
    CaseName);

// 7. Markup in the text.
INSTANTIATE_TEST_SUITE_P(
    Leak, JudgeTable,
    ::testing::Values(
        Case{"Hermes", Answer({}, "", "<tool_call>\n{\"name\":\"SECRET\"}"), kLeaked,
             "<tool_call>"},
        Case{"Kimi", Answer({}, "", "ok <|tool_calls_section_begin|>"), kLeaked},
        Case{"KimiCall", Answer({}, "", "<|tool_call_begin|>functions.a:0"), kLeaked},
        Case{"Harmony", Answer({}, "", "<|channel|>commentary to=functions.a"), kLeaked},
        Case{"Mistral", Answer({}, "", "[TOOL_CALLS]a{}"), kLeaked},
        Case{"FunctionEquals", Answer({}, "", "<function=weather>"), kLeaked},
        Case{"Invoke", Answer({}, "", "<invoke name=\"weather\">"), kLeaked},
        Case{"DeepSeek", Answer({}, "", "<｜tool▁calls▁begin｜>"), kLeaked},
        Case{"BesideValidCall", Answer({{"ping", "{}"}}, "", "</tool_call>"), kLeaked},
        Case{"CutOffLeak", Answer({}, "length", "<tool_call>{\"na"), kLeaked},
        Case{"ChoiceNoneWithLeak", Answer({}, "", "<tool_call>{}"), kLeaked, "", R"("none")"},
        Case{"InFence", Answer({}, "", "Write:\n```xml\n<tool_call>{}</tool_call>\n```\nso."),
             kNoCall},
        Case{"InTildeFence", Answer({}, "", "~~~\n[TOOL_CALLS]\n~~~"), kNoCall},
        Case{"AfterFence", Answer({}, "", "```\na\n```\n<tool_call>"), kLeaked},
        Case{"InInlineCode", Answer({}, "", "The tag `<tool_call>` starts it."), kNoCall},
        Case{"LoneBacktick", Answer({}, "", "a ` b <tool_call>"), kLeaked},
        Case{"AngleBracketsInProse", Answer({}, "", "if a < b and <function> c [TOOLS]"), kNoCall}),
    CaseName);

// 8, 9. Ids and the stream's own order.
AnswerFacts Malformed(AnswerFacts facts) {
  facts.tool_stream_malformed = true;
  return facts;
}
INSTANTIATE_TEST_SUITE_P(
    Stream, JudgeTable,
    ::testing::Values(
        Case{"SameIdTwice", Answer({{"ping", "{}", "a"}, {"ping", "{}", "a"}}), kMalformed,
             "call 1 ping: id used twice"},
        Case{"NoId", Answer({{"ping", "{}", ""}}), kMalformed, "no id"},
        Case{"ParallelCalls", Answer({{"ping", "{}", "a"}, {"ping", "{}", "b"}}), kValid},
        Case{"MalformedStream", Malformed(Answer({{"ping", "{}"}})), kMalformed,
             "do not fit together"},
        Case{"JsonComesBeforeStream", Malformed(Answer({{"ping", "{"}})), kInvalidJson}),
    CaseName);

TEST(ToolSetCache, GivesNothingForRequestsWithoutTools) {
  ToolSetCache cache;
  EXPECT_EQ(cache.Get(R"({"model":"m"})"), nullptr);
  EXPECT_EQ(cache.Get(Body("[]")), nullptr);
  EXPECT_EQ(cache.Get(Body("null")), nullptr);
  EXPECT_EQ(cache.Get(Body("{}")), nullptr);
  EXPECT_EQ(cache.Get(""), nullptr);
}

TEST(ToolSetCache, ReturnsTheSameSetForTheSameTools) {
  ToolSetCache cache;
  const auto first = cache.Get(Body(kTools));
  EXPECT_EQ(cache.Get(absl::StrReplaceAll(Body(kTools), {{"\"m\"", "\"other\""}})), first);
  EXPECT_NE(cache.Get(Body(kTools, R"("none")")), first);
}

TEST(ToolSetCache, DropsTheLeastRecentlyUsed) {
  ToolSetCache cache(2);
  const auto tools = [](int i) {
    return Body(absl::StrCat(R"([{"type":"function","function":{"name":"t)", i, "\"}}]"));
  };
  const auto zero = cache.Get(tools(0));
  const auto one = cache.Get(tools(1));
  EXPECT_EQ(cache.Get(tools(0)), zero);
  cache.Get(tools(2));
  EXPECT_EQ(cache.Get(tools(0)), zero);
  EXPECT_NE(cache.Get(tools(1)), one);
}

TEST(ToolSetCache, ServesManyThreads) {
  ToolSetCache cache(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string choice = absl::StrCat("\"c", (i + t) % 6, "\"");
        const auto set = cache.Get(Body(kTools, choice));
        EXPECT_EQ(set->Judge(Answer({{"weather", "{}"}})).verdict, kMismatch);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ToolSet, SurvivesHostileArguments) {
  ToolSetCache cache;
  const auto set = cache.Get(Body(kTools));
  const std::string deep =
      absl::StrCat("{\"a\":", std::string(500, '['), std::string(500, ']'), "}");
  EXPECT_EQ(set->Judge(Answer({{"free", deep.c_str()}})).verdict, kValid);
  EXPECT_EQ(set->Judge(Answer({{"weather", deep.c_str()}})).verdict, kValid)
      << "too deep to check is accepted";
  const std::string unclosed(1'000'000, '[');
  EXPECT_EQ(set->Judge(Answer({{"free", unclosed.c_str()}})).verdict, kInvalidJson);
}

TEST(ToolSetCache, RefusesHostileTools) {
  ToolSetCache cache;
  EXPECT_EQ(cache.Get(Body(std::string(300'000, '[') + std::string(300'000, ']'))), nullptr);
  std::string many = "[";
  for (int i = 0; i < 3000; ++i)
    absl::StrAppend(&many, R"({"type":"function","function":{"name":"t)", i, "\"}},");
  many.back() = ']';
  const auto set = cache.Get(Body(many));
  ASSERT_NE(set, nullptr);
  EXPECT_EQ(set->Judge(Answer({{"t5", "{}"}})).verdict, kValid);
}

}  // namespace
}  // namespace signalbox::provider_adapter
