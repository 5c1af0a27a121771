// A small catalogue for tests of the ingress.
#ifndef SIGNALBOX_TESTS_UNIT_INGRESS_TEST_CATALOGUE_H_
#define SIGNALBOX_TESTS_UNIT_INGRESS_TEST_CATALOGUE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/catalogue/catalogue.h"

namespace signalbox::ingress {

inline config::v1::Catalogue TestCatalogueSource() {
  config::v1::Catalogue source;
  for (const std::string slug : {"cheap", "dear", "private"}) {
    config::v1::Provider* provider = source.add_providers();
    provider->set_slug(slug);
    provider->set_name("The " + slug);
    provider->set_base_url("https://" + slug + ".example.com/v1");
    provider->set_needs_no_key(true);
    provider->set_dialect(config::v1::DIALECT_OPENAI);
    provider->set_collects_data(slug == "cheap");
    provider->set_zero_data_retention(slug == "private");
  }
  config::v1::Model* model = source.add_models();
  model->set_id("acme/model");
  model->set_name("Acme: Model");
  model->set_created(1'700'000'000);
  model->set_context_length(100'000);
  const auto add = [&](const std::string& tag, const std::string& price, bool free) {
    config::v1::Endpoint* endpoint = model->add_endpoints();
    endpoint->set_tag(tag);
    endpoint->mutable_price()->set_prompt(price);
    endpoint->mutable_price()->set_completion(price);
    endpoint->add_supported_parameters("temperature");
    if (tag != "private") endpoint->add_supported_parameters("tools");
    endpoint->set_free(free);
  };
  add("dear", "0.000009", false);
  add("cheap", "0.000001", false);
  add("private", "0.000005", false);
  add("dear/free", "0", true);
  config::v1::Model* other = source.add_models();
  other->set_id("acme/newer");
  other->set_created(1'800'000'000);
  other->set_context_length(8'000);
  config::v1::Endpoint* endpoint = other->add_endpoints();
  endpoint->set_tag("cheap");
  endpoint->mutable_price()->set_prompt("0.000002");
  endpoint->mutable_price()->set_completion("0.000002");
  return source;
}

inline std::shared_ptr<const catalogue::Catalogue> TestCatalogue() {
  absl::StatusOr<std::shared_ptr<const catalogue::Catalogue>> built =
      catalogue::Catalogue::Build(TestCatalogueSource());
  EXPECT_TRUE(built.ok()) << built.status();
  return built.ok() ? *built : nullptr;
}

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_TESTS_UNIT_INGRESS_TEST_CATALOGUE_H_
