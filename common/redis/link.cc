#include "common/redis/link.h"

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/net/event_loop_asio.h"
#include "common/redis/error_map.h"
#include "common/redis/resp.h"

namespace signalbox::redis {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Stream = asio::generic::stream_protocol;

constexpr size_t kReadBytes = 64 * 1024;
// A buffer that once held a large command is not kept for ever.
constexpr size_t kKeepBytes = 256 * 1024;

absl::Status Lost(absl::string_view what, const error_code& error) {
  return absl::UnavailableError(absl::StrCat("redis: ", what, ": ", error.message()));
}

}  // namespace

// Handlers hold the session; `link` is null once the link has let go of it, and then they do
// nothing.
class Link::Session : public std::enable_shared_from_this<Link::Session> {
 public:
  Session(asio::io_context& io, Link* owner_link, size_t max_reply_bytes)
      : link(owner_link), reader(MakeLimits(max_reply_bytes)), socket_(io), resolver_(io) {}

  Link* link;
  ReplyReader reader;

  void Connect(const Address& address) {
    if (!address.unix_path.empty()) {
      ConnectTo({Stream::endpoint(asio::local::stream_protocol::endpoint(address.unix_path))}, 0);
      return;
    }
    error_code error;
    const asio::ip::address literal = asio::ip::make_address(address.host, error);
    if (!error) {
      ConnectTo({Stream::endpoint(asio::ip::tcp::endpoint(literal, address.port))}, 0);
      return;
    }
    resolver_.async_resolve(
        address.host, std::to_string(address.port),
        [self = shared_from_this()](const error_code& failure, const auto& results) {
          if (self->link == nullptr) return;
          if (failure) return self->link->Fail(Lost("name look-up", failure));
          std::vector<Stream::endpoint> endpoints;
          for (const auto& entry : results) endpoints.emplace_back(entry.endpoint());
          self->ConnectTo(std::move(endpoints), 0);
        });
  }

  // Sends as much as the socket takes now, the rest when it takes more.
  void Write(std::string* out) {
    if (writing_) return;
    error_code error;
    while (!error && (sent_ < sending_.size() || !out->empty())) {
      if (sent_ == sending_.size()) TakeOver(out);
      sent_ += socket_.write_some(asio::buffer(sending_) + sent_, error);
    }
    if (error == asio::error::would_block) return AwaitWritable();
    if (error) link->Fail(Lost("write", error));
  }

  size_t unsent_bytes() const { return sending_.size() - sent_; }

  void AwaitReadable() {
    socket_.async_wait(Stream::socket::wait_read,
                       [self = shared_from_this()](const error_code& error) {
                         if (self->link == nullptr) return;
                         if (error) return self->link->Fail(Lost("read", error));
                         self->Read();
                       });
  }

