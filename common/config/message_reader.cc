#include "common/config/message_reader.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/config/scalar.h"

namespace signalbox::config {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Kind = TapeNode::Kind;

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type()->full_name() == "google.protobuf.Duration";
}

// "a whole number", "a list of text", … for messages.
std::string ExpectedValue(const FieldDescriptor& field) {
  if (IsDuration(field)) return "a duration such as 250ms";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number";
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", EnumChoices(*field.enum_type()));
    case FieldDescriptor::CPPTYPE_STRING:
      return "text";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "a mapping";
  }
  return "a value";
}

std::string KindText(const TapeNode& node) {
  switch (node.kind) {
    case Kind::kScalar:
      return node.quoted ? "text in quotes" : "a single value";
    case Kind::kNull:
      return "empty";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a mapping";
    case Kind::kAlias:
      return "an alias";
  }
  return "something else";
}

std::string Mismatch(const TapeNode& node, absl::string_view expected) {
  return absl::StrCat("is ", KindText(node), " (expected ", expected, ")");
}

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// dataPolicy, data-policy -> data_policy.
std::string SnakeCase(absl::string_view name) {
  std::string snake;
  for (const char c : name) {
    if (absl::ascii_isupper(c) && !snake.empty()) snake.push_back('_');
    snake.push_back(c == '-' ? '_' : absl::ascii_tolower(c));
  }
  return snake;
}

std::string UnknownField(absl::string_view name, const Descriptor& type) {
  constexpr size_t kLongestChecked = 64;
  const std::string snake = SnakeCase(name.substr(0, kLongestChecked));
  const FieldDescriptor* best = nullptr;
  size_t best_distance = std::max<size_t>(1, snake.size() / 3) + 1;
  for (int i = 0; i < type.field_count(); ++i) {
    const size_t distance = EditDistance(snake, type.field(i)->name());
    if (distance >= best_distance) continue;
    best = type.field(i);
    best_distance = distance;
  }
  if (best != nullptr) return absl::StrCat("unknown field (did you mean ", best->name(), "?)");
  std::string fields;
  for (int i = 0; i < type.field_count(); ++i) {
    absl::StrAppend(&fields, fields.empty() ? "" : ", ", type.field(i)->name());
  }
  return absl::StrCat("unknown field (", type.name(), " has ",
                      fields.empty() ? "no fields" : fields, ")");
}

// Sets a plain field or appends to a repeated one.
#define SIGNALBOX_STORE(Type, value)                       \
  do {                                                     \
    if (field.is_repeated()) {                             \
      out->GetReflection()->Add##Type(out, &field, value); \
    } else {                                               \
      out->GetReflection()->Set##Type(out, &field, value); \
    }                                                      \
  } while (false)

template <typename T>
absl::StatusOr<T> ParseSignedAs(absl::string_view text) {
  auto value = ParseSigned(text, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  if (!value.ok()) return value.status();
  return static_cast<T>(*value);
}

template <typename T>
absl::StatusOr<T> ParseUnsignedAs(absl::string_view text) {
  auto value = ParseUnsigned(text, std::numeric_limits<T>::max());
  if (!value.ok()) return value.status();
  return static_cast<T>(*value);
}

}  // namespace

// Adds a part to the path while it lives.
class MessageReader::Scope {
 public:
  Scope(MessageReader* reader, PathPart part) : reader_(reader) { reader_->path_.push_back(part); }
  ~Scope() { reader_->path_.pop_back(); }

 private:
  MessageReader* const reader_;
};

MessageReader::MessageReader(const Source& source, const TapeLimits& limits, SetElsewhere* set,
                             Report* report)
    : source_(source), tape_(source.tape), limits_(limits), set_(set), report_(report) {}

void MessageReader::Read(Message* out) {
  if (!tape_.nodes.empty()) ReadMessage(0, out);
}

void MessageReader::ReadMessage(uint32_t node, Message* out) {
  const TapeNode& map = tape_.nodes[node];
  if (map.kind == Kind::kNull) return;
  if (map.kind != Kind::kMap) return Fail(map, Mismatch(map, "a mapping"));
  std::vector<int> first_lines(static_cast<size_t>(out->GetDescriptor()->field_count()), 0);
  for (uint32_t key = node + 1; key < map.next;) {
    const uint32_t value = tape_.nodes[key].next;
    ReadMember(key, value, &first_lines, out);
    key = tape_.nodes[value].next;
  }
}

