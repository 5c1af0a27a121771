#include "services/router-decision/core/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/router-decision/world.h"

namespace signalbox::router_decision {
namespace {

constexpr absl::string_view kYaml = R"(
providers: [{slug: p}, {slug: q}]
models: [{id: a/one, endpoints: [{tag: p}, {tag: q, free: true, supported_parameters: [structured_outputs]}]}]
)";

std::shared_ptr<const metrics::v1::ScoreSnapshot> Scores(uint64_t version, int64_t unix_ms) {
  metrics::v1::ScoreSnapshot scores;
  scores.set_version(version);
  scores.set_computed_unix_ms(unix_ms);
  metrics::v1::EndpointScore& score = *scores.add_endpoints();
  score.set_endpoint_id("a/one@q");
  score.mutable_throughput_tps()->set_p50(static_cast<double>(version));
  scores.add_endpoints()->set_endpoint_id("gone/model@p");
  return std::make_shared<const metrics::v1::ScoreSnapshot>(scores);
}

TEST(Snapshot, JoinsScoresByEndpointId) {
  World world(kYaml);
  world.holder.SetScores(Scores(7, 1000));
  const std::shared_ptr<const Snapshot> snapshot = world.holder.Get();
  EXPECT_EQ(snapshot->version(), 7u);
  EXPECT_EQ(snapshot->facts(0).score, nullptr);
  EXPECT_EQ(snapshot->facts(1).throughput_tps, 7);
  EXPECT_TRUE(snapshot->facts(1).free);
  EXPECT_TRUE(snapshot->facts(1).supports_response_format);
  EXPECT_FALSE(snapshot->facts(1).supports_tools);
  EXPECT_EQ(snapshot->facts(1).exacto_tier, metrics::v1::EXACTO_TIER_INSUFFICIENT_DATA);
}

TEST(Snapshot, KnowsItsAge) {
  World world(kYaml);
  EXPECT_EQ(world.holder.Get()->Age(world.clock.Now()), absl::ZeroDuration());
  world.Publish();
  EXPECT_EQ(world.holder.Get()->Age(world.clock.Now() + absl::Seconds(3)), absl::Seconds(3));
  EXPECT_EQ(world.holder.Get()->Age(world.clock.Now() - absl::Seconds(3)), absl::ZeroDuration())
      << "clocks differ";
}

TEST(SnapshotHolder, IgnoresOlderScoresButNotARestartOfTheVersions) {
  World world(kYaml);
  world.holder.SetScores(Scores(7, 1000));
  world.holder.SetScores(Scores(6, 900));
  EXPECT_EQ(world.holder.Get()->version(), 7u);
  world.holder.SetScores(Scores(1, 2000));
  EXPECT_EQ(world.holder.Get()->version(), 1u);
  world.holder.SetScores(nullptr);
  EXPECT_EQ(world.holder.Get()->version(), 1u);
}

TEST(SnapshotHolder, AnUnchangedSetOfProvidersCompilesNothing) {
  World world(kYaml);
  const std::shared_ptr<const Snapshot> before = world.holder.Get();
  world.holder.SetActiveProviders({"q", "p"});
  EXPECT_EQ(world.holder.Get(), before);
  world.holder.SetActiveProviders({"q"});
  EXPECT_NE(world.holder.Get(), before);
  EXPECT_FALSE(world.holder.Get()->facts(0).active);
  EXPECT_TRUE(world.holder.Get()->facts(1).active);
}

TEST(SnapshotHolder, AReaderKeepsTheSnapshotItTook) {
  World world(kYaml);
  const std::shared_ptr<const Snapshot> taken = world.holder.Get();
  world.Use(CatalogueOf("providers: [{slug: r}]"));
  EXPECT_EQ(taken->facts(0).endpoint->id, "a/one@p");
  EXPECT_EQ(world.holder.Get()->catalogue().FindModel("a/one"), nullptr);
}

}  // namespace
}  // namespace signalbox::router_decision
