// What Redis holds of the last day, as a simulation can replay it.
#ifndef SIGNALBOX_SERVICES_SIGNALBOX_RECORDED_DAY_H_
#define SIGNALBOX_SERVICES_SIGNALBOX_RECORDED_DAY_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "services/signalbox/simulate/traces.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox {

// Blocks while it reads; prices are the catalogue's. Error: no Redis, or nothing recorded.
absl::StatusOr<simulate::Recorded> ReadRecordedDay(const config::v1::Config& config, uint64_t seed);

}  // namespace signalbox

#endif  // SIGNALBOX_SERVICES_SIGNALBOX_RECORDED_DAY_H_
