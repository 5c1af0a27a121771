#include "common/catalogue/check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/money.h"

namespace signalbox::catalogue {
namespace {

using config::Report;

constexpr size_t kLongestName = 200;

constexpr absl::string_view kQuantizations[] = {"int4",  "int8", "fp4",  "mxfp4",
                                                "nvfp4", "fp6",  "fp8",  "mxfp8",
                                                "fp16",  "bf16", "fp32", "unknown"};
constexpr absl::string_view kServiceTiers[] = {"flex", "priority"};
constexpr absl::string_view kInputModalities[] = {"text", "image", "file", "audio", "video"};
constexpr absl::string_view kOutputModalities[] = {"text", "image", "audio", "video", "embeddings"};

bool ConsistsOf(absl::string_view text, absl::string_view others) {
  return absl::c_all_of(
      text, [others](char c) { return absl::ascii_isalnum(c) || absl::StrContains(others, c); });
}

bool IsLowerCase(absl::string_view text) {
  return absl::c_none_of(text, [](char c) { return absl::ascii_isupper(c); });
}

bool IsProviderSlug(absl::string_view slug) {
  return !slug.empty() && slug.size() <= kLongestName && IsLowerCase(slug) &&
         ConsistsOf(slug, "-_.") && absl::ascii_isalnum(slug[0]);
}

bool IsTag(absl::string_view tag) {
  return !tag.empty() && tag.size() <= kLongestName && IsLowerCase(tag) &&
         ConsistsOf(tag, "-_./") && absl::ascii_isalnum(tag.front()) && tag.back() != '/';
}

// "author/slug"; the author of an alias such as "~anthropic/claude-opus-latest" may begin with '~'.
bool IsModelId(absl::string_view id) {
  const size_t slash = id.find('/');
  return id.size() <= kLongestName && slash != absl::string_view::npos && slash > 0 &&
         id.back() != '/' && ConsistsOf(id, "-_./~");
}

// The rest of the URL after "http://" or "https://" must hold a host and nothing a path cannot be
// appended to.
bool IsBaseUrl(absl::string_view url) {
  if (!absl::ConsumePrefix(&url, "https://") && !absl::ConsumePrefix(&url, "http://")) return false;
  const absl::string_view host = url.substr(0, url.find('/'));
  return !host.empty() && host.front() != ':' && host.back() != ':' && ConsistsOf(host, "-.:[]_") &&
         ConsistsOf(url, "-._~:/[]@!$'()*+,;=%") && !absl::StrContains(url, "${");
}

bool IsHeaderName(absl::string_view name) { return !name.empty() && ConsistsOf(name, "-_"); }

void CheckNotNegative(int64_t value, const std::string& path, Report& report) {
  if (value < 0) report.Add(path, absl::StrCat(value, " is negative"));
}

template <typename Names>
void CheckOneOf(absl::string_view value, const Names& allowed, const std::string& path,
                Report& report) {
  if (absl::c_linear_search(allowed, value)) return;
  std::string list;
  for (absl::string_view name : allowed) absl::StrAppend(&list, list.empty() ? "" : ", ", name);
  report.Add(path, absl::StrCat("\"", value, "\" is not one of ", list));
}

void CheckQuirks(const config::v1::Quirks& quirks, const std::string& path, Report& report) {
  for (const auto& [from, to] : quirks.rename_fields()) {
    if (to.empty())
      report.Add(absl::StrCat(path, ".rename_fields[", from, "]"), "the new name is empty");
  }
  for (const auto& [name, value] : quirks.headers()) {
    if (!IsHeaderName(name) || absl::StrContains(value, '\n') || absl::StrContains(value, '\r')) {
      report.Add(absl::StrCat(path, ".headers[", name, "]"), "is not a header");
    }
  }
  if (!quirks.key_header().empty() && !IsHeaderName(quirks.key_header())) {
    report.Add(absl::StrCat(path, ".key_header"),
               absl::StrCat("\"", quirks.key_header(), "\" is not a header name"));
  }
  if (!quirks.path().empty() && quirks.path()[0] != '/') {
    report.Add(absl::StrCat(path, ".path"), "must begin with '/'");
  }
}

void CheckProviderAddress(const config::v1::Provider& provider, const std::string& path,
                          Report& report) {
  const bool can_be_active = provider.has_key() || provider.needs_no_key();
  if (!provider.base_url().empty() && !IsBaseUrl(provider.base_url())) {
    report.Add(
        absl::StrCat(path, ".base_url"),
        absl::StrCat("\"", provider.base_url(), "\" is not an http or https URL without query"));
  }
  if (provider.base_url().empty() && can_be_active) {
    report.Add(absl::StrCat(path, ".base_url"), "is needed: the provider has a key or needs none");
  }
  if (provider.has_key() && provider.needs_no_key()) {
    report.Add(absl::StrCat(path, ".needs_no_key"), "contradicts key");
  }
  if (provider.has_key() && provider.key().env().empty() && provider.key().file().empty()) {
    report.Add(absl::StrCat(path, ".key"), "names neither a variable (env) nor a file");
  }
}

void CheckProvider(const config::v1::Provider& provider, const std::string& path, Report& report) {
  if (!IsProviderSlug(provider.slug())) {
    report.Add(absl::StrCat(path, ".slug"),
               absl::StrCat("\"", provider.slug(),
                            "\" is not a slug (lower case letters, digits, '-', '_', '.')"));
  }
  CheckProviderAddress(provider, path, report);
  if (provider.collects_data() && provider.zero_data_retention()) {
    report.Add(absl::StrCat(path, ".zero_data_retention"), "contradicts collects_data");
  }
  CheckNotNegative(provider.first_token_timeout_ms(), absl::StrCat(path, ".first_token_timeout_ms"),
                   report);
  CheckNotNegative(provider.max_in_flight(), absl::StrCat(path, ".max_in_flight"), report);
  CheckQuirks(provider.quirks(), absl::StrCat(path, ".quirks"), report);
}

void CheckPrice(const std::string& price, bool free, const std::string& path, Report& report) {
  if (price.empty()) return;
  const absl::StatusOr<int64_t> pico = ParseUsdToPico(price);
  if (!pico.ok()) {
    report.Add(path, std::string(pico.status().message()));
  } else if (free && *pico != 0) {
    report.Add(path, "contradicts free: true");
  }
}

void CheckPrices(const config::v1::Endpoint& endpoint, const std::string& path, Report& report) {
  const config::v1::PriceList& price = endpoint.price();
  CheckPrice(price.prompt(), endpoint.free(), path + ".prompt", report);
  CheckPrice(price.completion(), endpoint.free(), path + ".completion", report);
  CheckPrice(price.cache_read(), endpoint.free(), path + ".cache_read", report);
  CheckPrice(price.cache_write(), endpoint.free(), path + ".cache_write", report);
  CheckPrice(price.request(), endpoint.free(), path + ".request", report);
  CheckPrice(price.image(), endpoint.free(), path + ".image", report);
}

void CheckLimit(int32_t limit, int32_t context, const std::string& path, Report& report) {
  CheckNotNegative(limit, path, report);
  if (context > 0 && limit > context) {
    report.Add(path, absl::StrCat(limit, " is more than the context length ", context));
  }
}

void CheckLimits(const config::v1::Endpoint& endpoint, int32_t model_context,
                 const std::string& path, Report& report) {
  CheckNotNegative(endpoint.context_length(), path + ".context_length", report);
  const int32_t context = endpoint.context_length() > 0 ? endpoint.context_length() : model_context;
  CheckLimit(endpoint.max_completion_tokens(), context, path + ".max_completion_tokens", report);
  CheckLimit(endpoint.max_prompt_tokens(), context, path + ".max_prompt_tokens", report);
}

// Walks a whole catalogue, remembering the names it has met.
class Checker {
 public:
  explicit Checker(Report& report) : report_(report) {}

