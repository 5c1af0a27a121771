#include "services/ingress/core/models_api.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/money.h"
#include "common/base/status_macros.h"
#include "common/json/writer.h"
#include "common/seam/error_detail.h"
#include "services/ingress/core/query.h"

namespace signalbox::ingress {
namespace {

using catalogue::Endpoint;
using json::Writer;

constexpr absl::string_view kFreeVariant = ":free";

template <typename Strings>
void WriteStrings(absl::string_view name, const Strings& values, Writer* w) {
  w->Key(name).BeginArray();
  for (const auto& value : values) w->String(value);
  w->EndArray();
}

void StringOrNull(absl::string_view name, const std::string& value, Writer* w) {
  w->Key(name);
  if (value.empty()) {
    w->Null();
  } else {
    w->String(value);
  }
}

void IntOrNull(absl::string_view name, int64_t value, Writer* w) {
  w->Key(name);
  if (value == 0) {
    w->Null();
  } else {
    w->Int(value);
  }
}

void WriteModalities(absl::string_view name,
                     const google::protobuf::RepeatedPtrField<std::string>& modalities, Writer* w) {
  if (!modalities.empty()) {
    WriteStrings(name, modalities, w);
  } else {
    w->Key(name).BeginArray().String("text").EndArray();
  }
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& modalities) {
  return modalities.empty() ? "text" : absl::StrJoin(modalities, "+");
}

void WriteArchitecture(const config::v1::Model& model, Writer* w) {
  w->Key("architecture").BeginObject();
  w->Key("modality")
      .String(
          absl::StrCat(Joined(model.input_modalities()), "->", Joined(model.output_modalities())));
  WriteModalities("input_modalities", model.input_modalities(), w);
  WriteModalities("output_modalities", model.output_modalities(), w);
  w->Key("tokenizer").String(model.tokenizer().empty() ? "Other" : model.tokenizer());
  w->Key("instruct_type").Null().EndObject();
}

void WritePricing(const common::v1::Pricing& pricing, Writer* w) {
  w->Key("pricing").BeginObject();
  w->Key("prompt").String(PicoToDecimal(pricing.prompt_pico()));
  w->Key("completion").String(PicoToDecimal(pricing.completion_pico()));
  w->Key("request").String(PicoToDecimal(pricing.request_pico()));
  w->Key("image").String(PicoToDecimal(pricing.image_pico()));
  if (pricing.cache_read_pico() >= 0)
    w->Key("input_cache_read").String(PicoToDecimal(pricing.cache_read_pico()));
  if (pricing.cache_write_pico() >= 0)
    w->Key("input_cache_write").String(PicoToDecimal(pricing.cache_write_pico()));
  w->EndObject();
}

std::string PublicId(const config::v1::Model& model, bool free) {
  return free ? absl::StrCat(model.id(), kFreeVariant) : model.id();
}

// The endpoint that stands for the model where one must: the cheapest.
const Endpoint* Cheapest(const std::vector<const Endpoint*>& endpoints) {
  return *absl::c_min_element(endpoints, [](const Endpoint* a, const Endpoint* b) {
    return a->pricing.prompt_pico() + a->pricing.completion_pico() <
           b->pricing.prompt_pico() + b->pricing.completion_pico();
  });
}

std::vector<std::string> UnionOfParameters(const std::vector<const Endpoint*>& endpoints) {
  std::vector<std::string> parameters;
  for (const Endpoint* endpoint : endpoints) {
    parameters.insert(parameters.end(), endpoint->parameters.begin(), endpoint->parameters.end());
  }
  absl::c_sort(parameters);
  parameters.erase(std::unique(parameters.begin(), parameters.end()), parameters.end());
  return parameters;
}

std::string ModelJson(const config::v1::Model& model, const std::string& id,
                      const std::vector<const Endpoint*>& endpoints,
                      const std::vector<std::string>& parameters) {
  const Endpoint& top = *Cheapest(endpoints);
  Writer w(1'024);
  w.BeginObject().Key("id").String(id);
  w.Key("canonical_slug")
      .String(model.canonical_slug().empty() ? model.id() : model.canonical_slug());
  StringOrNull("hugging_face_id", model.hugging_face_id(), &w);
  w.Key("name").String(model.name().empty() ? model.id() : model.name());
  w.Key("created").Int(model.created()).Key("description").String(model.description());
  IntOrNull("context_length", model.context_length(), &w);
  WriteArchitecture(model, &w);
  WritePricing(top.pricing, &w);
  w.Key("top_provider").BeginObject();
  IntOrNull("context_length", top.context_length, &w);
  IntOrNull("max_completion_tokens", top.max_completion_tokens, &w);
  w.Key("is_moderated").Bool(false).EndObject();
  WriteStrings("supported_parameters", parameters, &w);
  for (const absl::string_view name :
       {"per_request_limits", "default_parameters", "supported_voices"})
    w.Key(name).Null();
  w.Key("links")
      .BeginObject()
      .Key("details")
      .String(absl::StrCat("/api/v1/models/", id, "/endpoints"))
      .EndObject();
  w.EndObject();
  return std::move(w).Take();
}

void WriteEndpoint(const config::v1::Model& model, const std::string& model_id,
                   const Endpoint& endpoint, Writer* w) {
  const std::string model_name = model.name().empty() ? model.id() : model.name();
  w->BeginObject().Key("name").String(absl::StrCat(endpoint.provider->name(), " | ", model_id));
  w->Key("model_id").String(model_id).Key("model_name").String(model_name);
  w->Key("provider_name")
      .String(endpoint.provider->name())
      .Key("tag")
      .String(endpoint.config->tag());
  w->Key("context_length").Int(endpoint.context_length);
  IntOrNull("max_completion_tokens", endpoint.max_completion_tokens, w);
  IntOrNull("max_prompt_tokens", endpoint.config->max_prompt_tokens(), w);
  w->Key("quantization").String(endpoint.quantization);
  WritePricing(endpoint.pricing, w);
  WriteStrings("supported_parameters", endpoint.parameters, w);
  w->Key("supports_implicit_caching").Bool(endpoint.config->supports_implicit_caching());
  const bool tool_choice = endpoint.SupportsParameter("tool_choice");
  w->Key("supports_tool_choice").BeginObject();
  for (const absl::string_view mode : {"none", "auto", "required", "function"})
    w->Key(mode).Bool(tool_choice);
  w->EndObject();
  w->Key("status").Int(0);
  for (const absl::string_view name : {"latency_last_30m", "throughput_last_30m", "uptime_last_5m",
                                       "uptime_last_30m", "uptime_last_1d"}) {
    w->Key(name).Null();
  }
  w->EndObject();
}

std::string ProvidersJson(const catalogue::Catalogue& catalogue) {
  Writer w(16'384);
  w.BeginObject().Key("data").BeginArray();
  for (const config::v1::Provider* provider : catalogue.providers()) {
    w.BeginObject().Key("name").String(provider->name()).Key("slug").String(provider->slug());
    StringOrNull("privacy_policy_url", provider->privacy_policy_url(), &w);
    StringOrNull("terms_of_service_url", provider->terms_of_service_url(), &w);
    StringOrNull("status_page_url", provider->status_page_url(), &w);
    StringOrNull("headquarters", provider->headquarters(), &w);
    WriteStrings("datacenters", provider->datacenters(), &w);
    w.EndObject();
  }
  w.EndArray().EndObject();
  return std::move(w).Take();
}

absl::StatusOr<size_t> Number(absl::string_view query, absl::string_view name, size_t absent) {
  const absl::optional<std::string> text = QueryValue(query, name);
  if (!text.has_value()) return absent;
  uint64_t value = 0;
  if (!absl::SimpleAtoi(*text, &value))
    return seam::InvalidField(name, "must be a non-negative integer");
  return static_cast<size_t>(value);
}

absl::Status UnknownModel(absl::string_view id) {
  return seam::MakeError(common::v1::REASON_NOT_FOUND,
                         absl::StrCat("no model \"", id.substr(0, 128), "\" in the catalogue"));
}

}  // namespace

std::shared_ptr<const ModelsApi> ModelsApi::Build(
    std::shared_ptr<const catalogue::Catalogue> catalogue) {
  std::shared_ptr<ModelsApi> api(new ModelsApi());
  api->catalogue_ = std::move(catalogue);
  for (const config::v1::Model& model : api->catalogue_->source().models()) {
    api->AddEntry(model, /*free=*/false);
    api->AddEntry(model, /*free=*/true);
  }
  absl::c_stable_sort(api->entries_, [](const Entry& a, const Entry& b) {
    return a.model->created() > b.model->created();
  });
  for (size_t i = 0; i < api->entries_.size(); ++i) api->by_id_[api->entries_[i].id] = i;
  api->providers_ = ProvidersJson(*api->catalogue_);
  api->all_ = *api->ListModels("offset=0", "");
  return api;
}

void ModelsApi::AddEntry(const config::v1::Model& model, bool free) {
  Entry entry;
  for (const Endpoint* endpoint : catalogue_->EndpointsOf(model.id())) {
    if (!endpoint->disabled && endpoint->config->free() == free)
      entry.endpoints.push_back(endpoint);
  }
  if (entry.endpoints.empty()) return;
  entry.id = PublicId(model, free);
  entry.model = &model;
  entry.parameters = UnionOfParameters(entry.endpoints);
  entry.json = ModelJson(model, entry.id, entry.endpoints, entry.parameters);
  entries_.push_back(std::move(entry));
}

const ModelsApi::Entry* ModelsApi::Find(absl::string_view id) const {
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) return &entries_[found->second];
  const config::v1::Model* model = catalogue_->FindModel(id);  // by alias
  if (model == nullptr) return nullptr;
  const auto by_model = by_id_.find(model->id());
  return by_model == by_id_.end() ? nullptr : &entries_[by_model->second];
}

absl::StatusOr<std::string> ModelsApi::ListModels(absl::string_view query,
                                                  absl::string_view base_path) const {
  if (query.empty()) return all_;
  ASSIGN_OR_RETURN(const size_t offset, Number(query, "offset", 0));
  ASSIGN_OR_RETURN(const size_t limit, Number(query, "limit", std::numeric_limits<size_t>::max()));
  if (limit == 0) return seam::InvalidField("limit", "must be at least 1");
  const std::string filter = QueryValue(query, "supported_parameters").value_or("");
  const std::vector<std::string> wanted = absl::StrSplit(filter, ',', absl::SkipEmpty());
  size_t matching = 0;
  size_t written = 0;
  std::string body = "{\"data\":[";
  for (const Entry& entry : entries_) {
    const bool matches = absl::c_all_of(wanted, [&](const std::string& name) {
      return absl::c_binary_search(entry.parameters, name);
    });
    if (!matches || matching++ < offset || written == limit) continue;
    if (written++ > 0) body.push_back(',');
    body += entry.json;
  }
  absl::StrAppend(&body, "],\"total_count\":", matching, ",\"links\":{\"next\":");
  if (offset + written < matching && written > 0) {
    std::string next =
        absl::StrCat(base_path, "/models?offset=", offset + written, "&limit=", limit);
    if (!wanted.empty())
      absl::StrAppend(&next, "&supported_parameters=", absl::StrJoin(wanted, ","));
    json::AppendQuoted(&body, next);
  } else {
    body += "null";
  }
  body += "}}";
  return body;
}

std::string ModelsApi::CountModels() const {
  return absl::StrCat("{\"data\":{\"count\":", entries_.size(), "}}");
}

absl::StatusOr<std::string> ModelsApi::GetModel(absl::string_view id) const {
  const Entry* entry = Find(id);
  if (entry == nullptr) return UnknownModel(id);
  return absl::StrCat("{\"data\":", entry->json, "}");
}

absl::StatusOr<std::string> ModelsApi::ListEndpoints(absl::string_view id) const {
  const Entry* entry = Find(id);
  if (entry == nullptr) return UnknownModel(id);
  const config::v1::Model& model = *entry->model;
  Writer w(2'048);
  w.BeginObject().Key("data").BeginObject().Key("id").String(entry->id);
  w.Key("name").String(model.name().empty() ? model.id() : model.name());
  w.Key("created").Int(model.created()).Key("description").String(model.description());
  WriteArchitecture(model, &w);
  w.Key("endpoints").BeginArray();
  for (const Endpoint* endpoint : entry->endpoints) WriteEndpoint(model, entry->id, *endpoint, &w);
  w.EndArray().EndObject().EndObject();
  return std::move(w).Take();
}

}  // namespace signalbox::ingress
