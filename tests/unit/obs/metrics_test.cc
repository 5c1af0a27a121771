#include "common/obs/metrics.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::obs {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Metrics, RendersCountersGaugesAndHistogramsAsPrometheusText) {
  Metrics metrics;
  metrics.Counter("signalbox_test_requests_total", "Requests.", {"method", "status"})
      .With({"chat", "200"})
      .Add(3);
  metrics.Gauge("signalbox_test_in_flight", "In flight.").WithNone().Set(7);
  metrics.Histogram("signalbox_test_wait_seconds", "Wait.", {0.1, 1}, {"provider"})
      .With({"acme"})
      .Observe(0.5);
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("# HELP signalbox_test_requests_total Requests.\n"
                              "# TYPE signalbox_test_requests_total counter\n"
                              "signalbox_test_requests_total{method=\"chat\",status=\"200\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("signalbox_test_in_flight 7\n"));
  EXPECT_THAT(text,
              HasSubstr("signalbox_test_wait_seconds_bucket{provider=\"acme\",le=\"0.1\"} 0\n"));
  EXPECT_THAT(text,
              HasSubstr("signalbox_test_wait_seconds_bucket{provider=\"acme\",le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("signalbox_test_wait_seconds_sum{provider=\"acme\"} 0.5\n"));
}

TEST(Metrics, ShowsTheProcess) {
  Metrics metrics;
  const std::string text = metrics.Render();
  for (const char* series :
       {"process_resident_memory_bytes ", "process_cpu_seconds_total ", "process_open_fds ",
        "process_max_fds ", "process_threads ", "process_start_time_seconds 1"}) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("\n", series)));
  }
  EXPECT_THAT(text, Not(HasSubstr("process_resident_memory_bytes 0\n")));
}

TEST(Metrics, OrdersSeriesTheSameWayEveryTime) {
  Metrics metrics;
  CounterFamily& family = metrics.Counter("signalbox_test_events_total", "Events.", {"kind"});
  for (const char* kind : {"c", "a", "b"}) family.With({kind}).Add();
  EXPECT_THAT(metrics.Render(),
              HasSubstr("{kind=\"a\"} 1\nsignalbox_test_events_total{kind=\"b\"} 1\n"
                        "signalbox_test_events_total{kind=\"c\"} 1\n"));
}

TEST(Metrics, TheSameNameIsTheSameFamilyAndTheSameLabelsTheSameSeries) {
  Metrics metrics;
  CounterFamily& first = metrics.Counter("signalbox_test_events_total", "Events.", {"kind"});
  CounterFamily& second = metrics.Counter("signalbox_test_events_total", "Events.", {"kind"});
  EXPECT_EQ(&first, &second);
  first.With({"x"}).Add();
  second.With({"x"}).Add();
  EXPECT_EQ(first.With({"x"}).value(), 2);
}

TEST(Metrics, AFullFamilyCountsNewLabelSetsAsOther) {
  Metrics metrics(Metrics::Options{2});
  CounterFamily& family = metrics.Counter("signalbox_test_events_total", "Events.", {"model"});
  for (const char* model : {"a", "b", "c", "d"}) family.With({model}).Add();
  family.With({"a"}).Add();
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("signalbox_test_events_total{model=\"a\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("signalbox_test_events_total{model=\"other\"} 2\n"));
  EXPECT_THAT(text, Not(HasSubstr("model=\"c\"")));
  EXPECT_THAT(
      text,
      HasSubstr("signalbox_obs_series_refused_total{kind=\"signalbox_test_events_total\"} 2\n"));
}

TEST(Metrics, ARemovedLabelSetLeavesAndMakesRoom) {
  Metrics metrics(Metrics::Options{1});
  GaugeFamily& family = metrics.Gauge("signalbox_test_score", "Score.", {"endpoint"});
  family.With({"old"}).Set(1);
  const absl::string_view old[] = {"old"};
  family.Remove(old);
  family.With({"new"}).Set(2);
  EXPECT_THAT(metrics.Render(), HasSubstr("signalbox_test_score{endpoint=\"new\"} 2\n"));
  EXPECT_THAT(metrics.Render(), Not(HasSubstr("endpoint=\"old\"")));
}

