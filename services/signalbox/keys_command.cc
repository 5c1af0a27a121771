// `signalbox keys`: client keys are made here, shown once, and stored as their SHA-256.
#include <iostream>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"
#include "common/store/key_record.h"
#include "services/signalbox/blocking_key_store.h"
#include "services/signalbox/command.h"

namespace signalbox {
namespace {

constexpr char kUsage[] =
    R"(signalbox keys create --name NAME [--limit USD] [--expires 720h] [--deny-data-collection]
                      [--tool-call-guard off|observe|enforce] [--quiet]
signalbox keys list
signalbox keys disable HASH | enable HASH | remove HASH
  --config FILE    where Redis is
The hash of a key is what `keys list` shows; its first characters are enough when they are unique.
)";

absl::StatusOr<store::KeyRecord> NewRecord(const Arguments& arguments, const std::string& key) {
  store::KeyRecord record;
  record.hash = Sha256Hex(key);
  record.name = arguments.Get("name");
  record.label = absl::StrCat(key.substr(0, 12), "...", key.substr(key.size() - 3));
  record.created = absl::Now();
  record.deny_data_collection = arguments.Has("deny-data-collection");
  if (record.name.empty() || record.name.size() > 100) {
    return absl::InvalidArgumentError("--name: 1 to 100 characters that say whose key it is");
  }
  record.tool_call_guard = arguments.Get("tool-call-guard");
  if (arguments.Has("tool-call-guard") && !store::IsToolCallGuard(record.tool_call_guard)) {
    return absl::InvalidArgumentError("--tool-call-guard: expected off, observe or enforce");
  }
  if (arguments.Has("limit")) {
    ASSIGN_OR_RETURN(const int64_t pico, ParseUsdToPico(arguments.Get("limit")));
    record.limit = NanoUsd{pico / 1'000};
  }
  if (arguments.Has("expires")) {
    absl::Duration life;
    if (!absl::ParseDuration(arguments.Get("expires"), &life) || life <= absl::ZeroDuration()) {
      return absl::InvalidArgumentError("--expires: expected a duration such as 720h");
    }
    record.expires = record.created + life;
  }
  return record;
}

absl::Status Create(const Arguments& arguments, BlockingKeyStore& store) {
  const std::string key = NewClientKey();
  ASSIGN_OR_RETURN(const store::KeyRecord record, NewRecord(arguments, key));
  RETURN_IF_ERROR(store.Put(record));
  if (arguments.Has("quiet")) {
    std::cout << key << "\n";
  } else {
    std::cout << "key   " << key << "\n      (shown once: only its hash is stored)\nname  "
              << record.name << "\nhash  " << record.hash << "\n";
  }
  return absl::OkStatus();
}

absl::Status List(BlockingKeyStore& store) {
  ASSIGN_OR_RETURN(const std::vector<store::KeyRecord> records, store.List());
  std::cout << "hash                                                              label            "
               "     state     used USD      name\n";
  for (const store::KeyRecord& record : records) {
    ASSIGN_OR_RETURN(const store::KeyUsage usage, store.Usage(record.hash));
    const bool expired = record.expires.has_value() && *record.expires < absl::Now();
    std::string line = absl::StrCat(record.hash, "  ", record.label);
    line.resize(std::max<size_t>(line.size(), 88), ' ');
    std::cout << line << (record.disabled ? "disabled  " : expired ? "expired   " : "active    ");
    std::string used = NanoToDecimal(usage.total);
    used.resize(std::max<size_t>(used.size() + 2, 14), ' ');
    std::cout << used << record.name << "\n";
  }
  return absl::OkStatus();
}

absl::StatusOr<store::KeyRecord> Find(BlockingKeyStore& store, absl::string_view prefix) {
  ASSIGN_OR_RETURN(const std::vector<store::KeyRecord> records, store.List());
  std::optional<store::KeyRecord> found;
  for (const store::KeyRecord& record : records) {
    if (!absl::StartsWith(record.hash, prefix)) continue;
    if (found.has_value())
      return absl::InvalidArgumentError(absl::StrCat("several keys start with ", prefix));
    found = record;
  }
  if (!found.has_value()) return absl::NotFoundError(absl::StrCat("no key with hash ", prefix));
  return *found;
}

absl::Status Run(const Arguments& arguments) {
  if (arguments.words.empty()) return absl::InvalidArgumentError(absl::StrCat("what?\n", kUsage));
  const std::string& verb = arguments.words[0];
  const bool on_one = verb == "disable" || verb == "enable" || verb == "remove";
  if ((verb != "create" && verb != "list" && !on_one) ||
      arguments.words.size() != (on_one ? 2u : 1u)) {
    return absl::InvalidArgumentError(absl::StrCat("unknown arguments\n", kUsage));
  }
  ASSIGN_OR_RETURN(const config::v1::Config config, LoadConfiguration(arguments.Get("config")));
  ASSIGN_OR_RETURN(const std::unique_ptr<BlockingKeyStore> store, BlockingKeyStore::Open(config));
  if (verb == "create") return Create(arguments, *store);
  if (verb == "list") return List(*store);
  ASSIGN_OR_RETURN(store::KeyRecord record, Find(*store, arguments.words[1]));
  if (verb == "remove") {
    RETURN_IF_ERROR(store->Remove(record.hash).status());
  } else {
    record.disabled = verb == "disable";
    RETURN_IF_ERROR(store->Put(record));
  }
  std::cout << record.label << " " << verb << "d\n";
  return absl::OkStatus();
}

}  // namespace

int KeysCommand(absl::Span<const absl::string_view> arguments) {
  const absl::StatusOr<Arguments> parsed =
      ParseArguments(arguments, {"config", "name", "limit", "expires", "tool-call-guard"},
                     {"quiet", "deny-data-collection", "help"});
  if (!parsed.ok()) return Fail("keys", parsed.status());
  if (parsed->Has("help")) {
    std::cout << kUsage;
    return kOk;
  }
  const absl::Status ran = Run(*parsed);
  return ran.ok() ? kOk : Fail("keys", ran);
}

}  // namespace signalbox
