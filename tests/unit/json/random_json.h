// Random JSON for property tests: every kind of value, odd spacing, escapes, nesting.
#ifndef SIGNALBOX_TESTS_UNIT_JSON_RANDOM_JSON_H_
#define SIGNALBOX_TESTS_UNIT_JSON_RANDOM_JSON_H_

#include <string>

#include "common/base/rng.h"

namespace signalbox::json {

// An object whose top-level names are drawn from "a".."h" (each at most once), values nested up to
// `depth`.
std::string RandomObject(Rng& rng, int depth);
std::string RandomText(Rng& rng);

}  // namespace signalbox::json

#endif  // SIGNALBOX_TESTS_UNIT_JSON_RANDOM_JSON_H_
