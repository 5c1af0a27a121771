#include "common/host/admin.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "common/obs/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::HasSubstr;

class AdminTest : public testing::Test {
 protected:
  ~AdminTest() override { obs::SetLogLevel(obs::kInfo); }
  http::Response Ask(const std::string& method, const std::string& path,
                     const std::string& query = "") {
    http::Request request;
    request.method = method;
    request.path = path;
    request.query = query;
    return pages_.Answer(request);
  }

  obs::ScopedLogSink quiet_{[](absl::string_view) {}};
  obs::Metrics metrics_;
  Readiness readiness_;
  AdminPages pages_{"ingress", [] { return "host:\n  log_level: \"info\"\n"; }, metrics_,
                    readiness_};
};

TEST_F(AdminTest, MetricsArePrometheusText) {
  metrics_.Counter("signalbox_test_events_total", "Events.").WithNone().Add();
  const http::Response response = Ask("GET", "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.Get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body, HasSubstr("signalbox_test_events_total 1\n"));
}

TEST_F(AdminTest, MetriczListsEveryFamilyAsJson) {
  metrics_.Counter("signalbox_test_events_total", "Events, \"quoted\".", {"kind"});
  const http::Response response = Ask("GET", "/metricz");
  EXPECT_EQ(response.headers.Get("content-type"), "application/json");
  const auto json = nlohmann::json::parse(response.body);
  const auto family = std::find_if(json.begin(), json.end(), [](const auto& item) {
    return item["name"] == "signalbox_test_events_total";
  });
  ASSERT_NE(family, json.end());
  EXPECT_EQ((*family)["type"], "counter");
  EXPECT_EQ((*family)["help"], "Events, \"quoted\".");
  EXPECT_EQ((*family)["labels"], nlohmann::json::array({"kind"}));
}

TEST_F(AdminTest, LivezAnswersWhateverTheState) {
  readiness_.SetState(HostState::kDraining);
  EXPECT_EQ(Ask("GET", "/livez").status, 200);
}

TEST_F(AdminTest, ReadyzSaysWhatItWaitsFor) {
  ReadinessLatch latch = readiness_.AddLatch("catalogue");
  EXPECT_EQ(Ask("GET", "/readyz").status, 503);
  EXPECT_EQ(Ask("GET", "/readyz").body, "not ready: starting, catalogue\n");
  readiness_.SetState(HostState::kServing);
  latch.Release();
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  readiness_.SetState(HostState::kDraining);
  EXPECT_EQ(Ask("GET", "/readyz").body, "not ready: draining\n");
}

TEST_F(AdminTest, ConfigzShowsTheTextItWasGiven) {
  EXPECT_EQ(Ask("GET", "/configz").body, "host:\n  log_level: \"info\"\n");
}

TEST_F(AdminTest, BuildzIsJson) {
  const http::Response response = Ask("GET", "/buildz");
  EXPECT_EQ(response.headers.Get("content-type"), "application/json");
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["service"], "ingress");
  for (const char* member : {"version", "build_type", "compiler", "grpc", "protobuf"}) {
    EXPECT_TRUE(json[member].is_string()) << member;
  }
}

TEST_F(AdminTest, LogzShowsAndSetsTheLevel) {
  EXPECT_EQ(Ask("GET", "/logz").body, "info\n");
  EXPECT_EQ(Ask("POST", "/logz", "level=debug").status, 200);
  EXPECT_EQ(obs::GetLogLevel(), obs::kDebug);
  EXPECT_EQ(Ask("POST", "/logz", "x=1&level=error").status, 200);
  EXPECT_EQ(obs::GetLogLevel(), obs::kError);
  EXPECT_EQ(Ask("POST", "/logz", "level=loud").status, 400);
  EXPECT_EQ(Ask("POST", "/logz").status, 400);
  EXPECT_EQ(obs::GetLogLevel(), obs::kError);
}

TEST_F(AdminTest, OtherMethodsAndPagesAreRefused) {
  EXPECT_EQ(Ask("POST", "/metrics").status, 405);
  EXPECT_EQ(Ask("POST", "/metrics").headers.Get("allow"), "GET");
  EXPECT_EQ(Ask("DELETE", "/logz").headers.Get("allow"), "GET, POST");
  EXPECT_EQ(Ask("GET", "/metrics/").status, 404);
  EXPECT_THAT(Ask("GET", "/").body, HasSubstr("/readyz"));
}

}  // namespace
}  // namespace signalbox::host
