#include "services/ingress/core/decision_cache.h"

#include <cmath>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/inlined_vector.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

using catalogue::Endpoint;
using router::v1::Candidate;
using router::v1::DecideResponse;
using router::v1::ProviderPreferences;
using router::v1::RequestFeatures;

int64_t NextPowerOfTwo(int64_t value) {
  int64_t power = 1;
  while (power < value) power *= 2;
  return power;
}

int64_t TokensNeeded(const RequestFeatures& features) {
  return features.prompt_tokens() + features.max_tokens();
}

bool Fits(int32_t context_length, const RequestFeatures& features) {
  return context_length == 0 || TokensNeeded(features) <= context_length;
}

// "deepinfra" matches all of the provider's endpoints, "deepinfra/fp8" that one.
bool Matches(const std::string& wanted, const Endpoint& endpoint) {
  return wanted == endpoint.provider->slug() || wanted == endpoint.config->tag();
}

template <typename Slugs>
bool MatchesAny(const Slugs& slugs, const Endpoint& endpoint) {
  return absl::c_any_of(slugs, [&](const std::string& slug) { return Matches(slug, endpoint); });
}

bool WithinPrice(const ProviderPreferences& wish, const common::v1::Pricing& price) {
  return (!wish.has_max_prompt_pico() || price.prompt_pico() <= wish.max_prompt_pico()) &&
         (!wish.has_max_completion_pico() ||
          price.completion_pico() <= wish.max_completion_pico()) &&
         (!wish.has_max_request_pico() || price.request_pico() <= wish.max_request_pico()) &&
         (!wish.has_max_image_pico() || price.image_pico() <= wish.max_image_pico());
}

// The name of the filter that excludes the endpoint; empty = it may serve.
absl::string_view ExcludedBy(const Endpoint& endpoint, const RequestFeatures& features, bool free) {
  const ProviderPreferences& wish = features.provider();
  if (endpoint.disabled || endpoint.config->free() != free) return "disabled";
  if (!wish.only().empty() && !MatchesAny(wish.only(), endpoint)) return "only";
  if (MatchesAny(wish.ignore(), endpoint)) return "ignore";
  const bool fixed = !wish.order().empty() && wish.has_allow_fallbacks() && !wish.allow_fallbacks();
  if (fixed && !MatchesAny(wish.order(), endpoint)) return "order";
  if (wish.deny_data_collection() && endpoint.collects_data) return "data_collection";
  if (wish.zdr() && !endpoint.zero_data_retention) return "zdr";
  if (!wish.quantizations().empty() &&
      !absl::c_linear_search(wish.quantizations(), endpoint.quantization)) {
    return "quantizations";
  }
  if (!Fits(endpoint.context_length, features)) return "context_length";
  if (!WithinPrice(wish, endpoint.pricing)) return "max_price";
  for (const std::string& parameter : features.parameters()) {
    const bool must = wish.require_parameters() || parameter == "tools";
    if (must && !endpoint.SupportsParameter(parameter)) return "parameters";
  }
  for (const std::string& modality : features.input_modalities()) {
    if (!absl::c_linear_search(endpoint.model->input_modalities(), modality))
      return "input_modalities";
  }
  return {};
}

void AddCandidate(const Endpoint& endpoint, int model_index, DecideResponse* decision) {
  Candidate* candidate = decision->add_candidates();
  candidate->set_endpoint_id(endpoint.id);
  candidate->set_model(endpoint.model->id());
  candidate->set_provider_name(endpoint.provider->name());
  candidate->set_provider_slug(endpoint.provider->slug());
  *candidate->mutable_pricing() = endpoint.pricing;
  candidate->set_model_index(model_index);
  candidate->set_context_length(endpoint.context_length);
  candidate->set_max_completion_tokens(endpoint.max_completion_tokens);
  candidate->set_supports_cancellation(endpoint.provider->supports_cancellation());
  candidate->set_quantization(endpoint.quantization);
}

void AddExclusion(const Endpoint& endpoint, absl::string_view filter, DecideResponse* decision) {
  router::v1::Exclusion* exclusion = decision->add_excluded();
  exclusion->set_endpoint_id(endpoint.id);
  exclusion->set_model(endpoint.model->id());
  exclusion->set_provider_slug(endpoint.provider->slug());
  exclusion->set_filter(filter.data(), filter.size());
}

// Place of the endpoint in the client's `order`; endpoints that are not in it come after.
int PlaceInOrder(const ProviderPreferences& wish, const Endpoint& endpoint) {
  for (int i = 0; i < wish.order_size(); ++i) {
    if (Matches(wish.order(i), endpoint)) return i;
  }
  return wish.order_size();
}

