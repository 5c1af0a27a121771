#include "tests/provider-fleet/schema_value.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/provider-fleet/pattern_text.h"
#include "tests/provider-fleet/token_text.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 12;           // of nesting; recursive schemas end here
constexpr int kOptionalDepth = 4;       // deeper objects have only what is required
constexpr double kOptionalShare = 0.5;  // of optional properties that are written
constexpr int64_t kMaxItems = 64;
constexpr int64_t kMaxLength = 4096;

const json& Member(const json& object, const char* key) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  auto it = object.find(key);
  return it == object.end() ? kNull : *it;
}

int64_t IntOr(const json& value, int64_t otherwise) {
  return value.is_number() ? static_cast<int64_t>(value.get<double>()) : otherwise;
}

class ValueGenerator {
 public:
  ValueGenerator(const json& root, Rng& rng) : root_(root), rng_(rng) {}

  json Value(const json& given, int depth) {
    const json schema = Resolve(given, 0);
    if (schema.contains("const")) return schema["const"];
    const json& choices = Member(schema, "enum");
    if (choices.is_array() && !choices.empty()) return choices[rng_.Below(choices.size())];
    for (const char* key : {"anyOf", "oneOf"}) {
      const json& branches = Member(schema, key);
      if (branches.is_array() && !branches.empty()) return Branch(schema, key, depth);
    }
    const std::string type = TypeOf(schema);
    if (type == "object") return Object(schema, depth);
    if (type == "array") return Array(schema, depth);
    if (type == "integer" || type == "number") return Number(schema, type == "integer");
    if (type == "boolean") return rng_.Below(2) == 1;
    if (type == "null") return nullptr;
    return Text(schema);
  }

  // Follows $ref and folds allOf in.
  json Resolve(const json& given, int hops) {
    if (!given.is_object()) return json::object();  // true: anything goes
    json schema = given;
    const json& ref = Member(given, "$ref");
    if (ref.is_string() && hops < kMaxDepth) {
      schema.erase("$ref");
      Fold(Resolve(Referenced(ref.get<std::string>()), hops + 1), &schema);
    }
    const json all = Member(schema, "allOf");
    if (all.is_array() && hops < kMaxDepth) {
      schema.erase("allOf");
      for (const json& part : all) Fold(Resolve(part, hops + 1), &schema);
    }
    return schema;
  }

 private:
  const json& Referenced(const std::string& ref) const {
    static const json kNull;
    if (ref == "#") return root_;
    if (ref.compare(0, 2, "#/") != 0) return kNull;
    const json* at = &root_;
    for (size_t begin = 2; at->is_object();) {
      const size_t end = std::min(ref.find('/', begin), ref.size());
      at = &Member(*at, ref.substr(begin, end - begin).c_str());
      if (end == ref.size()) return *at;
      begin = end + 1;
    }
    return kNull;
  }

  static void Fold(const json& from, json* into) {
    for (const auto& [key, value] : from.items()) {
      json& member = (*into)[key];
      if (key == "properties" && member.is_object()) {
        member.update(value);
      } else if (key == "required" && member.is_array()) {
        member.insert(member.end(), value.begin(), value.end());
      } else if (member.is_null()) {
        member = value;
      }
    }
  }

  json Branch(json schema, const char* key, int depth) {
    const json branches = schema[key];
    schema.erase(key);
    // At the depth limit the last branch is taken: by habit the simplest ("… or null").
    const size_t pick = depth > kOptionalDepth ? branches.size() - 1 : rng_.Below(branches.size());
    json branch = Resolve(branches[pick], 0);
    Fold(schema, &branch);
    return Value(branch, depth + 1);
  }

  std::string TypeOf(const json& schema) {
    const json& type = Member(schema, "type");
    if (type.is_string()) return type.get<std::string>();
    if (type.is_array() && !type.empty()) {
      const json& pick = type[rng_.Below(type.size())];
      return pick.is_string() ? pick.get<std::string>() : "string";
    }
    if (schema.contains("properties") || schema.contains("required")) return "object";
    if (schema.contains("items")) return "array";
    if (schema.contains("minimum") || schema.contains("maximum")) return "number";
    return "string";
  }

  json Object(const json& schema, int depth) {
    json out = json::object();
    if (depth > kMaxDepth) return out;
    const json& required = Member(schema, "required");
    const json& properties = Member(schema, "properties");
    if (properties.is_object()) {
      for (const auto& [name, property] : properties.items()) {
        const bool needed = required.is_array() &&
                            std::find(required.begin(), required.end(), name) != required.end();
        const bool wanted = depth <= kOptionalDepth && rng_.Uniform() < kOptionalShare;
        if (needed || wanted) out[name] = Value(property, depth + 1);
      }
    }
    for (const json& name : required) {
      if (name.is_string() && !out.contains(name.get<std::string>())) {
        out[name.get<std::string>()] = Value(Member(schema, "additionalProperties"), depth + 1);
      }
    }
    return out;
  }

