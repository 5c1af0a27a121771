// The request's `provider` object, checked and typed. Members nobody here knows are ignored: newer
// clients may send them.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_PROVIDER_PREFERENCES_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_PROVIDER_PREFERENCES_H_

#include "absl/status/status.h"
#include "services/ingress/core/json_check.h"
#include "signalbox/router/v1/router.pb.h"

namespace signalbox::ingress {

absl::Status ReadProviderPreferences(JsonElement provider,
                                     router::v1::ProviderPreferences* preferences);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_PROVIDER_PREFERENCES_H_