TEST(Metrics, HooksRunBeforeRenderingUntilTheyAreDropped) {
  Metrics metrics;
  const Gauge depth = metrics.Gauge("signalbox_test_depth", "Depth.").WithNone();
  int runs = 0;
  auto hook = metrics.OnRender([&] { depth.Set(++runs); });
  EXPECT_THAT(metrics.Render(), HasSubstr("signalbox_test_depth 1\n"));
  EXPECT_THAT(metrics.Render(), HasSubstr("signalbox_test_depth 2\n"));
  hook.reset();
  metrics.Render();
  EXPECT_EQ(runs, 2);
}

TEST(Metrics, DescribesEveryFamilyAlsoWithoutASeries) {
  Metrics metrics;
  metrics.Counter("signalbox_test_events_total", "Events.", {"reason", "kind"});
  metrics.Gauge("signalbox_test_depth", "Depth.");
  metrics.Histogram("signalbox_test_wait_seconds", "Wait.", {1}, {"provider"});
  metrics.Gauge("signalbox_test_depth", "Depth.");  // the same family
  std::vector<std::string> described;
  for (const FamilyInfo& family : metrics.Describe()) {
    if (absl::StartsWith(family.name, "process_")) continue;
    described.push_back(absl::StrCat(family.name, " ", family.type, " ",
                                     absl::StrJoin(family.labels, ","), " ", family.help));
  }
  EXPECT_THAT(described,
              testing::ElementsAre(StartsWith("signalbox_obs_series_refused_total counter kind "),
                                   "signalbox_test_depth gauge  Depth.",
                                   "signalbox_test_events_total counter reason,kind Events.",
                                   "signalbox_test_wait_seconds histogram provider Wait."));
}

// Whatever is rendered is described.
TEST(Metrics, DescribesWhatItRenders) {
  Metrics metrics;
  std::set<std::string> described;
  for (const FamilyInfo& family : metrics.Describe())
    described.insert(absl::StrCat("# TYPE ", family.name, " ", family.type));
  for (const absl::string_view line : absl::StrSplit(metrics.Render(), '\n')) {
    if (!absl::StartsWith(line, "# TYPE ")) continue;
    EXPECT_EQ(described.count(std::string(line)), 1) << line;
  }
  EXPECT_THAT(described, testing::Contains("# TYPE process_cpu_seconds_total counter"));
}

TEST(Metrics, AHandleWithoutFamilyDoesNothing) {
  const Counter counter;
  const Gauge gauge;
  const Histogram histogram;
  counter.Add();
  gauge.Set(1);
  histogram.Observe(1);
  EXPECT_EQ(counter.value() + gauge.value(), 0);
}

TEST(MetricsDeathTest, RefusesLabelsOutsideTheList) {
  Metrics metrics;
  EXPECT_DEATH(metrics.Counter("signalbox_test_events_total", "Events.", {"user"}),
               "label user is not one of");
}

TEST(MetricsDeathTest, RefusesNamesOutsideTheConvention) {
  Metrics metrics;
  EXPECT_DEATH(metrics.Gauge("test_depth", "Depth."), "must start with signalbox_");
  EXPECT_DEATH(metrics.Gauge("signalbox_Depth", "Depth."), "only a-z");
  EXPECT_DEATH(metrics.Counter("signalbox_test_events", "Events."), "must end in _total");
}

TEST(MetricsDeathTest, RefusesTheSameNameWithOtherLabelsOrKind) {
  Metrics metrics;
  metrics.Gauge("signalbox_test_depth", "Depth.", {"kind"});
  EXPECT_DEATH(metrics.Gauge("signalbox_test_depth", "Depth.", {"role"}), "other labels");
  EXPECT_DEATH(metrics.Histogram("signalbox_test_depth", "Depth.", {1}, {"kind"}), "another kind");
}

}  // namespace
}  // namespace signalbox::obs
