#include "common/redis/connection.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/obs/log.h"
#include "common/redis/breaker.h"
#include "common/redis/error_map.h"
#include "common/redis/link.h"
#include "common/redis/resp.h"

namespace signalbox::redis {
namespace {

// What EVAL and EVALSHA have in common: everything after the script's name.
struct ScriptCall {
  const Script* script = nullptr;
  size_t arguments = 0;
  std::string encoded;

  std::string Encode(bool by_source) const {
    std::string out;
    AppendArrayHeader(arguments + 2, &out);
    AppendBulk(by_source ? "EVAL" : "EVALSHA", &out);
    AppendBulk(by_source ? script->source() : script->sha(), &out);
    out += encoded;
    return out;
  }
};

using ReplicasDone = std::function<void(const absl::Status&)>;

struct Pending {
  Callback done;  // empty once the deadline has passed: the slot stays to swallow the late reply
  absl::Duration issued;
  absl::Duration deadline;
  std::string unsent;  // the command, until the connection is there
  ScriptCall call;     // script == nullptr for plain commands
};

ScriptCall MakeCall(const Script& script, Arguments keys, Arguments arguments) {
  ScriptCall call;
  call.script = &script;
  call.arguments = 1 + keys.size() + arguments.size();
  AppendBulk(absl::StrCat(keys.size()), &call.encoded);
  for (absl::string_view key : keys) AppendBulk(key, &call.encoded);
  for (absl::string_view argument : arguments) AppendBulk(argument, &call.encoded);
  return call;
}

}  // namespace

class Connection::Core final : public Link::Owner {
 public:
  Core(net::EventLoop& loop, Options options, const Clock& clock, ConnectionMetrics metrics)
      : loop_(loop),
        options_(std::move(options)),
        clock_(clock),
        metrics_(metrics),
        breaker_(options_.failures_to_open),
        link_(loop_, options_, clock_, *this) {
    metrics_.configured.Add(1);
    loop_.Post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) link_.Start();
    });
  }

  ~Core() override {
    loop_.Cancel(deadline_timer_);
    metrics_.configured.Add(-1);
    metrics_.pending.Add(-static_cast<double>(in_flight_.size() + waiting_.size()));
    if (ready_.load()) metrics_.connected.Add(-1);
  }

  void Issue(std::string command, ScriptCall call, Callback done, absl::Duration timeout) {
    const absl::Duration now = clock_.Monotonic();
    const absl::Duration limit =
        timeout > absl::ZeroDuration() ? timeout : options_.command_timeout;
    Admit(Pending{std::move(done), now, now + limit, std::move(command), std::move(call)});
  }

  bool ready() const { return ready_.load(std::memory_order_relaxed); }
  int replicas() const { return options_.replicas; }

  void AwaitReplicas(ReplicasDone done) {
    awaiting_replicas_.push_back(std::move(done));
    if (!wait_in_flight_) SendWait();
  }

  void OnConnecting() override { breaker_.OnProbe(); }

  void OnReady() override {
    ready_.store(true);
    metrics_.connected.Add(1);
    if (ever_ready_) metrics_.reconnects.Add();
    const bool was_open = breaker_.OnSuccess();
    if (was_open || !ever_ready_) {
      obs::Log(obs::kInfo, "redis_available")
          .With("role", options_.role)
          .With("address", link_.peer().ToString());
    }
    ever_ready_ = true;
    for (Pending& pending : TakeWaiting()) Send(std::move(pending));
  }

  void OnReply(Reply reply) override {
    if (in_flight_.empty())
      return link_.Fail(absl::DataLossError("redis: a reply nobody asked for"));
    Pending pending = std::move(in_flight_.front());
    in_flight_.pop_front();
    metrics_.pending.Add(-1);
    if (pending.done == nullptr) return;  // too late
    breaker_.OnSuccess();
    if (reply.is_error() && pending.call.script != nullptr && IsNoScript(reply))
      return SendSource(std::move(pending));
    metrics_.answered.Add();
    metrics_.seconds.Observe(absl::ToDoubleSeconds(clock_.Monotonic() - pending.issued));
    if (!reply.is_error()) return pending.done(std::move(reply));
    const std::weak_ptr<bool> alive = alive_;
    pending.done(StatusOfError(reply.string()));
    if (!alive.expired() && WantsReconnect(reply.string()))
      link_.Fail(StatusOfError(reply.string()));
  }

  // In flight = unknown result. Those still waiting stay until a try fails: the server may be back
  // at once.
  void OnLost(const absl::Status& why, bool was_ready) override {
    if (was_ready) {
      ready_.store(false);
      metrics_.connected.Add(-1);
    } else if (breaker_.Open()) {
      LogUnavailable(why);
    }
    std::deque<Pending> failed = std::exchange(in_flight_, {});
    if (!breaker_.AllowsCommands()) {
      for (Pending& pending : TakeWaiting()) failed.push_back(std::move(pending));
    }
    metrics_.pending.Add(-static_cast<double>(failed.size()));
    const obs::Counter lost = metrics_.lost;  // a callback may destroy the connection
    for (Pending& pending : failed) {
      if (pending.done == nullptr) continue;
      lost.Add();
      pending.done(absl::UnavailableError(absl::StrCat("redis connection lost: ", why.message())));
    }
  }

 private:
  // One WAIT speaks for all writes before it; those that come while it is under way share the next.
  // A WAIT on another connection than the write's would say yes to anything.
  void SendWait() {
    std::vector<ReplicasDone> waiting = std::exchange(awaiting_replicas_, {});
    if (waiting.empty()) return;
    auto answer = [this, waiting = std::move(waiting)](absl::StatusOr<Reply> reply) {
      wait_in_flight_ = false;
      const absl::Status status = Replicated(reply);
      if (!status.ok()) metrics_.unreplicated.Add(static_cast<double>(waiting.size()));
      SendWait();
      for (const ReplicasDone& done : waiting) done(status);
    };
    wait_in_flight_ = true;
    if (!link_.ready()) {
      loop_.Post([answer = std::move(answer), alive = std::weak_ptr<bool>(alive_)] {
        if (!alive.expired()) answer(absl::UnavailableError("redis connection lost"));
      });
      return;
    }
    std::string command;
    AppendCommand({"WAIT", absl::StrCat(options_.replicas),
                   absl::StrCat(absl::ToInt64Milliseconds(options_.command_timeout / 2))},
                  &command);
    Issue(std::move(command), ScriptCall{}, std::move(answer), absl::ZeroDuration());
  }

  absl::Status Replicated(const absl::StatusOr<Reply>& reply) const {
    if (!reply.ok()) return reply.status();
    if (reply->integer() >= options_.replicas) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("redis: ", reply->integer(), " of ",
                                               options_.replicas, " replicas hold the write"));
  }

  static bool IsNoScript(const Reply& reply) {
    return absl::IsNotFound(StatusOfError(reply.string()));
  }

  void Admit(Pending pending) {
    if (!breaker_.AllowsCommands()) {
      return Refuse(std::move(pending),
                    absl::UnavailableError("redis is away: refused without asking"));
    }
    if (in_flight_.size() + waiting_.size() >= options_.max_pending ||
        link_.unsent_bytes() + waiting_bytes_ + pending.unsent.size() >
            options_.max_pending_bytes) {
      return Refuse(std::move(pending),
                    absl::ResourceExhaustedError("redis: too many commands pending"));
    }
    metrics_.pending.Add(1);
    ArmDeadline(pending.deadline);
    if (link_.ready()) {
      Send(std::move(pending));
    } else {
      waiting_bytes_ += pending.unsent.size();
      waiting_.push_back(std::move(pending));
    }
  }

  std::deque<Pending> TakeWaiting() {
    waiting_bytes_ = 0;
    return std::exchange(waiting_, {});
  }

  void Send(Pending pending) {
    link_.out() += pending.unsent;
    pending.unsent = std::string();
    in_flight_.push_back(std::move(pending));
    link_.FlushSoon();
  }

  void SendSource(Pending pending) {
    metrics_.script_loads.Add();
    metrics_.pending.Add(1);
    pending.unsent = pending.call.Encode(/*by_source=*/true);
    Send(std::move(pending));
  }

  void Refuse(Pending pending, absl::Status why) {
    metrics_.refused.Add();
    loop_.Post([done = std::move(pending.done), why = std::move(why),
                alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) done(why);
    });
  }

  // One timer for all deadlines, armed for the earliest.
  void ArmDeadline(absl::Duration deadline) {
    if (deadline_timer_ != 0 && armed_for_ <= deadline) return;
    loop_.Cancel(deadline_timer_);
    armed_for_ = deadline;
    deadline_timer_ = loop_.RunAfter(deadline - clock_.Monotonic(), [this] {
      deadline_timer_ = 0;
      Sweep();
    });
  }

  void Sweep() {
    const absl::Duration now = clock_.Monotonic();
    absl::Duration next = absl::InfiniteDuration();
    std::vector<Callback> expired;
    for (Pending& pending : in_flight_) Expire(pending, now, &next, &expired);
    for (Pending& pending : waiting_) Expire(pending, now, &next, &expired);
    DropExpiredWaiting();
    if (next != absl::InfiniteDuration()) ArmDeadline(next);
    Finish(std::move(expired));
  }

  // Nothing was sent for them: no slot needs to stay.
  void DropExpiredWaiting() {
    for (Pending& pending : TakeWaiting()) {
      if (pending.done == nullptr) {
        metrics_.pending.Add(-1);
        continue;
      }
      waiting_bytes_ += pending.unsent.size();
      waiting_.push_back(std::move(pending));
    }
  }

  static void Expire(Pending& pending, absl::Duration now, absl::Duration* next,
                     std::vector<Callback>* expired) {
    if (pending.done == nullptr) return;
    if (pending.deadline <= now) {
      expired->push_back(std::exchange(pending.done, nullptr));
    } else {
      *next = std::min(*next, pending.deadline);
    }
  }

  void Finish(std::vector<Callback> expired) {
    const std::weak_ptr<bool> alive = alive_;
    metrics_.timed_out.Add(static_cast<double>(expired.size()));
    bool opened = false;
    for (size_t i = 0; i < expired.size(); ++i) opened |= breaker_.OnFailure();
    for (Callback& done : expired)
      done(absl::DeadlineExceededError("redis did not answer in time"));
    if (!opened || alive.expired()) return;
    const absl::Status why = absl::UnavailableError("redis does not answer");
    LogUnavailable(why);
    link_.Fail(why);
  }

  void LogUnavailable(const absl::Status& why) {
    obs::Log(obs::kWarning, "redis_unavailable")
        .With("role", options_.role)
        .With("address", options_.Where())
        .With("error", why);
  }

  net::EventLoop& loop_;
  const Options options_;
  const Clock& clock_;
  const ConnectionMetrics metrics_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Breaker breaker_;
  std::vector<ReplicasDone> awaiting_replicas_;
  bool wait_in_flight_ = false;
  std::deque<Pending> in_flight_;  // sent, in the order of their replies
  std::deque<Pending> waiting_;    // for the connection
  size_t waiting_bytes_ = 0;
  std::atomic<bool> ready_{false};
  bool ever_ready_ = false;
  Executor::TimerId deadline_timer_ = 0;
  absl::Duration armed_for_;
  Link link_;
};

Connection::Connection(net::EventLoop& loop, Options options, const Clock& clock,
                       ConnectionMetrics metrics)
    : loop_(loop), core_(std::make_unique<Core>(loop, std::move(options), clock, metrics)) {}

Connection::~Connection() {
  if (loop_.IsCurrent()) {
    core_ = nullptr;
  } else {
    loop_.RunAndWait([this] { core_ = nullptr; });
  }
}

void Connection::Command(Arguments arguments, Callback done, absl::Duration timeout) {
  std::string command;
  AppendCommand(arguments, &command);
  core_->Issue(std::move(command), ScriptCall{}, std::move(done), timeout);
}

void Connection::Eval(const Script& script, Arguments keys, Arguments arguments, Callback done,
                      absl::Duration timeout) {
  ScriptCall call = MakeCall(script, keys, arguments);
  std::string command = call.Encode(/*by_source=*/false);
  core_->Issue(std::move(command), std::move(call), std::move(done), timeout);
}

void Connection::AwaitReplicas(ReplicasDone done) { core_->AwaitReplicas(std::move(done)); }
int Connection::replicas() const { return core_->replicas(); }
bool Connection::ready() const { return core_->ready(); }

}  // namespace signalbox::redis
