#include "tests/provider-fleet/settings.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace signalbox::fleet {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kMaxInt = 2147483647;

using Apply = void (*)(const YAML::Node&, absl::string_view path, Behaviour*, Complaints*);
using ApplyFault = void (*)(const YAML::Node&, absl::string_view path, Fault*, Complaints*);

template <typename T>
void Number(const YAML::Node& node, absl::string_view path, double min, double max, T* out,
            Complaints* c) {
  if (auto number = ReadNumber(node, path, min, max, c)) *out = static_cast<T>(*number);
}

void Flag(const YAML::Node& node, absl::string_view path, bool* out, Complaints* c) {
  if (auto flag = ReadBool(node, path, c)) *out = *flag;
}

void Text(const YAML::Node& node, absl::string_view path, std::string* out, Complaints* c) {
  if (auto text = ReadText(node, path, c)) *out = std::move(*text);
}

// Calls `apply(key, value, path)` for every member of a map.
template <typename F>
void ForEachMember(const YAML::Node& map, absl::string_view path, Complaints* c, F apply) {
  if (map.IsNull()) return;
  if (!map.IsMap()) return c->Add(map, path, "must be a map");
  for (const auto& member : map) {
    const std::string key = member.first.Scalar();
    apply(key, member.second, path.empty() ? key : absl::StrCat(path, ".", key));
  }
}

void ReadDistribution(const YAML::Node& node, absl::string_view path, Distribution* out,
                      Complaints* c) {
  Distribution read;
  if (node.IsScalar()) {
    Number(node, path, 0, 1e9, &read.p50, c);
    *out = read;
    return;
  }
  ForEachMember(node, path, c,
                [&](const std::string& key, const YAML::Node& value, const std::string& at) {
                  if (key == "p50") return Number(value, at, 1e-6, 1e9, &read.p50, c);
                  if (key == "p99") return Number(value, at, 1e-6, 1e9, &read.p99, c);
                  c->Add(value, at, "unknown key; a distribution has p50 and p99");
                });
  if (read.p99 > 0 && read.p99 < read.p50) c->Add(node, path, "p99 must not be below p50");
  if (read.p50 <= 0) c->Add(node, path, "needs p50");
  *out = read;
}

void ReadSplit(const YAML::Node& node, absl::string_view path, ToolErrorSplit* out, Complaints* c) {
  ToolErrorSplit read{0, 0, 0, 0};
  ForEachMember(node, path, c,
                [&](const std::string& key, const YAML::Node& value, const std::string& at) {
                  double* part = key == "invalid_json"      ? &read.invalid_json
                                 : key == "unknown_tool"    ? &read.unknown_tool
                                 : key == "schema_mismatch" ? &read.schema_mismatch
                                 : key == "leaked_markup"   ? &read.leaked_markup
                                                            : nullptr;
                  if (!part) return c->Add(value, at, "unknown kind of tool error");
                  Number(value, at, 0, 1e6, part, c);
                });
  if (read.invalid_json + read.unknown_tool + read.schema_mismatch + read.leaked_markup <= 0) {
    return c->Add(node, path, "needs at least one positive weight");
  }
  *out = read;
}

void ReadFaultKind(const YAML::Node& node, absl::string_view path, Fault* fault, Complaints* c) {
  auto name = ReadText(node, path, c);
  if (!name) return;
  auto kind = FaultFromName(*name);
  if (!kind) return c->Add(node, path, absl::StrCat("unknown fault '", *name, "'"));
  fault->kind = *kind;
}

// Which variants a kind of fault has.
bool HasVariant(FaultKind kind, absl::string_view variant) {
  if (kind == FaultKind::kBrokenSse)
    return variant == "invalid_json" || variant == "missing_blank_line";
  if (kind == FaultKind::kWrongContentType)
    return variant == "mislabelled" || variant == "other_body";
  return false;
}

struct FaultKey {
  absl::string_view name;
  ApplyFault apply;
};

