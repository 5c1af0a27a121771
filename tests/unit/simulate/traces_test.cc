#include "services/signalbox/simulate/traces.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace signalbox::simulate {
namespace {

TEST(Traces, ReadsArrivalsAndEventsByModelAndInOrder) {
  Traces traces;
  ASSERT_TRUE(ParseArrivals("at_s,model\n5,a\n1,a\n2,b\n", &traces).ok());
  EXPECT_EQ(traces.arrivals["a"], (std::vector<double>{1, 5}));
  ASSERT_TRUE(ParseEvents("at_s,model,provider,tool_err_pct,requests_per_s\n"
                          "60,a,P,,\n30,a,P,50,\n10,b,Q,,3\n",
                          &traces)
                  .ok());
  ASSERT_EQ(traces.events["a"].size(), 2u);
  EXPECT_EQ(traces.events["a"][0].tool_error, 0.5);
  EXPECT_EQ(traces.events["a"][1].tool_error, -1);
  EXPECT_EQ(traces.events["b"][0].requests_per_second, 3);
}

TEST(Traces, SaysWhatIsWrong) {
  Traces traces;
  EXPECT_FALSE(ParseArrivals("at_s\n1\n", &traces).ok());
  EXPECT_FALSE(ParseArrivals("at_s,model\nsoon,a\n", &traces).ok());
  EXPECT_FALSE(ParseEvents("at_s,model,provider,tool_err_pct\n1,a,P,150\n", &traces).ok());
}

TEST(Replay, RepeatsTheRecordedHours) {
  RecordedEndpoint p{"a", "P", 2, 50, {}};
  RecordedEndpoint q{"a", "Q", 1, 30, {}};
  const auto hour = [](int64_t index, int32_t all, int32_t bad) {
    metrics_aggregator::Tally tally;
    tally.index = index;
    tally.tool_requests = all;
    tally.tool_bad = bad;
    return tally;
  };
  p.hours = {hour(100, 80, 0), hour(101, 20, 20)};
  q.hours = {hour(101, 50, 5)};
  const RecordedEndpoint idle{"a", "R", 1, 30, {}};
  const Recorded recorded = Replay({p, q, idle}, 100, 2, 1);
  EXPECT_EQ(recorded.hours, 2);
  ASSERT_EQ(recorded.table.at("a").size(), 2u);  // nothing is known of the idle one
  EXPECT_DOUBLE_EQ(recorded.table.at("a")[0].tool_error, 0.2);
  const std::vector<double>& arrivals = recorded.traces.arrivals.at("a");
  EXPECT_EQ(arrivals.size(), 150u);
  EXPECT_EQ(std::lower_bound(arrivals.begin(), arrivals.end(), 3600) - arrivals.begin(), 80);
  const std::vector<Event>& events = recorded.traces.events.at("a");
  ASSERT_EQ(events.size(), 3u);
  EXPECT_LT(events[0].tool_error, 0.1);
  EXPECT_GT(events[1].tool_error, 0.5);
}

}  // namespace
}  // namespace signalbox::simulate
