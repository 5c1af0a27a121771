#include "common/http/server_connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <utility>

#include "common/http/response_head.h"
#include "common/http/server_exchange.h"

namespace signalbox::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kInitialBuffer = 8 * 1024;
constexpr size_t kBulkBuffer = 64 * 1024;  // while a large body arrives
constexpr uint64_t kBulkBody = 16 * 1024;
constexpr size_t kMaxDiscard =
    1024 * 1024;  // read after our last answer, so that the client gets to see it
constexpr absl::Duration kLingerTime = absl::Seconds(2);
constexpr absl::Duration kDrainGrace =
    absl::Seconds(1);  // for a request that was on its way when the drain began

Response PlainError(int status, absl::string_view reason) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::string(reason)};
}

}  // namespace

bool ServerShared::AdmitPeer(const std::string& peer) {
  if (options.max_connections_per_peer == 0) return true;
  absl::MutexLock lock(&mutex);
  size_t& count = per_peer[peer];
  if (count >= options.max_connections_per_peer) return false;
  ++count;
  return true;
}

void ServerShared::ReleasePeer(const std::string& peer) {
  if (options.max_connections_per_peer == 0) return;
  absl::MutexLock lock(&mutex);
  const auto found = per_peer.find(peer);
  if (found != per_peer.end() && --found->second == 0) per_peer.erase(found);
}

ServerConnection::ServerConnection(net::EventLoop& loop, asio::ip::tcp::socket socket,
                                   std::string peer, std::shared_ptr<ServerShared> shared,
                                   ConnectionSet& open)
    : loop_(loop),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      shared_(std::move(shared)),
      open_(open),
      parser_(shared_->limits),
      writer_(socket_, *this),
      deadline_(loop, [this] { OnDeadline(); }),
      buffer_(std::make_unique_for_overwrite<char[]>(kInitialBuffer)),
      capacity_(kInitialBuffer) {
  open_.insert(this);
}

ServerConnection::~ServerConnection() { Close(); }

void ServerConnection::Start() {
  Await(Waiting::kNextRequest);
  Read();
}

void ServerConnection::OnDrain() {
  if (phase_ != Phase::kReading || parting_) return;
  error_code ignored;
  const bool idle = in_head_ && input().empty() && socket_.available(ignored) == 0;
  if (idle && served_any_) return Close();
  AwaitLastRequest(idle);
}

// Whoever was not told that this connection ends may be sending a request already: it counts as in
// flight until it is here, or the grace is over.
void ServerConnection::AwaitLastRequest(bool idle) {
  if (!std::exchange(parting_, true)) shared_->in_flight.fetch_add(1, std::memory_order_relaxed);
  if (!idle) return;
  waiting_ = Waiting::kNextRequest;
  deadline_.Set(kDrainGrace);
}

void ServerConnection::EndParting() {
  if (std::exchange(parting_, false)) shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
}

void ServerConnection::Close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  waiting_ = Waiting::kNothing;
  deadline_.Clear();
  error_code ignored;
  socket_.close(ignored);
  open_.erase(this);
  shared_->connections.fetch_sub(1, std::memory_order_relaxed);
  shared_->ReleasePeer(peer_);
  EndParting();
  if (exchange_ != nullptr) {
    shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    std::exchange(exchange_, nullptr)->Detach(/*notify=*/false);
  }
}

// ---- Reading
// ------------------------------------------------------------------------------------------------------

void ServerConnection::Read() {
  if (reading_ || phase_ == Phase::kClosed || !MakeRoom()) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(buffer_.get() + end_, capacity_ - end_),
                          [self = shared_from_this()](const error_code& error, size_t bytes) {
                            self->OnRead(error, bytes);
                          });
}

// Space for the next read. While an exchange runs the buffer does not grow: pipelined bytes wait in
// the kernel.
bool ServerConnection::MakeRoom() {
  if (begin_ == end_) begin_ = end_ = 0;
  const bool bulk = phase_ == Phase::kReading && !in_head_ && parser_.body_bytes() > kBulkBody;
  size_t wanted = bulk ? std::max(kBulkBuffer, capacity_) : capacity_;
  if (begin_ == end_ && !bulk) wanted = kInitialBuffer;
  if (end_ == capacity_ && begin_ == 0 && phase_ == Phase::kReading) wanted = capacity_ * 2;
  if (wanted != capacity_ || (end_ == capacity_ && begin_ > 0)) {
    auto moved = wanted == capacity_ ? nullptr : std::make_unique_for_overwrite<char[]>(wanted);
    char* const target = moved ? moved.get() : buffer_.get();
    std::memmove(target, buffer_.get() + begin_, end_ - begin_);
    if (moved) buffer_ = std::move(moved);
    capacity_ = wanted;
    end_ -= begin_;
    begin_ = 0;
  }
  return end_ < capacity_;
}

