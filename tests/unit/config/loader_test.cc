#include "common/config/loader.h"

#include <google/protobuf/util/message_differencer.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shapes.pb.h"

namespace signalbox::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

test::Shapes Good(absl::string_view yaml) {
  test::Shapes shapes;
  const Report report = LoadYaml(yaml, "t.yaml", &shapes);
  EXPECT_TRUE(report.ok()) << yaml << "\n" << report.ToString();
  return shapes;
}

std::vector<std::string> Problems(absl::string_view yaml) {
  test::Shapes shapes;
  const Report report = LoadYaml(yaml, "t.yaml", &shapes);
  std::vector<std::string> problems;
  for (const Problem& problem : report.problems()) problems.push_back(problem.ToString());
  return problems;
}

TEST(Loader, ReadsEveryKindOfField) {
  const test::Shapes shapes = Good(R"(
# a comment
text: hello world
small: -5
big: 9223372036854775807
count: 4294967295
huge: 18446744073709551615
ratio: 0.25
share: 2
flag: true
data_policy: deny
timeout: 1.5s
part: {name: a, weight: 1}
words: [x, "y z"]
numbers:
  - 1
  - 2
parts:
  - name: first
    part:
      name: nested
  - name: second
waits: [250ms, 5m, 1h]
headers:
  anthropic-version: 2023-06-01
  x-flag: yes
named:
  left: {weight: 7}
codes:
  404: missing
  "500": broken
file: /run/secret
maybe: false
price_usd: 0.00000080
policies: [allow, deny]
raw: abc
)");
  EXPECT_EQ(shapes.text(), "hello world");
  EXPECT_EQ(shapes.small(), -5);
  EXPECT_EQ(shapes.big(), 9223372036854775807);
  EXPECT_EQ(shapes.count(), 4294967295u);
  EXPECT_EQ(shapes.huge(), 18446744073709551615u);
  EXPECT_EQ(shapes.ratio(), 0.25);
  EXPECT_EQ(shapes.share(), 2);
  EXPECT_TRUE(shapes.flag());
  EXPECT_EQ(shapes.data_policy(), test::DATA_POLICY_DENY);
  EXPECT_EQ(shapes.timeout().seconds(), 1);
  EXPECT_EQ(shapes.timeout().nanos(), 500'000'000);
  EXPECT_EQ(shapes.part().weight(), 1);
  EXPECT_THAT(shapes.words(), ElementsAre("x", "y z"));
  EXPECT_THAT(shapes.numbers(), ElementsAre(1, 2));
  ASSERT_EQ(shapes.parts_size(), 2);
  EXPECT_EQ(shapes.parts(0).part().name(), "nested");
  EXPECT_EQ(shapes.parts(1).name(), "second");
  ASSERT_EQ(shapes.waits_size(), 3);
  EXPECT_EQ(shapes.waits(0).nanos(), 250'000'000);
  EXPECT_EQ(shapes.waits(2).seconds(), 3600);
  EXPECT_EQ(shapes.headers().at("anthropic-version"), "2023-06-01");
  EXPECT_EQ(shapes.headers().at("x-flag"), "yes");
  EXPECT_EQ(shapes.named().at("left").weight(), 7);
  EXPECT_EQ(shapes.codes().at(404), "missing");
  EXPECT_EQ(shapes.codes().at(500), "broken");
  EXPECT_EQ(shapes.file(), "/run/secret");
  EXPECT_TRUE(shapes.has_maybe());
  EXPECT_EQ(shapes.price_usd(), "0.00000080");
  EXPECT_THAT(shapes.policies(), ElementsAre(test::DATA_POLICY_ALLOW, test::DATA_POLICY_DENY));
  EXPECT_EQ(shapes.raw(), "abc");
}

