// JSON Schema Draft 7 over valijson, hidden behind one class: the only place that knows the library
// (its header costs seconds to compile) and that catches its exceptions.
//
// Immutable and thread-safe. Work, memory and stack are bounded whatever schema and value say: see
// schema_flatten.h and the limits below. What exceeds them is accepted, never reported as the
// provider's fault.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_SCHEMA_CHECK_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_SCHEMA_CHECK_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "nlohmann/json_fwd.hpp"

namespace signalbox::provider_adapter {

inline constexpr size_t kMaxSchemaBytes = 256 * 1024;
inline constexpr int kMaxValueDepth = 64;

class CompiledSchema {
 public:
  // nullptr: absent, too large or not a schema; then everything is valid.
  static std::unique_ptr<const CompiledSchema> Compile(absl::string_view schema_json);
  ~CompiledSchema();

  struct Fault {
    std::string pointer;  // JSON pointer of the value at fault, "" = the whole
    std::string what;     // keyword, with the member's name where one is missing or too many:
                          // `required member "city"`
  };
  // nullopt: valid, or beyond the limits. `value` holds numbers as NormaliseNumbers makes them and
  // nests no deeper than kMaxValueDepth.
  absl::optional<Fault> Check(const nlohmann::json& value, int value_depth = kMaxValueDepth) const;

 private:
  class Body;
  explicit CompiledSchema(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_SCHEMA_CHECK_H_
