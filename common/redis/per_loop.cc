#include "common/redis/per_loop.h"

#include "absl/algorithm/container.h"

namespace signalbox::redis {

PerLoop::PerLoop(net::EventLoopGroup& loops, const Options& options, const Clock& clock,
                 ConnectionMetrics metrics) {
  for (size_t i = 0; i < loops.size(); ++i) {
    connections_[&loops.at(i)] = std::make_unique<Connection>(loops.at(i), options, clock, metrics);
  }
}

PerLoop::PerLoop(net::EventLoop& loop, const Options& options, const Clock& clock,
                 ConnectionMetrics metrics) {
  connections_[&loop] = std::make_unique<Connection>(loop, options, clock, metrics);
}

Connection* PerLoop::For(const Executor& executor) const {
  const auto found = connections_.find(&executor);
  return found == connections_.end() ? nullptr : found->second.get();
}

bool PerLoop::ready() const {
  return absl::c_any_of(connections_, [](const auto& entry) { return entry.second->ready(); });
}

}  // namespace signalbox::redis