  void Run(const config::v1::Catalogue& catalogue) {
    for (int i = 0; i < catalogue.providers_size(); ++i) Provider(catalogue.providers(i), i);
    for (int i = 0; i < catalogue.models_size(); ++i) Model(catalogue.models(i), i);
    for (int i = 0; i < catalogue.models_size(); ++i) Aliases(catalogue.models(i), i);
  }

 private:
  void Provider(const config::v1::Provider& provider, int index) {
    const std::string path = absl::StrCat("providers[", index, "]");
    CheckProvider(provider, path, report_);
    if (!provider_collects_.emplace(provider.slug(), provider.collects_data()).second) {
      report_.Add(path + ".slug",
                  absl::StrCat("provider \"", provider.slug(), "\" is defined twice"));
    }
  }

  void Model(const config::v1::Model& model, int index) {
    const std::string path = absl::StrCat("models[", index, "]");
    const auto [known, is_new] = contexts_.emplace(model.id(), model.context_length());
    if (!is_new) RepeatedModel(model, path);
    if (!IsModelId(model.id())) {
      report_.Add(path + ".id",
                  absl::StrCat("\"", model.id(), "\" is not \"author/slug\" without variant"));
    }
    CheckNotNegative(model.context_length(), path + ".context_length", report_);
    Modalities(model, path);
    for (int i = 0; i < model.endpoints_size(); ++i) {
      Endpoint(model.endpoints(i), model.id(), known->second,
               absl::StrCat(path, ".endpoints[", i, "]"));
    }
  }

