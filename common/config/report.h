// What is wrong with a configuration: every problem of a run, not only the first, each as
//
//   signalbox.yaml:12:7: ingress.threads: "many" is not a whole number (expected 0 … 2147483647)
//
// The loader fills it; a service's own validation adds to the same report by field path, and the
// report finds the line:
//
//   config::Report report = config::LoadFile(path, &catalogue);
//   if (report.ok()) Validate(catalogue, &report);       // report->Add("providers[3].base_url",
//   "must be https") if (!report.ok()) return report.ToStatus();
//
// Thread-compatible.
#ifndef SIGNALBOX_COMMON_CONFIG_REPORT_H_
#define SIGNALBOX_COMMON_CONFIG_REPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/config/tape.h"

namespace signalbox::config {

struct Problem {
  std::string file;
  int line = 0;  // 0: the file as a whole
  int column = 0;
  std::string path;  // "" = the document
  std::string message;
  std::string ToString() const;
};

// One file that was read.
struct Source {
  std::string file;
  Tape tape;
};

class Report {
 public:
  // Problems beyond this many are only counted.
  static constexpr size_t kMaxProblems = 100;

  bool ok() const { return problems_.empty(); }
  const std::vector<Problem>& problems() const { return problems_; }
  // One problem per line.
  std::string ToString() const;
  // OK, or INVALID_ARGUMENT with ToString() as its message.
  absl::Status ToStatus() const;

  // Adds a problem of the field at `path` ("providers[3].quirks.headers[x-id]"). The line is that
  // of the field, or of the innermost part of the path that the files contain.
  void Add(absl::string_view path, absl::string_view message);
  void AddAt(Problem problem);

  // The loader's: files in the order of loading. Lists of the same path are counted on over files.
  void AddSource(std::shared_ptr<const Source> source) { sources_.push_back(std::move(source)); }

 private:
  std::vector<Problem> problems_;
  size_t more_ = 0;
  std::vector<std::shared_ptr<const Source>> sources_;
};

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_REPORT_H_
