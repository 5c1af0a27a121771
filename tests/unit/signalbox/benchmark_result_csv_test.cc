#include "services/signalbox/benchmark/result_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace signalbox::benchmark {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(ResultCsv, ReadsEveryFormOfARow) {
  const auto results = ReadResultCsv(R"(# from a public table
finished,model,provider,suite,passed,accuracy,total,cases,note
2026-07-07T12:00:00Z,a/b,deepinfra/fp8,tau2,41,,50,,"so, so"
2026-07-07T14:00:00+02:00,a/b,novita,tau2,,0.823,130,50,
)");
  ASSERT_TRUE(results.ok()) << results.status();
  ASSERT_THAT(*results, SizeIs(2));
  EXPECT_EQ((*results)[0].endpoint_id(), "a/b@deepinfra/fp8");
  EXPECT_EQ((*results)[0].passed(), 41);
  EXPECT_EQ((*results)[0].total(), 50);
  EXPECT_EQ((*results)[0].cases(), 0);
  EXPECT_EQ((*results)[1].passed(), 107);
  EXPECT_EQ((*results)[1].cases(), 50);
  EXPECT_EQ((*results)[0].finished_unix_ms(), (*results)[1].finished_unix_ms());
  EXPECT_NE((*results)[0].run_id(), (*results)[1].run_id());
}

TEST(ResultCsv, EndpointStandsForModelAndProvider) {
  const auto results = ReadResultCsv(
      "endpoint,suite,passed,total,finished\r\na/b@x/fp8,s,1,2,2026-07-07T12:00:00Z\r\n");
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ((*results)[0].endpoint_id(), "a/b@x/fp8");
}

TEST(ResultCsv, TheSameRowHasTheSameRunId) {
  const std::string text =
      "endpoint,suite,passed,total,finished\na/b@x,s,1,2,2026-07-07T12:00:00Z\n";
  EXPECT_EQ((*ReadResultCsv(text))[0].run_id(), (*ReadResultCsv(text))[0].run_id());
}

TEST(ResultCsv, NamesEveryBadLine) {
  const auto results = ReadResultCsv(R"(model,provider,suite,passed,accuracy,total,finished
a/b,x,s,3,,2,2026-07-07T12:00:00Z
a/b,,s,1,,2,2026-07-07T12:00:00Z
a/b,x,s,,1.5,2,2026-07-07T12:00:00Z
a/b,x,s,1,,2,yesterday
a/b,x,s
a/b,"x,s,1,,2,2026-07-07T12:00:00Z
a/b,x,,1,,2,2026-07-07T12:00:00Z
)");
  ASSERT_FALSE(results.ok());
  const std::string problems(results.status().message());
  for (const char* expected :
       {"line 2: passed and total", "line 3: model and provider", "line 4: passed, or accuracy",
        "line 5: finished", "line 6: 3 fields under 7 columns", "line 7: a quote is never closed",
        "line 8: suite is missing"}) {
    EXPECT_THAT(problems, HasSubstr(expected));
  }
  EXPECT_FALSE(ReadResultCsv("").ok());
}

}  // namespace
}  // namespace signalbox::benchmark
