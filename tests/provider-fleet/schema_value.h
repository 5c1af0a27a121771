// Values that follow a JSON Schema, as a model writes the arguments of a tool call, and values that
// break one.
//
// Covered: type (also a list), enum, const, properties, required, items, prefixItems, minItems,
// minimum, maximum and their exclusive forms, multipleOf, minLength, maxLength, format, simple
// patterns, anyOf, oneOf, allOf, $ref inside the document. Not covered: not, if/then/else,
// dependencies, patternProperties, uniqueItems beyond what chance gives.
//
// Thread-compatible; deterministic by Rng.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_SCHEMA_VALUE_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_SCHEMA_VALUE_H_

#include <nlohmann/json.hpp>

#include "common/base/rng.h"

namespace signalbox::fleet {

nlohmann::json GenerateValue(const nlohmann::json& schema, Rng& rng);

// Drops a required property of `arguments` or gives one a type its schema does not allow. False
// when the schema accepts anything we could write.
bool BreakArguments(const nlohmann::json& schema, nlohmann::json* arguments, Rng& rng);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_SCHEMA_VALUE_H_
