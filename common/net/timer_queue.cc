#include "common/net/timer_queue.h"

#include <algorithm>
#include <utility>

namespace signalbox::net {

Executor::TimerId TimerQueue::Add(int64_t due_ns, Executor::Task task) {
  const Executor::TimerId id = ++last_id_;
  tasks_.emplace(id, std::move(task));
  heap_.push_back({due_ns, id});
  std::push_heap(heap_.begin(), heap_.end(), Later);
  return id;
}

bool TimerQueue::Cancel(Executor::TimerId id) {
  const auto found = tasks_.find(id);
  if (found == tasks_.end()) return false;
  // Destroyed after the map is consistent again: its captures may call back into this queue.
  const Executor::Task doomed = std::move(found->second);
  tasks_.erase(found);
  Compact();
  return true;
}

int64_t TimerQueue::NextDue() {
  DropCancelledFront();
  return heap_.empty() ? kNever : heap_.front().due_ns;
}

void TimerQueue::RunDue(int64_t now_ns) {
  const Executor::TimerId newest = last_id_;
  while (NextDue() <= now_ns && heap_.front().due_ns != kNever && heap_.front().id <= newest) {
    const Executor::TimerId id = heap_.front().id;
    PopFront();
    const auto found = tasks_.find(id);
    const Executor::Task task = std::move(found->second);
    tasks_.erase(found);
    task();
  }
}

void TimerQueue::Clear() {
  heap_.clear();
  while (!tasks_.empty()) {
    const auto doomed = std::move(tasks_);
    tasks_.clear();
  }
}

void TimerQueue::DropCancelledFront() {
  while (!heap_.empty() && !tasks_.contains(heap_.front().id)) PopFront();
}

void TimerQueue::PopFront() {
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  heap_.pop_back();
}

// Cancelled timers with a far due time would otherwise pile up in the heap.
void TimerQueue::Compact() {
  constexpr size_t kSmall = 64;
  if (heap_.size() < kSmall || heap_.size() < 2 * tasks_.size()) return;
  heap_.erase(std::remove_if(heap_.begin(), heap_.end(),
                             [this](const Entry& entry) { return !tasks_.contains(entry.id); }),
              heap_.end());
  std::make_heap(heap_.begin(), heap_.end(), Later);
}

}  // namespace signalbox::net
