#include "common/catalogue/open.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace signalbox::catalogue {

absl::StatusOr<std::unique_ptr<CatalogueHolder>> Open(const config::v1::Config& config,
                                                      const std::string& folder,
                                                      config::FileWatcher& watcher,
                                                      obs::Metrics& metrics) {
  if (config.catalogue().empty()) {
    return absl::InvalidArgumentError(
        "catalogue: not set; name at least one file or folder of models and providers");
  }
  std::vector<std::string> paths;
  for (const std::string& path : config.catalogue()) {
    paths.push_back(path.empty() || path[0] == '/' ? path : absl::StrCat(folder, "/", path));
  }
  auto holder = std::make_unique<CatalogueHolder>(paths, &metrics);
  RETURN_IF_ERROR(holder->Reload());
  watcher.Watch(holder->paths(), [raw = holder.get()] { (void)raw->Reload(); });
  return holder;
}

}  // namespace signalbox::catalogue
