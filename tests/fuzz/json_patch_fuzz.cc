// Patching valid JSON gives valid JSON with the edits in place; invalid text is never read beyond
// its end.
#include <string>

#include "common/json/parse.h"
#include "common/json/patch.h"
#include "tests/fuzz/require.h"

using signalbox::json::Member;
using signalbox::json::ObjectPatch;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  size_t members = 0;
  signalbox::json::ForEachMember(text, [&](const Member& member) {
    REQUIRE(member.whole.data() >= text.data() && member.whole.end() <= text.data() + text.size());
    return ++members < 1000;
  });
  ObjectPatch patch;
  patch.SetString("model", "new\"model");
  patch.Remove("provider");
  patch.Rename("max_tokens", "max_completion_tokens");
  patch.Replace("stream", "false");
  const std::string patched = patch.Apply(text);

  signalbox::json::Parser parser;
  auto before = parser.Parse(text);
  if (!before.ok() || !before->is_object()) return 0;
  auto after = parser.Parse(patched);
  REQUIRE(after.ok());
  std::string_view model;
  REQUIRE((*after)["model"].get(model) == simdjson::SUCCESS && model == "new\"model");
  REQUIRE((*after)["provider"].error() == simdjson::NO_SUCH_FIELD);
  REQUIRE((*after)["max_tokens"].error() == simdjson::NO_SUCH_FIELD);
  return 0;
}
