#include "services/provider-adapter/http_upstream.h"

#include <functional>
#include <utility>

namespace signalbox::provider_adapter {
namespace {

void OnLoop(net::EventLoop& loop, std::function<void()> task) {
  if (loop.IsCurrent()) {
    task();
  } else {
    loop.RunAndWait(std::move(task));
  }
}

}  // namespace

void HttpUpstream::Shared::TakeStats() {
  if (client == nullptr) return;
  const http::Client::Stats now = client->stats();
  absl::MutexLock lock(&mutex);
  stats = now;
}

HttpUpstream::HttpUpstream(net::EventLoop& loop, const http::ClientOptions& options)
    : loop_(loop), shared_(std::make_shared<Shared>()) {
  OnLoop(loop_, [&] { shared_->client = std::make_unique<http::Client>(loop_, options); });
}

HttpUpstream::~HttpUpstream() {
  OnLoop(loop_, [this] { shared_->client.reset(); });
}

std::unique_ptr<http::ClientCall> HttpUpstream::Start(http::ClientRequest request,
                                                      http::ClientHandler* handler) {
  return shared_->client->Start(std::move(request), handler);
}

http::Client::Stats HttpUpstream::LastStats() const {
  absl::MutexLock lock(&shared_->mutex);
  return shared_->stats;
}

void HttpUpstream::RequestStats() {
  loop_.Post([shared = shared_] { shared->TakeStats(); });
}

}  // namespace signalbox::provider_adapter