void ServerConnection::OnRead(const error_code& error, size_t bytes) {
  reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (error) return OnReadEnd(error == asio::error::eof);
  end_ += bytes;
  if (phase_ == Phase::kLingering) return Discard();
  Process();
}

// A client that closes its sending side while it waits for an answer counts as gone: nothing else
// tells a plain disconnect apart from a half-close, and an answer nobody reads costs money
// upstream.
void ServerConnection::OnReadEnd(bool orderly) {
  switch (phase_) {
    case Phase::kHandling:
      return ClientGone();
    case Phase::kFlushing:
      if (!orderly) return Close();
      ending_ = Ending::kClose;
      return;
    default:
      return Close();
  }
}

void ServerConnection::Discard() {
  discarded_ += end_ - begin_;
  begin_ = end_ = 0;
  if (discarded_ > kMaxDiscard) return Close();
  Read();
}

// ---- Requests
// -----------------------------------------------------------------------------------------------------

void ServerConnection::Process() {
  if (processing_) return;
  processing_ = true;
  bool more = true;
  while (more && phase_ == Phase::kReading) {
    size_t consumed = 0;
    const RequestParser::Event event = parser_.Next(input(), &consumed);
    begin_ += consumed;
    switch (event) {
      case RequestParser::Event::kNeedMore:
        more = false;
        break;
      case RequestParser::Event::kHead:
        OnHead();
        break;
      case RequestParser::Event::kDone:
        Dispatch();
        break;
      case RequestParser::Event::kError:
        shared_->bad_requests.fetch_add(1, std::memory_order_relaxed);
        Reject(parser_.status(), parser_.reason());
        break;
    }
  }
  processing_ = false;
  AwaitForPhase();
  Read();
}

// Not inside the caller's stack: the next request's handler may run.
void ServerConnection::ProcessSoon() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] { self->Process(); });
}

void ServerConnection::OnHead() {
  in_head_ = false;
  if (!parser_.expects_continue() || !input().empty()) return;
  writer_.pending() += "HTTP/1.1 100 Continue\r\n\r\n";
  writer_.Flush();
}

void ServerConnection::Dispatch() {
  const bool http11 = parser_.http11();
  const bool keep_alive = parser_.keep_alive();
  Request request = parser_.TakeRequest();
  request.peer = peer_;
  in_head_ = true;
  served_any_ = true;
  phase_ = Phase::kHandling;
  shared_->requests.fetch_add(1, std::memory_order_relaxed);
  shared_->in_flight.fetch_add(1, std::memory_order_relaxed);
  EndParting();
  auto exchange = std::make_shared<ServerExchange>(shared_from_this(), request.method == "HEAD",
                                                   http11, keep_alive);
  exchange_ = exchange.get();
  shared_->handler(std::move(request), std::move(exchange));
}

void ServerConnection::Reject(int status, absl::string_view reason) {
  const auto& make = options().error_response;
  const Response response = make ? make(status, reason) : PlainError(status, reason);
  std::string& out = writer_.pending();
  AppendResponseHead(response.status, response.headers, Framing::kLength, response.body.size(),
                     ConnectionField::kClose, &out);
  if (parser_.method() != "HEAD") out += response.body;
  phase_ = Phase::kFlushing;
  ending_ = Ending::kClose;
  writer_.Flush();
}

// ---- Answers
// ------------------------------------------------------------------------------------------------------

void ServerConnection::EndAnswer(Ending ending) {
  exchange_ = nullptr;
  shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  phase_ = Phase::kFlushing;
  ending_ = ending;
  writer_.Flush();
}

void ServerConnection::OnWriteProgress() {
  if (phase_ == Phase::kFlushing && writer_.empty()) return AnswerSent();
  if (phase_ == Phase::kHandling || phase_ == Phase::kFlushing) AwaitForPhase();
  if (exchange_ != nullptr) exchange_->CheckWritable();
}

void ServerConnection::OnWriteError() {
  if (phase_ == Phase::kHandling) return ClientGone();
  Close();
}

