// How an answer reaches the client: over HTTP (JSON, SSE) or over gRPC. The life of a request
// (chat_call) is the same for both and knows only this.
//
// Threads: everything on the request's event loop.
#ifndef SIGNALBOX_SERVICES_INGRESS_CHAT_FRONT_H_
#define SIGNALBOX_SERVICES_INGRESS_CHAT_FRONT_H_

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "common/base/money.h"
#include "services/ingress/core/errors.h"
#include "signalbox/common/v1/error.pb.h"
#include "signalbox/common/v1/usage.pb.h"

namespace signalbox::ingress {

// What is known when the answer begins.
struct AnswerHead {
  std::string generation_id;     // empty = failed before routing
  absl::Duration own_time;       // spent in the gateway so far …
  absl::Duration provider_time;  // … and waiting for providers
};

// What is known when it has ended.
struct ChatSummary {
  std::string generation_id;
  std::string model;
  std::string provider;
  common::v1::Usage usage;
  NanoUsd cost;
  common::v1::ErrorDetail error;  // reason UNSPECIFIED = complete
  int attempts = 0;
};

class ChatFront {
 public:
  virtual ~ChatFront() = default;

  // The client has gone; nothing can be written any more. Called at most once, never after an
  // ending call below.
  virtual void OnClientGone(std::function<void()> callback) = 0;
  // True while more waits to be sent than one stream may hold; the OnWritable callback runs when
  // that has passed.
  virtual bool Congested() const = 0;
  virtual void OnWritable(std::function<void()> callback) = 0;

  // A streamed answer: begin, any number of writes, one ending.
  virtual void BeginStream(const AnswerHead& head) = 0;
  virtual void WriteEvents(std::string events) = 0;  // whole "data: {…}\n\n" events
  virtual void WriteKeepAlive() = 0;
  virtual void FinishStream(std::string last_events, const ChatSummary& summary) = 0;
  virtual void BreakStream(std::string error_event, const ChatSummary& summary) = 0;

  // The whole answer at once. REQUIRES: BeginStream was not called.
  virtual void Complete(const AnswerHead& head, std::string completion,
                        const ChatSummary& summary) = 0;
  virtual void Fail(const AnswerHead& head, const Failure& failure) = 0;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CHAT_FRONT_H_
