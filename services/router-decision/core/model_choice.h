// From the names a client wrote ("z-ai/glm-5:nitro") to models of the catalogue and what the
// variants ask for.
//
// Variants: `:free` admits the free endpoints and no others (a name without it admits no free one);
// `:nitro`, `:floor` and
// `:exacto` are sorts and win over the request's `provider.sort`; of several the last counts.
// `:floor` also admits flex endpoints and `:nitro` priority endpoints (core/service_tier.h).
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_MODEL_CHOICE_H_
#define SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_MODEL_CHOICE_H_

#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/catalogue/catalogue.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::router_decision {

struct ModelChoice {
  const config::v1::Model* model = nullptr;
  int model_index = 0;  // in RequestFeatures.models
  bool free = false;
  bool admits_flex = false;
  bool admits_priority = false;
  router::v1::ProviderPreferences::Sort sort = router::v1::ProviderPreferences::SORT_UNSPECIFIED;
};

using ModelChoices = absl::InlinedVector<ModelChoice, 4>;

// In the order of the request. A name that repeats an earlier one, but for its sort, is left out,
// and so is one that cannot be served as long as another can. Error: INVALID_REQUEST without any
// name; else, when none can be served, the first name's MODEL_NOT_FOUND (with similar ids) or
// NOT_AVAILABLE.
absl::StatusOr<ModelChoices> ChooseModels(const catalogue::Catalogue& catalogue,
                                          const router::v1::RequestFeatures& features);

// At most three ids of the catalogue that the name may have meant, best first.
std::vector<std::string> SimilarModels(const catalogue::Catalogue& catalogue,
                                       absl::string_view name);

}  // namespace signalbox::router_decision

#endif  // SIGNALBOX_SERVICES_ROUTER_DECISION_CORE_MODEL_CHOICE_H_
