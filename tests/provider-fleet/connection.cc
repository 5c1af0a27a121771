#include "tests/provider-fleet/connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/socket_base.hpp>
#include <utility>

#include "tests/provider-fleet/script_writer.h"

namespace signalbox::fleet {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBytes = 16 << 10;
// A client may send its next requests early; more than this is not read before the answer is out.
constexpr size_t kMaxPipelinedBytes = 1 << 20;
constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Responder* responder, int64_t max_body_bytes)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      responder_(responder),
      reader_(max_body_bytes) {}

Connection::~Connection() { StopPlaying(); }

void Connection::Start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  Read();
}

void Connection::Reset() {
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->StopPlaying();
    self->Close(/*reset=*/true);
  });
}

bool Connection::StopPlaying() {
  if (!playing_) return false;
  playing_ = false;
  if (!reply_.endpoint) return true;
  EndpointStats& stats = reply_.endpoint->stats();
  if (!settled_) {
    --stats.open;
  } else if (reply_.script.answered) {
    --stats.answered;
  }
  return true;
}

void Connection::Settle() {
  if (settled_) return;
  settled_ = true;
  if (!reply_.endpoint) return;
  EndpointStats& stats = reply_.endpoint->stats();
  --stats.open;
  if (reply_.script.answered) ++stats.answered;
}

void Connection::MakeRoom() {
  size_t wanted = filled_ + kReadBytes;
  // A large body is read into one buffer of its final size.
  if (!playing_) wanted = std::max(wanted, std::min(reader_.expected(), filled_ * 4 + kReadBytes));
  if (in_.size() < wanted + HttpReader::kPadding)
    in_.resize(std::max(wanted + HttpReader::kPadding, in_.size() * 3 / 2));
}

void Connection::Read() {
  if (reading_ || !socket_.is_open()) return;
  if (playing_ && filled_ > kMaxPipelinedBytes) return;
  MakeRoom();
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(in_.data() + filled_, in_.size() - HttpReader::kPadding - filled_),
      [self = shared_from_this()](const error_code& error, size_t bytes) {
        self->OnRead(error, bytes);
      });
}

void Connection::OnRead(const error_code& error, size_t bytes) {
  reading_ = false;
  if (error) return OnClientLeft();
  filled_ += bytes;
  if (!playing_) Serve();
  Read();
}

void Connection::Serve() {
  while (!playing_ && filled_ > 0 && socket_.is_open() && TakeRequest()) {
    began_ = Clock::now();
    playing_ = true;
    settled_ = false;
    step_ = sent_ = 0;
    if (reply_.endpoint) ++reply_.endpoint->stats().open;
    Play();
  }
}

bool Connection::TakeRequest() {
  switch (reader_.Parse(absl::string_view(in_.data(), filled_), &request_)) {
    case HttpReader::Result::kNeedMore:
      if (reader_.TakeExpectContinue()) {
        error_code ignored;
        socket_.write_some(asio::buffer(kContinue.data(), kContinue.size()), ignored);
      }
      return false;
    case HttpReader::Result::kTooLarge:
      Refuse(413);
      return false;
    case HttpReader::Result::kMalformed:
      Refuse(400);
      return false;
    case HttpReader::Result::kComplete:
      break;
  }
  reply_ = responder_->Respond(request_);
  if (!request_.keep_alive && reply_.script.end == Script::End::kKeepAlive)
    reply_.script.end = Script::End::kClose;
  const size_t consumed = reader_.consumed();
  std::copy(in_.begin() + static_cast<ptrdiff_t>(consumed),
            in_.begin() + static_cast<ptrdiff_t>(filled_), in_.begin());
  filled_ -= consumed;
  reader_.Reset();
  return true;
}

void Connection::Refuse(int status) {
  reply_ = {WriteResponse(status, "text/plain", "the fleet cannot read this request\n",
                          "connection: close\r\n")};
  reply_.script.end = Script::End::kClose;
  filled_ = 0;
  began_ = Clock::now();
  playing_ = true;
  settled_ = false;
  step_ = sent_ = 0;
  Play();
}

void Connection::Play() {
  const Script& script = reply_.script;
  int64_t now_ns = 0;  // read the clock only when something has to wait
  while (playing_) {
    const bool steps_left = step_ < script.steps.size();
    const int64_t at_ns = steps_left ? script.steps[step_].at_ns : script.end_at_ns;
    if (at_ns > now_ns) {
      now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - began_).count();
      if (at_ns > now_ns) return WaitUntil(at_ns);
    }
    if (!steps_left) return FinishScript();
    size_t due = step_;
    while (due + 1 < script.steps.size() && script.steps[due + 1].at_ns <= now_ns) ++due;
    if (due + 1 == script.steps.size() && script.end != Script::End::kHang) Settle();
    if (!Send(script.steps[due].end)) return;
    step_ = due + 1;
  }
}

bool Connection::Send(size_t end) {
  const std::string& bytes = reply_.script.bytes;
  while (sent_ < end) {
    error_code error;
    sent_ += socket_.write_some(asio::buffer(bytes.data() + sent_, end - sent_), error);
    if (error == asio::error::would_block) {
      socket_.async_wait(asio::socket_base::wait_write,
                         [self = shared_from_this()](const error_code& failed) {
                           if (!failed) self->Resume();
                         });
      return false;
    }
    if (error) {
      OnClientLeft();
      return false;
    }
  }
  return true;
}

void Connection::WaitUntil(int64_t at_ns) {
  timer_.expires_at(began_ + std::chrono::nanoseconds(at_ns));
  timer_.async_wait([self = shared_from_this()](const error_code& error) {
    if (!error) self->Resume();
  });
}

void Connection::Resume() {
  if (!playing_) return;
  Play();
  if (!playing_) Serve();
  Read();
}

void Connection::FinishScript() {
  const Script::End end = reply_.script.end;
  if (end == Script::End::kHang) return;  // until the client leaves
  Settle();
  playing_ = false;
  if (end != Script::End::kKeepAlive) Close(end == Script::End::kReset);
}

void Connection::OnClientLeft() {
  if (StopPlaying() && reply_.endpoint) {
    const std::chrono::duration<double, std::milli> after = Clock::now() - began_;
    reply_.endpoint->CountCancelled(after.count());
  }
  Close(/*reset=*/false);
}

void Connection::Close(bool reset) {
  error_code ignored;
  timer_.cancel();
  if (!socket_.is_open()) return;
  // Linger 0 turns close into RST.
  if (reset) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  if (!reset) socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  socket_.close(ignored);
}

}  // namespace signalbox::fleet
