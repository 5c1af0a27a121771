#include "tests/unit/json/random_json.h"

#include <vector>

namespace signalbox::json {
namespace {

std::string Space(Rng& rng) {
  static const char* const kSpaces[] = {"", "", "", " ", "\n", "\t ", "  "};
  return kSpaces[rng.Below(7)];
}

std::string RandomString(Rng& rng) {
  static const char* const kPieces[] = {"a", "\\\"",    "\\\\", "{", "}", "[",  ",",
                                        ":", "\\u00e9", "\\n",  "é", "😀", "\\/"};
  std::string out = "\"";
  for (uint64_t n = rng.Below(6); n > 0; --n) out += kPieces[rng.Below(13)];
  return out + "\"";
}

std::string RandomValue(Rng& rng, int depth) {
  static const char* const kScalars[] = {"0",    "-1.5e3",      "true", "false",
                                         "null", "12345678901", "[]",   "{}"};
  switch (rng.Below(depth > 0 ? 4 : 2)) {
    case 0:
      return kScalars[rng.Below(8)];
    case 1:
      return RandomString(rng);
    case 2: {
      std::string out = "[";
      for (uint64_t n = rng.Below(4), i = 0; i < n; ++i) {
        out += (i == 0 ? "" : ",") + Space(rng) + RandomValue(rng, depth - 1) + Space(rng);
      }
      return out + "]";
    }
    default:
      return RandomObject(rng, depth - 1);
  }
}

}  // namespace

std::string RandomObject(Rng& rng, int depth) {
  std::string out = "{" + Space(rng);
  bool first = true;
  for (char name = 'a'; name <= 'h'; ++name) {
    if (rng.Below(3) != 0) continue;
    if (!first) out += "," + Space(rng);
    first = false;
    out += std::string("\"") + name + "\"" + Space(rng) + ":" + Space(rng) +
           RandomValue(rng, depth) + Space(rng);
  }
  return out + "}";
}

std::string RandomText(Rng& rng) {
  std::string text;
  for (uint64_t n = rng.Below(40); n > 0; --n) text.push_back(static_cast<char>(rng.Below(256)));
  return text;
}

}  // namespace signalbox::json