#define SIGNALBOX_FLEET_ARGS const YAML::Node &n, absl::string_view p, Fault *f, Complaints *c
constexpr FaultKey kFaultKeys[] = {
    {"kind", ReadFaultKind},
    {"probability", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1, &f->probability, c); }},
    {"from", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kInfinity, &f->from, c); }},
    {"until", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kInfinity, &f->until, c); }},
    {"every", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kInfinity, &f->every, c); }},
    {"lasts", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kInfinity, &f->lasts, c); }},
    {"after_events", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kMaxInt, &f->after_events, c); }},
    {"after_bytes", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kMaxInt, &f->after_bytes, c); }},
    {"status", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 300, 599, &f->status, c); }},
    {"retry_after", [](SIGNALBOX_FLEET_ARGS) { Text(n, p, &f->retry_after, c); }},
    {"message", [](SIGNALBOX_FLEET_ARGS) { Text(n, p, &f->message, c); }},
    {"delay_ms", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kMaxInt, &f->delay_ms, c); }},
    {"interval_ms", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kMaxInt, &f->interval_ms, c); }},
    {"stall_ms", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, kMaxInt, &f->stall_ms, c); }},
    {"bytes", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 1, 256 << 20, &f->bytes, c); }},
    {"clean", [](SIGNALBOX_FLEET_ARGS) { Flag(n, p, &f->clean, c); }},
    {"variant", [](SIGNALBOX_FLEET_ARGS) { Text(n, p, &f->variant, c); }},
};
#undef SIGNALBOX_FLEET_ARGS

void ReadFault(const YAML::Node& node, absl::string_view path, Fault* fault, Complaints* c) {
  if (!node.IsMap() || !node["kind"]) return c->Add(node, path, "a fault is a map with a kind");
  ForEachMember(node, path, c,
                [&](const std::string& key, const YAML::Node& value, const std::string& at) {
                  for (const FaultKey& known : kFaultKeys) {
                    if (known.name == key) return known.apply(value, at, fault, c);
                  }
                  c->Add(value, at, "unknown key of a fault");
                });
  if (fault->kind == FaultKind::kSlowDrip && !node["after_events"]) fault->after_events = 0;
  if (!fault->variant.empty() && !HasVariant(fault->kind, fault->variant)) {
    c->Add(node, path, absl::StrCat("this kind has no variant '", fault->variant, "'"));
  }
  if (fault->every > 0 && (fault->lasts <= 0 || fault->lasts > fault->every)) {
    c->Add(node, path, "every needs lasts, 0 < lasts <= every");
  }
  if (fault->kind == FaultKind::kRefuse && fault->probability != 1) {
    c->Add(node, path, "refuse closes a port: its probability is 1, use from/until or every/lasts");
  }
}

void ReadFaults(const YAML::Node& node, absl::string_view path, Behaviour* b, Complaints* c) {
  std::vector<Fault> faults;
  if (!node.IsNull() && !node.IsSequence()) return c->Add(node, path, "must be a list");
  for (size_t i = 0; i < node.size(); ++i) {
    Fault fault;
    ReadFault(node[i], absl::StrCat(path, "[", i, "]"), &fault, c);
    faults.push_back(std::move(fault));
  }
  b->faults = std::move(faults);
}

void ReadDialect(const YAML::Node& node, absl::string_view path, Behaviour* b, Complaints* c) {
  auto name = ReadText(node, path, c);
  if (!name) return;
  if (*name == "openai") {
    b->dialect = Dialect::kOpenAi;
  } else if (*name == "anthropic") {
    b->dialect = Dialect::kAnthropic;
  } else {
    c->Add(node, path, "must be openai or anthropic");
  }
}

struct SettingKey {
  absl::string_view name;
  Apply apply;
};

