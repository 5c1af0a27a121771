#include "common/catalogue/catalogue.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/money.h"
#include "common/catalogue/check.h"
#include "common/config/loader.h"

namespace signalbox::catalogue {
namespace {

constexpr int64_t kAsPrompt = -1;

// The check has parsed every price already.
int64_t Pico(const std::string& decimal, int64_t when_empty) {
  return decimal.empty() ? when_empty : ParseUsdToPico(decimal).value_or(0);
}

common::v1::Pricing PricingOf(const config::v1::PriceList& list) {
  common::v1::Pricing pricing;
  pricing.set_prompt_pico(Pico(list.prompt(), 0));
  pricing.set_completion_pico(Pico(list.completion(), 0));
  pricing.set_cache_read_pico(Pico(list.cache_read(), kAsPrompt));
  pricing.set_cache_write_pico(Pico(list.cache_write(), kAsPrompt));
  pricing.set_request_pico(Pico(list.request(), 0));
  pricing.set_image_pico(Pico(list.image(), 0));
  return pricing;
}

std::vector<std::string> SortedUnique(
    const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::vector<std::string> sorted(names.begin(), names.end());
  absl::c_sort(sorted);
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return sorted;
}

Endpoint Resolve(const config::v1::Model& model, const config::v1::Endpoint& config,
                 const config::v1::Provider& provider) {
  Endpoint endpoint;
  endpoint.id = absl::StrCat(model.id(), "@", config.tag());
  endpoint.model = &model;
  endpoint.provider = &provider;
  endpoint.config = &config;
  endpoint.upstream_model = config.upstream_model().empty() ? model.id() : config.upstream_model();
  endpoint.quantization = config.quantization().empty() ? "unknown" : config.quantization();
  endpoint.pricing = PricingOf(config.price());
  endpoint.context_length =
      config.context_length() > 0 ? config.context_length() : model.context_length();
  endpoint.max_completion_tokens = config.max_completion_tokens();
  endpoint.parameters = SortedUnique(config.supported_parameters());
  endpoint.collects_data =
      config.has_collects_data() ? config.collects_data() : provider.collects_data();
  endpoint.zero_data_retention = config.has_zero_data_retention() ? config.zero_data_retention()
                                                                  : provider.zero_data_retention();
  // An endpoint that is said to collect data does not inherit the provider's promise to keep
  // nothing.
  if (endpoint.collects_data) endpoint.zero_data_retention = false;
  endpoint.disabled = provider.disabled() || config.disabled();
  return endpoint;
}

}  // namespace

bool Endpoint::SupportsParameter(absl::string_view name) const {
  return parameters.empty() || std::binary_search(parameters.begin(), parameters.end(), name);
}

absl::StatusOr<std::shared_ptr<const Catalogue>> Catalogue::Build(config::v1::Catalogue source) {
  config::Report report;
  Check(source, report);
  if (!report.ok()) return report.ToStatus();
  return Index(std::move(source));
}

absl::StatusOr<std::shared_ptr<const Catalogue>> Catalogue::Load(
    const std::vector<std::string>& paths) {
  config::v1::Catalogue source;
  config::Report report = config::LoadFiles(WithModelFolders(paths), &source);
  if (report.ok()) Check(source, report);
  if (!report.ok()) return report.ToStatus();
  return Index(std::move(source));
}

std::shared_ptr<const Catalogue> Catalogue::Index(config::v1::Catalogue source) {
  std::shared_ptr<Catalogue> catalogue(new Catalogue);
  catalogue->source_ = std::move(source);
  Normalise(catalogue->source_);
  catalogue->IndexProviders();
  catalogue->IndexModels();
  return catalogue;
}

void Catalogue::IndexProviders() {
  for (const config::v1::Provider& provider : source_.providers()) {
    provider_index_.emplace(provider.slug(), static_cast<int>(providers_.size()));
    providers_.push_back(&provider);
  }
}

void Catalogue::IndexModels() {
  size_t count = 0;
  for (const config::v1::Model& model : source_.models())
    count += static_cast<size_t>(model.endpoints_size());
  endpoints_.reserve(count);  // pointers into the vector must stay valid
  for (const config::v1::Model& model : source_.models()) {
    models_.emplace(model.id(), &model);
    for (const std::string& alias : model.aliases()) models_.emplace(alias, &model);
    if (!model.canonical_slug().empty()) models_.emplace(model.canonical_slug(), &model);
    for (const config::v1::Endpoint& endpoint : model.endpoints()) IndexEndpoint(model, endpoint);
  }
}

void Catalogue::IndexEndpoint(const config::v1::Model& model, const config::v1::Endpoint& config) {
  const int provider = provider_index_.at(config.provider());
  endpoints_.push_back(Resolve(model, config, *providers_[static_cast<size_t>(provider)]));
  Endpoint& endpoint = endpoints_.back();
  endpoint.index = static_cast<int>(endpoints_.size()) - 1;
  endpoint.provider_index = provider;
  by_model_[model.id()].push_back(&endpoint);
  by_endpoint_.emplace(endpoint.id, &endpoint);
}

const config::v1::Model* Catalogue::FindModel(absl::string_view id) const {
  const auto found = models_.find(id);
  return found == models_.end() ? nullptr : found->second;
}

absl::Span<const Endpoint* const> Catalogue::EndpointsOf(absl::string_view model_id) const {
  const config::v1::Model* model = FindModel(model_id);
  if (model == nullptr) return {};
  const auto found = by_model_.find(model->id());
  return found == by_model_.end() ? absl::Span<const Endpoint* const>()
                                  : absl::MakeConstSpan(found->second);
}

const Endpoint* Catalogue::FindEndpoint(absl::string_view endpoint_id) const {
  const auto found = by_endpoint_.find(endpoint_id);
  return found == by_endpoint_.end() ? nullptr : found->second;
}

const config::v1::Provider* Catalogue::FindProvider(absl::string_view slug) const {
  const int index = ProviderIndex(slug);
  return index < 0 ? nullptr : providers_[static_cast<size_t>(index)];
}

int Catalogue::ProviderIndex(absl::string_view slug) const {
  const auto found = provider_index_.find(slug);
  return found == provider_index_.end() ? -1 : found->second;
}

std::vector<std::string> WithModelFolders(const std::vector<std::string>& paths) {
  std::vector<std::string> all;
  for (const std::string& path : paths) {
    all.push_back(path);
    std::error_code ignored;
    const std::filesystem::path models = std::filesystem::path(path) / "models";
    if (std::filesystem::is_directory(models, ignored)) all.push_back(models.string());
  }
  return all;
}

ModelName ParseModelName(absl::string_view name) {
  ModelName parsed;
  std::vector<absl::string_view> parts = absl::StrSplit(name, ':');
  parsed.id = std::string(parts[0]);
  for (size_t i = 1; i < parts.size(); ++i) parsed.variants.emplace_back(parts[i]);
  return parsed;
}

}  // namespace signalbox::catalogue
