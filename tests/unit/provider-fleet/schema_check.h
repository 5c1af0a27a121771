// Whether a JSON value follows a JSON Schema, by valijson: a judge that shares no code with the
// fleet.
#ifndef SIGNALBOX_TESTS_UNIT_PROVIDER_FLEET_SCHEMA_CHECK_H_
#define SIGNALBOX_TESTS_UNIT_PROVIDER_FLEET_SCHEMA_CHECK_H_

#include <nlohmann/json.hpp>

namespace signalbox::fleet {

bool Follows(const nlohmann::json& schema, const nlohmann::json& value);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_UNIT_PROVIDER_FLEET_SCHEMA_CHECK_H_