#define SIGNALBOX_FLEET_ARGS const YAML::Node &n, absl::string_view p, Behaviour *b, Complaints *c
constexpr SettingKey kSettingKeys[] = {
    {"dialect", ReadDialect},
    {"require_key", [](SIGNALBOX_FLEET_ARGS) { Text(n, p, &b->require_key, c); }},
    {"refuse", [](SIGNALBOX_FLEET_ARGS) { Flag(n, p, &b->refuse, c); }},
    {"ttft", [](SIGNALBOX_FLEET_ARGS) { ReadDistribution(n, p, &b->ttft_ms, c); }},
    {"tokens_per_second",
     [](SIGNALBOX_FLEET_ARGS) { ReadDistribution(n, p, &b->tokens_per_second, c); }},
    {"tokens", [](SIGNALBOX_FLEET_ARGS) { ReadDistribution(n, p, &b->tokens, c); }},
    {"reasoning_tokens",
     [](SIGNALBOX_FLEET_ARGS) { ReadDistribution(n, p, &b->reasoning_tokens, c); }},
    {"reply", [](SIGNALBOX_FLEET_ARGS) { Text(n, p, &b->reply, c); }},
    {"early_head", [](SIGNALBOX_FLEET_ARGS) { Flag(n, p, &b->early_head, c); }},
    {"comments", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1e4, &b->comments, c); }},
    {"keep_alive", [](SIGNALBOX_FLEET_ARGS) { Flag(n, p, &b->keep_alive, c); }},
    {"chunk_events", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 1, 1e6, &b->chunk_events, c); }},
    {"split_bytes", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1e6, &b->split_bytes, c); }},
    {"tool_call_rate", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1, &b->tool_call_rate, c); }},
    {"parallel_call_rate",
     [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1, &b->parallel_call_rate, c); }},
    {"preamble_rate", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1, &b->preamble_rate, c); }},
    {"tool_error_rate", [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1, &b->tool_error_rate, c); }},
    {"tool_errors", [](SIGNALBOX_FLEET_ARGS) { ReadSplit(n, p, &b->tool_errors, c); }},
    {"cached_token_share",
     [](SIGNALBOX_FLEET_ARGS) { Number(n, p, 0, 1, &b->cached_token_share, c); }},
    {"faults", ReadFaults},
};
#undef SIGNALBOX_FLEET_ARGS

const SettingKey* FindSetting(absl::string_view key) {
  for (const SettingKey& known : kSettingKeys) {
    if (known.name == key) return &known;
  }
  return nullptr;
}

}  // namespace

void Complaints::Add(const YAML::Node& node, absl::string_view path, absl::string_view what) {
  const int line = node.Mark().line;
  const std::string where = line >= 0 ? absl::StrCat("line ", line + 1, ": ") : "";
  lines_.push_back(absl::StrCat(where, path, path.empty() ? "" : ": ", what));
}

absl::Status Complaints::ToStatus() const {
  if (lines_.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
}

std::optional<double> ReadNumber(const YAML::Node& node, absl::string_view path, double min,
                                 double max, Complaints* complaints) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double value = node.IsScalar() ? node.as<double>(nan) : nan;
  if (value >= min && value <= max) return value;
  complaints->Add(node, path, absl::StrCat("must be a number between ", min, " and ", max));
  return std::nullopt;
}

std::optional<bool> ReadBool(const YAML::Node& node, absl::string_view path,
                             Complaints* complaints) {
  if (node.IsScalar() && (node.Scalar() == "true" || node.Scalar() == "false"))
    return node.Scalar() == "true";
  complaints->Add(node, path, "must be true or false");
  return std::nullopt;
}

std::optional<std::string> ReadText(const YAML::Node& node, absl::string_view path,
                                    Complaints* complaints) {
  if (node.IsScalar()) return node.Scalar();
  complaints->Add(node, path, "must be text");
  return std::nullopt;
}

bool IsSetting(absl::string_view key) { return FindSetting(key) != nullptr; }

void ApplySetting(absl::string_view key, const YAML::Node& value, absl::string_view path,
                  Behaviour* behaviour, Complaints* complaints) {
  FindSetting(key)->apply(value, path, behaviour, complaints);
}

void ApplySettings(const YAML::Node& map, absl::string_view path, Behaviour* behaviour,
                   Complaints* complaints) {
  ForEachMember(map, path, complaints,
                [&](const std::string& key, const YAML::Node& value, const std::string& at) {
                  if (!IsSetting(key)) return complaints->Add(value, at, "unknown setting");
                  ApplySetting(key, value, at, behaviour, complaints);
                });
}

absl::Status ApplySettingsText(absl::string_view yaml, Behaviour* behaviour) {
  Behaviour changed = *behaviour;
  Complaints complaints;
  try {
    ApplySettings(YAML::Load(std::string(yaml)), "", &changed, &complaints);
  } catch (const YAML::Exception& e) {
    return absl::InvalidArgumentError(e.what());
  }
  if (!complaints.empty()) return complaints.ToStatus();
  *behaviour = std::move(changed);
  return absl::OkStatus();
}

}  // namespace signalbox::fleet