void AddModel(const catalogue::Catalogue& catalogue, const RequestFeatures& features,
              int model_index, const catalogue::ModelName& name, const config::v1::Model& model,
              DecideResponse* decision) {
  const bool free = absl::c_linear_search(name.variants, "free");
  std::vector<const Endpoint*> fitting;
  for (const Endpoint* endpoint : catalogue.EndpointsOf(model.id())) {
    const absl::string_view filter = ExcludedBy(*endpoint, features, free);
    if (filter.empty()) {
      fitting.push_back(endpoint);
    } else {
      AddExclusion(*endpoint, filter, decision);
    }
  }
  absl::c_stable_sort(fitting, [&](const Endpoint* a, const Endpoint* b) {
    const int place_a = PlaceInOrder(features.provider(), *a);
    const int place_b = PlaceInOrder(features.provider(), *b);
    if (place_a != place_b) return place_a < place_b;
    return a->pricing.prompt_pico() + a->pricing.completion_pico() <
           b->pricing.prompt_pico() + b->pricing.completion_pico();
  });
  for (const Endpoint* endpoint : fitting) AddCandidate(*endpoint, model_index, decision);
}

}  // namespace

std::string DecisionCache::KeyOf(RequestFeatures* features) {
  const int64_t prompt_tokens = features->prompt_tokens();
  std::string session = std::move(*features->mutable_session_key());
  features->set_prompt_tokens(NextPowerOfTwo(prompt_tokens));
  features->clear_session_key();
  std::string key = features->SerializeAsString();
  features->set_prompt_tokens(prompt_tokens);
  features->set_session_key(std::move(session));
  return key;
}

void DecisionCache::Put(const std::string& key, Decision decision, absl::Duration now) {
  decisions_.Put(key, {decision, now + absl::Milliseconds(decision->valid_for_ms())});
}

Decision DecisionCache::Reusable(const std::string& key, absl::Duration now) {
  const Entry* entry = decisions_.Find(key);
  return entry != nullptr && now < entry->valid_until ? entry->decision : nullptr;
}

Decision DecisionCache::Last(const std::string& key) {
  const Entry* entry = decisions_.Find(key);
  return entry != nullptr ? entry->decision : nullptr;
}

CandidateOrder OrderOf(const DecideResponse& decision) {
  CandidateOrder order;
  order.reserve(decision.candidates_size());
  for (const Candidate& candidate : decision.candidates()) order.push_back(&candidate);
  return order;
}

CandidateOrder RedrawnOrder(const DecideResponse& decision, const RequestFeatures& features,
                            Rng* rng) {
  struct Place {
    double key;
    const Candidate* candidate;
  };
  absl::InlinedVector<Place, 32> places;
  for (const Candidate& candidate : decision.candidates()) {
    if (!Fits(candidate.context_length(), features)) continue;
    // Sorting by these keys is drawing without replacement with probability proportional to weight.
    // A fixed order keeps its places: equal keys, stable sort.
    const double weight = candidate.draw_weight();
    places.push_back({weight > 0 ? -std::log1p(-rng->Uniform()) / weight : 0, &candidate});
  }
  absl::c_stable_sort(places, [](const Place& a, const Place& b) {
    if (a.candidate->draw_group() != b.candidate->draw_group()) {
      return a.candidate->draw_group() < b.candidate->draw_group();
    }
    return a.key < b.key;
  });
  CandidateOrder order;
  order.reserve(places.size());
  for (const Place& place : places) order.push_back(place.candidate);
  return order;
}

absl::StatusOr<DecideResponse> DecideFromCatalogue(const catalogue::Catalogue& catalogue,
                                                   const RequestFeatures& features) {
  DecideResponse decision;
  decision.set_strategy("catalogue");
  bool found = false;
  for (int i = 0; i < features.models_size(); ++i) {
    const catalogue::ModelName name = catalogue::ParseModelName(features.models(i));
    const config::v1::Model* model = catalogue.FindModel(name.id);
    if (model == nullptr) continue;
    found = true;
    AddModel(catalogue, features, i, name, *model, &decision);
  }
  if (!found) {
    return seam::MakeError(common::v1::REASON_MODEL_NOT_FOUND,
                           absl::StrCat("no model \"", features.models(0), "\" in the catalogue"));
  }
  if (!decision.candidates().empty()) decision.clear_excluded();
  return decision;
}

}  // namespace signalbox::ingress
