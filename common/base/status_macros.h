// RETURN_IF_ERROR and ASSIGN_OR_RETURN: early return on a bad absl::Status. (Debian's Abseil has no
// such macros.)
#ifndef SIGNALBOX_COMMON_BASE_STATUS_MACROS_H_
#define SIGNALBOX_COMMON_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SIGNALBOX_CONCAT_INNER(a, b) a##b
#define SIGNALBOX_CONCAT(a, b) SIGNALBOX_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                        \
  do {                                                     \
    ::absl::Status signalbox_status_ = (expression);       \
    if (!signalbox_status_.ok()) return signalbox_status_; \
  } while (false)

// ASSIGN_OR_RETURN(auto value, MakeValue());
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(SIGNALBOX_CONCAT(signalbox_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_INNER(temporary, target, expression) \
  auto temporary = (expression);                              \
  if (!temporary.ok()) return std::move(temporary).status();  \
  target = *std::move(temporary)

#endif  // SIGNALBOX_COMMON_BASE_STATUS_MACROS_H_
