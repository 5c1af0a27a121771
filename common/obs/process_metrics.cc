#include "common/obs/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace signalbox::obs {
namespace {

std::string ReadAll(const char* path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// The fields of /proc/self/stat that follow the command name, which may hold spaces; [0] is the
// state (field 3).
std::vector<std::string> StatFields() {
  const std::string text = ReadAll("/proc/self/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  return absl::StrSplit(absl::string_view(text).substr(name_end + 1), ' ', absl::SkipEmpty());
}

double Field(const std::vector<std::string>& fields, size_t proc_field) {
  double value = 0;
  const size_t index = proc_field - 3;
  if (index >= fields.size() || !absl::SimpleAtod(fields[index], &value)) return 0;
  return value;
}

double BootTimeSeconds() {
  const std::string text = ReadAll("/proc/stat");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    double value = 0;
    if (line.substr(0, 6) == "btime " && absl::SimpleAtod(line.substr(6), &value)) return value;
  }
  return 0;
}

double CountOpenFiles() {
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -3;  // ".", ".." and the directory itself
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count < 0 ? 0 : count;
}

}  // namespace

ProcessFigures ReadProcessFigures() {
  const std::vector<std::string> stat = StatFields();
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  ProcessFigures figures;
  figures.cpu_seconds = (Field(stat, 14) + Field(stat, 15)) / ticks;
  figures.threads = Field(stat, 20);
  figures.start_time_seconds = BootTimeSeconds() + Field(stat, 22) / ticks;
  figures.resident_bytes = Field(stat, 24) * static_cast<double>(sysconf(_SC_PAGESIZE));
  figures.open_files = CountOpenFiles();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
    figures.max_files = static_cast<double>(limit.rlim_cur);
  return figures;
}

}  // namespace signalbox::obs
