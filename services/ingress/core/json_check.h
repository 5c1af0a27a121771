// Typed reads of one JSON member that name it when it is wrong: the vocabulary request checks are
// written in.
//
// Pure; an element is valid until its parser's next Parse.
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_JSON_CHECK_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_JSON_CHECK_H_

#include <simdjson.h>

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace signalbox::ingress {

using JsonElement = simdjson::dom::element;

// Where a value stands, built only when an error needs its text: "messages[2].role".
class JsonPath {
 public:
  explicit JsonPath(absl::string_view member) : name_(member) {}
  JsonPath Member(absl::string_view name) const { return JsonPath(this, name, kNoIndex); }
  JsonPath Item(size_t index) const { return JsonPath(this, {}, index); }
  std::string Text() const;

 private:
  static constexpr size_t kNoIndex = ~size_t{0};
  JsonPath(const JsonPath* parent, absl::string_view name, size_t index)
      : parent_(parent), name_(name), index_(index) {}

  const JsonPath* parent_ = nullptr;  // outlives this: paths are made while descending
  absl::string_view name_;
  size_t index_ = kNoIndex;
};

absl::Status Wrong(const JsonPath& path, absl::string_view what);

absl::StatusOr<simdjson::dom::object> AsObject(JsonElement element, const JsonPath& path);
absl::StatusOr<simdjson::dom::array> AsArray(JsonElement element, const JsonPath& path);
absl::StatusOr<absl::string_view> AsString(JsonElement element, const JsonPath& path);
absl::StatusOr<absl::string_view> AsString(JsonElement element, const JsonPath& path,
                                           size_t max_bytes);
absl::StatusOr<bool> AsBool(JsonElement element, const JsonPath& path);
// Any JSON number within [min, max].
absl::StatusOr<double> AsNumber(JsonElement element, const JsonPath& path, double min, double max);
// A number without a fraction within [min, max]; "4.0" counts.
absl::StatusOr<int64_t> AsInteger(JsonElement element, const JsonPath& path, int64_t min,
                                  int64_t max);

// Runs `check` on every item; error when there are more than max_items.
absl::Status EachItem(JsonElement element, const JsonPath& path, size_t max_items,
                      absl::FunctionRef<absl::Status(JsonElement, const JsonPath&)> check);
absl::Status EachString(JsonElement element, const JsonPath& path, size_t max_items,
                        absl::FunctionRef<absl::Status(absl::string_view, const JsonPath&)> check);

// The member, or an error that it is missing. Null counts as missing.
absl::StatusOr<JsonElement> Required(simdjson::dom::object object, absl::string_view name,
                                     const JsonPath& parent);
// False when the member is absent or null.
bool Find(simdjson::dom::object object, absl::string_view name, JsonElement* element);

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_JSON_CHECK_H_