  json Array(const json& schema, int depth) {
    json out = json::array();
    const json& first = Member(schema, "prefixItems");
    const int64_t min = std::clamp<int64_t>(IntOr(Member(schema, "minItems"), 0), 0, kMaxItems);
    const int64_t max =
        std::clamp<int64_t>(IntOr(Member(schema, "maxItems"), min + 3), min, kMaxItems);
    int64_t count = min + static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(max - min + 1)));
    if (count == 0 && max > 0 && depth <= kOptionalDepth) count = 1;
    if (depth > kMaxDepth) count = min;
    if (depth > kMaxDepth + 4) count = 0;
    if (first.is_array()) count = std::max<int64_t>(count, static_cast<int64_t>(first.size()));
    for (int64_t i = 0; i < count; ++i) {
      const bool fixed = first.is_array() && i < static_cast<int64_t>(first.size());
      out.push_back(
          Value(fixed ? first[static_cast<size_t>(i)] : Member(schema, "items"), depth + 1));
    }
    return out;
  }

  static double Bound(const json& schema, const char* key, double otherwise) {
    const json& value = Member(schema, key);
    return value.is_number() ? value.get<double>() : otherwise;
  }

  json Number(const json& schema, bool integer) {
    double nudge = Bound(schema, "multipleOf", integer ? 1 : 0.01);
    if (nudge <= 0) nudge = 1;
    double low = Bound(schema, "minimum", Bound(schema, "exclusiveMinimum", NAN) + nudge);
    double high = Bound(schema, "maximum", Bound(schema, "exclusiveMaximum", NAN) - nudge);
    if (std::isnan(low)) low = std::isnan(high) ? 0 : std::min(0.0, high);
    if (std::isnan(high)) high = std::max(100.0, low + 100);
    // A range finer than the default unit gets a finer one.
    if (!integer && !schema.contains("multipleOf") && high - low < 1)
      nudge = std::max((high - low) / 16, 1e-12);
    const double first = std::ceil(low / nudge);
    const double steps = std::clamp(std::floor(high / nudge) - first, 0.0, 1e9);
    const double value =
        (first + static_cast<double>(rng_.Below(static_cast<uint64_t>(steps) + 1))) * nudge;
    if (integer) return static_cast<int64_t>(std::llround(value));
    // 0.1 * 3 would print seventeen digits.
    const double rounded = std::round(value * 100) / 100;
    return nudge >= 0.01 ? rounded : std::clamp(value, low, high);
  }

  json Text(const json& schema) {
    const json& pattern = Member(schema, "pattern");
    if (pattern.is_string()) {
      if (auto match = GenerateMatch(pattern.get<std::string>(), rng_)) return *match;
    }
    const json& format = Member(schema, "format");
    if (format.is_string()) {
      std::string formatted = Formatted(format.get<std::string>());
      if (!formatted.empty()) return formatted;
    }
    std::string text = GenerateWords(static_cast<int>(1 + rng_.Below(4)), rng_);
    const int64_t min = std::clamp<int64_t>(IntOr(Member(schema, "minLength"), 0), 0, kMaxLength);
    const int64_t max = std::max(min, IntOr(Member(schema, "maxLength"), kMaxLength));
    while (static_cast<int64_t>(text.size()) < min)
      absl::StrAppend(&text, " ", GenerateWords(1, rng_));
    if (static_cast<int64_t>(text.size()) > max) text.resize(static_cast<size_t>(max));
    return text;
  }

  int Pick(int low, int high) {
    return low + static_cast<int>(rng_.Below(static_cast<uint64_t>(high - low + 1)));
  }

  std::string Formatted(const std::string& format) {
    const std::string date =
        absl::StrFormat("20%02d-%02d-%02d", Pick(20, 29), Pick(1, 12), Pick(1, 28));
    const std::string time =
        absl::StrFormat("%02d:%02d:%02dZ", Pick(0, 23), Pick(0, 59), Pick(0, 59));
    const std::string word = GenerateWords(1, rng_);
    if (format == "date") return date;
    if (format == "time") return time;
    if (format == "date-time") return absl::StrCat(date, "T", time);
    if (format == "email") return absl::StrCat(word, "@example.com");
    if (format == "hostname") return absl::StrCat(word, ".example.com");
    if (format == "uri" || format == "url") return absl::StrCat("https://example.com/", word);
    if (format == "ipv4") return absl::StrFormat("192.0.2.%d", Pick(1, 254));
    if (format == "uuid") {
      return absl::StrFormat("%08x-%04x-4%03x-8%03x-%012x", rng_() >> 32, rng_() >> 48,
                             rng_() >> 52, rng_() >> 52, rng_() >> 16);
    }
    return "";
  }

  const json& root_;
  Rng& rng_;
};

// A value of a type the schema of a property surely refuses; null json value + false when it
// accepts any.
bool WrongTypeFor(const json& schema, json* out) {
  const json& type = Member(schema, "type");
  if (!type.is_string()) return false;
  if (type == "string") *out = json{{"value", 7}};
  if (type == "integer" || type == "number") *out = "several";
  if (type == "boolean") *out = "maybe";
  if (type == "array") *out = "first, second";
  if (type == "object") *out = "see above";
  if (type == "null") *out = 0;
  return true;
}

}  // namespace

json GenerateValue(const json& schema, Rng& rng) {
  return ValueGenerator(schema, rng).Value(schema, 0);
}

bool BreakArguments(const json& schema, json* arguments, Rng& rng) {
  const json resolved = ValueGenerator(schema, rng).Resolve(schema, 0);
  if (!arguments->is_object()) return false;
  std::vector<std::pair<std::string, json>> ways;  // property → its wrong value; discarded: dropped
  for (const json& name : Member(resolved, "required")) {
    if (name.is_string())
      ways.emplace_back(name.get<std::string>(), json(json::value_t::discarded));
  }
  const json& properties = Member(resolved, "properties");
  if (properties.is_object()) {
    for (const auto& [name, property] : properties.items()) {
      json wrong;
      if (WrongTypeFor(property, &wrong)) ways.emplace_back(name, std::move(wrong));
    }
  }
  if (!ways.empty()) {
    const auto& [name, wrong] = ways[rng.Below(ways.size())];
    if (wrong.is_discarded()) {
      arguments->erase(name);
    } else {
      (*arguments)[name] = wrong;
    }
    return true;
  }
  if (Member(resolved, "type") != "object") return false;
  *arguments = json::array({*arguments});
  return true;
}

}  // namespace signalbox::fleet
