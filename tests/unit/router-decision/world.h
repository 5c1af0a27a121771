// A small world to route in: a catalogue written as YAML, scores, active providers, a clock that
// stands still.
#ifndef SIGNALBOX_TESTS_UNIT_ROUTER_DECISION_WORLD_H_
#define SIGNALBOX_TESTS_UNIT_ROUTER_DECISION_WORLD_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/clock.h"
#include "common/catalogue/catalogue.h"
#include "common/config/loader.h"
#include "services/router-decision/core/snapshot.h"
#include "services/router-decision/router.h"

namespace signalbox::router_decision {

inline std::shared_ptr<const catalogue::Catalogue> CatalogueOf(absl::string_view yaml) {
  config::v1::Catalogue source;
  const config::Report report = config::LoadYaml(yaml, "test.yaml", &source);
  EXPECT_TRUE(report.ok()) << report.ToString();
  auto built = catalogue::Catalogue::Build(std::move(source));
  EXPECT_TRUE(built.ok()) << built.status();
  return built.ok() ? *built : nullptr;
}

class World {
 public:
  // Every provider of the catalogue is active.
  explicit World(absl::string_view yaml) { Use(CatalogueOf(yaml)); }

  void Use(std::shared_ptr<const catalogue::Catalogue> catalogue) {
    absl::flat_hash_set<std::string> active;
    for (const config::v1::Provider* provider : catalogue->providers())
      active.insert(provider->slug());
    holder.SetActiveProviders(std::move(active));
    holder.SetCatalogue(std::move(catalogue));
  }

  // The score of an endpoint, to be changed; takes effect with Publish.
  metrics::v1::EndpointScore& Score(absl::string_view endpoint_id) {
    for (auto& score : *scores_.mutable_endpoints()) {
      if (score.endpoint_id() == endpoint_id) return score;
    }
    metrics::v1::EndpointScore& score = *scores_.add_endpoints();
    score.set_endpoint_id(std::string(endpoint_id));
    score.set_benchmark(-1);
    return score;
  }
  void Publish() {
    scores_.set_version(scores_.version() + 1);
    scores_.set_computed_unix_ms(absl::ToUnixMillis(clock.Now()));
    holder.SetScores(std::make_shared<const metrics::v1::ScoreSnapshot>(scores_));
  }

  Router MakeRouter(uint64_t seed = 1) { return Router(holder, clock, seed, RouterMetrics()); }

  router::v1::DecideResponse Decide(const router::v1::RequestFeatures& features,
                                    uint64_t seed = 1) {
    auto answer = MakeRouter(seed).DecideNow(features);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : router::v1::DecideResponse();
  }
  router::v1::DecideResponse Explain(const router::v1::RequestFeatures& features,
                                     uint64_t seed = 1) {
    router::v1::ExplainRequest request;
    *request.mutable_features() = features;
    request.set_seed(seed);
    auto answer = MakeRouter().ExplainNow(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->decision() : router::v1::DecideResponse();
  }

  FakeClock clock;
  SnapshotHolder holder;

 private:
  metrics::v1::ScoreSnapshot scores_;
};

inline router::v1::RequestFeatures Request(std::initializer_list<const char*> models) {
  router::v1::RequestFeatures features;
  for (const char* model : models) features.add_models(model);
  features.set_request_class(common::v1::REQUEST_CLASS_PLAIN);
  return features;
}

inline router::v1::RequestFeatures ToolRequest(std::initializer_list<const char*> models) {
  router::v1::RequestFeatures features = Request(models);
  features.set_request_class(common::v1::REQUEST_CLASS_TOOLS);
  features.add_parameters("tools");
  return features;
}

// The part of an endpoint id after '@', of the candidates in their order.
inline std::vector<std::string> Tags(const router::v1::DecideResponse& response) {
  std::vector<std::string> tags;
  for (const auto& candidate : response.candidates()) {
    tags.push_back(candidate.endpoint_id().substr(candidate.endpoint_id().find('@') + 1));
  }
  return tags;
}

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_TESTS_UNIT_ROUTER_DECISION_WORLD_H_
