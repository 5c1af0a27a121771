// Makes a tool's parameter schema safe to compile. Tool schemas come from clients and are hostile
// until shown otherwise: a
// `$ref` loop, a million nested members or a backtracking regular expression must cost nothing but
// the check itself.
//
// The result is a schema in which every subschema lies under its own number in `definitions` and is
// reached by `$ref` only:
//
//   {"$ref": "#/definitions/0", "definitions": {"0": {"properties": {"city": {"$ref":
//   "#/definitions/1"}}}, "1": {…}}}
//
// Only Draft 7 keywords that decide about validity are carried over. Left out, so that they accept
// everything: `format`, `patternProperties` (together with `additionalProperties` beside it),
// fractional or non-positive `multipleOf`. `pattern` and `uniqueItems` become keywords of our own
// (kPatternKey, kCostKey), because the library's ones are not bounded. `nullable: true` (OpenAPI's
// spelling) admits null.
//
// Pure; thread-safe.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_SCHEMA_FLATTEN_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_SCHEMA_FLATTEN_H_

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace signalbox::provider_adapter {

// Value: a regular expression (string).
inline constexpr char kPatternKey[] = "x-signalbox-pattern";
// Value: work of one look at this subschema (integer); negative: the items must be unique as well.
inline constexpr char kCostKey[] = "x-signalbox-cost";

inline constexpr int kMaxSchemaNodes = 1000;
inline constexpr int kMaxSchemaDepth = 32;  // nesting of subschemas, references not counted
// Levels of recursion while compiling, about 3 KB of stack each (more than 30 KB with
// sanitizers: 256 levels overflowed 8 MiB).
inline constexpr int kMaxCompileDepth = 64;
inline constexpr int kMaxInPlaceDepth =
    16;  // subschemas applied to one and the same value, one inside the other
inline constexpr int kMaxPatterns = 64;
inline constexpr int kMaxPatternBytes = 512;

struct FlatSchema {
  nlohmann::json document;
  int in_place_depth = 1;  // longest chain of subschemas applied to the same value
};

// Error: not a schema this check can handle (wrong keyword types, unresolvable or circular
// references, too big).
absl::StatusOr<FlatSchema> FlattenSchema(const nlohmann::json& schema);

// 2.0 -> 2 everywhere in the value: Draft 7 holds them equal, and says that 2.0 is an integer.
void NormaliseNumbers(nlohmann::json* value);

// Brackets of the JSON text nested deeper than `limit`?
bool NestsDeeperThan(absl::string_view json_text, int limit);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_SCHEMA_FLATTEN_H_
