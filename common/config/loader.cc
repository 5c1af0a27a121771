#include "common/config/loader.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/config/message_reader.h"

namespace signalbox::config {
namespace {

absl::Status Errno(absl::string_view what) { return absl::ErrnoToStatus(errno, what); }

// Adds one document to `out` and what is wrong with it to the report.
void LoadInto(absl::string_view text, absl::string_view file, const TapeLimits& limits,
              SetElsewhere* set, google::protobuf::Message* out, Report* report) {
  auto source = std::make_shared<Source>();
  source->file = std::string(file);
  if (const auto error = ReadTape(text, limits, &source->tape)) {
    return report->AddAt(Problem{source->file, error->line, error->column, "", error->message});
  }
  report->AddSource(source);
  MessageReader(*source, limits, set, report).Read(out);
}

void LoadFileInto(const std::string& path, SetElsewhere* set, google::protobuf::Message* out,
                  Report* report) {
  const TapeLimits limits;
  const auto text = ReadFile(path, limits.max_bytes);
  if (!text.ok())
    return report->AddAt(Problem{path, 0, 0, "", std::string(text.status().message())});
  LoadInto(*text, path, limits, set, out, report);
}

bool IsYamlName(absl::string_view name) {
  return !absl::StartsWith(name, ".") &&
         (absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml"));
}

// Closes the descriptor at the end of the scope.
class ScopedDescriptor {
 public:
  explicit ScopedDescriptor(int fd) : fd_(fd) {}
  ~ScopedDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

Report LoadYaml(absl::string_view text, absl::string_view file_name, google::protobuf::Message* out,
                const TapeLimits& limits) {
  Report report;
  LoadInto(text, file_name, limits, nullptr, out, &report);
  return report;
}

Report LoadFile(const std::string& path, google::protobuf::Message* out) {
  Report report;
  LoadFileInto(path, nullptr, out, &report);
  return report;
}

Report LoadFiles(absl::Span<const std::string> paths, google::protobuf::Message* out) {
  Report report;
  SetElsewhere set;
  for (const std::string& path : paths) {
    const auto files = ListFiles(path);
    if (!files.ok()) {
      report.AddAt(Problem{path, 0, 0, "", std::string(files.status().message())});
      continue;
    }
    for (const std::string& file : *files) LoadFileInto(file, &set, out, &report);
  }
  return report;
}

absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return Errno("cannot be read");
  if (!S_ISDIR(status.st_mode)) return std::vector<std::string>{path};
  DIR* const directory = opendir(path.c_str());
  if (directory == nullptr) return Errno("cannot be read");
  std::vector<std::string> files;
  while (const dirent* entry = readdir(directory)) {
    if (IsYamlName(entry->d_name)) files.push_back(absl::StrCat(path, "/", entry->d_name));
  }
  closedir(directory);
  if (files.empty()) return absl::NotFoundError("holds no .yaml file");
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  const ScopedDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return Errno("cannot be opened");
  std::string text;
  char block[64 * 1024];
  while (true) {
    const ssize_t got = read(file.get(), block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Errno("cannot be read");
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() > max_bytes)
      return absl::OutOfRangeError(absl::StrCat("larger than ", max_bytes, " bytes"));
  }
}

}  // namespace signalbox::config
