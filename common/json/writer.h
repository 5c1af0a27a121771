// Writing JSON: appends to one string, no tree. The caller writes members in the order it wants
// them.
//
// Thread-compatible.
//
//   json::Writer w;
//   w.BeginObject().Key("id").String(id).Key("n").Int(3).Key("list").BeginArray().Int(1).Int(2).EndArray().EndObject();
//   std::string text = std::move(w).Take();      // {"id":"…","n":3,"list":[1,2]}
#ifndef SIGNALBOX_COMMON_JSON_WRITER_H_
#define SIGNALBOX_COMMON_JSON_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace signalbox::json {

// Appends `text` in quotes, escaped. Invalid UTF-8 becomes U+FFFD.
void AppendQuoted(std::string* out, absl::string_view text);
std::string Quoted(absl::string_view text);

class Writer {
 public:
  Writer() = default;
  explicit Writer(size_t reserve) { out_.reserve(reserve); }

  Writer& BeginObject();
  Writer& EndObject();
  Writer& BeginArray();
  Writer& EndArray();
  // A literal name without characters that need escaping is copied as is.
  Writer& Key(absl::string_view name);
  Writer& String(absl::string_view value);
  Writer& Int(int64_t value);
  Writer& UInt(uint64_t value);
  // Shortest form that reads back equal; not finite = null.
  Writer& Double(double value);
  Writer& Bool(bool value);
  Writer& Null();
  // `json` is inserted as it is.
  Writer& Raw(absl::string_view json);

  const std::string& text() const { return out_; }
  std::string Take() && { return std::move(out_); }

 private:
  void Separate();
  std::string out_;
};

}  // namespace signalbox::json

#endif  // SIGNALBOX_COMMON_JSON_WRITER_H_
