// Changed files, and values that are reloaded from them.
//
// FileWatcher looks every few seconds whether files or folders have changed, by what stat says of
// the file at the end of all symbolic links: so it also sees Kubernetes swap the `..data` link of a
// mounted ConfigMap, which no inotify watch on the file does. Reloadable<T> keeps the last good
// value when the new one does not load.
//
//   config::Reloadable<Catalogue> catalogue("catalogue", [paths] { return LoadCatalogue(paths); },
//   &metrics); RETURN_IF_ERROR(catalogue.Reload());                       // the first load must
//   succeed watcher.Watch(paths, [&] { (void)catalogue.Reload(); }); std::shared_ptr<const
//   Catalogue> now = catalogue.Get();
#ifndef SIGNALBOX_COMMON_CONFIG_WATCHER_H_
#define SIGNALBOX_COMMON_CONFIG_WATCHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/executor.h"
#include "common/obs/metrics.h"

namespace signalbox::config {

// What tells one state of a file or folder from another. Default-made: the file does not exist.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size = -1;
  int64_t modified_ns = 0;
  friend bool operator==(const FileStamp& a, const FileStamp& b) {
    return a.device == b.device && a.inode == b.inode && a.size == b.size &&
           a.modified_ns == b.modified_ns;
  }
  friend bool operator!=(const FileStamp& a, const FileStamp& b) { return !(a == b); }
};

// Follows symbolic links.
FileStamp StampOf(const std::string& path);

// Everything belongs to the executor's thread except Trigger and Stop, which are thread-safe. The
// looks are a few system calls on that thread. May be destroyed on any thread once the executor
// runs no more of its tasks, or after Stop.
class FileWatcher {
 public:
  FileWatcher(Executor& executor, absl::Duration interval);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

  // Calls back on the executor after one of the files, or a YAML file of one of the folders, has
  // changed, appeared or vanished. Thread-safe. REQUIRES: not from inside a callback.
  void Watch(std::vector<std::string> paths, std::function<void()> on_change);
  // Calls all callbacks soon, changed or not (SIGHUP).
  void Trigger();
  // No callback starts after this returns; waits for a running one. REQUIRES: not from inside a
  // callback.
  void Stop();

 private:
  class State;
  std::shared_ptr<State> state_;
};

// The bookkeeping of reloads, apart from the type: result counter, gauge of a stale value, log
// lines "config_reloaded" and "config_reload_failed".
class ReloadReport {
 public:
  // `metrics` may be null.
  ReloadReport(std::string kind, obs::Metrics* metrics);
  void Succeeded();
  void Failed(const absl::Status& status);

 private:
  const std::string kind_;
  obs::Counter succeeded_;
  obs::Counter failed_;
  obs::Gauge stale_;
};

// Thread-safe. Reloads are made one after the other.
template <typename T>
class Reloadable {
 public:
  using Loader = std::function<absl::StatusOr<std::shared_ptr<const T>>()>;
  using Listener = std::function<void(std::shared_ptr<const T>)>;

  // `kind` is a fixed word for metrics and logs. `metrics` may be null.
  Reloadable(std::string kind, Loader loader, obs::Metrics* metrics)
      : loader_(std::move(loader)), report_(std::move(kind), metrics) {}

  // Loads now, on the caller's thread. On an error the value before it stays and `stale` turns
  // true.
  absl::Status Reload() {
    absl::MutexLock one(&reload_mutex_);
    absl::StatusOr<std::shared_ptr<const T>> loaded = loader_();
    if (!loaded.ok()) {
      report_.Failed(loaded.status());
      absl::MutexLock lock(&mutex_);
      last_error_ = loaded.status();
      return last_error_;
    }
    std::vector<Listener> listeners;
    {
      absl::MutexLock lock(&mutex_);
      value_ = *loaded;
      last_error_ = absl::OkStatus();
      listeners = listeners_;
    }
    report_.Succeeded();
    for (const Listener& listener : listeners) listener(*loaded);
    return absl::OkStatus();
  }

  // For a value that was loaded by other means: what Get() returns until the first reload.
  void Set(std::shared_ptr<const T> value) {
    absl::MutexLock lock(&mutex_);
    value_ = std::move(value);
  }
  // nullptr before the first success.
  std::shared_ptr<const T> Get() const {
    absl::MutexLock lock(&mutex_);
    return value_;
  }
  // The error of the last load, OK when it succeeded.
  absl::Status last_error() const {
    absl::MutexLock lock(&mutex_);
    return last_error_;
  }
  bool stale() const { return !last_error().ok(); }
  // Called on the reloading thread after each later success. REQUIRES: the listener does not
  // reload.
  void OnReload(Listener listener) {
    absl::MutexLock lock(&mutex_);
    listeners_.push_back(std::move(listener));
  }

 private:
  const Loader loader_;
  ReloadReport report_;
  absl::Mutex reload_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  mutable absl::Mutex mutex_;
  std::shared_ptr<const T> value_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_error_ ABSL_GUARDED_BY(mutex_);
  std::vector<Listener> listeners_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_WATCHER_H_
