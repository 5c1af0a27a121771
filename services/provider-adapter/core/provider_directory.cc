#include "services/provider-adapter/core/provider_directory.h"

#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "common/obs/log.h"

namespace signalbox::provider_adapter {
namespace {

using catalogue::Catalogue;

const ProviderAccess* Find(const Directory& directory, const std::string& slug) {
  if (directory.catalogue == nullptr) return nullptr;
  const int index = directory.catalogue->ProviderIndex(slug);
  return index < 0 ? nullptr : &directory.providers[static_cast<size_t>(index)];
}

bool SameAccess(const ProviderAccess& a, const ProviderAccess& b) {
  return a.active == b.active && a.key == b.key;
}

bool SameAccess(const Directory& a, const Directory& b) {
  for (size_t i = 0; i < a.providers.size(); ++i) {
    if (!SameAccess(a.providers[i], b.providers[i])) return false;
  }
  return true;
}

// Counters go on across a reload: attempts that began before it still count.
std::vector<std::shared_ptr<EndpointLoad>> CarryLoads(const Catalogue& catalogue,
                                                      const Directory& before) {
  std::vector<std::shared_ptr<EndpointLoad>> loads;
  loads.reserve(catalogue.endpoints().size());
  for (const catalogue::Endpoint& endpoint : catalogue.endpoints()) {
    const catalogue::Endpoint* old =
        before.catalogue == nullptr ? nullptr : before.catalogue->FindEndpoint(endpoint.id);
    loads.push_back(old != nullptr ? before.loads[static_cast<size_t>(old->index)]
                                   : std::make_shared<EndpointLoad>());
  }
  return loads;
}

void LogChanges(const Directory& before, const Directory& after) {
  for (size_t i = 0; i < after.providers.size(); ++i) {
    const std::string& slug = after.catalogue->providers()[i]->slug();
    const ProviderAccess* old = Find(before, slug);
    const ProviderAccess& now = after.providers[i];
    if (now.active == (old != nullptr && old->active)) continue;
    obs::Log(obs::kInfo, now.active ? "provider_activated" : "provider_deactivated")
        .With("provider", slug);
  }
}

}  // namespace

bool KeyHealth::Quarantine(common::v1::Reason reason, absl::Duration now, absl::Duration length) {
  int64_t until = until_ns_.load(std::memory_order_acquire);
  if (until > absl::ToInt64Nanoseconds(now)) return false;
  reason_.store(reason, std::memory_order_relaxed);
  return until_ns_.compare_exchange_strong(until, absl::ToInt64Nanoseconds(now + length),
                                           std::memory_order_acq_rel);
}

common::v1::Reason KeyHealth::QuarantinedFor(absl::Duration now) const {
  if (until_ns_.load(std::memory_order_acquire) <= absl::ToInt64Nanoseconds(now))
    return common::v1::REASON_UNSPECIFIED;
  return static_cast<common::v1::Reason>(reason_.load(std::memory_order_relaxed));
}

ProviderDirectory::ProviderDirectory(config::SecretResolver& secrets)
    : secrets_(secrets), current_(std::make_shared<const Directory>()) {}

std::shared_ptr<const Directory> ProviderDirectory::Get() const {
  absl::MutexLock lock(&mutex_);
  return current_;
}

void ProviderDirectory::Update(std::shared_ptr<const Catalogue> catalogue) {
  absl::MutexLock building(&build_mutex_);
  Publish(Build(std::move(catalogue), *Get()));
}

void ProviderDirectory::Refresh() {
  absl::MutexLock building(&build_mutex_);
  const std::shared_ptr<const Directory> before = Get();
  if (before->catalogue == nullptr) return;
  std::shared_ptr<const Directory> next = Build(before->catalogue, *before);
  if (!SameAccess(*before, *next)) Publish(std::move(next));
}

void ProviderDirectory::Publish(std::shared_ptr<const Directory> next) {
  LogChanges(*Get(), *next);
  absl::MutexLock lock(&mutex_);
  current_ = std::move(next);
}

std::shared_ptr<const Directory> ProviderDirectory::Build(
    std::shared_ptr<const Catalogue> catalogue, const Directory& before) const {
  auto next = std::make_shared<Directory>();
  next->providers.reserve(catalogue->providers().size());
  for (const config::v1::Provider* provider : catalogue->providers()) {
    next->providers.push_back(Access(*provider, Find(before, provider->slug())));
  }
  next->loads = CarryLoads(*catalogue, before);
  next->catalogue = std::move(catalogue);
  return next;
}

ProviderAccess ProviderDirectory::Access(const config::v1::Provider& provider,
                                         const ProviderAccess* before) const {
  ProviderAccess access;
  absl::StatusOr<http::Origin> origin = http::ParseOrigin(provider.base_url());
  if (origin.ok()) access.origin = *std::move(origin);
  bool has_key = provider.needs_no_key();
  if (!has_key && provider.key().source_case() != config::v1::SecretRef::SOURCE_NOT_SET) {
    absl::StatusOr<config::Secret> key = secrets_.Resolve(provider.key());
    has_key = key.ok();
    if (has_key) access.key = *std::move(key);
  }
  access.active = !provider.disabled() && origin.ok() && has_key;
  const bool same_key = before != nullptr && before->key == access.key;
  access.health = same_key ? before->health : std::make_shared<KeyHealth>();
  return access;
}

}  // namespace signalbox::provider_adapter
