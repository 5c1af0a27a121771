#include "services/ingress/core/provider_preferences.h"

#include <cmath>
#include <iterator>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"

namespace signalbox::ingress {
namespace {

using router::v1::ProviderPreferences;

constexpr size_t kMaxListItems = 128;
constexpr size_t kMaxSlugBytes = 128;
// Tokens per second, or seconds.
constexpr double kMaxBound = 1e9;
constexpr double kMsPerSecond = 1e3;
// USD; above it a ceiling in pico-USD does not fit 64 bits, and nothing costs that much.
constexpr double kMaxPriceUsd = 9e6;
constexpr double kPicoPerUsd = 1e12;
constexpr double kTokensPerPricedUnit =
    1e6;  // prompt and completion ceilings are per million tokens

constexpr absl::string_view kQuantizations[] = {"int4",  "int8", "fp4",  "mxfp4",
                                                "nvfp4", "fp6",  "fp8",  "mxfp8",
                                                "fp16",  "bf16", "fp32", "unknown"};

absl::Status ReadSlugs(JsonElement value, const JsonPath& path,
                       google::protobuf::RepeatedPtrField<std::string>* slugs) {
  return EachString(value, path, kMaxListItems,
                    [&](absl::string_view slug, const JsonPath& at) -> absl::Status {
                      if (slug.size() > kMaxSlugBytes)
                        return Wrong(at, "is longer than any provider's slug");
                      slugs->Add()->assign(slug.data(), slug.size());
                      return absl::OkStatus();
                    });
}

absl::Status ReadQuantizations(JsonElement value, const JsonPath& path,
                               ProviderPreferences* preferences) {
  return EachString(value, path, kMaxListItems,
                    [&](absl::string_view name, const JsonPath& at) -> absl::Status {
                      if (!absl::c_linear_search(kQuantizations, name)) {
                        return Wrong(at,
                                     "must be one of int4, int8, fp4, mxfp4, nvfp4, fp6, fp8, "
                                     "mxfp8, fp16, bf16, fp32, unknown");
                      }
                      preferences->add_quantizations(name.data(), name.size());
                      return absl::OkStatus();
                    });
}

absl::Status ReadSortName(JsonElement value, const JsonPath& path,
                          ProviderPreferences* preferences) {
  ASSIGN_OR_RETURN(const absl::string_view name, AsString(value, path));
  if (name == "price") {
    preferences->set_sort(ProviderPreferences::SORT_PRICE);
  } else if (name == "throughput") {
    preferences->set_sort(ProviderPreferences::SORT_THROUGHPUT);
  } else if (name == "latency") {
    preferences->set_sort(ProviderPreferences::SORT_LATENCY);
  } else if (name == "exacto") {
    preferences->set_sort(ProviderPreferences::SORT_EXACTO);
  } else {
    return Wrong(path, "must be price, throughput, latency or exacto");
  }
  return absl::OkStatus();
}

absl::Status ReadSort(JsonElement value, const JsonPath& path, ProviderPreferences* preferences) {
  if (value.is_string()) return ReadSortName(value, path, preferences);
  if (!value.is_object()) return Wrong(path, "must be a string or an object {by, partition}");
  const simdjson::dom::object sort(value.get_object());
  JsonElement member;
  if (Find(sort, "by", &member))
    RETURN_IF_ERROR(ReadSortName(member, path.Member("by"), preferences));
  if (Find(sort, "partition", &member)) {
    const JsonPath at = path.Member("partition");
    ASSIGN_OR_RETURN(const absl::string_view partition, AsString(member, at));
    if (partition != "model" && partition != "none") return Wrong(at, "must be model or none");
    preferences->set_sort_across_models(partition == "none");
  }
  return absl::OkStatus();
}

// USD as a number or, as the official client may send it, a decimal string.
absl::StatusOr<double> ReadUsd(JsonElement value, const JsonPath& path) {
  if (!value.is_string()) return AsNumber(value, path, 0, kMaxPriceUsd);
  ASSIGN_OR_RETURN(const absl::string_view text, AsString(value, path));
  double usd = 0;
  if (!absl::SimpleAtod(text, &usd)) return Wrong(path, "must be a number");
  if (!(usd >= 0 && usd <= kMaxPriceUsd)) return Wrong(path, "must be between 0 and 9e+06");
  return usd;
}

absl::Status ReadMaxPrice(JsonElement value, const JsonPath& path,
                          ProviderPreferences* preferences) {
  ASSIGN_OR_RETURN(const simdjson::dom::object ceilings, AsObject(value, path));
  struct Ceiling {
    absl::string_view name;
    double pico_per_unit;
    void (ProviderPreferences::*set)(int64_t);
  };
  static constexpr Ceiling kCeilings[] = {
      {"prompt", kPicoPerUsd / kTokensPerPricedUnit, &ProviderPreferences::set_max_prompt_pico},
      {"completion", kPicoPerUsd / kTokensPerPricedUnit,
       &ProviderPreferences::set_max_completion_pico},
      {"request", kPicoPerUsd, &ProviderPreferences::set_max_request_pico},
      {"image", kPicoPerUsd, &ProviderPreferences::set_max_image_pico},
      {"audio", kPicoPerUsd, &ProviderPreferences::set_max_audio_pico},
  };
  for (const Ceiling& ceiling : kCeilings) {
    JsonElement member;
    if (!Find(ceilings, ceiling.name, &member)) continue;
    ASSIGN_OR_RETURN(const double usd, ReadUsd(member, path.Member(ceiling.name)));
    (preferences->*ceiling.set)(std::llround(usd * ceiling.pico_per_unit));
  }
  return absl::OkStatus();
}

struct Percentile {
  absl::string_view name;
  void (ProviderPreferences::PercentileBounds::*set)(double);
};
constexpr Percentile kPercentiles[] = {
    {"p50", &ProviderPreferences::PercentileBounds::set_p50},
    {"p75", &ProviderPreferences::PercentileBounds::set_p75},
    {"p90", &ProviderPreferences::PercentileBounds::set_p90},
    {"p99", &ProviderPreferences::PercentileBounds::set_p99},
};

// A number bounds the median; an object any of the percentiles. A percentile that is not measured
// would be a wish that nobody hears, so its name is an error.
absl::Status ReadBounds(JsonElement value, const JsonPath& path, double scale,
                        ProviderPreferences::PercentileBounds* bounds) {
  if (!value.is_object()) {
    if (!value.is_number()) return Wrong(path, "must be a number or an object of percentiles");
    ASSIGN_OR_RETURN(const double bound, AsNumber(value, path, 0, kMaxBound));
    bounds->set_p50(bound * scale);
    return absl::OkStatus();
  }
  for (const simdjson::dom::key_value_pair member : simdjson::dom::object(value.get_object())) {
    if (member.value.is_null()) continue;
    const JsonPath at = path.Member(json::View(member.key));
    const auto* percentile = absl::c_find_if(
        kPercentiles, [&](const Percentile& p) { return p.name == json::View(member.key); });
    if (percentile == std::end(kPercentiles))
      return Wrong(at, "is not one of the percentiles p50, p75, p90, p99");
    ASSIGN_OR_RETURN(const double bound, AsNumber(member.value, at, 0, kMaxBound));
    (bounds->*percentile->set)(bound * scale);
  }
  return absl::OkStatus();
}

absl::Status ReadDataCollection(JsonElement value, const JsonPath& path,
                                ProviderPreferences* preferences) {
  ASSIGN_OR_RETURN(const absl::string_view policy, AsString(value, path));
  if (policy != "allow" && policy != "deny") return Wrong(path, "must be allow or deny");
  preferences->set_deny_data_collection(policy == "deny");
  return absl::OkStatus();
}

absl::Status ReadMember(absl::string_view name, JsonElement value, const JsonPath& path,
                        ProviderPreferences* preferences) {
  const JsonPath at = path.Member(name);
  if (name == "order") return ReadSlugs(value, at, preferences->mutable_order());
  if (name == "only") return ReadSlugs(value, at, preferences->mutable_only());
  if (name == "ignore") return ReadSlugs(value, at, preferences->mutable_ignore());
  if (name == "quantizations") return ReadQuantizations(value, at, preferences);
  if (name == "sort") return ReadSort(value, at, preferences);
  if (name == "max_price") return ReadMaxPrice(value, at, preferences);
  if (name == "data_collection") return ReadDataCollection(value, at, preferences);
  if (name == "preferred_min_throughput")
    return ReadBounds(value, at, 1, preferences->mutable_preferred_min_throughput_tps());
  if (name == "preferred_max_latency")
    return ReadBounds(value, at, kMsPerSecond, preferences->mutable_preferred_max_latency_ms());
  if (name == "allow_fallbacks") {
    ASSIGN_OR_RETURN(const bool allow, AsBool(value, at));
    preferences->set_allow_fallbacks(allow);
  } else if (name == "require_parameters") {
    ASSIGN_OR_RETURN(const bool require, AsBool(value, at));
    preferences->set_require_parameters(require);
  } else if (name == "zdr") {
    ASSIGN_OR_RETURN(const bool zdr, AsBool(value, at));
    preferences->set_zdr(zdr);
  } else if (name == "enforce_distillable_text") {
    ASSIGN_OR_RETURN(const bool enforce, AsBool(value, at));
    preferences->set_enforce_distillable_text(enforce);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadProviderPreferences(JsonElement provider, ProviderPreferences* preferences) {
  const JsonPath path("provider");
  ASSIGN_OR_RETURN(const simdjson::dom::object members, AsObject(provider, path));
  const absl::Status unique = json::CheckNoDuplicateMembers(members);
  if (!unique.ok()) return Wrong(path, absl::string_view(unique.message()));
  for (const simdjson::dom::key_value_pair member : members) {
    if (member.value.is_null()) continue;
    RETURN_IF_ERROR(ReadMember(json::View(member.key), member.value, path, preferences));
  }
  return absl::OkStatus();
}

}  // namespace signalbox::ingress
