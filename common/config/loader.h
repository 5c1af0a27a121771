// YAML to protobuf messages, strictly (design decision D8).
//
//   signalbox::config::v1::Config config;
//   config::Report report = config::LoadFile("signalbox.yaml", &config);
//   if (!report.ok()) std::cerr << report.ToString();
//
// A mapping is a message, its keys are the field names as the .proto spells them. Unknown fields,
// duplicate keys, wrong types, numbers out of range, unknown enum values and two members of one
// oneof are errors; all of them are reported, each with file, line, column and field path. Nothing
// is guessed from the look of a value: a string field takes the text as it stands (yes, 1.10, 007),
// a bool takes true or false, a number takes an unquoted decimal. Durations are written "250ms",
// "1.5s", "5m", "1h"; enum values in lower case without the enum's name. An empty value (`redis:`)
// leaves a message or a list unset and is an error for everything else.
//
// Anchors and aliases work within bounds; merge keys (<<), tags and several documents in one file
// do not.
//
// Blocking file reads in LoadFile and LoadFiles. Thread-safe (no state).
#ifndef SIGNALBOX_COMMON_CONFIG_LOADER_H_
#define SIGNALBOX_COMMON_CONFIG_LOADER_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/config/report.h"
#include "common/config/tape.h"

namespace signalbox::config {

// Each adds to what `out` holds. With a report that is not ok() the content of `out` is of no use.
[[nodiscard]] Report LoadYaml(absl::string_view text, absl::string_view file_name,
                              google::protobuf::Message* out,
                              const TapeLimits& limits = TapeLimits());

[[nodiscard]] Report LoadFile(const std::string& path, google::protobuf::Message* out);

// Files, and folders of *.yaml and *.yml files (not recursive, hidden names skipped, in the order
// of their names), as one document: lists are appended, messages are joined, and a plain field or a
// map key that two files set is an error. A folder without such a file is an error.
[[nodiscard]] Report LoadFiles(absl::Span<const std::string> paths, google::protobuf::Message* out);

// The files that LoadFiles reads for a path: itself, or those of the folder.
absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& path);

// Whole file, at most max_bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t max_bytes);

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_LOADER_H_
