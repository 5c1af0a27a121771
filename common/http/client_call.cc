#include "common/http/client_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/http/response_head.h"

namespace signalbox::http {
namespace {

std::string Authority(const Origin& origin) {
  const bool v6 = absl::StrContains(origin.host, ':');
  return absl::StrCat(v6 ? "[" : "", origin.host, v6 ? "]" : "",
                      origin.port == (origin.tls ? 443 : 80) ? "" : absl::StrCat(":", origin.port));
}

bool IsClientsBusiness(absl::string_view name) {
  for (const absl::string_view own :
       {"Host", "Content-Length", "Connection", "Accept-Encoding", "Transfer-Encoding",
        "Keep-Alive", "Expect", "Upgrade", "TE"}) {
    if (absl::EqualsIgnoreCase(name, own)) return true;
  }
  return false;
}

bool IsSafeTarget(absl::string_view target) {
  return !target.empty() && target[0] == '/' &&
         std::all_of(target.begin(), target.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

// Null when method or path would break the request line.
std::shared_ptr<const WireRequest> MakeWireRequest(ClientRequest& request, bool absolute_form) {
  const std::string target = absl::StrCat(request.origin.base_path, request.path);
  if (!IsSafeTarget(target) || !IsSafeField(request.method, "")) return nullptr;
  auto wire = std::make_shared<WireRequest>();
  const std::string authority = Authority(request.origin);
  std::string& head = wire->head;
  head.reserve(512);
  absl::StrAppend(&head, request.method, " ",
                  absolute_form ? absl::StrCat("http://", authority) : "", target,
                  " HTTP/1.1\r\nHost: ", authority,
                  "\r\nConnection: keep-alive\r\nAccept-Encoding: identity\r\n");
  const bool may_be_empty =
      request.method == "GET" || request.method == "HEAD" || request.method == "DELETE";
  if (!request.body.empty() || !may_be_empty) {
    absl::StrAppend(&head, "Content-Length: ", request.body.size(), "\r\n");
  }
  for (const auto& [name, value] : request.headers) {
    if (IsClientsBusiness(name) || !IsSafeField(name, value)) continue;
    absl::StrAppend(&head, name, ": ", value, "\r\n");
  }
  head += "\r\n";
  constexpr size_t kCheaperToCopy = 4 * 1024;  // and, over TLS, one record instead of two
  if (request.body.size() <= kCheaperToCopy) {
    head += request.body;
  } else {
    wire->body = std::move(request.body);
  }
  return wire;
}

std::string PoolKey(const Origin& origin) {
  return absl::StrCat(origin.tls ? "s" : "p", origin.port, "/", origin.host);
}

}  // namespace

CallState::CallState(std::shared_ptr<ClientShared> shared, ClientRequest request,
                     ClientHandler* handler)
    : shared_(std::move(shared)),
      pool_key_(PoolKey(request.origin)),
      origin_(request.origin),
      connect_timeout_(request.connect_timeout),
      head_timeout_(request.head_timeout),
      idle_timeout_(request.idle_timeout),
      head_request_(request.method == "HEAD"),
      wire_(MakeWireRequest(request, shared_->dial.proxy.has_value() && !origin_.tls)),
      handler_(handler) {
  ++shared_->stats.requests;
  ++shared_->stats.active;
}

CallState::~CallState() { Cancel(); }

void CallState::Start() {
  if (wire_ == nullptr) {
    shared_->loop.Post([self = shared_from_this()] {
      self->Fail(ClientError::Kind::kProtocol, "the request has a malformed method or path");
    });
    return;
  }
  auto connection = shared_->pool->Take(pool_key_);
  if (connection == nullptr) return Dial();
  reused_ = true;
  ++shared_->stats.connections_reused;
  UseConnection(std::move(connection));
}

void CallState::Dial() {
  dialer_ = std::make_shared<Dialer>(shared_->loop, shared_->dial, origin_);
  dialer_->Start(
      connect_timeout_,
      [this](std::unique_ptr<Transport> transport) {
        const auto keep = shared_from_this();
        dialer_ = nullptr;
        reused_ = false;
        ++shared_->stats.connections_opened;
        UseConnection(
            std::make_shared<ClientConnection>(shared_->loop, std::move(transport), pool_key_));
      },
      [this](const ClientError& error) {
        const auto keep = shared_from_this();
        dialer_ = nullptr;
        Fail(error.kind, error.message);
      });
}

void CallState::UseConnection(std::shared_ptr<ClientConnection> connection) {
  connection_ = std::move(connection);
  parser_.emplace(ResponseParser::Limits{shared_->options.max_response_header_bytes,
                                         shared_->options.max_response_header_count,
                                         shared_->options.max_response_body_bytes},
                  head_request_ ? ResponseParser::Body::kNone : ResponseParser::Body::kExpected);
  connection_->Attach(this);
  connection_->Send(wire_);
  if (connection_->sending()) connection_->deadline().Set(head_timeout_);  // else OnSent has set it
  connection_->Read();
}

// ---- From the connection
// ------------------------------------------------------------------------------------------

void CallState::OnSent() {
  if (!received_bytes_) connection_->deadline().Set(head_timeout_);
}

void CallState::OnInput() {
  received_bytes_ = true;
  if (head_done_ && !paused_) connection_->deadline().Set(idle_timeout_);
  Process();
}

void CallState::OnBroken(bool orderly) {
  const auto keep = shared_from_this();
  // A response may end with the connection; a cut one, or a cut TLS stream, is never complete.
  if (orderly && parser_->Eof() == ResponseParser::Event::kDone) return Complete();
  Lost();
}

void CallState::OnDeadline() {
  const auto keep = shared_from_this();
  if (head_done_) {
    Fail(ClientError::Kind::kIdleTimeout, "the provider went silent in the middle of its answer");
  } else {
    Fail(ClientError::Kind::kHeadTimeout, "the provider did not begin to answer in time");
  }
}

// ---- Progress
// -----------------------------------------------------------------------------------------------------

void CallState::Process() {
  if (processing_) return;
  const auto keep = shared_from_this();
  processing_ = true;
  while (running() && !paused_ && Step()) {
  }
  processing_ = false;
  if (running() && !paused_) connection_->Read();
}

bool CallState::Step() {
  size_t consumed = 0;
  const ResponseParser::Event event = parser_->Next(connection_->input(), &consumed);
  const absl::string_view body = parser_->body();
  connection_->Consume(consumed);
  switch (event) {
    case ResponseParser::Event::kNeedMore:
      return false;
    case ResponseParser::Event::kHead:
      head_done_ = true;
      connection_->deadline().Set(idle_timeout_);
      handler_->OnHead(parser_->status(), parser_->headers());
      return true;
    case ResponseParser::Event::kBody:
      handler_->OnBody(body);
      return true;
    case ResponseParser::Event::kDone:
      Complete();
      return false;
    case ResponseParser::Event::kProtocolError:
      Fail(ClientError::Kind::kProtocol, std::string(parser_->reason()));
      return false;
    case ResponseParser::Event::kTooLarge:
      Fail(ClientError::Kind::kTooLarge, std::string(parser_->reason()));
      return false;
  }
  return false;
}

// The connection is reused only when nothing is left over on either side.
void CallState::Complete() {
  const auto connection = std::exchange(connection_, nullptr);
  connection->Attach(nullptr);
  const bool reusable = connection->is_open() && parser_->keep_alive() &&
                        connection->input().empty() && !connection->sending();
  if (reusable) {
    shared_->pool->Put(connection);
  } else {
    connection->Close(/*reset=*/false);
  }
  Release()->OnEnd();
}

// The keep-alive race: a server may close an idle connection at the very moment it is used again.
// Nothing of an answer has been seen, so the request goes out once more, on a fresh connection.
void CallState::Lost() {
  if (reused_ && !retried_ && !received_bytes_) {
    retried_ = true;
    ++shared_->stats.stale_retries;
    connection_->Attach(nullptr);
    connection_ = nullptr;
    return Dial();
  }
  Fail(ClientError::Kind::kReset,
       "the provider closed the connection before its answer was complete");
}

void CallState::Fail(ClientError::Kind kind, std::string message) {
  if (!running()) return;
  if (connection_ != nullptr) {
    connection_->Attach(nullptr);
    connection_->Close(/*reset=*/true);
    connection_ = nullptr;
  }
  Release()->OnError({kind, received_bytes_, std::move(message)});
}

// The handler, for its last callback.
ClientHandler* CallState::Release() {
  --shared_->stats.active;
  return std::exchange(handler_, nullptr);
}

void CallState::Cancel() {
  if (!running()) return;
  Release();
  if (dialer_ != nullptr) dialer_->Cancel();
  dialer_ = nullptr;
  if (connection_ == nullptr) return;
  connection_->Attach(nullptr);
  connection_->Close(/*reset=*/true);
  if (!processing_) connection_ = nullptr;
}

// ---- Back-pressure
// ------------------------------------------------------------------------------------------------

void CallState::Pause() {
  paused_ = true;
  if (connection_ != nullptr && head_done_) connection_->deadline().Clear();
}

void CallState::Resume() {
  if (!paused_) return;
  paused_ = false;
  if (!running() || connection_ == nullptr) return;
  if (head_done_) connection_->deadline().Set(idle_timeout_);
  shared_->loop.Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && self->running() && self->connection_ != nullptr) self->Process();
  });
}

}  // namespace signalbox::http
