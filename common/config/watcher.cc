#include "common/config/watcher.h"

#include <sys/stat.h>

#include "common/config/loader.h"
#include "common/obs/log.h"

namespace signalbox::config {
namespace {

// A path's own stamp and, for a folder, those of the files in it.
std::vector<std::pair<std::string, FileStamp>> StampsOf(const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, FileStamp>> stamps;
  for (const std::string& path : paths) {
    stamps.emplace_back(path, StampOf(path));
    const auto files = ListFiles(path);
    if (!files.ok()) continue;
    for (const std::string& file : *files) stamps.emplace_back(file, StampOf(file));
  }
  return stamps;
}

}  // namespace

FileStamp StampOf(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return FileStamp();
  FileStamp stamp;
  stamp.device = status.st_dev;
  stamp.inode = status.st_ino;
  stamp.size = status.st_size;
  stamp.modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return stamp;
}

// Shared with the tasks on the executor, so that one that comes late finds it stopped instead of
// gone.
class FileWatcher::State : public std::enable_shared_from_this<State> {
 public:
  State(Executor& executor, absl::Duration interval) : executor_(executor), interval_(interval) {}

  void Start() {
    executor_.Dispatch([self = shared_from_this()] { self->Arm(); });
  }

  void Watch(std::vector<std::string> paths, std::function<void()> on_change) {
    absl::MutexLock lock(&mutex_);
    auto stamps = StampsOf(paths);
    watches_.push_back({std::move(paths), std::move(stamps), std::move(on_change)});
  }

  void Trigger() {
    executor_.Post([self = shared_from_this()] { self->Look(/*always=*/true); });
  }

  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    watches_.clear();
  }

 private:
  struct Watched {
    std::vector<std::string> paths;
    std::vector<std::pair<std::string, FileStamp>> stamps;
    std::function<void()> on_change;
  };

  void Arm() {
    executor_.RunAfter(interval_, [weak = weak_from_this()] {
      const std::shared_ptr<State> self = weak.lock();
      if (self == nullptr || !self->Look(/*always=*/false)) return;
      self->Arm();
    });
  }

  // The lock is held over the callbacks: that is what Stop waits for.
  bool Look(bool always) {
    absl::MutexLock lock(&mutex_);
    for (Watched& watched : watches_) {
      auto stamps = StampsOf(watched.paths);
      if (!always && stamps == watched.stamps) continue;
      watched.stamps = std::move(stamps);
      watched.on_change();
    }
    return !stopped_;
  }

  Executor& executor_;
  const absl::Duration interval_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Watched> watches_ ABSL_GUARDED_BY(mutex_);
};

FileWatcher::FileWatcher(Executor& executor, absl::Duration interval)
    : state_(std::make_shared<State>(executor, interval)) {
  state_->Start();
}
FileWatcher::~FileWatcher() { state_->Stop(); }

void FileWatcher::Watch(std::vector<std::string> paths, std::function<void()> on_change) {
  state_->Watch(std::move(paths), std::move(on_change));
}
void FileWatcher::Trigger() { state_->Trigger(); }
void FileWatcher::Stop() { state_->Stop(); }

ReloadReport::ReloadReport(std::string kind, obs::Metrics* metrics) : kind_(std::move(kind)) {
  if (metrics == nullptr) return;
  auto& reloads = metrics->Counter("signalbox_config_reloads_total",
                                   "Loads of reloadable configuration.", {"kind", "outcome"});
  succeeded_ = reloads.With({kind_, "ok"});
  failed_ = reloads.With({kind_, "error"});
  stale_ = metrics
               ->Gauge("signalbox_config_stale",
                       "1 = the files do not load and the last good value is in use.", {"kind"})
               .With({kind_});
}

void ReloadReport::Succeeded() {
  succeeded_.Add();
  stale_.Set(0);
  obs::Log(obs::kInfo, "config_reloaded").With("kind", kind_);
}

void ReloadReport::Failed(const absl::Status& status) {
  failed_.Add();
  stale_.Set(1);
  obs::Log(obs::kError, "config_reload_failed").With("kind", kind_).With("error", status);
}

}  // namespace signalbox::config
