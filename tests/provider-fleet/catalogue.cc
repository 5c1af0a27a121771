#include "tests/provider-fleet/catalogue.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/provider-fleet/json_text.h"

namespace signalbox::fleet {
namespace {

constexpr absl::string_view kQuantizations[] = {"int4", "int8",  "fp4",  "mxfp4", "nvfp4", "fp6",
                                                "fp8",  "mxfp8", "fp16", "bf16",  "fp32"};
constexpr absl::string_view kParameters =
    "[max_tokens, max_completion_tokens, temperature, top_p, stop, seed, tools, tool_choice, "
    "parallel_tool_calls, "
    "response_format, structured_outputs]";
constexpr int kContextLength = 131072;

struct Offer {
  const Provider* provider;
  const Endpoint* endpoint;
};

Dialect DialectOf(const Provider& provider) {
  return provider.endpoints()[0]->behaviour()->dialect;
}

bool ChecksKeys(const Provider& provider) {
  return std::any_of(
      provider.endpoints().begin(), provider.endpoints().end(),
      [](const auto& endpoint) { return !endpoint->behaviour()->require_key.empty(); });
}

void AppendProvider(const Provider& provider, std::string* out) {
  const bool anthropic = DialectOf(provider) == Dialect::kAnthropic;
  absl::StrAppend(out, "  - slug: ", Quoted(provider.name()),
                  "\n    name: ", Quoted(provider.name()),
                  "\n    base_url: \"http://127.0.0.1:", provider.port(), "/", provider.name(),
                  "/v1\"\n    dialect: ", anthropic ? "anthropic" : "openai", "\n    ",
                  ChecksKeys(provider) ? "key: {env: FLEET_KEY}" : "needs_no_key: true",
                  "\n    supports_cancellation: true\n");
}

std::string Quantization(absl::string_view name) {
  const bool known = std::find(std::begin(kQuantizations), std::end(kQuantizations), name) !=
                     std::end(kQuantizations);
  return known ? std::string(name) : "unknown";
}

void AppendOffer(const Offer& offer, std::string* out) {
  const OfferFacts& facts = offer.endpoint->facts();
  const double prompt =
      facts.price_prompt_per_m > 0 ? facts.price_prompt_per_m : facts.price_completion_per_m / 4;
  absl::StrAppend(out, "      - tag: ", Quoted(offer.provider->name()),
                  "\n        upstream_model: ", Quoted(offer.endpoint->model()),
                  "\n        quantization: ", Quantization(facts.quantization),
                  "\n        price: {prompt: \"", PricePerToken(prompt), "\", completion: \"",
                  PricePerToken(facts.price_completion_per_m),
                  "\"}\n        supported_parameters: ", kParameters, "\n");
}

// The catalogue's model ids are "author/slug".
std::string ModelId(const std::string& model) {
  return model.find('/') == std::string::npos ? absl::StrCat("fleet/", model) : model;
}

absl::btree_map<std::string, std::vector<Offer>> OffersByModel(const Roster& roster) {
  absl::btree_map<std::string, std::vector<Offer>> models;
  for (const auto& provider : roster.providers()) {
    for (const auto& endpoint : provider->endpoints()) {
      const bool nameable =
          endpoint->model() != "*" && endpoint->behaviour()->dialect == DialectOf(*provider);
      if (nameable) models[ModelId(endpoint->model())].push_back({provider.get(), endpoint.get()});
    }
  }
  return models;
}

}  // namespace

std::string PricePerToken(double per_million) {
  std::string text = absl::StrFormat("%.12f", per_million / 1e6);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string CatalogueYaml(const Roster& roster) {
  std::string out =
      "# Written by provider-fleet --emit-catalogue.\nsources: [{name: \"provider "
      "fleet\"}]\nproviders:\n";
  for (const auto& provider : roster.providers()) AppendProvider(*provider, &out);
  out.append("models:\n");
  for (const auto& [model, offers] : OffersByModel(roster)) {
    absl::StrAppend(&out, "  - id: ", Quoted(model), "\n    name: ", Quoted(model),
                    "\n    context_length: ", kContextLength, "\n    endpoints:\n");
    for (const Offer& offer : offers) AppendOffer(offer, &out);
  }
  return out;
}

}  // namespace signalbox::fleet
