#include "services/signalbox/command.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/loader.h"
#include "services/signalbox/private_redis.h"

namespace signalbox {
namespace {

bool Contains(absl::Span<const absl::string_view> names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string FolderOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  return slash == std::string::npos ? "." : file.substr(0, slash);
}

std::string Under(const std::string& folder, const std::string& path) {
  return path.empty() || path[0] == '/' ? path : absl::StrCat(folder, "/", path);
}

}  // namespace

std::string Arguments::Get(const std::string& name, std::string otherwise) const {
  const auto found = flags.find(name);
  return found == flags.end() ? otherwise : found->second;
}

absl::StatusOr<Arguments> ParseArguments(absl::Span<const absl::string_view> arguments,
                                         absl::Span<const absl::string_view> valued,
                                         absl::Span<const absl::string_view> switches) {
  Arguments parsed;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (!absl::StartsWith(argument, "--")) {
      parsed.words.emplace_back(argument);
      continue;
    }
    argument.remove_prefix(2);
    const size_t equals = argument.find('=');
    const absl::string_view name = argument.substr(0, equals);
    if (Contains(switches, name) && equals == absl::string_view::npos) {
      parsed.flags[std::string(name)] = "true";
    } else if (Contains(valued, name)) {
      if (equals == absl::string_view::npos && i + 1 == arguments.size()) {
        return absl::InvalidArgumentError(absl::StrCat("--", name, " needs a value"));
      }
      parsed.flags[std::string(name)] = std::string(
          equals == absl::string_view::npos ? arguments[++i] : argument.substr(equals + 1));
    } else {
      return absl::InvalidArgumentError(absl::StrCat("unknown flag --", name));
    }
  }
  return parsed;
}

absl::StatusOr<config::v1::Config> LoadConfiguration(const std::string& path) {
  config::v1::Config config;
  if (!path.empty()) {
    const config::Report report = config::LoadFile(path, &config);
    if (!report.ok()) return absl::InvalidArgumentError(report.ToString());
  }
  const std::string folder = FolderOf(path);
  for (std::string& catalogue : *config.mutable_catalogue()) catalogue = Under(folder, catalogue);
  if (config.serve().data_dir().empty()) config.mutable_serve()->set_data_dir("data");
  config.mutable_serve()->set_data_dir(Under(folder, config.serve().data_dir()));
  config::v1::RedisInstance* const scores = config.mutable_redis()->mutable_scores();
  if (scores->address().empty() && !scores->has_sentinel())
    scores->set_address(PrivateRedis::AddressIn(config.serve().data_dir()));
  return config;
}

int Fail(absl::string_view command, const absl::Status& status) {
  std::cerr << "signalbox " << command << ": " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? kBadUsage : kFailed;
}

}  // namespace signalbox
