// Counters, run-time changes and schedules through the admin API.
#include <gtest/gtest.h>

#include <optional>

#include "tests/unit/provider-fleet/raw_client.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;

constexpr char kFleet[] = R"(
keep_requests: 3
providers:
  o:
    endpoints: {m: {}, n: {faults: [{kind: stall}]}}
    schedule: [{at: 1000, model: m, set: {tool_error_rate: 1, tool_errors: {invalid_json: 1}}}]
)";
constexpr char kPath[] = "/o/v1/chat/completions";

class FleetAdmin : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fleet_ = StartFleet(kFleet)); }

  json Stats(const std::string& model) {
    return Get(fleet_->port(), "/_fleet/stats").Json()["providers"]["o"]["models"][model];
  }
  Response Admin(const std::string& action, const std::string& body) {
    return Post(fleet_->port(), "/_fleet/" + action, body);
  }
  Response Ask(const std::string& more = "") { return Post(fleet_->port(), kPath, Chat(more)); }

  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetAdmin, CountsWhatHappened) {
  Ask();
  Ask(OpenAiTools());
  ASSERT_EQ(
      Admin("set",
            R"({"provider":"o","model":"m","set":{"faults":[{"kind":"status","status":429}]}})")
          .status,
      200);
  Ask();
  const json stats = Stats("m");
  EXPECT_EQ(stats["requests"], 3);
  EXPECT_EQ(stats["answered"], 2);
  EXPECT_EQ(stats["faults"], json({{"status_429", 1}}));
  EXPECT_EQ(stats["tool_calls"], 1);
  EXPECT_EQ(stats["bad_tool_calls"], 0);
  EXPECT_EQ(stats["open"], 0);
  EXPECT_TRUE(stats["last_request"].is_number());
  EXPECT_EQ(Admin("reset", "").status, 200);
  EXPECT_EQ(Stats("m")["requests"], 0);
}

TEST_F(FleetAdmin, NoticesClientsThatLeave) {
  std::optional<RawClient> client(std::in_place, fleet_->port());
  client->Send(PostBytes(kPath, Chat("", "n")));
  while (Stats("n")["open"] != 1) std::this_thread::yield();
  client.reset();
  while (Stats("n")["cancelled"] != 1) std::this_thread::yield();
  const json stats = Stats("n");
  EXPECT_EQ(stats["open"], 0);
  ASSERT_EQ(stats["cancelled_after_ms"].size(), 1u);
  EXPECT_LT(stats["cancelled_after_ms"][0], 5000);
  EXPECT_EQ(stats["faults"]["stall"], 1);
}

TEST_F(FleetAdmin, KeepsTheLatestRequestsWhole) {
  for (const char* user : {"a", "b", "c", "d"}) {
    Post(fleet_->port(), kPath, Chat(std::string(R"("user":")") + user + "\""), "X-Trace: t1\r\n");
  }
  const json kept = Get(fleet_->port(), "/_fleet/requests?provider=o").Json()["requests"];
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(kept[0]["body"], Chat(R"("user":"b")"));
  EXPECT_EQ(kept[2]["body"], Chat(R"("user":"d")"));
  EXPECT_EQ(kept[2]["headers"]["X-Trace"], "t1");
  EXPECT_EQ(kept[2]["path"], kPath);
  EXPECT_EQ(Get(fleet_->port(), "/_fleet/requests?provider=x").status, 404);
}

TEST_F(FleetAdmin, ChangesComeWhenTheyAreDue) {
  EXPECT_EQ(Admin("advance", R"({"seconds": 999})").status, 200);
  Ask(OpenAiTools());
  EXPECT_EQ(Stats("m")["bad_tool_calls"], 0);
  Admin("advance", R"({"seconds": 1})");
  Ask(OpenAiTools());
  EXPECT_EQ(Stats("m")["tool_errors"]["invalid_json"], 1);
}

TEST_F(FleetAdmin, RefusesChangesItDoesNotUnderstand) {
  EXPECT_EQ(Admin("set", R"({"provider":"o","set":{"tool_eror_rate":1}})").status, 400);
  EXPECT_EQ(Admin("set", R"({"provider":"nobody","set":{}})").status, 404);
  EXPECT_EQ(Admin("set", R"({"provider":"o","sett":{}})").status, 400);
  EXPECT_EQ(Admin("set", "[]").status, 400);
  EXPECT_EQ(Admin("advance", R"({"seconds": -1})").status, 400);
  EXPECT_EQ(Get(fleet_->port(), "/_fleet/nothing").status, 404);
}

TEST_F(FleetAdmin, ListsProvidersWithTheirUrls) {
  const json provider = Get(fleet_->port(), "/_fleet/providers").Json()["providers"][0];
  EXPECT_EQ(provider["base_url"], fleet_->BaseUrl("o"));
  EXPECT_EQ(provider["models"][1], json({{"id", "n"}, {"dialect", "openai"}}));
}

TEST_F(FleetAdmin, SequencesStartAgainAfterReset) {
  const std::string first = Ask(OpenAiTools()).body;
  const std::string second = Ask(OpenAiTools()).body;
  EXPECT_NE(first, second);
  Admin("reset", "");
  EXPECT_EQ(Ask(OpenAiTools()).body, first);
}

}  // namespace
}  // namespace signalbox::fleet
