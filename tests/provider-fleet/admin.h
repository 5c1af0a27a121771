// The fleet's own HTTP interface under /_fleet/:
//   GET  stats              counters per provider and model
//   GET  requests?provider= the latest requests of a provider, whole
//   GET  providers          names, base URLs, dialects and models
//   POST set                {"provider": "x", "model": "*", "set": {settings}}
//   POST advance            {"seconds": 60}: moves fleet time forward (faults with from/until,
//   schedules) POST reset              counters, kept requests and sequences start again
// Answers are JSON; errors are {"error": "…"} with 400 or 404.
//
// Thread-safe.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_ADMIN_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_ADMIN_H_

#include "tests/provider-fleet/http_reader.h"
#include "tests/provider-fleet/roster.h"
#include "tests/provider-fleet/script.h"

namespace signalbox::fleet {

Script RespondAdmin(const HttpRequest& request, Roster* roster);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_ADMIN_H_
