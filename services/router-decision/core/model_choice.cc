#include "services/router-decision/core/model_choice.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/seam/error_detail.h"

namespace signalbox::router_decision {
namespace {

using router::v1::ProviderPreferences;

// Long enough for every real name, short enough that an absurd one costs nothing to compare or to
// echo.
constexpr size_t kLongestEchoedName = 128;
constexpr size_t kMostSuggestions = 3;

absl::Status NotFound(const std::string& message) {
  return seam::MakeError(common::v1::REASON_MODEL_NOT_FOUND, message);
}

absl::Status NotAvailable(absl::string_view name, absl::string_view why) {
  return seam::MakeError(common::v1::REASON_NOT_AVAILABLE,
                         absl::StrCat("\"", name, "\" is not available yet: ", why));
}

// The pseudo-models of the API: routers that choose the model, and presets.
bool IsRouterName(absl::string_view id) {
  return id == "auto" || absl::StartsWith(id, "openrouter/") || absl::StartsWith(id, "@preset/") ||
         id == "nvidia/switchyard" || id == "typesafe/jev-router";
}

// The variants that sort; each puts aside what an earlier one asked for.
void ApplySort(ProviderPreferences::Sort sort, ModelChoice& choice) {
  choice.sort = sort;
  choice.admits_flex = sort == ProviderPreferences::SORT_PRICE;
  choice.admits_priority = sort == ProviderPreferences::SORT_THROUGHPUT;
}

absl::Status ApplyVariant(absl::string_view variant, absl::string_view name, ModelChoice& choice) {
  if (variant == "free") {
    choice.free = true;
  } else if (variant == "nitro") {
    ApplySort(ProviderPreferences::SORT_THROUGHPUT, choice);
  } else if (variant == "floor") {
    ApplySort(ProviderPreferences::SORT_PRICE, choice);
  } else if (variant == "exacto") {
    ApplySort(ProviderPreferences::SORT_EXACTO, choice);
  } else if (variant == "auto") {
    return NotAvailable(name, "models are not chosen automatically, name one");
  } else if (variant == "online") {
    return NotAvailable(name, "there is no web search");
  } else if (variant == "batch" || variant == "thinking" || variant == "extended") {
    return NotAvailable(name, absl::StrCat("the variant \":", variant, "\" is not offered"));
  } else {
    return NotFound(absl::StrCat("model \"", name, "\": there is no variant \":", variant, "\""));
  }
  return absl::OkStatus();
}

absl::Status UnknownModel(const catalogue::Catalogue& catalogue, absl::string_view id) {
  std::string message = absl::StrCat("there is no model \"", id, "\"");
  const std::vector<std::string> similar = SimilarModels(catalogue, id);
  if (!similar.empty()) absl::StrAppend(&message, "; similar: ", absl::StrJoin(similar, ", "));
  return NotFound(message);
}

absl::StatusOr<ModelChoice> ChooseModel(const catalogue::Catalogue& catalogue,
                                        absl::string_view name,
                                        ProviderPreferences::Sort requested_sort) {
  const absl::string_view shown = name.substr(0, kLongestEchoedName);
  const size_t colon = name.find(':');
  const absl::string_view id = name.substr(0, colon);
  ModelChoice choice;
  choice.sort = requested_sort;
  choice.model = catalogue.FindModel(id);
  if (choice.model == nullptr && IsRouterName(id))
    return NotAvailable(shown, "name a model of GET /models");
  if (choice.model == nullptr) return UnknownModel(catalogue, id.substr(0, kLongestEchoedName));
  if (colon == absl::string_view::npos) return choice;
  for (absl::string_view variant : absl::StrSplit(name.substr(colon + 1), ':')) {
    RETURN_IF_ERROR(ApplyVariant(variant.substr(0, kLongestEchoedName), shown, choice));
  }
  return choice;
}

// Levenshtein's distance.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row[b.size()];
}

absl::string_view SlugOf(absl::string_view id) {
  return id.substr(id.find('/') + 1);
}  // npos + 1 = 0: no author

}  // namespace

std::vector<std::string> SimilarModels(const catalogue::Catalogue& catalogue,
                                       absl::string_view name) {
  const std::string wanted = absl::AsciiStrToLower(name.substr(0, kLongestEchoedName));
  const absl::string_view slug = SlugOf(wanted);
  if (slug.empty()) return {};
  // The name without author first, then names that begin with it, then the least typing errors.
  std::vector<std::tuple<int, size_t, std::string>> found;
  for (const config::v1::Model& model : catalogue.source().models()) {
    const std::string id = absl::AsciiStrToLower(model.id());
    const absl::string_view other = SlugOf(id);
    const size_t distance = EditDistance(slug, other);
    if (other == slug) {
      found.emplace_back(0, EditDistance(wanted, id), model.id());
    } else if (absl::StartsWith(other, slug)) {
      found.emplace_back(1, distance, model.id());
    } else if (distance <= std::max<size_t>(1, slug.size() / 4)) {
      found.emplace_back(2, distance, model.id());
    }
  }
  const size_t count = std::min(found.size(), kMostSuggestions);
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end());
  std::vector<std::string> similar;
  for (size_t i = 0; i < count; ++i) similar.push_back(std::get<2>(std::move(found[i])));
  return similar;
}

absl::StatusOr<ModelChoices> ChooseModels(const catalogue::Catalogue& catalogue,
                                          const router::v1::RequestFeatures& features) {
  if (features.models().empty()) return seam::InvalidField("model", "is missing");
  ModelChoices choices;
  absl::Status first_error;
  for (int i = 0; i < features.models_size(); ++i) {
    absl::StatusOr<ModelChoice> choice =
        ChooseModel(catalogue, features.models(i), features.provider().sort());
    if (!choice.ok()) {
      first_error.Update(choice.status());
      continue;
    }
    choice->model_index = i;
    const auto same = [&](const ModelChoice& earlier) {
      return earlier.model == choice->model && earlier.free == choice->free;
    };
    if (absl::c_none_of(choices, same)) choices.push_back(*choice);
  }
  if (choices.empty()) return first_error;
  return choices;
}

}  // namespace signalbox::router_decision
