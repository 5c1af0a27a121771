#include "common/config/describe.h"

#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "common/config/scalar.h"

namespace signalbox::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

bool IsDuration(const FieldDescriptor& field) {
  return field.message_type() != nullptr &&
         field.message_type()->full_name() == "google.protobuf.Duration";
}

std::string TypeText(const FieldDescriptor& field) {
  if (IsDuration(field)) return "duration (250ms, 1.5s, 5m, 1h)";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "whole number";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true, false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumChoices(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "mapping";
}

// The messages that the current one lies in. One that contains itself is shown once.
using Enclosing = std::vector<const Descriptor*>;

void AppendRows(const Descriptor& message, const std::string& prefix, Enclosing* enclosing,
                std::string* table);

void AppendField(const FieldDescriptor& field, const std::string& prefix, Enclosing* enclosing,
                 std::string* table) {
  const FieldDescriptor& value = field.is_map() ? *field.message_type()->map_value() : field;
  const std::string path = absl::StrCat(prefix, field.name(),
                                        field.is_map()        ? "{}"
                                        : field.is_repeated() ? "[]"
                                                              : "");
  const bool has_rows = value.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(value);
  if (has_rows && !absl::c_linear_search(*enclosing, value.message_type())) {
    return AppendRows(*value.message_type(), path + ".", enclosing, table);
  }
  absl::StrAppend(table, "| `", path, "` | ", TypeText(value), " |\n");
}

void AppendRows(const Descriptor& message, const std::string& prefix, Enclosing* enclosing,
                std::string* table) {
  enclosing->push_back(&message);
  for (int i = 0; i < message.field_count(); ++i)
    AppendField(*message.field(i), prefix, enclosing, table);
  enclosing->pop_back();
}

}  // namespace

std::string DescribeOptions(const Descriptor& message) {
  std::string table = "| Option | Value |\n|---|---|\n";
  Enclosing enclosing;
  AppendRows(message, "", &enclosing, &table);
  return table;
}

}  // namespace signalbox::config
