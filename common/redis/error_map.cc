#include "common/redis/error_map.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace signalbox::redis {
namespace {

constexpr size_t kMaxMessageBytes = 200;

struct Row {
  absl::string_view word;
  absl::StatusCode code;
  bool reconnect;
};

constexpr Row kRows[] = {
    {"LOADING", absl::StatusCode::kUnavailable, false},
    {"BUSY", absl::StatusCode::kUnavailable, false},
    {"READONLY", absl::StatusCode::kUnavailable, true},
    {"MASTERDOWN", absl::StatusCode::kUnavailable, true},
    {"CLUSTERDOWN", absl::StatusCode::kUnavailable, false},
    {"TRYAGAIN", absl::StatusCode::kUnavailable, false},
    {"MOVED", absl::StatusCode::kUnavailable, false},
    {"ASK", absl::StatusCode::kUnavailable, false},
    {"MISCONF", absl::StatusCode::kUnavailable, false},
    {"NOREPLICAS", absl::StatusCode::kUnavailable, false},
    {"OOM", absl::StatusCode::kResourceExhausted, false},
    {"NOAUTH", absl::StatusCode::kFailedPrecondition, true},
    {"WRONGPASS", absl::StatusCode::kFailedPrecondition, false},
    {"NOPERM", absl::StatusCode::kFailedPrecondition, false},
    {"NOSCRIPT", absl::StatusCode::kNotFound, false},
};

const Row* Find(absl::string_view error_reply) {
  const absl::string_view word = error_reply.substr(0, error_reply.find(' '));
  for (const Row& row : kRows) {
    if (row.word == word) return &row;
  }
  return nullptr;
}

}  // namespace

absl::Status StatusOfError(absl::string_view error_reply) {
  const Row* row = Find(error_reply);
  return absl::Status(row != nullptr ? row->code : absl::StatusCode::kInternal,
                      absl::StrCat("redis: ", error_reply.substr(0, kMaxMessageBytes)));
}

bool WantsReconnect(absl::string_view error_reply) {
  const Row* row = Find(error_reply);
  return row != nullptr && row->reconnect;
}

}  // namespace signalbox::redis
