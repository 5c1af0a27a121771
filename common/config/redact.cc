#include "common/config/redact.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/config/scalar.h"

namespace signalbox::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr char kStruckOut[] = "(redacted)";

bool NamesCredential(absl::string_view key) {
  const std::string lower = absl::AsciiStrToLower(key);
  static constexpr absl::string_view kWords[] = {"authorization", "key",    "token",
                                                 "secret",        "cookie", "password"};
  return absl::c_any_of(kWords,
                        [&](absl::string_view word) { return absl::StrContains(lower, word); });
}

// "redis://user:secret@host" -> "redis://(redacted)@host".
std::string WithoutUserInfo(const std::string& text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  const size_t start = scheme + 3;
  const size_t end = std::min(text.find_first_of("/?#", start), text.size());
  const size_t at = text.rfind('@', end);
  if (at == std::string::npos || at < start) return text;
  return absl::StrCat(text.substr(0, start), kStruckOut, text.substr(at));
}

// Always in double quotes: no reader can take it for anything but text.
std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", std::string(1, c));
    } else if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

bool IsDuration(const FieldDescriptor& field) {
  return field.message_type() != nullptr &&
         field.message_type()->full_name() == "google.protobuf.Duration";
}

std::string DurationOf(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  return DurationText(
      absl::Seconds(reflection.GetInt64(message, message.GetDescriptor()->FindFieldByNumber(1))) +
      absl::Nanoseconds(
          reflection.GetInt32(message, message.GetDescriptor()->FindFieldByNumber(2))));
}

// One value of a field: index < 0 for a plain field.
struct ValueOf {
  const Message& message;
  const FieldDescriptor& field;
  int index = -1;

  const Message& AsMessage() const {
    const Reflection& reflection = *message.GetReflection();
    return index < 0 ? reflection.GetMessage(message, &field)
                     : reflection.GetRepeatedMessage(message, &field, index);
  }
  bool IsMapping() const {
    return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
  }

#define SIGNALBOX_GET(Type)                                        \
  (index < 0 ? message.GetReflection()->Get##Type(message, &field) \
             : message.GetReflection()->GetRepeated##Type(message, &field, index))
  std::string Text() const {
    if (IsDuration(field)) return DurationOf(AsMessage());
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return absl::StrCat(SIGNALBOX_GET(Int32));
      case FieldDescriptor::CPPTYPE_INT64:
        return absl::StrCat(SIGNALBOX_GET(Int64));
      case FieldDescriptor::CPPTYPE_UINT32:
        return absl::StrCat(SIGNALBOX_GET(UInt32));
      case FieldDescriptor::CPPTYPE_UINT64:
        return absl::StrCat(SIGNALBOX_GET(UInt64));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return absl::StrFormat("%.17g", SIGNALBOX_GET(Double));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return absl::StrFormat("%.9g", SIGNALBOX_GET(Float));
      case FieldDescriptor::CPPTYPE_BOOL:
        return SIGNALBOX_GET(Bool) ? "true" : "false";
      case FieldDescriptor::CPPTYPE_ENUM:
        return EnumText(*SIGNALBOX_GET(Enum));
      case FieldDescriptor::CPPTYPE_STRING:
        return Quoted(WithoutUserInfo(SIGNALBOX_GET(String)));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        break;
    }
    return "";
  }
#undef SIGNALBOX_GET
};

class Printer {
 public:
  void PrintFields(const Message& message, int indent) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    absl::c_sort(fields, [](const auto* a, const auto* b) { return a->index() < b->index(); });
    for (const FieldDescriptor* field : fields) PrintField(message, *field, indent);
  }

  std::string Take() { return std::move(out_); }

 private:
  void PrintField(const Message& message, const FieldDescriptor& field, int indent) {
    StartLine(indent);
    absl::StrAppend(&out_, field.name(), ":");
    if (field.is_map()) return PrintMap(message, field, indent + 2);
    if (field.is_repeated()) return PrintList(message, field, indent + 2);
    PrintAfterKey({message, field}, indent + 2);
  }

  void PrintAfterKey(const ValueOf& value, int indent) {
    if (!value.IsMapping()) {
      absl::StrAppend(&out_, " ", value.Text(), "\n");
    } else if (IsEmpty(value.AsMessage())) {
      out_.append(" {}\n");
    } else {
      out_.append("\n");
      PrintFields(value.AsMessage(), indent);
    }
  }

  void PrintList(const Message& message, const FieldDescriptor& field, int indent) {
    out_.append("\n");
    const int count = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < count; ++i) {
      const ValueOf value{message, field, i};
      StartLine(indent);
      out_.append("- ");
      if (!value.IsMapping()) {
        absl::StrAppend(&out_, value.Text(), "\n");
      } else if (IsEmpty(value.AsMessage())) {
        out_.append("{}\n");
      } else {
        after_dash_ = true;
        PrintFields(value.AsMessage(), indent + 2);
      }
    }
  }

  // Entries in the order of their keys.
  void PrintMap(const Message& message, const FieldDescriptor& field, int indent) {
    out_.append("\n");
    std::vector<std::pair<std::string, const Message*>> entries;
    const int count = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < count; ++i) {
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      entries.emplace_back(ValueOf{entry, *field.message_type()->map_key()}.Text(), &entry);
    }
    absl::c_sort(entries);
    for (const auto& [key, entry] : entries) {
      StartLine(indent);
      absl::StrAppend(&out_, key, ":");
      const ValueOf value{*entry, *field.message_type()->map_value()};
      if (value.field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && NamesCredential(key)) {
        absl::StrAppend(&out_, " ", Quoted(kStruckOut), "\n");
      } else {
        PrintAfterKey(value, indent + 2);
      }
    }
  }

  // The first field of a list item stands on the line of its dash.
  void StartLine(int indent) {
    if (!std::exchange(after_dash_, false)) out_.append(static_cast<size_t>(indent), ' ');
  }

  static bool IsEmpty(const Message& message) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    return fields.empty();
  }

  std::string out_;
  bool after_dash_ = false;
};

}  // namespace

std::string ToRedactedYaml(const Message& message) {
  Printer printer;
  printer.PrintFields(message, 0);
  return printer.Take();
}

}  // namespace signalbox::config
