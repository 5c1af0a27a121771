#include "common/store/key_record.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace signalbox::store {
namespace {

absl::Status Unreadable(absl::string_view field) {
  return absl::DataLossError(absl::StrCat("key record: field ", field, " cannot be read"));
}

std::string Millis(absl::Time time) { return absl::StrCat(absl::ToUnixMillis(time)); }

absl::Status SetField(absl::string_view field, absl::string_view value, KeyRecord* record) {
  int64_t number = 0;
  const bool is_number = absl::SimpleAtoi(value, &number);
  if (field == "name") {
    record->name = std::string(value);
  } else if (field == "label") {
    record->label = std::string(value);
  } else if (field == "disabled" || field == "deny_data_collection") {
    if (value != "0" && value != "1") return Unreadable(field);
    (field == "disabled" ? record->disabled : record->deny_data_collection) = value == "1";
  } else if (field == "tool_call_guard") {
    if (!IsToolCallGuard(value)) return Unreadable(field);
    record->tool_call_guard = std::string(value);
  } else if (field == "created_ms" || field == "expires_ms" || field == "limit_nano") {
    if (!is_number) return Unreadable(field);
    if (field == "created_ms") record->created = absl::FromUnixMillis(number);
    if (field == "expires_ms") record->expires = absl::FromUnixMillis(number);
    if (field == "limit_nano") record->limit = NanoUsd{number};
  }
  return absl::OkStatus();
}

}  // namespace

bool IsToolCallGuard(absl::string_view word) {
  return word == "off" || word == "observe" || word == "enforce";
}

std::vector<std::string> EncodeKeyRecord(const KeyRecord& record) {
  std::vector<std::string> fields = {"name",
                                     record.name,
                                     "label",
                                     record.label,
                                     "disabled",
                                     record.disabled ? "1" : "0",
                                     "created_ms",
                                     Millis(record.created),
                                     "deny_data_collection",
                                     record.deny_data_collection ? "1" : "0"};
  if (record.expires.has_value()) {
    fields.push_back("expires_ms");
    fields.push_back(Millis(*record.expires));
  }
  if (record.limit.has_value()) {
    fields.push_back("limit_nano");
    fields.push_back(absl::StrCat(record.limit->value));
  }
  if (!record.tool_call_guard.empty()) {
    fields.push_back("tool_call_guard");
    fields.push_back(record.tool_call_guard);
  }
  return fields;
}

absl::StatusOr<KeyRecord> DecodeKeyRecord(absl::string_view hash, const redis::Reply& fields) {
  if (!fields.is_array() || fields.array().empty() || fields.array().size() % 2 != 0)
    return Unreadable("*");
  KeyRecord record;
  record.hash = std::string(hash);
  bool has_disabled = false;
  for (size_t i = 0; i < fields.array().size(); i += 2) {
    const std::string& field = fields.array()[i].string();
    has_disabled |= field == "disabled";
    RETURN_IF_ERROR(SetField(field, fields.array()[i + 1].string(), &record));
  }
  if (!has_disabled) return Unreadable("disabled");
  return record;
}

}  // namespace signalbox::store