TEST(Loader, TextKeepsItsSpelling) {
  for (const char* text :
       {"yes", "no", "on", "true", "1.10", "007", "1e3", "0x1F", "12:30:45", "2026-08-22", ".5"}) {
    EXPECT_EQ(Good(absl::StrCat("text: ", text)).text(), text);
  }
  EXPECT_EQ(Good("text: 'null'").text(), "null");
  EXPECT_EQ(Good("text: \"\"").text(), "");
  EXPECT_EQ(Good("text: |\n  a\n  b\n").text(), "a\nb\n");
  EXPECT_EQ(Good("text: >-\n  a\n  b\n").text(), "a b");
  EXPECT_EQ(Good("text: é漢😀").text(), "é漢😀");
}

TEST(Loader, AcceptsEmptyDocumentsMessagesAndLists) {
  for (const char* yaml : {"", "# nothing\n", "---\n", "{}", "part:\n", "words:\n", "headers:\n",
                           "words: []", "part: {}", "~"}) {
    test::Shapes shapes;
    const Report report = LoadYaml(yaml, "t.yaml", &shapes);
    EXPECT_TRUE(report.ok()) << yaml << ": " << report.ToString();
  }
  EXPECT_FALSE(Good("part:").has_part());
  EXPECT_TRUE(Good("part: {}").has_part());
}

TEST(Loader, FollowsAliases) {
  const test::Shapes shapes =
      Good("part: &p\n  name: shared\n  weight: 3\nparts:\n  - *p\n  - name: own\n  - *p\n");
  ASSERT_EQ(shapes.parts_size(), 3);
  EXPECT_EQ(shapes.parts(2).weight(), 3);
}

struct BadCase {
  const char* yaml;
  const char* problem;  // without "t.yaml:"
};

class LoaderRefuses : public testing::TestWithParam<BadCase> {};

TEST_P(LoaderRefuses, WithLineColumnPathAndReason) {
  const std::vector<std::string> problems = Problems(GetParam().yaml);
  ASSERT_EQ(problems.size(), 1u) << GetParam().yaml << "\n" << absl::StrJoin(problems, "\n");
  EXPECT_EQ(problems[0], absl::StrCat("t.yaml:", GetParam().problem)) << GetParam().yaml;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, LoaderRefuses,
    testing::Values(
        BadCase{"tex: a", "1:1: tex: unknown field (did you mean text?)"},
        BadCase{"dataPolicy: deny", "1:1: dataPolicy: unknown field (did you mean data_policy?)"},
        BadCase{"part:\n  colour: red",
                "2:3: part.colour: unknown field (Part has name, weight, part, parts)"},
        BadCase{"parts:\n  - name: a\n  - weigth: 2",
                "3:5: parts[1].weigth: unknown field (did you mean weight?)"},
        BadCase{"named:\n  x:\n    nam: a",
                "3:5: named[x].nam: unknown field (did you mean name?)"},
        BadCase{"text: a\ntext: b", "2:1: text: is given twice (first on line 1)"},
        BadCase{"words: [a]\nwords: [b]", "2:1: words: is given twice (first on line 1)"},
        BadCase{"headers:\n  a: 1\n  a: 2", "3:3: headers[a]: the key is given twice"},
        BadCase{"env: A\nfile: B", "2:1: file: cannot be given beside env (only one of source)"},
        BadCase{"inner: {}\nfile: B",
                "2:1: file: cannot be given beside inner (only one of source)"},
        BadCase{"<<: {text: a}",
                "1:1: <<: unknown field (Shapes has text, small, big, count, huge, ratio, share, "
                "flag, data_policy, timeout, "
                "part, words, numbers, parts, waits, headers, named, codes, env, file, inner, "
                "maybe, price_usd, policies, raw)"},
        BadCase{"[1, 2]: a", "1:1: a field name is expected here"},
        BadCase{"- a", "1:1: is a list (expected a mapping)"},
        BadCase{"just text", "1:1: is a single value (expected a mapping)"}));

