// A running provider fleet: threads, ports, schedule. The test double for end-to-end tests, fault
// tests and benchmarks; usable in-process or as the program `provider-fleet`.
//
//   auto fleet = Fleet::Start(*ParseFleetConfig(yaml), {});
//   const std::string base_url = (*fleet)->BaseUrl("good");   // http://127.0.0.1:PORT/good/v1
//   (*fleet)->roster().Set("good", "*", "{faults: [{kind: stall}]}");
//
// Thread-safe after Start. The destructor drops every connection.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_FLEET_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_FLEET_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/config.h"
#include "tests/provider-fleet/roster.h"

namespace signalbox::fleet {

struct FleetOptions {
  std::string address = "127.0.0.1";
  int port = 0;     // 0: any free one
  int threads = 0;  // 0: one per core
};

class Fleet {
 public:
  static absl::StatusOr<std::unique_ptr<Fleet>> Start(FleetConfig config,
                                                      const FleetOptions& options);
  virtual ~Fleet() = default;

  virtual int port() const = 0;
  virtual Roster& roster() = 0;
  // What a client of this provider is configured with. REQUIRES: the provider exists.
  std::string BaseUrl(absl::string_view provider);
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_FLEET_H_
