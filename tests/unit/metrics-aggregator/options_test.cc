#include <gtest/gtest.h>

#include "services/metrics-aggregator/aggregator.h"

namespace signalbox::metrics_aggregator {
namespace {

TEST(AggregatorOptions, KeepDefaultsForUnsetFields) {
  const auto options = OptionsFromConfig({});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->flush_interval, absl::Milliseconds(500));
  EXPECT_EQ(options->publish_interval, absl::Seconds(1));
  EXPECT_EQ(options->lease, absl::Seconds(5));
  EXPECT_EQ(options->book.exacto.min_providers, 4);
  EXPECT_EQ(options->book.exacto.throughput_sigmas, 1.5);
}

TEST(AggregatorOptions, TakeWhatIsSet) {
  config::v1::AggregatorConfig config;
  config.mutable_flush_interval()->set_nanos(100'000'000);
  config.set_max_endpoints(50);
  config.mutable_exacto()->set_min_requests_30m(7);
  config.mutable_exacto()->set_tool_success_sigmas(0);
  const auto options = OptionsFromConfig(config);
  EXPECT_EQ(options->flush_interval, absl::Milliseconds(100));
  EXPECT_EQ(options->book.max_endpoints, 50u);
  EXPECT_EQ(options->book.exacto.min_requests_30m, 7);
  EXPECT_EQ(options->book.exacto.tool_success_sigmas, 0);
}

TEST(AggregatorOptions, RefuseTimesThatAreNone) {
  config::v1::AggregatorConfig config;
  config.mutable_lease()->set_seconds(-1);
  EXPECT_EQ(OptionsFromConfig(config).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(OptionsFromConfig(config).status().message().find("aggregator.lease") !=
              std::string::npos);
}

}  // namespace
}  // namespace signalbox::metrics_aggregator
