#include "common/redis/link.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "common/base/status_macros.h"
#include "common/net/event_loop_asio.h"
#include "common/redis/error_map.h"
#include "common/redis/resp.h"

namespace signalbox::redis {
namespace {

// ["host", "port"], as SENTINEL get-master-addr-by-name answers.
absl::StatusOr<Address> AddressIn(const Reply& reply) {
  if (!reply.is_array() || reply.array().size() != 2)
    return absl::UnavailableError("redis: the sentinel knows no such primary");
  Address address;
  address.host = reply.array()[0].string();
  if (address.host.empty() || !ParsePort(reply.array()[1].string(), &address.port))
    return absl::UnavailableError("redis: the sentinel names no usable address");
  return address;
}

// The answer to ROLE. A sentinel may be asked in the middle of a failover.
bool IsPrimary(const Reply& reply) {
  return !reply.array().empty() && reply.array()[0].string() == "master";
}

}  // namespace

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
  owner_.OnConnecting();
  if (options_.sentinels.addresses.empty())
    return ConnectTo(options_.address, options_.tls, Phase::kHandshake);
  sentinels_asked_ = 0;
  AskSentinel();
}

void Link::AskSentinel() {
  const Sentinels& sentinels = options_.sentinels;
  ++sentinels_asked_;
  const size_t asked = sentinel_;
  sentinel_ = (sentinel_ + 1) % sentinels.addresses.size();
  ConnectTo(sentinels.addresses[asked], sentinels.tls, Phase::kSentinel);
}

void Link::ConnectTo(const Address& address, const Tls& tls, Phase phase) {
  CloseSession();
  phase_ = phase;
  peer_ = address;
  Session::Owner& owner = *this;
  session_ = std::make_shared<Session>(net::IoContextOf(loop_), owner, options_.max_reply_bytes);
  Expect(options_.connect_timeout, "redis: connect timed out");
  const std::shared_ptr<Session> session = session_;
  session->Connect(peer_, tls);
}

// The current step must end within this time.
void Link::Expect(absl::Duration within, absl::string_view otherwise) {
  loop_.Cancel(attempt_timer_);
  attempt_timer_ = loop_.RunAfter(within, [this, otherwise] {
    attempt_timer_ = 0;
    OnBroken(absl::UnavailableError(otherwise));
  });
}

absl::Status Link::AppendLogin(const Login& login) {
  if (login.password == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string password, login.password());
  if (login.username.empty()) {
    AppendCommand({"AUTH", password}, &out_);
  } else {
    AppendCommand({"AUTH", login.username, password}, &out_);
  }
  ++handshake_replies_left_;
  return absl::OkStatus();
}

// The PING is the probe: a server that takes longer than a command may is as good as away.
void Link::OnConnected() {
  const bool to_sentinel = phase_ == Phase::kSentinel;
  handshake_replies_left_ = 1;
  out_.clear();
  const absl::Status login = AppendLogin(to_sentinel ? options_.sentinels.login : options_.login);
  if (!login.ok()) return OnBroken(login);
  if (to_sentinel) {
    AppendCommand({"SENTINEL", "get-master-addr-by-name", options_.sentinels.master_name}, &out_);
    Expect(options_.connect_timeout, "redis: the sentinel does not answer");
    return Flush();
  }
  const std::string database = absl::StrCat(options_.database);
  if (options_.database != 0) {
    AppendCommand({"SELECT", database}, &out_);
    ++handshake_replies_left_;
  }
  if (!options_.sentinels.addresses.empty()) {
    AppendCommand({"ROLE"}, &out_);
    ++handshake_replies_left_;
  }
  AppendCommand({"PING"}, &out_);
  Expect(options_.command_timeout, "redis: connected, but no answer");
  Flush();
}

void Link::OnHandshakeReply(const Reply& reply) {
  if (reply.is_error()) return OnBroken(StatusOfError(reply.string()));
  const bool last = --handshake_replies_left_ == 0;
  if (phase_ == Phase::kSentinel) {
    if (last) OnPrimary(reply);
    return;
  }
  if (reply.is_array() && !IsPrimary(reply))
    return OnBroken(absl::UnavailableError("redis: the server is not the primary (yet)"));
  if (!last) return;
  loop_.Cancel(std::exchange(attempt_timer_, 0));
  phase_ = Phase::kReady;
  ready_since_ = clock_.Monotonic();
  owner_.OnReady();
}

void Link::OnPrimary(const Reply& reply) {
  const absl::StatusOr<Address> primary = AddressIn(reply);
  if (!primary.ok()) return OnBroken(primary.status());
  ConnectTo(*primary, options_.tls, Phase::kHandshake);
}

void Link::OnBytes(absl::string_view bytes, const std::shared_ptr<Session>& session) {
  absl::Status fed = session->reader.Feed(bytes);
  if (!fed.ok()) return OnBroken(fed);
  while (!session->closed()) {
    absl::StatusOr<absl::optional<Reply>> next = session->reader.Next();
    if (!next.ok()) return OnBroken(next.status());
    if (!next->has_value()) return;
    if (ready()) {
      owner_.OnReply(*std::move(*next));
    } else {
      OnHandshakeReply(**next);
    }
  }
}

// One silent sentinel is no reason to wait: the others are asked first.
void Link::OnBroken(const absl::Status& why) {
  if (phase_ == Phase::kSentinel && sentinels_asked_ < options_.sentinels.addresses.size())
    return AskSentinel();
  Fail(why);
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
  const std::shared_ptr<Session> session = session_;  // a failed write closes it
  if (session != nullptr) session->Write(&out_);
}

void Link::Fail(const absl::Status& why) {
  if (session_ == nullptr) return;
  const bool was_ready = ready();
  CloseSession();
  if (was_ready && clock_.Monotonic() - ready_since_ >= options_.stable_after) backoff_.Reset();
  retry_timer_ = loop_.RunAfter(backoff_.Next(), [this] { Connect(); });
  owner_.OnLost(why, was_ready);
}

void Link::CloseSession() {
  loop_.Cancel(std::exchange(attempt_timer_, 0));
  phase_ = Phase::kIdle;
  out_.clear();
  if (session_ != nullptr) session_->Close();
  session_ = nullptr;
}

}  // namespace signalbox::redis
