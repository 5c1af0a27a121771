#include "common/http/socket_writer.h"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace signalbox::http {

namespace asio = boost::asio;

void SocketWriter::Flush() {
  if (waiting_) return;
  boost::system::error_code error;
  while (!empty()) {
    TakePending();
    if (!SendSome(error)) break;
  }
  if (error == asio::error::would_block || error == asio::error::try_again) {
    AwaitWritable();
  } else if (error) {
    return owner_.OnWriteError();
  }
  owner_.OnWriteProgress();
}

void SocketWriter::FlushSoon() {
  if (waiting_ || flush_posted_) return;
  flush_posted_ = true;
  asio::post(socket_.get_executor(), [this, keep = owner_.KeepAlive()] {
    flush_posted_ = false;
    if (socket_.is_open()) Flush();
  });
}

// The drained buffers swap places with the filled ones, so that both keep their capacity.
void SocketWriter::TakePending() {
  constexpr size_t kKeepCapacity = 16 * 1024;
  if (InFlight() > 0) return;
  sent_ = 0;
  if (sending_.capacity() > kKeepCapacity) sending_ = std::string();
  sending_.clear();
  sending_.swap(pending_);
  sending_tail_ = std::exchange(tail_, std::string());
}

bool SocketWriter::SendSome(boost::system::error_code& error) {
  const size_t head_sent = std::min(sent_, sending_.size());
  const size_t tail_sent = sent_ - head_sent;
  const std::array<asio::const_buffer, 2> buffers = {
      asio::buffer(sending_.data() + head_sent, sending_.size() - head_sent),
      asio::buffer(sending_tail_.data() + tail_sent, sending_tail_.size() - tail_sent)};
  const size_t accepted = sending_tail_.empty() ? socket_.write_some(buffers[0], error)
                                                : socket_.write_some(buffers, error);
  sent_ += accepted;
  total_sent_ += accepted;
  return !error;
}

void SocketWriter::AwaitWritable() {
  waiting_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [this, keep = owner_.KeepAlive()](const boost::system::error_code& error) {
                       waiting_ = false;
                       if (!error && socket_.is_open()) Flush();
                     });
}

}  // namespace signalbox::http
