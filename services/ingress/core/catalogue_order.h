// The order of endpoints when neither the router nor an earlier decision of its can be had.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_CATALOGUE_ORDER_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_CATALOGUE_ORDER_H_

#include "absl/status/statusor.h"
#include "common/catalogue/catalogue.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

// The last resort: endpoints that satisfy the request's hard constraints, cheapest first. Knows no
// scores and not which providers are active; an attempt at an inactive one ends at once and moves
// on. Errors: MODEL_NOT_FOUND, NOT_AVAILABLE.
absl::StatusOr<router::v1::DecideResponse> DecideFromCatalogue(
    const catalogue::Catalogue& catalogue, const router::v1::RequestFeatures& features);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_CATALOGUE_ORDER_H_
