// What the process may use before the kernel ends it.
#ifndef SIGNALBOX_COMMON_HOST_MEMORY_LIMIT_H_
#define SIGNALBOX_COMMON_HOST_MEMORY_LIMIT_H_

#include <cstdint>
#include <string>

namespace signalbox::host {

// Of the control group as seen from inside a container, version 2 or 1; 0 = no limit. `root` is for
// tests.
int64_t MemoryLimitBytes(const std::string& root = "/sys/fs/cgroup");

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_MEMORY_LIMIT_H_