void ServerConnection::AnswerSent() {
  if (ending_ == Ending::kReset) return Reset();
  if (ending_ == Ending::kClose) return Linger();
  phase_ = Phase::kReading;
  waiting_ = Waiting::kNothing;
  if (processing_) return;  // the loop in Process goes on
  // A stream that began before the drain has promised to keep the connection.
  if (shared_->closing.load(std::memory_order_relaxed)) AwaitLastRequest(input().empty());
  if (!input().empty()) return ProcessSoon();
  AwaitForPhase();
  Read();
}

// Closing a socket with unread input resets it, and a reset can overtake the answer: wait a little
// for the client to close first, and throw away what still arrives.
void ServerConnection::Linger() {
  phase_ = Phase::kLingering;
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  discarded_ = 0;
  Await(Waiting::kLinger);
  if (reading_) return;  // its completion discards
  Discard();
}

void ServerConnection::ClientGone() {
  shared_->client_gone.fetch_add(1, std::memory_order_relaxed);
  const auto keep = shared_from_this();
  ServerExchange* const exchange = std::exchange(exchange_, nullptr);
  if (exchange != nullptr) shared_->in_flight.fetch_sub(1, std::memory_order_relaxed);
  Close();
  if (exchange != nullptr) exchange->Detach(/*notify=*/true);
}

void ServerConnection::Overflow() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kHandling) self->ClientGone();
  });
}

void ServerConnection::Reset() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  Close();
}

// ---- Deadlines
// ----------------------------------------------------------------------------------------------------

void ServerConnection::AwaitForPhase() {
  switch (phase_) {
    case Phase::kReading:
      if (!in_head_) return Await(Waiting::kBody);
      return Await(input().empty() ? Waiting::kNextRequest : Waiting::kHead);
    case Phase::kHandling:
    case Phase::kFlushing:
      // Progress of any size restarts the stall clock.
      if (waiting_ == Waiting::kWrite && writer_.total_sent() != sent_then_)
        waiting_ = Waiting::kNothing;
      return Await(writer_.empty() ? Waiting::kNothing : Waiting::kWrite);
    case Phase::kLingering:
    case Phase::kClosed:
      return;
  }
}

// Starts the deadline of what the connection waits for; keeps it when it waits for that already.
void ServerConnection::Await(Waiting waiting) {
  if (waiting == waiting_) return;
  waiting_ = waiting;
  switch (waiting) {
    case Waiting::kNothing:
      return deadline_.Clear();
    case Waiting::kNextRequest:
      return deadline_.Set(options().idle_timeout);
    case Waiting::kHead:
      return deadline_.Set(options().header_timeout);
    case Waiting::kBody:
      body_since_ns_ = LazyDeadline::NowNanos();
      body_bytes_then_ = parser_.body_bytes();
      return deadline_.Set(options().body_timeout);
    case Waiting::kWrite:
      sent_then_ = writer_.total_sent();
      return deadline_.Set(options().write_stall_timeout);
    case Waiting::kLinger:
      return deadline_.Set(kLingerTime);
  }
}

void ServerConnection::OnDeadline() {
  const auto keep = shared_from_this();
  switch (std::exchange(waiting_, Waiting::kNothing)) {
    case Waiting::kHead:
      shared_->timeouts.fetch_add(1, std::memory_order_relaxed);
      Reject(408, "the request header took too long");
      return AwaitForPhase();
    case Waiting::kBody:
      return OnBodyDeadline();
    case Waiting::kWrite:
      return OnWriteDeadline();
    case Waiting::kNothing:
      return;
    case Waiting::kNextRequest:
    case Waiting::kLinger:
      return Close();
  }
}

// The body may take longer than body_timeout as long as it keeps the minimum rate; looked at in
// windows, so that a client that was fast at first cannot rest on it.
void ServerConnection::OnBodyDeadline() {
  const double seconds = static_cast<double>(LazyDeadline::NowNanos() - body_since_ns_) * 1e-9;
  const double arrived = static_cast<double>(parser_.body_bytes() - body_bytes_then_);
  if (arrived >= static_cast<double>(options().min_body_bytes_per_second) * seconds) {
    Await(Waiting::kBody);
    return deadline_.Set(std::min(options().body_timeout, absl::Seconds(5)));
  }
  shared_->timeouts.fetch_add(1, std::memory_order_relaxed);
  Reject(408, "the request body took too long");
  AwaitForPhase();
}

void ServerConnection::OnWriteDeadline() {
  shared_->timeouts.fetch_add(1, std::memory_order_relaxed);
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  if (phase_ == Phase::kHandling) return ClientGone();
  Close();
}

}  // namespace signalbox::http
