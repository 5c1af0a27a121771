// What the repair gives back is strict JSON and an object; mending it again changes nothing.
#include <string>

#include "nlohmann/json.hpp"
#include "services/provider-adapter/core/json_repair.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto repaired = signalbox::provider_adapter::RepairArguments(text);
  if (!repaired.has_value()) return 0;
  REQUIRE(nlohmann::json::parse(*repaired, nullptr, /*allow_exceptions=*/false).is_object());
  const auto again = signalbox::provider_adapter::RepairArguments(*repaired);
  REQUIRE(again.has_value() && *again == *repaired);
  return 0;
}
