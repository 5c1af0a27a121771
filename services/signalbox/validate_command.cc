// `signalbox validate PATH…`: reads configuration files and catalogues as the services would, and
// says everything that is wrong.
#include <sys/stat.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/catalogue/catalogue.h"
#include "common/config/loader.h"
#include "services/signalbox/command.h"

namespace signalbox {
namespace {

constexpr char kUsage[] = R"(signalbox validate PATH…
  A configuration file: its options and the catalogue it names. A folder, or a file with providers or models: a catalogue.
)";

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

absl::Status ValidateCatalogue(const std::vector<std::string>& paths) {
  ASSIGN_OR_RETURN(const auto catalogue, catalogue::Catalogue::Load(paths));
  std::cout << "catalogue: " << catalogue->providers().size() << " providers, "
            << catalogue->source().models_size() << " models, " << catalogue->endpoints().size()
            << " endpoints\n";
  return absl::OkStatus();
}

absl::Status ValidateFile(const std::string& path) {
  if (IsFolder(path)) return ValidateCatalogue({path});
  const absl::StatusOr<config::v1::Config> config = LoadConfiguration(path);
  if (!config.ok()) {
    // A catalogue file is no configuration file; which one it was meant to be shows in what can be
    // read.
    config::v1::Catalogue catalogue;
    if (config::LoadFile(path, &catalogue).ok()) return ValidateCatalogue({path});
    return config.status();
  }
  config::Report report;
  CheckServices(*config, &report);
  if (!report.ok()) return absl::InvalidArgumentError(report.ToString());
  std::cout << path << ": the configuration is good\n";
  if (config->catalogue().empty()) return absl::OkStatus();
  return ValidateCatalogue({config->catalogue().begin(), config->catalogue().end()});
}

}  // namespace

int ValidateCommand(absl::Span<const absl::string_view> arguments) {
  const absl::StatusOr<Arguments> parsed = ParseArguments(arguments, {}, {"help"});
  if (!parsed.ok()) return Fail("validate", parsed.status());
  if (parsed->Has("help") || parsed->words.empty()) {
    std::cout << kUsage;
    return parsed->Has("help") ? kOk : kBadUsage;
  }
  int code = kOk;
  for (const std::string& path : parsed->words) {
    const absl::Status valid = ValidateFile(path);
    if (!valid.ok()) {
      std::cerr << valid.message() << "\n";
      code = kBadUsage;
    }
  }
  return code;
}

}  // namespace signalbox
