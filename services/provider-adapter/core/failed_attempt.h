// An attempt that failed before anything was sent: tells its sink so, a moment after Generate has
// returned.
//
// Only on the executor's thread.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_FAILED_ATTEMPT_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_FAILED_ATTEMPT_H_

#include <utility>

#include "common/base/executor.h"
#include "common/seam/provider_adapter.h"

namespace signalbox::provider_adapter {

class FailedAttempt final : public seam::Attempt {
 public:
  FailedAttempt(common::v1::ErrorDetail error, Executor& executor, seam::GenerateSink* sink)
      : executor_(executor),
        timer_(executor.RunAfter(absl::ZeroDuration(), [this, sink, error = std::move(error)] {
          timer_ = 0;
          provider::v1::AttemptResult result;
          *result.mutable_error() = error;
          sink->OnResult(std::move(result));  // may destroy this
        })) {}
  ~FailedAttempt() override {
    if (timer_ != 0) executor_.Cancel(timer_);
  }
  void PauseReading() override {}
  void ResumeReading() override {}

 private:
  Executor& executor_;
  Executor::TimerId timer_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_FAILED_ATTEMPT_H_
