#include "services/ingress/core/json_check.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/seam/error_detail.h"

namespace signalbox::ingress {
namespace {

std::string Range(double min, double max) {
  if (max >= 9e15) return absl::StrCat("must be at least ", min);
  return absl::StrCat("must be between ", min, " and ", max);
}

}  // namespace

std::string JsonPath::Text() const {
  std::string text = parent_ == nullptr ? "" : parent_->Text();
  if (index_ != kNoIndex) {
    absl::StrAppend(&text, "[", index_, "]");
  } else {
    absl::StrAppend(&text, text.empty() ? "" : ".", name_.substr(0, 64));
  }
  return text;
}

absl::Status Wrong(const JsonPath& path, absl::string_view what) {
  return seam::InvalidField(path.Text(), what);
}

absl::StatusOr<simdjson::dom::object> AsObject(JsonElement element, const JsonPath& path) {
  simdjson::dom::object object;
  if (element.get_object().get(object) != simdjson::SUCCESS)
    return Wrong(path, "must be an object");
  return object;
}

absl::StatusOr<simdjson::dom::array> AsArray(JsonElement element, const JsonPath& path) {
  simdjson::dom::array array;
  if (element.get_array().get(array) != simdjson::SUCCESS) return Wrong(path, "must be an array");
  return array;
}

absl::StatusOr<absl::string_view> AsString(JsonElement element, const JsonPath& path) {
  std::string_view text;
  if (element.get_string().get(text) != simdjson::SUCCESS) return Wrong(path, "must be a string");
  return json::View(text);
}

absl::StatusOr<absl::string_view> AsString(JsonElement element, const JsonPath& path,
                                           size_t max_bytes) {
  ASSIGN_OR_RETURN(const absl::string_view text, AsString(element, path));
  if (text.size() > max_bytes)
    return Wrong(path, absl::StrCat("must be at most ", max_bytes, " bytes"));
  return text;
}

absl::StatusOr<bool> AsBool(JsonElement element, const JsonPath& path) {
  bool value = false;
  if (element.get_bool().get(value) != simdjson::SUCCESS)
    return Wrong(path, "must be true or false");
  return value;
}

absl::StatusOr<double> AsNumber(JsonElement element, const JsonPath& path, double min, double max) {
  double value = 0;
  if (element.get_double().get(value) != simdjson::SUCCESS) return Wrong(path, "must be a number");
  if (!(value >= min && value <= max)) return Wrong(path, Range(min, max));
  return value;
}

absl::StatusOr<int64_t> AsInteger(JsonElement element, const JsonPath& path, int64_t min,
                                  int64_t max) {
  int64_t value = 0;
  if (element.get_int64().get(value) != simdjson::SUCCESS) {
    double real = 0;
    if (element.get_double().get(real) != simdjson::SUCCESS)
      return Wrong(path, "must be an integer");
    if (real != std::floor(real)) return Wrong(path, "must be an integer");
    if (!(std::abs(real) < 9e15))
      return Wrong(path, Range(static_cast<double>(min), static_cast<double>(max)));
    value = static_cast<int64_t>(real);
  }
  if (value < min || value > max)
    return Wrong(path, Range(static_cast<double>(min), static_cast<double>(max)));
  return value;
}

absl::Status EachItem(JsonElement element, const JsonPath& path, size_t max_items,
                      absl::FunctionRef<absl::Status(JsonElement, const JsonPath&)> check) {
  ASSIGN_OR_RETURN(const simdjson::dom::array array, AsArray(element, path));
  size_t index = 0;
  for (const JsonElement item : array) {
    if (index == max_items)
      return Wrong(path, absl::StrCat("must have at most ", max_items, " items"));
    RETURN_IF_ERROR(check(item, path.Item(index)));
    ++index;
  }
  return absl::OkStatus();
}

absl::Status EachString(JsonElement element, const JsonPath& path, size_t max_items,
                        absl::FunctionRef<absl::Status(absl::string_view, const JsonPath&)> check) {
  return EachItem(element, path, max_items,
                  [&](JsonElement item, const JsonPath& at) -> absl::Status {
                    ASSIGN_OR_RETURN(const absl::string_view text, AsString(item, at));
                    if (text.empty()) return Wrong(at, "must not be empty");
                    return check(text, at);
                  });
}

bool Find(simdjson::dom::object object, absl::string_view name, JsonElement* element) {
  return object.at_key(std::string_view(name.data(), name.size())).get(*element) ==
             simdjson::SUCCESS &&
         !element->is_null();
}

absl::StatusOr<JsonElement> Required(simdjson::dom::object object, absl::string_view name,
                                     const JsonPath& parent) {
  JsonElement element;
  if (!Find(object, name, &element)) return Wrong(parent.Member(name), "is required");
  return element;
}

}  // namespace signalbox::ingress
