// MetricsAggregator over gRPC: the server binding and the client stub of one seam.
#ifndef SIGNALBOX_COMMON_SEAM_GRPC_METRICS_AGGREGATOR_GRPC_H_
#define SIGNALBOX_COMMON_SEAM_GRPC_METRICS_AGGREGATOR_GRPC_H_

#include <grpcpp/channel.h>

#include <memory>
#include <mutex>

#include "common/seam/metrics_aggregator.h"
#include "signalbox/metrics/v1/metrics.grpc.pb.h"

namespace signalbox::seam_grpc {

// `aggregator` must outlive the server.
class MetricsAggregatorServer final : public metrics::v1::MetricsAggregator::CallbackService {
 public:
  explicit MetricsAggregatorServer(seam::MetricsAggregator& aggregator) : aggregator_(aggregator) {}
  grpc::ServerReadReactor<metrics::v1::ReportRequest>* Report(
      grpc::CallbackServerContext* context, metrics::v1::ReportResponse* response) override;
  grpc::ServerUnaryReactor* GetScores(grpc::CallbackServerContext* context,
                                      const metrics::v1::GetScoresRequest* request,
                                      metrics::v1::GetScoresResponse* response) override;
  grpc::ServerWriteReactor<metrics::v1::WatchScoresResponse>* WatchScores(
      grpc::CallbackServerContext* context,
      const metrics::v1::WatchScoresRequest* request) override;
  grpc::ServerUnaryReactor* RecordBenchmark(
      grpc::CallbackServerContext* context, const metrics::v1::RecordBenchmarkRequest* request,
      metrics::v1::RecordBenchmarkResponse* response) override;

 private:
  seam::MetricsAggregator& aggregator_;
};

// Sends batches over one long-lived stream, opened when needed and renewed every minute so that a
// new replica gets its share. A batch counts as taken when the transport has accepted it; when the
// stream breaks, the batch in flight fails and its owner sends it again under the same sequence.
class MetricsAggregatorClient final : public seam::MetricsAggregator {
 public:
  explicit MetricsAggregatorClient(const std::shared_ptr<grpc::Channel>& channel);
  ~MetricsAggregatorClient() override;
  void Report(metrics::v1::ReportRequest batch, std::function<void(absl::Status)> done) override;
  void GetScores(absl::Duration timeout,
                 std::function<void(absl::StatusOr<metrics::v1::ScoreSnapshot>)> done) override;
  void RecordBenchmark(metrics::v1::RecordBenchmarkRequest result, absl::Duration timeout,
                       std::function<void(absl::Status)> done) override;

 private:
  class ReportStream;
  std::unique_ptr<metrics::v1::MetricsAggregator::StubInterface> stub_;
  std::mutex mutex_;
  std::shared_ptr<ReportStream> stream_;
};

}  // namespace signalbox::seam_grpc

#endif  // SIGNALBOX_COMMON_SEAM_GRPC_METRICS_AGGREGATOR_GRPC_H_
