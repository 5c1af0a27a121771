// One byte stream to Redis that heals itself: asks a sentinel for the primary where there are some,
// connects, shakes hands (AUTH, SELECT, ROLE, PING), reads replies in order, and after a loss
// connects again with jittered back-off. Connection and Subscription are built on it; nobody else
// uses it.
//
// Only on the loop's thread. The owner's methods run there, never inside a call into the link; an
// owner may destroy the link from inside one.
#ifndef SIGNALBOX_COMMON_REDIS_LINK_H_
#define SIGNALBOX_COMMON_REDIS_LINK_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/net/event_loop.h"
#include "common/redis/options.h"
#include "common/redis/reply.h"
#include "common/redis/session.h"

namespace signalbox::redis {

class Link final : private Session::Owner {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The handshake ended well: out() is sent from now on.
    virtual void OnReady() = 0;
    // The next reply, in order.
    virtual void OnReply(Reply reply) = 0;
    // The stream is gone (was_ready) or could not be made; the next try is already scheduled.
    virtual void OnLost(const absl::Status& why, bool was_ready) = 0;
    // A try begins.
    virtual void OnConnecting() {}
  };

  // The owner outlives the link.
  Link(net::EventLoop& loop, const Options& options, const Clock& clock, Owner& owner);
  ~Link() override;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Starts the first try.
  void Start();
  bool ready() const { return phase_ == Phase::kReady; }
  // The server connected to, or last tried.
  const Address& peer() const { return peer_; }
  // Bytes waiting for the socket. REQUIRES: ready().
  std::string& out() { return out_; }
  // Bytes not yet taken by the socket.
  size_t unsent_bytes() const;
  // Sends out() at the end of the current turn of the loop, so that what one turn issues shares one
  // system call.
  void FlushSoon();
  // Gives the stream up and connects again later; OnLost runs inside.
  void Fail(const absl::Status& why);

 private:
  enum class Phase { kIdle, kSentinel, kHandshake, kReady };

  void Connect();
  void AskSentinel();
  void ConnectTo(const Address& address, const Tls& tls, Phase phase);
  void OnConnected() override;
  void OnBytes(absl::string_view bytes, const std::shared_ptr<Session>& session) override;
  void OnBroken(const absl::Status& why) override;
  void OnWritable() override { Flush(); }
  absl::Status AppendLogin(const Login& login);
  void Expect(absl::Duration within, absl::string_view otherwise);
  void OnHandshakeReply(const Reply& reply);
  void OnPrimary(const Reply& reply);
  void Flush();
  void CloseSession();

  net::EventLoop& loop_;
  const Options& options_;
  const Clock& clock_;
  Owner& owner_;
  Backoff backoff_;
  std::shared_ptr<Session> session_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::string out_;
  Phase phase_ = Phase::kIdle;
  Address peer_;
  size_t sentinel_ = 0;         // the one to ask next
  size_t sentinels_asked_ = 0;  // in this try
  bool flush_scheduled_ = false;
  int handshake_replies_left_ = 0;
  absl::Duration ready_since_;
  Executor::TimerId attempt_timer_ = 0;  // deadline of a try
  Executor::TimerId retry_timer_ = 0;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_LINK_H_
