#include "services/signalbox/simulate/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace signalbox::simulate {
namespace {

using ::testing::HasSubstr;

constexpr char kHeader[] =
    "model,provider,quantization,tok_s,latency_ms,tool_err_pct,price_completion_per_m\n";

TEST(Table, ReadsRatedEndpointsByModel) {
  const auto table = ParseTable(std::string("# where it is from\n") + kHeader +
                                "a/one,Fast,fp8,100,500,2.5,1.5\n"
                                "a/one,Slow,,20,900,0,3\n"
                                "a/two,Fast,fp8,90,500,,1\n");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), 1u);
  const std::vector<EndpointRow>& rows = table->at("a/one");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].provider, "Fast");
  EXPECT_DOUBLE_EQ(rows[0].tool_error, 0.025);
  EXPECT_EQ(rows[0].price, 1.5);
  EXPECT_EQ(rows[0].throughput_tps, 100);
  EXPECT_EQ(rows[0].latency_ms, 500);
  EXPECT_EQ(rows[1].tool_error, 0);
}

TEST(Table, RowsOfOneProviderAreOneEndpoint) {
  const auto table = ParseTable(std::string(kHeader) +
                                "a/one,P,fp8,100,500,2,2\n"
                                "a/one,P,fp4,50,700,4,1\n");
  ASSERT_TRUE(table.ok()) << table.status();
  const EndpointRow& row = table->at("a/one")[0];
  EXPECT_DOUBLE_EQ(row.tool_error, 0.03);
  EXPECT_EQ(row.price, 1);
  EXPECT_EQ(row.throughput_tps, 75);
}

TEST(Table, FillsInWhatIsNotGiven) {
  const auto table = ParseTable(
      "provider,tool_err_pct,model,price_completion_per_m\n"
      "P,1,a/one,\n"
      "Q,2,a/one,4\n");
  ASSERT_TRUE(table.ok()) << table.status();
  const EndpointRow& row = table->at("a/one")[0];
  EXPECT_EQ(row.price, 4);  // the model's median
  EXPECT_GT(row.throughput_tps, 0);
  EXPECT_GT(row.latency_ms, 0);
}

TEST(Table, QuotedFieldsMayHoldCommas) {
  const auto fields = SplitCsv(R"(a,"b, ""c""",,d)");
  ASSERT_EQ(fields.size(), 4u);
  EXPECT_EQ(fields[1], "b, \"c\"");
  EXPECT_EQ(fields[2], "");
}

TEST(Table, SaysWhichLineIsWrong) {
  EXPECT_THAT(std::string(ParseTable("a,b\n1,2\n").status().message()),
              HasSubstr("line 1: the header must name"));
  EXPECT_THAT(
      std::string(ParseTable(std::string(kHeader) + "m,p,,1,1,often,1\n").status().message()),
      HasSubstr("line 2: \"often\" is no number"));
  EXPECT_THAT(std::string(ParseTable(std::string(kHeader) + "m,p,,1,1,101,1\n").status().message()),
              HasSubstr("above 100"));
  EXPECT_FALSE(ParseTable(kHeader).ok());
  EXPECT_FALSE(ParseTable("").ok());
  EXPECT_FALSE(ReadTable("/nowhere/table.csv").ok());
}

}  // namespace
}  // namespace signalbox::simulate
