// A chat answer over HTTP: JSON, or server-sent events.
//
// Threads: on the exchange's event loop.
#ifndef SIGNALBOX_SERVICES_INGRESS_HTTP_FRONT_H_
#define SIGNALBOX_SERVICES_INGRESS_HTTP_FRONT_H_

#include <memory>
#include <string>

#include "common/http/server.h"
#include "services/ingress/chat_front.h"
#include "services/ingress/metrics.h"

namespace signalbox::ingress {

// A failure as a whole HTTP answer; `head` may be empty.
http::Response ErrorResponse(const Failure& failure, const AnswerHead& head);
// Headers of every JSON answer.
http::Headers JsonHeaders();

class HttpFront final : public ChatFront {
 public:
  // `max_buffered`: unsent bytes above which the stream counts as congested; must not be below the
  // server's high watermark, or OnWritable would not be called.
  HttpFront(std::shared_ptr<http::Exchange> exchange, size_t max_buffered, IngressMetrics& metrics);

  void OnClientGone(std::function<void()> callback) override {
    exchange_->OnClientGone(std::move(callback));
  }
  bool Congested() const override { return exchange_->Buffered() > max_buffered_; }
  void OnWritable(std::function<void()> callback) override {
    exchange_->OnWritable(std::move(callback));
  }
  void BeginStream(const AnswerHead& head) override;
  void WriteEvents(std::string events) override { exchange_->Write(std::move(events)); }
  void WriteKeepAlive() override;
  void FinishStream(std::string last_events, const ChatSummary& summary) override;
  void BreakStream(std::string error_event, const ChatSummary& summary) override;
  void Complete(const AnswerHead& head, std::string completion,
                const ChatSummary& summary) override;
  void Fail(const AnswerHead& head, const Failure& failure) override;

 private:
  const std::shared_ptr<http::Exchange> exchange_;
  const size_t max_buffered_;
  IngressMetrics& metrics_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_HTTP_FRONT_H_
