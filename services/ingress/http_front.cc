#include "services/ingress/http_front.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/sse/writer.h"

namespace signalbox::ingress {
namespace {

// "gateway;dur=0.182, provider;dur=412.6", milliseconds.
std::string ServerTiming(const AnswerHead& head) {
  return absl::StrFormat("gateway;dur=%.3f, provider;dur=%.1f",
                         absl::ToDoubleMilliseconds(head.own_time),
                         absl::ToDoubleMilliseconds(head.provider_time));
}

void AddHead(const AnswerHead& head, http::Headers* headers) {
  if (head.generation_id.empty()) return;
  headers->Add("X-Generation-Id", head.generation_id);
  headers->Add("Server-Timing", ServerTiming(head));
}

void AddCors(http::Headers* headers) {
  headers->Add("Access-Control-Allow-Origin", "*");
  headers->Add("Access-Control-Expose-Headers", "X-Generation-Id, Retry-After, Server-Timing");
}

}  // namespace

http::Headers JsonHeaders() {
  http::Headers headers{{"Content-Type", "application/json"}};
  AddCors(&headers);
  return headers;
}

http::Response ErrorResponse(const Failure& failure, const AnswerHead& head) {
  ErrorAnswer answer = ToErrorAnswer(failure);
  http::Response response{answer.status, JsonHeaders(), std::move(answer.body)};
  if (answer.retry_after_seconds > 0)
    response.headers.Add("Retry-After", absl::StrCat(answer.retry_after_seconds));
  AddHead(head, &response.headers);
  return response;
}

HttpFront::HttpFront(std::shared_ptr<http::Exchange> exchange, size_t max_buffered,
                     IngressMetrics& metrics)
    : exchange_(std::move(exchange)), max_buffered_(max_buffered), metrics_(metrics) {}

void HttpFront::BeginStream(const AnswerHead& head) {
  http::Headers headers{
      {"Content-Type", "text/event-stream"},
      {"Cache-Control", "no-cache"},
      {"X-Accel-Buffering", "no"}};  // nginx in front of us must not collect events
  AddCors(&headers);
  AddHead(head, &headers);
  metrics_.CountAnswer(Method::kChat, 200);
  exchange_->StartStream(200, std::move(headers));
}

void HttpFront::WriteKeepAlive() {
  std::string comment;
  sse::AppendComment(&comment, "OPENROUTER PROCESSING");  // the text clients of OpenRouter know
  exchange_->Write(std::move(comment));
}

void HttpFront::FinishStream(std::string last_events, const ChatSummary&) {
  last_events.append(sse::kDone.data(), sse::kDone.size());
  exchange_->Write(std::move(last_events));
  exchange_->Finish();
}

// No [DONE]: the stream did not get where it was going.
void HttpFront::BreakStream(std::string error_event, const ChatSummary&) {
  exchange_->Write(std::move(error_event));
  exchange_->Finish();
}

void HttpFront::Complete(const AnswerHead& head, std::string completion, const ChatSummary&) {
  http::Response response{200, JsonHeaders(), std::move(completion)};
  AddHead(head, &response.headers);
  metrics_.CountAnswer(Method::kChat, 200);
  exchange_->Respond(std::move(response));
}

void HttpFront::Fail(const AnswerHead& head, const Failure& failure) {
  http::Response response = ErrorResponse(failure, head);
  metrics_.CountAnswer(Method::kChat, response.status);
  exchange_->Respond(std::move(response));
}

}  // namespace signalbox::ingress
