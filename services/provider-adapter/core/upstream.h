// The provider side as the attempt sees it: starts HTTP calls. http::Client behind it in a process,
// a script in tests.
//
// Thread-compatible: one per event loop, used on that loop only.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_UPSTREAM_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_UPSTREAM_H_

#include <memory>

#include "common/http/client.h"

namespace signalbox::provider_adapter {

class Upstream {
 public:
  virtual ~Upstream() = default;
  // As http::Client::Start: no callback inside the call, none after the returned call is destroyed.
  virtual std::unique_ptr<http::ClientCall> Start(http::ClientRequest request,
                                                  http::ClientHandler* handler) = 0;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_UPSTREAM_H_