  void Close() {
    link = nullptr;
    resolver_.cancel();
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  static ReplyReader::Limits MakeLimits(size_t max_reply_bytes) {
    ReplyReader::Limits limits;
    limits.max_buffered_bytes = max_reply_bytes;
    return limits;
  }

  void ConnectTo(std::vector<Stream::endpoint> endpoints, size_t index) {
    if (index == endpoints.size()) {
      return link->Fail(absl::UnavailableError("redis: no address to connect to"));
    }
    const Stream::endpoint endpoint = endpoints[index];
    error_code ignored;
    socket_.close(ignored);
    socket_.async_connect(endpoint, [self = shared_from_this(), endpoints = std::move(endpoints),
                                     index](const error_code& error) mutable {
      if (self->link == nullptr) return;
      if (error && index + 1 < endpoints.size()) {
        return self->ConnectTo(std::move(endpoints), index + 1);
      }
      if (error) return self->link->Fail(Lost("connect", error));
      self->Prepare();
      self->link->OnConnected();
    });
  }

  void Prepare() {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    // Fails on a unix socket, where it is not needed.
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  }

  void TakeOver(std::string* out) {
    if (sending_.capacity() > kKeepBytes) sending_ = std::string();
    sending_.clear();
    sending_.swap(*out);
    sent_ = 0;
  }

  void AwaitWritable() {
    writing_ = true;
    socket_.async_wait(Stream::socket::wait_write,
                       [self = shared_from_this()](const error_code& error) {
                         self->writing_ = false;
                         if (self->link == nullptr) return;
                         if (error) return self->link->Fail(Lost("write", error));
                         self->link->Flush();
                       });
  }

  // One read per wake-up: a second one would nearly always answer "nothing more".
  void Read() {
    static thread_local std::array<char, kReadBytes> buffer;
    error_code error;
    const size_t size = socket_.read_some(asio::buffer(buffer), error);
    if (error == asio::error::would_block) return AwaitReadable();
    if (error) return link->Fail(Lost("read", error));
    auto self = shared_from_this();
    link->OnBytes(absl::string_view(buffer.data(), size), self);
    if (link != nullptr) AwaitReadable();
  }

  Stream::socket socket_;
  asio::ip::tcp::resolver resolver_;
  std::string sending_;
  size_t sent_ = 0;
  bool writing_ = false;  // waiting for the socket
};

Link::Link(net::EventLoop& loop, const Options& options, const Clock& clock, Owner& owner)
    : loop_(loop),
      options_(options),
      clock_(clock),
      owner_(owner),
      backoff_(options.backoff_base, options.backoff_cap, Rng::FromEntropy()) {}

Link::~Link() {
  CloseSession();
  loop_.Cancel(retry_timer_);
}

void Link::Start() { Connect(); }

void Link::Connect() {
  retry_timer_ = 0;
  session_ = std::make_shared<Session>(net::IoContextOf(loop_), this, options_.max_reply_bytes);
  attempt_timer_ = loop_.RunAfter(options_.connect_timeout, [this] {
    Fail(absl::UnavailableError("redis: connect timed out"));
  });
  owner_.OnConnecting();
  session_->Connect(options_.address);
}

// The PING is the probe: a server that takes longer than a command may is as good as away.
void Link::OnConnected() {
  std::vector<absl::string_view> auth = {"AUTH"};
  if (!options_.username.empty()) auth.push_back(options_.username);
  auth.push_back(options_.password);
  handshake_replies_left_ = 1;
  out_.clear();
  if (!options_.password.empty()) {
    AppendCommand(auth, &out_);
    ++handshake_replies_left_;
  }
  const std::string database = absl::StrCat(options_.database);
  if (options_.database != 0) {
    AppendCommand({"SELECT", database}, &out_);
    ++handshake_replies_left_;
  }
  AppendCommand({"PING"}, &out_);
  loop_.Cancel(attempt_timer_);
  attempt_timer_ = loop_.RunAfter(options_.command_timeout, [this] {
    Fail(absl::UnavailableError("redis: connected, but no answer"));
  });
  session_->AwaitReadable();
  Flush();
}

void Link::OnHandshakeReply(const Reply& reply) {
  if (reply.is_error()) return Fail(StatusOfError(reply.string()));
  if (--handshake_replies_left_ > 0) return;
  loop_.Cancel(attempt_timer_);
  attempt_timer_ = 0;
  ready_ = true;
  ready_since_ = clock_.Monotonic();
  owner_.OnReady();
}

void Link::OnBytes(absl::string_view bytes, const std::shared_ptr<Session>& session) {
  absl::Status fed = session->reader.Feed(bytes);
  if (!fed.ok()) return Fail(fed);
  while (session->link != nullptr) {
    absl::StatusOr<absl::optional<Reply>> next = session->reader.Next();
    if (!next.ok()) return Fail(next.status());
    if (!next->has_value()) return;
    if (ready_) {
      owner_.OnReply(*std::move(*next));
    } else {
      OnHandshakeReply(**next);
    }
  }
}

void Link::FlushSoon() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  loop_.Post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    flush_scheduled_ = false;
    Flush();
  });
}

size_t Link::unsent_bytes() const {
  return out_.size() + (session_ != nullptr ? session_->unsent_bytes() : 0);
}

void Link::Flush() {
  if (session_ != nullptr) session_->Write(&out_);
}

void Link::Fail(const absl::Status& why) {
  if (session_ == nullptr) return;
  const bool was_ready = ready_;
  CloseSession();
  if (was_ready && clock_.Monotonic() - ready_since_ >= options_.stable_after) backoff_.Reset();
  retry_timer_ = loop_.RunAfter(backoff_.Next(), [this] { Connect(); });
  owner_.OnLost(why, was_ready);
}

void Link::CloseSession() {
  loop_.Cancel(std::exchange(attempt_timer_, 0));
  ready_ = false;
  out_.clear();
  if (session_ != nullptr) session_->Close();
  session_ = nullptr;
}

}  // namespace signalbox::redis