void MessageReader::ReadMember(uint32_t key, uint32_t value, std::vector<int>* first_lines,
                               Message* out) {
  const TapeNode& name = tape_.Resolve(key);
  if (name.kind != Kind::kScalar) return Fail(tape_.nodes[key], "a field name is expected here");
  const Scope scope(this, {name.text});
  const FieldDescriptor* const field = out->GetDescriptor()->FindFieldByName(name.text);
  if (field == nullptr)
    return Fail(tape_.nodes[key], UnknownField(name.text, *out->GetDescriptor()));
  int& first_line = (*first_lines)[static_cast<size_t>(field->index())];
  if (first_line != 0) {
    return Fail(tape_.nodes[key], absl::StrCat("is given twice (first on line ", first_line, ")"));
  }
  first_line = tape_.nodes[key].line;
  if (!CheckOneof(tape_.nodes[key], *field, *out)) return;
  const bool joined =
      field->is_repeated() ||
      (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(*field));
  if (!joined && !ClaimOverFiles(tape_.nodes[key])) return;
  ReadField(value, *field, out);
}

void MessageReader::ReadField(uint32_t value, const FieldDescriptor& field, Message* out) {
  if (!SpendAlias(value)) return;
  const uint32_t resolved = tape_.ResolveIndex(value);
  if (field.is_map()) return ReadMap(resolved, field, out);
  if (field.is_repeated()) return ReadList(resolved, field, out);
  ReadValue(resolved, field, out);
}

void MessageReader::ReadList(uint32_t list, const FieldDescriptor& field, Message* out) {
  const TapeNode& node = tape_.nodes[list];
  if (node.kind == Kind::kNull) return;
  if (node.kind != Kind::kList) {
    return Fail(node, Mismatch(node, absl::StrCat("a list, each item ", ExpectedValue(field))));
  }
  ++lists_;
  // The index counts on over files, as the indices of the message do.
  int index = out->GetReflection()->FieldSize(*out, &field);
  for (uint32_t item = list + 1; item < node.next; item = tape_.nodes[item].next, ++index) {
    const Scope scope(this, {{}, index});
    if (SpendAlias(item)) ReadValue(tape_.ResolveIndex(item), field, out);
  }
  --lists_;
}

void MessageReader::ReadMap(uint32_t map, const FieldDescriptor& field, Message* out) {
  const TapeNode& node = tape_.nodes[map];
  if (node.kind == Kind::kNull) return;
  if (node.kind != Kind::kMap) return Fail(node, Mismatch(node, "a mapping"));
  absl::flat_hash_set<absl::string_view> keys;
  for (uint32_t key = map + 1; key < node.next;) {
    const uint32_t value = tape_.nodes[key].next;
    const TapeNode& name = tape_.Resolve(key);
    const Scope scope(this, {name.text, -1, true});
    if (name.kind != Kind::kScalar) {
      Fail(tape_.nodes[key], "a key is expected here");
    } else if (!keys.insert(name.text).second) {
      Fail(tape_.nodes[key], "the key is given twice");
    } else if (ClaimOverFiles(tape_.nodes[key])) {
      ReadMapEntry(key, value, field, out);
    }
    key = tape_.nodes[value].next;
  }
}

void MessageReader::ReadMapEntry(uint32_t key, uint32_t value, const FieldDescriptor& field,
                                 Message* out) {
  if (!SpendAlias(value)) return;
  Message* const entry = out->GetReflection()->AddMessage(out, &field);
  ReadValue(tape_.ResolveIndex(key), *field.message_type()->map_key(), entry);
  ++lists_;  // an entry is one file's, like a list item
  ReadValue(tape_.ResolveIndex(value), *field.message_type()->map_value(), entry);
  --lists_;
}

void MessageReader::ReadValue(uint32_t value, const FieldDescriptor& field, Message* out) {
  const TapeNode& node = tape_.nodes[value];
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return ReadScalar(node, field, out);
  // An empty value leaves a field unset; in a list it is an item all the same.
  const Reflection& reflection = *out->GetReflection();
  if (node.kind == Kind::kNull && !field.is_repeated() && !IsDuration(field)) return;
  Message* const child = field.is_repeated() ? reflection.AddMessage(out, &field)
                                             : reflection.MutableMessage(out, &field);
  if (IsDuration(field)) return ReadDuration(node, child);
  if (node.kind == Kind::kNull) return Fail(node, Mismatch(node, "a mapping"));
  ReadMessage(value, child);
}