INSTANTIATE_TEST_SUITE_P(
    Types, LoaderRefuses,
    testing::Values(
        BadCase{"small: many",
                "1:8: small: \"many\" is not a whole number (expected digits such as 42)"},
        BadCase{"small: 1.5",
                "1:8: small: \"1.5\" is not a whole number (expected digits such as 42)"},
        BadCase{"small: 1e3",
                "1:8: small: \"1e3\" is not a whole number (expected digits such as 42)"},
        BadCase{"small: 0x10",
                "1:8: small: \"0x10\" is not a whole number (expected digits such as 42)"},
        BadCase{"small: 0644",
                "1:8: small: \"0644\" is not a whole number (expected digits such as 42)"},
        BadCase{"small: 1_000",
                "1:8: small: \"1_000\" is not a whole number (expected digits such as 42)"},
        BadCase{"small: '5'",
                "1:8: small: is text in quotes (expected a whole number, without quotes)"},
        BadCase{"small: 2147483648",
                "1:8: small: \"2147483648\" is out of range (expected -2147483648 … 2147483647)"},
        BadCase{
            "big: 9223372036854775808",
            "1:6: big: \"9223372036854775808\" is out of range (expected -9223372036854775808 … "
            "9223372036854775807)"},
        BadCase{"count: -1", "1:8: count: \"-1\" is out of range (expected 0 … 4294967295)"},
        BadCase{"huge: 18446744073709551616",
                "1:7: huge: \"18446744073709551616\" is out of range (expected 0 … "
                "18446744073709551615)"},
        BadCase{"small:", "1:1: small: is empty (expected a whole number)"},
        BadCase{"part:\n  weight:\n\n  name: a",
                "2:3: part.weight: is empty (expected a whole number)"},
        BadCase{"small: [1]", "1:8: small: is a list (expected a whole number)"},
        BadCase{"ratio: fast",
                "1:8: ratio: \"fast\" is not a number (expected a decimal such as 0.25)"},
        BadCase{"ratio: .inf",
                "1:8: ratio: \".inf\" is not a number (expected a decimal such as 0.25)"},
        BadCase{"ratio: nan",
                "1:8: ratio: \"nan\" is not a number (expected a decimal such as 0.25)"},
        BadCase{"ratio: 1e999",
                "1:8: ratio: \"1e999\" is not a number (expected a decimal such as 0.25)"},
        BadCase{"flag: yes", "1:7: flag: \"yes\" is not a truth value (expected true or false)"},
        BadCase{"flag: True", "1:7: flag: \"True\" is not a truth value (expected true or false)"},
        BadCase{"flag: 'true'",
                "1:7: flag: is text in quotes (expected true or false, without quotes)"},
        BadCase{"data_policy: refuse",
                "1:14: data_policy: \"refuse\" is not one of the values (expected allow, deny)"},
        BadCase{"data_policy: DENY",
                "1:14: data_policy: \"DENY\" is not one of the values (expected allow, deny)"},
        BadCase{
            "data_policy: unspecified",
            "1:14: data_policy: \"unspecified\" is not one of the values (expected allow, deny)"},
        BadCase{"text: {a: b}", "1:7: text: is a mapping (expected text)"},
        BadCase{
            "text: null",
            "1:1: text: has no value (expected text; the words null and ~ must stand in quotes)"},
        BadCase{"part: a", "1:7: part: is a single value (expected a mapping)"},
        BadCase{"part: [a]", "1:7: part: is a list (expected a mapping)"},
        BadCase{"words: a", "1:8: words: is a single value (expected a list, each item text)"},
        BadCase{"words: {a: b}", "1:8: words: is a mapping (expected a list, each item text)"},
        BadCase{"words: [a, [b]]", "1:12: words[1]: is a list (expected text)"},
        BadCase{"headers: [a]", "1:10: headers: is a list (expected a mapping)"},
        BadCase{"codes: {x: y}",
                "1:9: codes[x]: \"x\" is not a whole number (expected digits such as 42)"}));

constexpr char kDurationHint[] = "a duration with its unit, such as 250ms, 1.5s, 5m or 1h";

TEST(Loader, RefusesDurationsThatAreNone) {
  for (const char* text : {"5", "fast", "1 s", "5d", "\"\""}) {
    const auto problems = Problems(absl::StrCat("timeout: ", text));
    ASSERT_EQ(problems.size(), 1u) << text;
    EXPECT_THAT(problems[0], HasSubstr("is not a duration")) << text;
    EXPECT_THAT(problems[0], HasSubstr(kDurationHint));
  }
  for (const char* text : {"-1s", "inf", "99999999999h"}) {
    const auto problems = Problems(absl::StrCat("timeout: ", text));
    ASSERT_EQ(problems.size(), 1u) << text;
    EXPECT_THAT(problems[0], HasSubstr("is out of range")) << text;
  }
}

