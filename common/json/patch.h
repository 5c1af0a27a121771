// Changing a few top-level members of a JSON object while every other byte stays as it was: no
// re-serialisation, unknown members survive, numbers keep their spelling.
//
// Pure; thread-compatible. The text must be valid JSON (json::Parser has accepted it).
//
//   json::ObjectPatch patch;
//   patch.Set("model", "\"llama-3\"");        // value is raw JSON
//   patch.Remove("provider");
//   std::string body = patch.Apply(request_body);
#ifndef SIGNALBOX_COMMON_JSON_PATCH_H_
#define SIGNALBOX_COMMON_JSON_PATCH_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace signalbox::json {

// One member of an object, as views into its text.
struct Member {
  absl::string_view name;   // between the quotes, escapes not decoded
  absl::string_view value;  // raw JSON, without surrounding space
  absl::string_view whole;  // from the opening quote of the name to the end of the value
};

// Visits the top-level members in order until the visitor returns false. Text that is not an object
// has none.
void ForEachMember(absl::string_view object_text, absl::FunctionRef<bool(const Member&)> visit);

class ObjectPatch {
 public:
  // Replaces the member's value in place, or adds the member at the end. `raw_value` is JSON.
  void Set(absl::string_view name, absl::string_view raw_value);
  void SetString(absl::string_view name, absl::string_view text);
  // As Set, but only when the member is there.
  void Replace(absl::string_view name, absl::string_view raw_value);
  void Remove(absl::string_view name);
  // Removes all of `names` that no other edit speaks of. REQUIRES: `names` outlive the patch (a
  // constant table).
  void RemoveEach(absl::Span<const absl::string_view> names) { removed_.push_back(names); }
  // Keeps the value. If the new name exists already the old member is removed.
  void Rename(absl::string_view name, absl::string_view new_name);
  std::string Apply(absl::string_view object_text) const;

 private:
  enum class Kind { kSet, kReplace, kRemove, kRename };
  struct Edit {
    Kind kind;
    std::string name;
    std::string value;
  };
  std::vector<Edit> edits_;
  std::vector<absl::Span<const absl::string_view>> removed_;
};

}  // namespace signalbox::json

#endif  // SIGNALBOX_COMMON_JSON_PATCH_H_
