#include "services/router-decision/core/preferred_speed.h"

#include <gtest/gtest.h>

namespace signalbox::router_decision {
namespace {

using metrics::v1::EndpointScore;
using router::v1::ProviderPreferences;

EndpointScore Known() {
  EndpointScore score;
  metrics::v1::Percentiles& speed = *score.mutable_throughput_5m_tps();
  speed.set_p50(80);
  speed.set_p75(60);
  speed.set_p90(31.25);
  speed.set_p99(10);
  metrics::v1::Percentiles& time = *score.mutable_ttft_5m_ms();
  time.set_p50(400);
  time.set_p75(600);
  time.set_p90(1'900);
  time.set_p99(5'000);
  return score;
}

TEST(PreferredSpeed, HoldsWithoutAWishWhateverIsKnown) {
  ProviderPreferences preferences;
  preferences.mutable_preferred_max_latency_ms();  // an object without percentiles
  const PreferredSpeed wish(preferences);
  EXPECT_FALSE(wish.any());
  EXPECT_TRUE(wish.HeldBy(nullptr));
  EXPECT_EQ(wish.Explain(nullptr), "");
}

TEST(PreferredSpeed, IsHeldAtTheBoundItself) {
  ProviderPreferences preferences;
  preferences.mutable_preferred_min_throughput_tps()->set_p50(80);
  preferences.mutable_preferred_max_latency_ms()->set_p50(400);
  const PreferredSpeed wish(preferences);
  const EndpointScore score = Known();
  EXPECT_TRUE(wish.any());
  EXPECT_TRUE(wish.HeldBy(&score));
  EXPECT_EQ(wish.Explain(&score), "");
}

TEST(PreferredSpeed, IsMissedWhenOneOfSeveralBoundsIs) {
  ProviderPreferences preferences;
  preferences.mutable_preferred_min_throughput_tps()->set_p50(70);
  preferences.mutable_preferred_min_throughput_tps()->set_p90(50);
  const PreferredSpeed wish(preferences);
  const EndpointScore score = Known();
  EXPECT_FALSE(wish.HeldBy(&score));
  EXPECT_EQ(wish.Explain(&score), "p90 throughput 31.2 tokens/s < 50.0 preferred");
}

TEST(PreferredSpeed, BoundsTheTimeToTheFirstToken) {
  ProviderPreferences preferences;
  preferences.mutable_preferred_max_latency_ms()->set_p75(1'000);
  preferences.mutable_preferred_max_latency_ms()->set_p99(3'000);
  const PreferredSpeed wish(preferences);
  EndpointScore score = Known();
  EXPECT_FALSE(wish.HeldBy(&score));
  EXPECT_EQ(wish.Explain(&score), "p99 time to first token 5000 ms > 3000 preferred");
  score.mutable_ttft_5m_ms()->set_p99(3'000);
  EXPECT_TRUE(wish.HeldBy(&score));
}

TEST(PreferredSpeed, IsMissedByWhatIsNotKnown) {
  ProviderPreferences preferences;
  preferences.mutable_preferred_min_throughput_tps()->set_p50(50);
  EXPECT_FALSE(PreferredSpeed(preferences).HeldBy(nullptr));
  EXPECT_EQ(PreferredSpeed(preferences).Explain(nullptr),
            "p50 throughput unknown, at least 50.0 tokens/s preferred");
  EndpointScore score = Known();
  score.clear_throughput_5m_tps();
  EXPECT_FALSE(PreferredSpeed(preferences).HeldBy(&score));
  ProviderPreferences latency;
  latency.mutable_preferred_max_latency_ms()->set_p50(800);
  EXPECT_EQ(PreferredSpeed(latency).Explain(nullptr),
            "p50 time to first token unknown, at most 800 ms preferred");
}

}  // namespace
}  // namespace signalbox::router_decision
