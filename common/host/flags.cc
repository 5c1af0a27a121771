#include "common/host/flags.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/types/optional.h"
#include "common/base/status_macros.h"

namespace signalbox::host {
namespace {

struct TextFlag {
  const char* name;
  const char* value;
  const char* help;
  std::string Flags::*target;
};
constexpr TextFlag kTextFlags[] = {
    {"config", "FILE", "configuration, YAML", &Flags::config},
    {"listen", "IP:PORT", "gRPC address (host.listen)", &Flags::listen},
    {"admin", "IP:PORT", "address of /metrics /livez /readyz /configz /buildz /logz (host.admin)",
     &Flags::admin},
    {"addresses", "FILE", "write the addresses in use here once bound (host.addresses_file)",
     &Flags::addresses},
    {"log_level", "LEVEL", "debug, info, warning or error (host.log_level)", &Flags::log_level},
    {"probe", "HOST:PORT", "ask /readyz of that admin address; exit 0 when ready, 1 when not",
     &Flags::probe},
};

struct Switch {
  const char* name;
  const char* help;
  bool Flags::*target;
};
constexpr Switch kSwitches[] = {
    {"reflection", "offer gRPC reflection (host.reflection)", &Flags::reflection},
    {"check_config", "check the configuration and exit", &Flags::check_config},
    {"print_config", "print the configuration without secrets and exit", &Flags::print_config},
    {"describe_config", "print the table of options and exit", &Flags::describe_config},
    {"version", "print the version and exit", &Flags::version},
    {"help", "print this and exit", &Flags::help},
};

template <typename List>
auto Find(const List& list, absl::string_view name) -> decltype(&list[0]) {
  for (const auto& item : list) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

absl::Status Error(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, " (--help lists the flags)"));
}

absl::Status SetSwitch(const Switch& flag, absl::optional<absl::string_view> value, Flags* flags) {
  if (value.has_value() && *value != "true" && *value != "false") {
    return Error(absl::StrCat("--", flag.name, " is a switch: true or false"));
  }
  flags->*flag.target = !value.has_value() || *value == "true";
  return absl::OkStatus();
}

// Takes the flag at *index and, if it is apart, its value.
absl::Status ParseOne(absl::Span<const absl::string_view> arguments, absl::Span<const OwnFlag> own,
                      size_t* index, Flags* flags) {
  absl::string_view name = arguments[*index];
  if (!absl::ConsumePrefix(&name, "--") || name.empty()) {
    return Error(absl::StrCat("\"", arguments[*index], "\" is no flag"));
  }
  absl::optional<absl::string_view> value;
  if (const size_t equals = name.find('='); equals != absl::string_view::npos) {
    value = name.substr(equals + 1);
    name = name.substr(0, equals);
  }
  if (const Switch* flag = Find(kSwitches, name)) return SetSwitch(*flag, value, flags);
  const TextFlag* const text = Find(kTextFlags, name);
  if (text == nullptr && Find(own, name) == nullptr)
    return Error(absl::StrCat("unknown flag --", name));
  if (!value.has_value() && *index + 1 < arguments.size()) value = arguments[++*index];
  if (!value.has_value() || value->empty())
    return Error(absl::StrCat("--", name, " needs a value"));
  if (text != nullptr) {
    flags->*text->target = std::string(*value);
  } else {
    flags->own.emplace_back(std::string(name), std::string(*value));
  }
  return absl::OkStatus();
}

void AppendHelp(absl::string_view name, absl::string_view value, absl::string_view help,
                std::string* out) {
  const std::string left = absl::StrCat("--", name, value.empty() ? "" : " ", value);
  absl::StrAppendFormat(out, "  %-24s %s\n", left, help);
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(absl::Span<const absl::string_view> arguments,
                                 absl::Span<const OwnFlag> own) {
  Flags flags;
  for (size_t i = 0; i < arguments.size(); ++i)
    RETURN_IF_ERROR(ParseOne(arguments, own, &i, &flags));
  return flags;
}

std::string FlagsHelp(absl::string_view program, absl::Span<const OwnFlag> own) {
  std::string out = absl::StrCat("usage: ", program, " [flags]\n\n");
  for (const OwnFlag& flag : own) AppendHelp(flag.name, flag.value, flag.help, &out);
  for (const TextFlag& flag : kTextFlags) AppendHelp(flag.name, flag.value, flag.help, &out);
  for (const Switch& flag : kSwitches) AppendHelp(flag.name, "", flag.help, &out);
  out +=
      "\nSIGTERM and SIGINT drain, a second one exits at once; SIGHUP reloads.\n"
      "exit codes: 0 stopped after a drain, 1 failed to start, 64 bad flags or configuration\n";
  return out;
}

absl::Status ApplyFlags(const Flags& flags, absl::Span<const OwnFlag> own,
                        config::v1::Config* config) {
  config::v1::HostConfig& host = *config->mutable_host();
  if (!flags.listen.empty()) host.set_listen(flags.listen);
  if (!flags.admin.empty()) host.set_admin(flags.admin);
  if (!flags.addresses.empty()) host.set_addresses_file(flags.addresses);
  if (!flags.log_level.empty()) host.set_log_level(flags.log_level);
  if (flags.reflection) host.set_reflection(true);
  for (const auto& [name, value] : flags.own) {
    const absl::Status applied = Find(own, name)->apply(value, config);
    if (!applied.ok())
      return absl::InvalidArgumentError(absl::StrCat("--", name, ": ", applied.message()));
  }
  return absl::OkStatus();
}

}  // namespace signalbox::host
