// http::Client as an Upstream: made, used and destroyed on its event loop.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_HTTP_UPSTREAM_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_HTTP_UPSTREAM_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/http/client.h"
#include "common/net/event_loop.h"
#include "services/provider-adapter/core/upstream.h"

namespace signalbox::provider_adapter {

class HttpUpstream final : public Upstream {
 public:
  // Constructor and destructor wait for the loop. REQUIRES: not on one of the loop's tasks that
  // somebody waits for.
  HttpUpstream(net::EventLoop& loop, const http::ClientOptions& options);
  ~HttpUpstream() override;  // REQUIRES: no call alive

  std::unique_ptr<http::ClientCall> Start(http::ClientRequest request,
                                          http::ClientHandler* handler) override;

  // As of the last RequestStats that has run. Thread-safe.
  http::Client::Stats LastStats() const;
  // Has the loop take new figures soon. Thread-safe.
  void RequestStats();

 private:
  // Shared with the tasks of RequestStats, which may run after this object is gone.
  struct Shared {
    std::unique_ptr<http::Client> client;  // on the loop only
    mutable absl::Mutex mutex;
    http::Client::Stats stats ABSL_GUARDED_BY(mutex) = {};
    void TakeStats();
  };

  net::EventLoop& loop_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_HTTP_UPSTREAM_H_