void MessageReader::ReadDuration(const TapeNode& node, Message* out) {
  if (node.kind != Kind::kScalar) return Fail(node, Mismatch(node, "a duration such as 250ms"));
  const auto value = ParseConfigDuration(node.text);
  if (!value.ok()) return Fail(node, std::string(value.status().message()));
  absl::Duration rest;
  const int64_t seconds = absl::IDivDuration(*value, absl::Seconds(1), &rest);
  const Reflection& reflection = *out->GetReflection();
  reflection.SetInt64(out, out->GetDescriptor()->FindFieldByNumber(1), seconds);
  reflection.SetInt32(out, out->GetDescriptor()->FindFieldByNumber(2),
                      static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

void MessageReader::ReadScalar(const TapeNode& node, const FieldDescriptor& field, Message* out) {
  const bool is_text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  if (node.kind == Kind::kNull && is_text) {
    return Fail(node, "has no value (expected text; the words null and ~ must stand in quotes)");
  }
  if (node.kind != Kind::kScalar) return Fail(node, Mismatch(node, ExpectedValue(field)));
  const bool quotes_allowed = is_text || field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
  // A map key is text by nature in YAML, quoted or not.
  if (node.quoted && !quotes_allowed && field.containing_type()->map_key() != &field) {
    return Fail(node, absl::StrCat("is text in quotes (expected ", ExpectedValue(field),
                                   ", without quotes)"));
  }
  const absl::Status status = SetScalar(node, field, out);
  if (!status.ok()) Fail(node, std::string(status.message()));
}

absl::Status MessageReader::SetScalar(const TapeNode& node, const FieldDescriptor& field,
                                      Message* out) {
  const auto store = [&](auto parsed, auto&& put) {
    if (parsed.ok()) put(*parsed);
    return parsed.status();
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return store(ParseSignedAs<int32_t>(node.text),
                   [&](int32_t value) { SIGNALBOX_STORE(Int32, value); });
    case FieldDescriptor::CPPTYPE_INT64:
      return store(ParseSignedAs<int64_t>(node.text),
                   [&](int64_t value) { SIGNALBOX_STORE(Int64, value); });
    case FieldDescriptor::CPPTYPE_UINT32:
      return store(ParseUnsignedAs<uint32_t>(node.text),
                   [&](uint32_t value) { SIGNALBOX_STORE(UInt32, value); });
    case FieldDescriptor::CPPTYPE_UINT64:
      return store(ParseUnsignedAs<uint64_t>(node.text),
                   [&](uint64_t value) { SIGNALBOX_STORE(UInt64, value); });
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return store(ParseNumber(node.text), [&](double value) { SIGNALBOX_STORE(Double, value); });
    case FieldDescriptor::CPPTYPE_FLOAT:
      return store(ParseNumber(node.text),
                   [&](double value) { SIGNALBOX_STORE(Float, static_cast<float>(value)); });
    case FieldDescriptor::CPPTYPE_BOOL:
      return store(ParseBool(node.text), [&](bool value) { SIGNALBOX_STORE(Bool, value); });
    case FieldDescriptor::CPPTYPE_ENUM:
      return store(ParseEnum(node.text, *field.enum_type()),
                   [&](int value) { SIGNALBOX_STORE(EnumValue, value); });
    case FieldDescriptor::CPPTYPE_STRING:
      SIGNALBOX_STORE(String, node.text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return absl::InternalError("a message is not a scalar");
}

bool MessageReader::CheckOneof(const TapeNode& key, const FieldDescriptor& field,
                               const Message& out) {
  const auto* const oneof = field.real_containing_oneof();
  if (oneof == nullptr) return true;
  const FieldDescriptor* const other = out.GetReflection()->GetOneofFieldDescriptor(out, oneof);
  if (other == nullptr || other == &field) return true;
  Fail(key, absl::StrCat("cannot be given beside ", other->name(), " (only one of ", oneof->name(),
                         ")"));
  return false;
}

bool MessageReader::ClaimOverFiles(const TapeNode& key) {
  if (set_ == nullptr || lists_ > 0) return true;
  const auto [found, inserted] = set_->emplace(Path(), absl::StrCat(source_.file, ":", key.line));
  if (inserted) return true;
  Fail(key, absl::StrCat("is already given in ", found->second));
  return false;
}

bool MessageReader::SpendAlias(uint32_t node) {
  if (tape_.nodes[node].kind != Kind::kAlias) return true;
  const uint32_t target = tape_.nodes[node].target;
  const bool spent_before = aliased_ > limits_.max_alias_nodes;
  aliased_ += tape_.nodes[target].next - target;
  if (aliased_ <= limits_.max_alias_nodes) return true;
  if (!spent_before) {
    Fail(tape_.nodes[node],
         absl::StrCat("aliases stand for more than ", limits_.max_alias_nodes, " values"));
  }
  return false;
}

std::string MessageReader::Path() const {
  std::string path;
  for (const PathPart& part : path_) {
    if (part.index >= 0) {
      absl::StrAppend(&path, "[", part.index, "]");
    } else if (part.bracketed) {
      absl::StrAppend(&path, "[", part.name, "]");
    } else {
      absl::StrAppend(&path, path.empty() ? "" : ".", part.name);
    }
  }
  return path;
}

void MessageReader::Fail(const TapeNode& at, std::string message) {
  report_->AddAt(Problem{source_.file, at.line, at.column, Path(), std::move(message)});
}

#undef SIGNALBOX_STORE

}  // namespace signalbox::config
