#include <mutex>
#include <utility>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/rpc/status.h"
#include "common/seam_grpc/metrics_aggregator_grpc.h"
#include "common/seam_grpc/unary_call.h"

namespace signalbox::seam_grpc {
namespace {
// Replicas are chosen per stream: a new one gets its share, and one that drains is left, after
// this.
constexpr absl::Duration kStreamLife = absl::Milliseconds(500);
}  // namespace

// One Report stream. Alive until OnDone; its owner holds a second reference. One write at a time
// (the reporter has one batch in flight); the hold spans the time in which writes may start.
class MetricsAggregatorClient::ReportStream final
    : public grpc::ClientWriteReactor<metrics::v1::ReportRequest> {
 public:
  using Done = std::function<void(absl::Status)>;

  static std::shared_ptr<ReportStream> Open(metrics::v1::MetricsAggregator::StubInterface& stub) {
    auto stream = std::make_shared<ReportStream>();
    stream->self_ = stream;
    stub.async()->Report(&stream->context_, &stream->response_, stream.get());
    stream->AddHold();
    stream->StartCall();
    return stream;
  }

  // False = the stream has ended, open another. `*done` is taken only when true.
  bool Write(metrics::v1::ReportRequest* batch, Done* done) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!holding_) return false;
      batch_ = std::move(*batch);
      done_ = std::move(*done);
    }
    StartWrite(&batch_);
    return true;
  }

  bool IsOld() const { return Clock::Real().Monotonic() - opened_ > kStreamLife; }

  // No more batches. Idempotent.
  void Close(bool cancel) {
    if (cancel) context_.TryCancel();
    if (!TakeHold()) return;
    if (!cancel) StartWritesDone();
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    Done done = TakeDone();
    if (!ok) Close(/*cancel=*/true);
    if (done)
      done(ok ? absl::OkStatus()
              : absl::UnavailableError("the metrics aggregator closed the stream"));
  }
  void OnDone(const grpc::Status&) override {
    TakeHold();
    self_.reset();
  }

 private:
  bool TakeHold() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(holding_, false);
  }
  Done TakeDone() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(done_, nullptr);
  }

  grpc::ClientContext context_;
  metrics::v1::ReportResponse response_;
  metrics::v1::ReportRequest batch_;
  const absl::Duration opened_ = Clock::Real().Monotonic();
  std::shared_ptr<ReportStream> self_;
  std::mutex mutex_;
  Done done_;
  bool holding_ = true;
};

MetricsAggregatorClient::MetricsAggregatorClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(metrics::v1::MetricsAggregator::NewStub(channel)) {}

MetricsAggregatorClient::~MetricsAggregatorClient() {
  if (stream_ != nullptr) stream_->Close(/*cancel=*/true);
}

void MetricsAggregatorClient::Report(metrics::v1::ReportRequest batch,
                                     std::function<void(absl::Status)> done) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stream_ != nullptr && stream_->IsOld()) {
    stream_->Close(/*cancel=*/false);
    stream_ = nullptr;
  }
  if (stream_ != nullptr && stream_->Write(&batch, &done)) return;
  stream_ = ReportStream::Open(*stub_);
  stream_->Write(&batch, &done);
}

void MetricsAggregatorClient::GetScores(
    absl::Duration timeout, std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)> done) {
  StartUnary<metrics::v1::GetScoresRequest, metrics::v1::GetScoresResponse>(
      {}, timeout,
      [this](auto* context, auto* sent, auto* received, auto callback) {
        stub_->async()->GetScores(context, sent, received, std::move(callback));
      },
      [done = std::move(done)](absl::StatusOr<metrics::v1::GetScoresResponse> answer) {
        if (!answer.ok()) {
          done(answer.status());
        } else {
          done(std::move(*answer->mutable_snapshot()));
        }
      });
}

void MetricsAggregatorClient::RecordBenchmark(metrics::v1::RecordBenchmarkRequest result,
                                              absl::Duration timeout,
                                              std::function<void(absl::Status)> done) {
  StartUnary<metrics::v1::RecordBenchmarkRequest, metrics::v1::RecordBenchmarkResponse>(
      result, timeout,
      [this](auto* context, auto* sent, auto* received, auto callback) {
        stub_->async()->RecordBenchmark(context, sent, received, std::move(callback));
      },
      [done = std::move(done)](absl::StatusOr<metrics::v1::RecordBenchmarkResponse> answer) {
        done(answer.status());
      });
}

}  // namespace signalbox::seam_grpc