  void RepeatedModel(const config::v1::Model& model, const std::string& path) {
    config::v1::Model additions;
    additions.set_id(model.id());
    *additions.mutable_endpoints() = model.endpoints();
    *additions.mutable_aliases() = model.aliases();
    if (additions.ByteSizeLong() != model.ByteSizeLong()) {
      report_.Add(path + ".id",
                  absl::StrCat("model \"", model.id(),
                               "\" is defined twice; to add endpoints name only id and endpoints"));
    }
  }

  void Modalities(const config::v1::Model& model, const std::string& path) {
    for (int i = 0; i < model.input_modalities_size(); ++i) {
      CheckOneOf(model.input_modalities(i), kInputModalities,
                 absl::StrCat(path, ".input_modalities[", i, "]"), report_);
    }
    for (int i = 0; i < model.output_modalities_size(); ++i) {
      CheckOneOf(model.output_modalities(i), kOutputModalities,
                 absl::StrCat(path, ".output_modalities[", i, "]"), report_);
    }
  }

  void Endpoint(const config::v1::Endpoint& endpoint, const std::string& model, int32_t context,
                const std::string& path) {
    Tag(endpoint, model, path);
    EndpointPolicy(endpoint, path);
    if (!endpoint.quantization().empty()) {
      CheckOneOf(endpoint.quantization(), kQuantizations, path + ".quantization", report_);
    }
    if (!endpoint.service_tier().empty())
      CheckOneOf(endpoint.service_tier(), kServiceTiers, path + ".service_tier", report_);
    CheckPrices(endpoint, path + ".price", report_);
    CheckLimits(endpoint, context, path, report_);
    for (int i = 0; i < endpoint.supported_parameters_size(); ++i) {
      const std::string& name = endpoint.supported_parameters(i);
      if (name.empty() || !ConsistsOf(name, "_")) {
        report_.Add(absl::StrCat(path, ".supported_parameters[", i, "]"),
                    absl::StrCat("\"", name, "\" is not a parameter name"));
      }
    }
  }

  void Tag(const config::v1::Endpoint& endpoint, const std::string& model,
           const std::string& path) {
    if (!IsTag(endpoint.tag())) {
      report_.Add(path + ".tag",
                  absl::StrCat("\"", endpoint.tag(),
                               "\" is not a tag (\"provider\" or \"provider/name\")"));
      return;
    }
    if (!tags_.insert(absl::StrCat(model, "@", endpoint.tag())).second) {
      report_.Add(path + ".tag", absl::StrCat("model \"", model, "\" has two endpoints with tag \"",
                                              endpoint.tag(), "\""));
    }
    const absl::string_view of_tag = ProviderOfTag(endpoint.tag());
    if (!endpoint.provider().empty() && endpoint.provider() != of_tag) {
      report_.Add(path + ".provider",
                  absl::StrCat("\"", endpoint.provider(), "\" is not the first part of tag \"",
                               endpoint.tag(), "\""));
    }
    if (!provider_collects_.contains(of_tag)) {
      report_.Add(path + ".tag", absl::StrCat("provider \"", of_tag, "\" is not defined"));
    }
  }

