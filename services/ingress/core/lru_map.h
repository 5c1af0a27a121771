// A map that forgets what was not used for longest once it is full.
//
// Thread-compatible.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_LRU_MAP_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_LRU_MAP_H_

#include <list>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace signalbox::ingress {

template <typename Value>
class LruMap {
 public:
  // REQUIRES: capacity > 0.
  explicit LruMap(size_t capacity) : capacity_(capacity) {}

  // nullptr when absent. The pointer is valid until the entry is erased or pushed out.
  Value* Find(absl::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->second;
  }

  Value& Put(absl::string_view key, Value value) {
    if (Value* existing = Find(key)) return *existing = std::move(value);
    if (entries_.size() == capacity_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    entries_.emplace_front(std::string(key), std::move(value));
    index_.emplace(entries_.front().first, entries_.begin());
    return entries_.front().second;
  }

  void Erase(absl::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    const auto entry = found->second;
    index_.erase(found);
    entries_.erase(entry);
  }

  size_t size() const { return entries_.size(); }

 private:
  using Entries = std::list<std::pair<std::string, Value>>;
  const size_t capacity_;
  Entries entries_;  // most recently used first
  absl::flat_hash_map<absl::string_view, typename Entries::iterator>
      index_;  // keys view into entries_
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_LRU_MAP_H_
