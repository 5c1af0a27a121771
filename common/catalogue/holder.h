// The catalogue that is in force, shared by the services of a process and replaced when its files
// change.
//
//   catalogue::CatalogueHolder catalogue(config.catalogue(), &metrics);
//   RETURN_IF_ERROR(catalogue.Reload());                               // the first load must
//   succeed catalogue.OnReload([&](std::shared_ptr<const Catalogue> now) { … });
//   watcher.Watch(catalogue.paths(), [&] { (void)catalogue.Reload(); });
//
// Get, Reload and OnReload: common/config/watcher.h. A file that does not load leaves the last good
// catalogue in force and sets the reload gauge. Thread-safe; Reload blocks on file reads (about 0.3
// s for the shipped catalogue).
#ifndef SIGNALBOX_COMMON_CATALOGUE_HOLDER_H_
#define SIGNALBOX_COMMON_CATALOGUE_HOLDER_H_

#include <string>
#include <utility>
#include <vector>

#include "common/catalogue/catalogue.h"
#include "common/config/watcher.h"
#include "common/obs/metrics.h"

namespace signalbox::catalogue {

class CatalogueHolder final : public config::Reloadable<Catalogue> {
 public:
  // `paths`: files or folders, as in Catalogue::Load. `metrics` may be null.
  CatalogueHolder(std::vector<std::string> paths, obs::Metrics* metrics)
      : Reloadable(
            "catalogue", [paths] { return Catalogue::Load(paths); }, metrics),
        paths_(std::move(paths)) {}

  // What to watch.
  std::vector<std::string> paths() const { return WithModelFolders(paths_); }

 private:
  const std::vector<std::string> paths_;
};

}  // namespace signalbox::catalogue

#endif  // SIGNALBOX_COMMON_CATALOGUE_HOLDER_H_