  void EndpointPolicy(const config::v1::Endpoint& endpoint, const std::string& path) {
    const auto provider = provider_collects_.find(ProviderOfTag(endpoint.tag()));
    const bool collects = endpoint.has_collects_data()
                              ? endpoint.collects_data()
                              : provider != provider_collects_.end() && provider->second;
    if (endpoint.zero_data_retention() && collects) {
      report_.Add(path + ".zero_data_retention", "contradicts collects_data");
    }
  }

  void Aliases(const config::v1::Model& model, int index) {
    const std::string path = absl::StrCat("models[", index, "]");
    for (int i = 0; i < model.aliases_size(); ++i) {
      Alias(model.aliases(i), model.id(), absl::StrCat(path, ".aliases[", i, "]"));
    }
    const std::string& slug = model.canonical_slug();
    if (!slug.empty() && slug != model.id()) Alias(slug, model.id(), path + ".canonical_slug");
  }

  void Alias(const std::string& alias, const std::string& model, const std::string& path) {
    if (!IsModelId(alias)) {
      report_.Add(path, absl::StrCat("\"", alias, "\" is not \"author/slug\" without variant"));
    } else if (contexts_.contains(alias)) {
      report_.Add(path, absl::StrCat("\"", alias, "\" is a model of its own"));
    } else if (const auto [other, is_new] = aliases_.emplace(alias, model);
               !is_new && other->second != model) {
      report_.Add(path,
                  absl::StrCat("\"", alias, "\" already means model \"", other->second, "\""));
    }
  }

  Report& report_;
  absl::flat_hash_map<std::string, bool> provider_collects_;
  absl::flat_hash_map<std::string, int32_t> contexts_;  // by model id
  absl::flat_hash_set<std::string> tags_;               // "<model>@<tag>"
  absl::flat_hash_map<std::string, std::string> aliases_;
};

void NormaliseProvider(config::v1::Provider& provider) {
  if (provider.name().empty()) provider.set_name(provider.slug());
  if (provider.dialect() == config::v1::DIALECT_UNSPECIFIED && !provider.base_url().empty()) {
    provider.set_dialect(config::v1::DIALECT_OPENAI);
  }
  while (absl::EndsWith(provider.base_url(), "/")) provider.mutable_base_url()->pop_back();
}

void NormaliseModel(config::v1::Model& model) {
  if (model.name().empty()) model.set_name(model.id());
  if (model.input_modalities().empty()) model.add_input_modalities("text");
  if (model.output_modalities().empty()) model.add_output_modalities("text");
  for (config::v1::Endpoint& endpoint : *model.mutable_endpoints()) {
    endpoint.set_provider(std::string(ProviderOfTag(endpoint.tag())));
  }
}

}  // namespace

absl::string_view ProviderOfTag(absl::string_view tag) { return tag.substr(0, tag.find('/')); }

void Check(const config::v1::Catalogue& catalogue, Report& report) {
  Checker(report).Run(catalogue);
}

void Normalise(config::v1::Catalogue& catalogue) {
  for (config::v1::Provider& provider : *catalogue.mutable_providers()) NormaliseProvider(provider);
  google::protobuf::RepeatedPtrField<config::v1::Model> models;
  models.Swap(catalogue.mutable_models());
  absl::flat_hash_map<std::string, int> position;
  for (config::v1::Model& model : models) {
    const auto [first, is_new] = position.emplace(model.id(), catalogue.models_size());
    if (is_new) {
      catalogue.add_models()->Swap(&model);
    } else {
      catalogue.mutable_models(first->second)->MergeFrom(model);
    }
  }
  for (config::v1::Model& model : *catalogue.mutable_models()) NormaliseModel(model);
}

}  // namespace signalbox::catalogue
