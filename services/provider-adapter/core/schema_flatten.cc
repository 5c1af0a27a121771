#include "services/provider-adapter/core/schema_flatten.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

constexpr absl::string_view kTypes[] = {"null",   "boolean", "object", "array",
                                        "number", "string",  "integer"};
constexpr const char* kNumberKeywords[] = {"minimum", "maximum", "exclusiveMinimum",
                                           "exclusiveMaximum"};
constexpr const char* kCountKeywords[] = {"minLength", "maxLength",     "minItems",
                                          "maxItems",  "minProperties", "maxProperties"};
constexpr int kMaxReferenceHops = 16;

absl::Status Unusable(absl::string_view why) { return absl::InvalidArgumentError(why); }

const json* Find(const json& object, const char* name) {
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

class Flattener {
 public:
  explicit Flattener(const json& root) : root_(root) {}

  absl::StatusOr<FlatSchema> Run() {
    ASSIGN_OR_RETURN(const int root_id, Place(root_, 0));
    // The library compiles by recursion, along references as well as along nesting. It follows no
    // reference target twice, so this bounds how deep it gets.
    const int64_t compile_depth = (static_cast<int64_t>(targets_.size()) + 1) * (deepest_ + 1);
    if (std::min<int64_t>(compile_depth, static_cast<int64_t>(in_place_.size())) >
        kMaxCompileDepth) {
      return Unusable("references lead too deep");
    }
    FlatSchema flat;
    ASSIGN_OR_RETURN(flat.in_place_depth, InPlaceDepth());
    flat.document = {{"definitions", std::move(definitions_)}, {"$ref", Pointer(root_id)}};
    return flat;
  }

 private:
  static std::string Pointer(int id) { return absl::StrCat("#/definitions/", id); }
  static json Reference(int id) { return {{"$ref", Pointer(id)}}; }

  // The number of the subschema, made when seen first.
  absl::StatusOr<int> Place(const json& node, int depth) {
    ASSIGN_OR_RETURN(const json* schema, Resolve(node));
    if (schema != &node) targets_.insert(schema);
    const auto [it, is_new] = ids_.try_emplace(schema, static_cast<int>(in_place_.size()));
    const int id = it->second;
    if (!is_new) return id;
    if (id >= kMaxSchemaNodes) return Unusable("too many subschemas");
    if (schema != &node) depth = 0;
    deepest_ = std::max(deepest_, depth);
    if (depth > kMaxSchemaDepth) return Unusable("nested too deeply");
    in_place_.emplace_back();
    if (schema->is_boolean()) {
      definitions_[absl::StrCat(id)] = *schema;
      return id;
    }
    if (!schema->is_object()) return Unusable("a subschema is neither object nor boolean");
    json out = json::object();
    RETURN_IF_ERROR(CopyObject(*schema, id, depth + 1, &out));
    definitions_[absl::StrCat(id)] = std::move(out);
    return id;
  }

  // Follows "$ref" within the document to the first schema that is none.
  absl::StatusOr<const json*> Resolve(const json& node) {
    const json* schema = &node;
    for (int hop = 0; hop < kMaxReferenceHops; ++hop) {
      if (!schema->is_object()) return schema;
      const json* reference = Find(*schema, "$ref");
      if (reference == nullptr) return schema;
      if (!reference->is_string()) return Unusable("$ref is not a string");
      ASSIGN_OR_RETURN(schema, Target(reference->get_ref<const std::string&>()));
    }
    return Unusable("references lead in a circle");
  }

  absl::StatusOr<const json*> Target(const std::string& reference) const {
    if (reference == "#" || reference == "#/") return &root_;
    if (!absl::StartsWith(reference, "#/") || absl::StrContains(reference, '%')) {
      return Unusable("$ref outside the document");
    }
    const json* at = &root_;
    for (absl::string_view token : absl::StrSplit(absl::string_view(reference).substr(2), '/')) {
      const std::string name = absl::StrReplaceAll(token, {{"~1", "/"}, {"~0", "~"}});
      if (at->is_object() && at->contains(name)) {
        at = &(*at)[name];
      } else if (size_t index;
                 at->is_array() && absl::SimpleAtoi(name, &index) && index < at->size()) {
        at = &(*at)[index];
      } else {
        return Unusable("$ref points nowhere");
      }
    }
    return at;
  }

  absl::Status CopyObject(const json& in, int id, int depth, json* out) {
    int64_t cost = 1;
    RETURN_IF_ERROR(CopyValues(in, &cost, out));
    RETURN_IF_ERROR(CopyNumbers(in, out));
    RETURN_IF_ERROR(CopyProperties(in, depth, &cost, out));
    RETURN_IF_ERROR(CopyItems(in, depth, out));
    RETURN_IF_ERROR(CopyDependencies(in, id, depth, out));
    RETURN_IF_ERROR(CopyInPlace(in, id, depth, out));
    return AddOwnKeywords(in, cost, out);
  }

  absl::Status CopyValues(const json& in, int64_t* cost, json* out) {
    if (const json* type = Find(in, "type")) RETURN_IF_ERROR(CopyType(in, *type, out));
    if (const json* values = Find(in, "enum")) {
      if (!values->is_array()) return Unusable("enum is not an array");
      (*out)["enum"] = *values;
      NormaliseNumbers(&(*out)["enum"]);
      *cost += static_cast<int64_t>(values->size());
    }
    if (const json* value = Find(in, "const")) {
      (*out)["const"] = *value;
      NormaliseNumbers(&(*out)["const"]);
    }
    // `required: true` inside a member is Draft 3; it means nothing here.
    if (const json* names = Find(in, "required");
        names != nullptr && names->is_array() && !names->empty()) {
      for (const json& name : *names) {
        if (!name.is_string() || HasNul(name)) return Unusable("required holds no names");
      }
      (*out)["required"] = *names;
      *cost += static_cast<int64_t>(names->size());
    }
    return absl::OkStatus();
  }

  static absl::Status CopyType(const json& in, const json& type, json* out) {
    json names = type.is_array() ? type : json::array({type});
    for (const json& name : names) {
      if (!name.is_string() || !absl::c_linear_search(kTypes, name.get_ref<const std::string&>())) {
        return Unusable("unknown type");
      }
    }
    const json* nullable = Find(in, "nullable");
    if (nullable != nullptr && *nullable == json(true)) names.push_back("null");
    if (!names.empty()) (*out)["type"] = std::move(names);
    return absl::OkStatus();
  }

  static absl::Status CopyNumbers(const json& in, json* out) {
    for (const char* keyword : kNumberKeywords) {
      const json* value = Find(in, keyword);
      if (value == nullptr || value->is_boolean()) continue;  // exclusiveMinimum: true is Draft 4
      if (!value->is_number()) return Unusable("a limit is not a number");
      (*out)[keyword] = *value;
    }
    for (const char* keyword : kCountKeywords) {
      const json* value = Find(in, keyword);
      if (value == nullptr) continue;
      json count = *value;
      NormaliseNumbers(&count);
      if (!count.is_number_integer() || count < 0)
        return Unusable("a count is not a natural number");
      (*out)[keyword] = std::move(count);
    }
    if (const json* value = Find(in, "multipleOf")) {
      json divisor = *value;
      NormaliseNumbers(&divisor);
      if (divisor.is_number_integer() && divisor > 0) (*out)["multipleOf"] = std::move(divisor);
    }
    return absl::OkStatus();
  }

  absl::Status CopyProperties(const json& in, int depth, int64_t* cost, json* out) {
    if (const json* properties = Find(in, "properties")) {
      if (!properties->is_object()) return Unusable("properties is not an object");
      json copied = json::object();
      for (const auto& [name, schema] : properties->items()) {
        if (HasNul(name)) return Unusable("NUL in a name");
        ASSIGN_OR_RETURN(const int child, Place(schema, depth));
        copied[name] = Reference(child);
      }
      *cost += static_cast<int64_t>(properties->size());
      (*out)["properties"] = std::move(copied);
    }
    const json* additional = Find(in, "additionalProperties");
    if (additional == nullptr || in.contains("patternProperties")) return absl::OkStatus();
    return CopyChild(*additional, "additionalProperties", depth, out);
  }

  absl::Status CopyChild(const json& schema, const char* keyword, int depth, json* out) {
    ASSIGN_OR_RETURN(const int child, Place(schema, depth));
    // The library takes a plain boolean here, and only here does it matter: `false` forbids further
    // members.
    (*out)[keyword] = schema.is_boolean() ? schema : Reference(child);
    return absl::OkStatus();
  }

  absl::Status CopyItems(const json& in, int depth, json* out) {
    const json* items = Find(in, "items");
    if (items != nullptr && items->is_array()) {
      json copied = json::array();
      for (const json& schema : *items) {
        ASSIGN_OR_RETURN(const int child, Place(schema, depth));
        copied.push_back(Reference(child));
      }
      (*out)["items"] = std::move(copied);
      if (const json* more = Find(in, "additionalItems")) {
        RETURN_IF_ERROR(CopyChild(*more, "additionalItems", depth, out));
      }
    } else if (items != nullptr) {
      ASSIGN_OR_RETURN(const int child, Place(*items, depth));
      (*out)["items"] = Reference(child);
    }
    if (const json* contains = Find(in, "contains")) {
      ASSIGN_OR_RETURN(const int child, Place(*contains, depth));
      (*out)["contains"] = Reference(child);
    }
    return absl::OkStatus();
  }

  absl::Status CopyDependencies(const json& in, int id, int depth, json* out) {
    const json* dependencies = Find(in, "dependencies");
    if (dependencies == nullptr) return absl::OkStatus();
    if (!dependencies->is_object()) return Unusable("dependencies is not an object");
    json copied = json::object();
    for (const auto& [name, value] : dependencies->items()) {
      if (HasNul(name)) return Unusable("NUL in a name");
      if (value.is_array()) {
        for (const json& needed : value) {
          if (!needed.is_string() || HasNul(needed)) return Unusable("dependencies holds no names");
        }
        if (!value.empty()) copied[name] = value;
      } else {
        ASSIGN_OR_RETURN(const int child, PlaceInPlace(value, id, depth));
        copied[name] = Reference(child);
      }
    }
    if (!copied.empty()) (*out)["dependencies"] = std::move(copied);
    return absl::OkStatus();
  }

  absl::Status CopyInPlace(const json& in, int id, int depth, json* out) {
    for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
      const json* schemas = Find(in, keyword);
      if (schemas == nullptr) continue;
      if (!schemas->is_array() || schemas->empty())
        return Unusable("a combination is no list of schemas");
      json copied = json::array();
      for (const json& schema : *schemas) {
        ASSIGN_OR_RETURN(const int child, PlaceInPlace(schema, id, depth));
        copied.push_back(Reference(child));
      }
      (*out)[keyword] = std::move(copied);
    }
    const bool conditional = in.contains("if");
    for (const char* keyword : {"not", "propertyNames", "if", "then", "else"}) {
      const json* schema = Find(in, keyword);
      const bool branch = keyword[0] == 't' || keyword[0] == 'e';
      if (schema == nullptr || (branch && !conditional)) continue;
      ASSIGN_OR_RETURN(const int child, PlaceInPlace(*schema, id, depth));
      (*out)[keyword] = Reference(child);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> PlaceInPlace(const json& schema, int parent, int depth) {
    ASSIGN_OR_RETURN(const int child, Place(schema, depth));
    in_place_[parent].push_back(child);
    return child;
  }

  // Our keywords go first into allOf: the library evaluates allOf before everything else, so that
  // work is charged even when the next keyword already fails.
  absl::Status AddOwnKeywords(const json& in, int64_t cost, json* out) {
    const json* unique = Find(in, "uniqueItems");
    const bool wants_unique = unique != nullptr && *unique == json(true);
    json own = json::array({json{{kCostKey, wants_unique ? -cost : cost}}});
    const json* pattern = Find(in, "pattern");
    if (pattern != nullptr && pattern->is_string() &&
        pattern->get_ref<const std::string&>().size() <= kMaxPatternBytes &&
        patterns_ < kMaxPatterns) {
      ++patterns_;
      own.push_back(json{{kPatternKey, *pattern}});
    }
    json& all_of = (*out)["allOf"];
    if (all_of.is_array()) own.insert(own.end(), all_of.begin(), all_of.end());
    all_of = std::move(own);
    return absl::OkStatus();
  }

  // Longest chain in the graph of in-place applications. Error: it has a circle.
  absl::StatusOr<int> InPlaceDepth() const {
    std::vector<int> depth(in_place_.size(), 0);  // 0 = not visited, -1 = on the current path
    int longest = 1;
    for (size_t id = 0; id < in_place_.size(); ++id) {
      ASSIGN_OR_RETURN(const int of_this, InPlaceDepthOf(static_cast<int>(id), 1, &depth));
      longest = std::max(longest, of_this);
    }
    if (longest > kMaxInPlaceDepth) return Unusable("combinations nested too deeply");
    return longest;
  }

  absl::StatusOr<int> InPlaceDepthOf(int id, int level, std::vector<int>* depth) const {
    if ((*depth)[id] > 0) return (*depth)[id];
    if ((*depth)[id] < 0) return Unusable("a schema applies itself to the same value");
    if (level > kMaxSchemaNodes) return Unusable("combinations nested too deeply");
    (*depth)[id] = -1;
    int longest = 1;
    for (int child : in_place_[id]) {
      ASSIGN_OR_RETURN(const int below, InPlaceDepthOf(child, level + 1, depth));
      longest = std::max(longest, below + 1);
    }
    (*depth)[id] = longest;
    return longest;
  }

  const json& root_;
  json definitions_ = json::object();
  absl::flat_hash_map<const json*, int> ids_;
  std::vector<std::vector<int>> in_place_;    // per subschema: those it applies to the same value
  absl::flat_hash_set<const json*> targets_;  // of references
  int deepest_ = 0;                           // nesting between two references
  int patterns_ = 0;
};

}  // namespace

absl::StatusOr<FlatSchema> FlattenSchema(const json& schema) { return Flattener(schema).Run(); }

void NormaliseNumbers(json* value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value->is_number_float()) {
    const double number = value->get<double>();
    if (std::floor(number) == number && std::fabs(number) < kExact)
      *value = static_cast<int64_t>(number);
  } else if (value->is_structured()) {
    for (json& child : *value) NormaliseNumbers(&child);
  }
}

bool NestsDeeperThan(absl::string_view json_text, int limit) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json_text.size(); ++i) {
    const char c = json_text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace signalbox::provider_adapter