TEST(Loader, ReportsSyntaxErrorsWithTheirPlace) {
  for (const char* yaml :
       {"text: [a", "text: \"a", "a: b: c", "text: a\n\tsmall: 1", "text: *nowhere", "text: {a"}) {
    const auto problems = Problems(yaml);
    ASSERT_EQ(problems.size(), 1u) << yaml;
    EXPECT_THAT(problems[0], HasSubstr("t.yaml:")) << yaml;
  }
}

TEST(Loader, RefusesWhatItDoesNotSupport) {
  EXPECT_THAT(Problems("text: a\n---\ntext: b\n"),
              ElementsAre(HasSubstr("a second document begins here")));
  EXPECT_THAT(Problems("text: !!str a"),
              ElementsAre(HasSubstr("1:7: the tag tag:yaml.org,2002:str is not supported")));
  EXPECT_THAT(Problems("part: !mine {}"), ElementsAre(HasSubstr("the tag !mine is not supported")));
  EXPECT_THAT(Problems("parts: &a [*a]"),
              ElementsAre(HasSubstr("the alias lies inside its own anchor")));
  EXPECT_THAT(Problems("text: a\xff"), ElementsAre("t.yaml: is not UTF-8 text"));
  EXPECT_THAT(Problems(absl::string_view("text: a\0b", 9)),
              ElementsAre("t.yaml: holds a NUL byte"));
}

TEST(Loader, ReportsAllProblemsOfAFile) {
  EXPECT_THAT(
      Problems("small: x\nflag: yes\nnope_nope_nope: 1\nparts:\n  - weight: y\n  - 7\n"),
      ElementsAre(HasSubstr("t.yaml:1:8: small:"), HasSubstr("t.yaml:2:7: flag:"),
                  HasSubstr("t.yaml:3:1: nope_nope_nope: unknown field"),
                  HasSubstr("t.yaml:5:13: parts[0].weight:"), HasSubstr("t.yaml:6:5: parts[1]:")));
}

TEST(Loader, CountsProblemsBeyondTheBound) {
  std::string yaml = "numbers:\n";
  for (int i = 0; i < 150; ++i) yaml += "  - x\n";
  test::Shapes shapes;
  const Report report = LoadYaml(yaml, "t.yaml", &shapes);
  EXPECT_EQ(report.problems().size(), Report::kMaxProblems);
  EXPECT_THAT(report.ToString(), HasSubstr("… and 50 more"));
}

TEST(Loader, BoundsDepthSizeAndAliases) {
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += "{part: ";
  deep += "{}";
  for (int i = 0; i < 70; ++i) deep += "}";
  EXPECT_THAT(Problems(deep), ElementsAre(HasSubstr("nested deeper than 64 levels")));
  EXPECT_THAT(Problems(std::string(5000, '[')), ElementsAre(HasSubstr("t.yaml:")));

  TapeLimits small;
  small.max_bytes = 10;
  test::Shapes shapes;
  EXPECT_THAT(LoadYaml("text: 0123456789", "t.yaml", &shapes, small).ToString(),
              HasSubstr("larger than 10 bytes"));
  small = TapeLimits();
  small.max_nodes = 5;
  EXPECT_THAT(LoadYaml("numbers: [1, 2, 3, 4]", "t.yaml", &shapes, small).ToString(),
              HasSubstr("more than 5 values"));

  std::string laughs =
      "parts:\n  - &a0 {name: ha}\n";  // each level stands for ten of the one before
  for (int i = 1; i < 10; ++i) {
    absl::StrAppend(&laughs, "  - &a", i, "\n    parts: [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&laughs, j == 0 ? "" : ", ", "*a", i - 1);
    laughs += "]\n";
  }
  EXPECT_THAT(Problems(laughs),
              ElementsAre(HasSubstr("aliases stand for more than 100000 values")));
}

class LoadFilesTest : public testing::Test {
 protected:
  LoadFilesTest() {
    std::string pattern = ::testing::TempDir() + "signalbox-loader-" + std::string(6, 'X');
    folder_ = mkdtemp(pattern.data());
  }
  ~LoadFilesTest() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    return path;
  }
  std::string folder_;
};

