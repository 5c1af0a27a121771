#include <grpcpp/alarm.h>

#include <chrono>
#include <mutex>
#include <utility>

#include "common/rpc/status.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"

namespace signalbox::seam_grpc {
namespace {

// Reads one batch at a time: the next read starts when the batch was taken, so a slow aggregator
// slows its reporters instead of filling its memory.
class ReportCall final : public grpc::ServerReadReactor<metrics::v1::ReportRequest> {
 public:
  ReportCall(seam::MetricsAggregator& aggregator, metrics::v1::ReportResponse* response)
      : aggregator_(aggregator), response_(response) {
    StartRead(&batch_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    aggregator_.Report(std::move(batch_), [this](absl::Status status) {
      if (!status.ok()) {
        Finish(rpc::ToGrpc(status));
        return;
      }
      response_->set_batches(response_->batches() + 1);
      batch_.Clear();
      StartRead(&batch_);
    });
  }
  void OnDone() override { delete this; }

 private:
  seam::MetricsAggregator& aggregator_;
  metrics::v1::ReportResponse* const response_;
  metrics::v1::ReportRequest batch_;
};

// Looks for a new version every kInterval and writes it when there is one.
class WatchCall final : public grpc::ServerWriteReactor<metrics::v1::WatchScoresResponse> {
 public:
  explicit WatchCall(seam::MetricsAggregator& aggregator) : aggregator_(aggregator) { Look(); }

  void OnWriteDone(bool ok) override { ok ? Wait() : End(); }
  void OnCancel() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      cancelled_ = true;
    }
    alarm_.Cancel();  // its callback ends the call
  }
  void OnDone() override { delete this; }

 private:
  static constexpr std::chrono::milliseconds kInterval{250};

  void Look() {
    aggregator_.GetScores(absl::InfiniteDuration(),
                          [this](absl::StatusOr<metrics::v1::ScoreSnapshot> snapshot) {
                            if (!snapshot.ok() || snapshot->version() == version_) {
                              Wait();
                              return;
                            }
                            version_ = snapshot->version();
                            *message_.mutable_snapshot() = *std::move(snapshot);
                            StartWrite(&message_);
                          });
  }
  void Wait() {
    bool cancelled;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      cancelled = cancelled_;
      if (!cancelled) {
        alarm_.Set(std::chrono::system_clock::now() + kInterval,
                   [this](bool fired) { fired ? Look() : End(); });
      }
    }
    if (cancelled) End();
  }
  void End() { Finish(grpc::Status::CANCELLED); }

  seam::MetricsAggregator& aggregator_;
  metrics::v1::WatchScoresResponse message_;
  uint64_t version_ = 0;
  grpc::Alarm alarm_;
  std::mutex mutex_;
  bool cancelled_ = false;
};

}  // namespace

grpc::ServerReadReactor<metrics::v1::ReportRequest>* MetricsAggregatorServer::Report(
    grpc::CallbackServerContext*, metrics::v1::ReportResponse* response) {
  return new ReportCall(aggregator_, response);
}

grpc::ServerUnaryReactor* MetricsAggregatorServer::GetScores(
    grpc::CallbackServerContext* context, const metrics::v1::GetScoresRequest*,
    metrics::v1::GetScoresResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  aggregator_.GetScores(absl::InfiniteDuration(),
                        [=](absl::StatusOr<metrics::v1::ScoreSnapshot> snapshot) {
                          if (snapshot.ok()) *response->mutable_snapshot() = *std::move(snapshot);
                          reactor->Finish(rpc::ToGrpc(snapshot.status()));
                        });
  return reactor;
}

grpc::ServerWriteReactor<metrics::v1::WatchScoresResponse>* MetricsAggregatorServer::WatchScores(
    grpc::CallbackServerContext*, const metrics::v1::WatchScoresRequest*) {
  return new WatchCall(aggregator_);
}

grpc::ServerUnaryReactor* MetricsAggregatorServer::RecordBenchmark(
    grpc::CallbackServerContext* context, const metrics::v1::RecordBenchmarkRequest* request,
    metrics::v1::RecordBenchmarkResponse*) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  aggregator_.RecordBenchmark(
      *request, absl::InfiniteDuration(),
      [reactor](const absl::Status& status) { reactor->Finish(rpc::ToGrpc(status)); });
  return reactor;
}

}  // namespace signalbox::seam_grpc
