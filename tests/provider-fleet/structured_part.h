// The tools, tool choice and response format of a chat request.
//
// Plain values. Include only where they are used: nlohmann is slow to compile.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_STRUCTURED_PART_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_STRUCTURED_PART_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/provider-fleet/behaviour.h"

namespace signalbox::fleet {

struct Tool {
  std::string name;
  nlohmann::json schema;  // of the arguments; an empty object when absent
};

struct StructuredPart {
  enum class Choice { kAuto, kNone, kRequired, kNamed };

  std::vector<Tool> tools;
  Choice choice = Choice::kAuto;
  std::string named;  // kNamed: the tool
  bool parallel_allowed = true;
  bool after_tool_result = false;               // the conversation ends with the result of a tool
  std::optional<nlohmann::json> output_schema;  // the text must be JSON of this schema

  const Tool* Find(absl::string_view name) const;
};

absl::StatusOr<std::shared_ptr<const StructuredPart>> ParseStructuredPart(Dialect dialect,
                                                                          absl::string_view body);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_STRUCTURED_PART_H_
