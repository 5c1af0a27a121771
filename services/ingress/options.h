// IngressConfig -> the options of the service's parts, defaults filled in.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_INGRESS_OPTIONS_H_
#define SIGNALBOX_SERVICES_INGRESS_OPTIONS_H_

#include "absl/status/statusor.h"
#include "common/http/server.h"
#include "services/ingress/http_api.h"
#include "services/ingress/loop_services.h"
#include "signalbox/config/v1/ingress.pb.h"

namespace signalbox::ingress {

ChatOptions ChatOptionsFrom(const config::v1::IngressConfig& config);
HttpApiOptions HttpApiOptionsFrom(const config::v1::IngressConfig& config);
// Error: http_listen is not "host:port".
absl::StatusOr<http::ServerOptions> ServerOptionsFrom(const config::v1::IngressConfig& config);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_OPTIONS_H_
