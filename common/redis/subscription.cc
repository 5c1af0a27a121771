#include "common/redis/subscription.h"

#include <utility>

#include "common/redis/link.h"
#include "common/redis/resp.h"

namespace signalbox::redis {
namespace {

// A frozen server keeps the socket open: silence over two of these means it is gone.
constexpr absl::Duration kPingInterval = absl::Seconds(5);

}  // namespace

class Subscription::Core final : public Link::Owner {
 public:
  Core(net::EventLoop& loop, Options options, std::vector<std::string> channels, Handlers handlers,
       const Clock& clock)
      : loop_(loop),
        options_(std::move(options)),
        channels_(std::move(channels)),
        handlers_(std::move(handlers)),
        link_(loop_, options_, clock, *this) {
    loop_.Post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) link_.Start();
    });
  }
  ~Core() override { loop_.Cancel(ping_timer_); }

  void OnReady() override {
    std::vector<absl::string_view> command = {"SUBSCRIBE"};
    command.insert(command.end(), channels_.begin(), channels_.end());
    AppendCommand(command, &link_.out());
    link_.FlushSoon();
    confirmations_left_ = channels_.size();
    answer_due_ = false;
    SchedulePing();
  }

  void OnReply(Reply reply) override {
    answer_due_ = false;
    if (!reply.is_array() || reply.array().size() < 2 || !reply.array()[0].is_string()) {
      return link_.Fail(absl::DataLossError("redis: not a subscription message"));
    }
    const std::vector<Reply>& parts = reply.array();
    if (parts[0].string() == "message" && parts.size() == 3) {
      handlers_.on_message(parts[1].string(), parts[2].string());
    } else if (parts[0].string() == "subscribe" && confirmations_left_ > 0 &&
               --confirmations_left_ == 0) {
      handlers_.on_listening(true);
    }
  }

  void OnLost(const absl::Status&, bool was_ready) override {
    loop_.Cancel(std::exchange(ping_timer_, 0));
    if (was_ready) handlers_.on_listening(false);
  }

 private:
  void SchedulePing() {
    ping_timer_ = loop_.RunAfter(kPingInterval, [this] {
      ping_timer_ = 0;
      if (answer_due_) return link_.Fail(absl::UnavailableError("redis: silent subscription"));
      answer_due_ = true;
      AppendCommand({"PING"}, &link_.out());
      link_.FlushSoon();
      SchedulePing();
    });
  }

  net::EventLoop& loop_;
  const Options options_;
  const std::vector<std::string> channels_;
  const Handlers handlers_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  size_t confirmations_left_ = 0;
  bool answer_due_ = false;
  Executor::TimerId ping_timer_ = 0;
  Link link_;
};

Subscription::Subscription(net::EventLoop& loop, Options options, std::vector<std::string> channels,
                           Handlers handlers, const Clock& clock)
    : loop_(loop),
      core_(std::make_unique<Core>(loop, std::move(options), std::move(channels),
                                   std::move(handlers), clock)) {}

Subscription::~Subscription() {
  if (loop_.IsCurrent()) {
    core_ = nullptr;
  } else {
    loop_.RunAndWait([this] { core_ = nullptr; });
  }
}

}  // namespace signalbox::redis