TEST_F(LoadFilesTest, AppendsListsAndJoinsMessagesInTheOrderOfNames) {
  Write("20-b.yaml", "words: [c]\npart:\n  weight: 2\nparts:\n  - name: y\n");
  Write("10-a.yaml", "text: t\nwords: [a, b]\npart:\n  name: n\nparts:\n  - name: x\n");
  Write(".hidden.yaml", "nonsense: 1\n");
  Write("notes.txt", "nonsense: 1\n");
  test::Shapes shapes;
  const Report report = LoadFiles({folder_}, &shapes);
  EXPECT_TRUE(report.ok()) << report.ToString();
  EXPECT_THAT(shapes.words(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(shapes.part().name(), "n");
  EXPECT_EQ(shapes.part().weight(), 2);
  EXPECT_EQ(shapes.parts_size(), 2);
}

TEST_F(LoadFilesTest, RefusesAFieldOrKeyThatTwoFilesSet) {
  const std::string a = Write("a.yaml", "text: one\nheaders: {k: v}\nenv: A\n");
  const std::string b = Write("b.yaml", "text: two\nheaders: {k: w}\nfile: B\n");
  test::Shapes shapes;
  const Report report = LoadFiles({a, b}, &shapes);
  EXPECT_EQ(report.ToString(),
            absl::StrCat(b, ":1:1: text: is already given in ", a, ":1\n",         //
                         b, ":2:11: headers[k]: is already given in ", a, ":2\n",  //
                         b, ":3:1: file: cannot be given beside env (only one of source)"));
}

TEST_F(LoadFilesTest, IndicesCountOnOverFiles) {
  const std::string a = Write("a.yaml", "parts: [{name: a}, {name: b}]\n");
  const std::string b = Write("b.yaml", "parts:\n  - name: c\n    weight: heavy\n");
  test::Shapes shapes;
  Report report = LoadFiles({a, b}, &shapes);
  ASSERT_EQ(report.problems().size(), 1u);
  EXPECT_EQ(report.problems()[0].path, "parts[2].weight");
  report.Add("parts[2].name", "is not a good name");
  EXPECT_EQ(report.problems()[1].ToString(),
            absl::StrCat(b, ":2:5: parts[2].name: is not a good name"));
}

TEST_F(LoadFilesTest, MissingFilesAndEmptyFoldersAreProblems) {
  test::Shapes shapes;
  EXPECT_THAT(LoadFiles({folder_ + "/none.yaml"}, &shapes).ToString(),
              HasSubstr("none.yaml: cannot be read"));
  EXPECT_THAT(LoadFiles({folder_}, &shapes).ToString(), HasSubstr("holds no .yaml file"));
  EXPECT_THAT(LoadFile(folder_, &shapes).ToString(), HasSubstr("cannot be read"));
}

TEST(Loader, ReadsACatalogueOfTwentyThousandLinesFast) {
  std::string yaml = "parts:\n";
  for (int i = 0; i < 4000; ++i) {
    absl::StrAppend(&yaml, "  - name: model-", i, "\n    weight: ", i,
                    "\n    parts:\n      - name: endpoint\n", "        weight: 7\n");
  }
  const absl::Duration start = Clock::Real().Monotonic();
  const test::Shapes shapes = Good(yaml);
  const absl::Duration took = Clock::Real().Monotonic() - start;
  EXPECT_EQ(shapes.parts_size(), 4000);
  RecordProperty("milliseconds", static_cast<int>(absl::ToInt64Milliseconds(took)));
  EXPECT_LT(took, absl::Seconds(5)) << "generous: sanitizers and busy machines";
}

}  // namespace
}  // namespace signalbox::config
