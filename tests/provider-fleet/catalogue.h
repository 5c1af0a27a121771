// The running fleet as a Signalbox catalogue (protos/signalbox/config/v1/catalogue.proto), with
// base URLs that point at it: what `--emit-catalogue` writes.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_CATALOGUE_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_CATALOGUE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tests/provider-fleet/roster.h"

namespace signalbox::fleet {

// YAML. Endpoints for '*' have no name a client could ask for and are left out, as are endpoints
// whose dialect is not that of their provider's first endpoint. Providers that check keys refer to
// the environment variable FLEET_KEY. A missing prompt price is a quarter of the completion price.
std::string CatalogueYaml(const Roster& roster);

// USD per million tokens → decimal USD per token: 0.8 → "0.0000008".
std::string PricePerToken(double per_million);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_CATALOGUE_H_
