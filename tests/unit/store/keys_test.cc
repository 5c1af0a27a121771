#include "common/store/keys.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/time/civil_time.h"

namespace signalbox::store {
namespace {

std::string TagOf(const std::string& key) {
  const size_t open = key.find('{');
  return key.substr(open, key.find('}') - open + 1);
}

TEST(Keys, CarryThePrefix) {
  EXPECT_EQ(Keys("x:").Key("abc"), "x:key:{abc}");
  EXPECT_EQ(Keys().Scores(), "sb:{scores}");
}

TEST(Keys, NamePeriodsByUtcCalendarAndIsoWeek) {
  const absl::Time new_year =
      absl::FromCivil(absl::CivilSecond(2027, 1, 1, 0, 0, 1), absl::UTCTimeZone());
  EXPECT_EQ(Keys("").UsageDay("h", new_year), "usage:{h}:d20270101");
  EXPECT_EQ(Keys("").UsageWeek("h", new_year), "usage:{h}:w202653");
  EXPECT_EQ(Keys("").UsageMonth("h", new_year), "usage:{h}:m202701");
  EXPECT_EQ(Keys("").UsageDay("h", new_year - absl::Seconds(2)), "usage:{h}:d20261231");
}

TEST(Keys, OfOneScriptShareATag) {
  const Keys keys;
  const absl::Time now = absl::FromUnixSeconds(0);
  const std::vector<std::vector<std::string>> scripts = {
      {keys.Generation("h", "id"), keys.UsageTotal("h"), keys.UsageDay("h", now),
       keys.UsageWeek("h", now), keys.UsageMonth("h", now)},
      {keys.Window("m@p", Resolution::kTenSeconds, 1), keys.Window("m@p", Resolution::kHour, 1),
       keys.WindowApplied("m@p")},
      {keys.WindowTouched(), keys.WindowLate()},
      {keys.Scores(), keys.ScoresVersion(), keys.ScoresLease(), keys.ScoresFence()}};
  for (const auto& script : scripts) {
    for (const std::string& key : script) EXPECT_EQ(TagOf(key), TagOf(script[0])) << key;
  }
}

}  // namespace
}  // namespace signalbox::store
