// The catalogue a configuration names, loaded and watched.
#ifndef SIGNALBOX_COMMON_CATALOGUE_OPEN_H_
#define SIGNALBOX_COMMON_CATALOGUE_OPEN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/catalogue/holder.h"
#include "common/config/watcher.h"
#include "common/obs/metrics.h"
#include "signalbox/config/v1/config.pb.h"

namespace signalbox::catalogue {

// Relative paths are relative to `folder`. Reloads when a file changes; the holder outlives the
// watcher's callbacks (the watcher is stopped first). Error: InvalidArgument with everything that
// is wrong.
absl::StatusOr<std::unique_ptr<CatalogueHolder>> Open(const config::v1::Config& config,
                                                      const std::string& folder,
                                                      config::FileWatcher& watcher,
                                                      obs::Metrics& metrics);

}  // namespace signalbox::catalogue

#endif  // SIGNALBOX_COMMON_CATALOGUE_OPEN_H_
