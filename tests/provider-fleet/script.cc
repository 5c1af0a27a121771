#include "tests/provider-fleet/script.h"

#include <algorithm>

namespace signalbox::fleet {

void Script::Add(absl::string_view more, int64_t at_ns) {
  bytes.append(more.data(), more.size());
  CoverTail(at_ns);
}

void Script::CoverTail(int64_t at_ns) {
  const uint32_t size = static_cast<uint32_t>(bytes.size());
  if (!steps.empty() && steps.back().at_ns >= at_ns) {
    steps.back().end = size;
  } else {
    steps.push_back({size, at_ns});
  }
  end_at_ns = std::max(end_at_ns, at_ns);
}

void Script::Truncate(size_t size) {
  if (size >= bytes.size()) return;
  bytes.resize(size);
  while (!steps.empty() && (steps.size() > 1 ? steps[steps.size() - 2].end : 0) >= size)
    steps.pop_back();
  if (!steps.empty()) steps.back().end = static_cast<uint32_t>(size);
  end_at_ns = steps.empty() ? 0 : steps.back().at_ns;
}

void Script::Drip(size_t from, int64_t interval_ns) {
  std::vector<Step> dripped;
  uint32_t begin = 0;
  int64_t clock = 0;
  for (const Step& step : steps) {
    clock = std::max(clock, step.at_ns);
    const uint32_t together = std::min<uint32_t>(step.end, static_cast<uint32_t>(from));
    if (together > begin) dripped.push_back({together, clock});
    for (uint32_t byte = std::max(begin, together); byte < step.end; ++byte) {
      clock += interval_ns;
      dripped.push_back({byte + 1, clock});
    }
    begin = step.end;
  }
  steps = std::move(dripped);
  end_at_ns = std::max(end_at_ns, clock);
}

absl::string_view EventList::Event(size_t i) const {
  const uint32_t begin = i == 0 ? 0 : events_[i - 1].end;
  return absl::string_view(bytes_).substr(begin, events_[i].end - begin);
}

void EventList::Truncate(size_t count) {
  if (count >= events_.size()) return;
  events_.resize(count);
  bytes_.resize(count == 0 ? 0 : events_.back().end);
}

void EventList::Replace(size_t i, absl::string_view with) {
  const absl::string_view old = Event(i);
  const ptrdiff_t growth = static_cast<ptrdiff_t>(with.size()) - static_cast<ptrdiff_t>(old.size());
  bytes_.replace(static_cast<size_t>(old.data() - bytes_.data()), old.size(), with.data(),
                 with.size());
  for (size_t k = i; k < events_.size(); ++k) {
    events_[k].end = static_cast<uint32_t>(static_cast<ptrdiff_t>(events_[k].end) + growth);
  }
}

}  // namespace signalbox::fleet
