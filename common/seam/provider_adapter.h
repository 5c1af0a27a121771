// The seam to the providers: one attempt at one endpoint. Implemented by provider-adapter itself
// (direct: the upstream connection lives on the caller's own event loop) and by seam_grpc's client
// stub.
#ifndef SIGNALBOX_COMMON_SEAM_PROVIDER_ADAPTER_H_
#define SIGNALBOX_COMMON_SEAM_PROVIDER_ADAPTER_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/executor.h"
#include "signalbox/provider/v1/provider.pb.h"

namespace signalbox::seam {

// Receives one attempt. All calls come on the executor given to Generate, never inside Generate
// itself.
class GenerateSink {
 public:
  virtual ~GenerateSink() = default;
  virtual void OnContent(provider::v1::Content content) = 0;
  // Exactly once, last, unless the attempt is destroyed before. The sink may destroy the attempt
  // inside this call.
  virtual void OnResult(provider::v1::AttemptResult result) = 0;
};

// A running attempt. Destroying it cancels: no further call to the sink, the upstream connection
// closes at once, and the outcome is reported as cancelled.
class Attempt {
 public:
  virtual ~Attempt() = default;
  // Back-pressure from the client: stop and resume reading from the provider. Content already on
  // its way still arrives.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
};

class ProviderAdapter {
 public:
  using ListProvidersCallback =
      std::function<void(absl::StatusOr<provider::v1::ListProvidersResponse>)>;

  virtual ~ProviderAdapter() = default;
  // `sink` must outlive the attempt. Trouble of the adapter itself (unreachable, draining) arrives
  // as a result whose error has reason UNAVAILABLE and retryable set. REQUIRES: on the thread of
  // `executor`, which is one of the event loops the implementation was made with.
  virtual std::unique_ptr<Attempt> Generate(provider::v1::GenerateRequest request,
                                            Executor& executor, GenerateSink* sink) = 0;
  // The callback runs on `executor`.
  virtual void ListProviders(absl::Duration timeout, Executor& executor,
                             ListProvidersCallback done) = 0;
};

}  // namespace signalbox::seam

#endif  // SIGNALBOX_COMMON_SEAM_PROVIDER_ADAPTER_H_
