#include "common/config/report.h"

#include <string>

#include "common/config/describe.h"
#include "common/config/loader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shapes.pb.h"

namespace signalbox::config {
namespace {

using testing::HasSubstr;

class ReportTest : public testing::Test {
 protected:
  std::string At(absl::string_view path) {
    report_.Add(path, "x");
    const Problem& problem = report_.problems().back();
    return absl::StrCat(problem.line, ":", problem.column);
  }

  test::Shapes shapes_;
  Report report_ = LoadYaml(
      "text: a\n"
      "part:\n"
      "  name: n\n"
      "parts:\n"
      "  - name: p\n"
      "    parts:\n"
      "      - weight: 1\n"
      "      - weight: 2\n"
      "headers:\n"
      "  x-id: b\n"
      "named: {a.b: {weight: 3}}\n",
      "t.yaml", &shapes_);
};

TEST_F(ReportTest, FindsTheLineOfAPath) {
  ASSERT_TRUE(report_.ok()) << report_.ToString();
  EXPECT_EQ(At("text"), "1:1");
  EXPECT_EQ(At("part.name"), "3:3");
  EXPECT_EQ(At("parts[0].parts[1].weight"), "8:9");
  EXPECT_EQ(At("headers[x-id]"), "10:3");
  EXPECT_EQ(At("named[a.b].weight"), "11:15");
}

TEST_F(ReportTest, FallsBackToTheInnermostPartThatExists) {
  EXPECT_EQ(At("part.weight"), "2:1");
  EXPECT_EQ(At("parts[0].weight"), "5:5");
  EXPECT_EQ(At("parts[9].weight"), "4:1");
  EXPECT_EQ(At("flag"), "1:1");
  EXPECT_EQ(At(""), "1:1");
}

TEST_F(ReportTest, StatusCarriesAllProblems) {
  EXPECT_TRUE(report_.ToStatus().ok());
  report_.Add("text", "is too short");
  report_.Add("part.name", "is taken");
  const absl::Status status = report_.ToStatus();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "t.yaml:1:1: text: is too short\nt.yaml:3:3: part.name: is taken");
}

TEST(Report, WorksWithoutAnyFile) {
  Report report;
  report.Add("host.listen", "is not an address");
  EXPECT_EQ(report.ToString(), "host.listen: is not an address");
}

TEST(Describe, ListsEveryOptionWithItsType) {
  const std::string table = DescribeOptions(*test::Shapes::descriptor());
  EXPECT_THAT(table, HasSubstr("| `small` | whole number |\n"));
  EXPECT_THAT(table, HasSubstr("| `data_policy` | allow, deny |\n"));
  EXPECT_THAT(table, HasSubstr("| `timeout` | duration (250ms, 1.5s, 5m, 1h) |\n"));
  EXPECT_THAT(table, HasSubstr("| `words[]` | text |\n"));
  EXPECT_THAT(table, HasSubstr("| `headers{}` | text |\n"));
  EXPECT_THAT(table, HasSubstr("| `part.parts[]` | mapping |\n"));
}

}  // namespace
}  // namespace signalbox::config
