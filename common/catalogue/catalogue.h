// The catalogue as the services use it: loaded, checked, indexed, immutable. A reload makes a new
// one.
//
// Thread-safe (const after construction); shared as std::shared_ptr<const Catalogue>.
#ifndef SIGNALBOX_COMMON_CATALOGUE_CATALOGUE_H_
#define SIGNALBOX_COMMON_CATALOGUE_CATALOGUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "signalbox/common/v1/usage.pb.h"
#include "signalbox/config/v1/catalogue.pb.h"

namespace signalbox::catalogue {

// One endpoint with everything that was inherited or parsed resolved. Pointers stay valid as long
// as the Catalogue.
struct Endpoint {
  std::string id;  // "<model id>@<tag>"
  int index = 0;   // position in Catalogue::endpoints(), dense
  const config::v1::Model* model = nullptr;
  const config::v1::Provider* provider = nullptr;
  int provider_index = 0;  // position in Catalogue::providers()
  const config::v1::Endpoint* config = nullptr;
  std::string upstream_model;
  std::string quantization;  // "unknown" when not stated
  common::v1::Pricing pricing;
  int32_t context_length = 0;           // 0 = unknown
  int32_t max_completion_tokens = 0;    // 0 = unknown
  std::vector<std::string> parameters;  // sorted
  bool collects_data = false;
  bool zero_data_retention = false;
  bool disabled = false;  // by provider or endpoint switch
  // True also when the endpoint states no parameters at all: a hand-written endpoint need not list
  // them.
  bool SupportsParameter(absl::string_view name) const;
};

class Catalogue {
 public:
  // Checks and indexes. Error: InvalidArgument listing every problem (duplicate ids, unknown
  // provider, bad price, negative or contradictory limits, bad URL, bad slug), one per line with
  // its field path. A model named again with nothing but endpoints and aliases adds those to the
  // first mention: an operator's own file extends a shipped model that way.
  static absl::StatusOr<std::shared_ptr<const Catalogue>> Build(config::v1::Catalogue source);
  // Reads files and folders of YAML (strict) and builds. A folder that holds a folder "models"
  // stands for both. Error: every problem with file and line. Blocks on file reads.
  static absl::StatusOr<std::shared_ptr<const Catalogue>> Load(
      const std::vector<std::string>& paths);

  const config::v1::Catalogue& source() const { return source_; }
  absl::Span<const Endpoint> endpoints() const { return endpoints_; }
  absl::Span<const config::v1::Provider* const> providers() const { return providers_; }

  // By id, alias or canonical slug, without variant; nullptr when unknown.
  const config::v1::Model* FindModel(absl::string_view id) const;
  absl::Span<const Endpoint* const> EndpointsOf(absl::string_view model_id) const;
  const Endpoint* FindEndpoint(absl::string_view endpoint_id) const;
  const config::v1::Provider* FindProvider(absl::string_view slug) const;
  int ProviderIndex(absl::string_view slug) const;  // -1 when unknown

 private:
  Catalogue() = default;
  static std::shared_ptr<const Catalogue> Index(config::v1::Catalogue source);
  void IndexProviders();
  void IndexModels();
  void IndexEndpoint(const config::v1::Model& model, const config::v1::Endpoint& config);

  config::v1::Catalogue source_;
  std::vector<const config::v1::Provider*> providers_;
  std::vector<Endpoint> endpoints_;
  absl::flat_hash_map<std::string, const config::v1::Model*> models_;
  absl::flat_hash_map<std::string, std::vector<const Endpoint*>> by_model_;
  absl::flat_hash_map<std::string, const Endpoint*> by_endpoint_;
  absl::flat_hash_map<std::string, int> provider_index_;
};

// The paths as Catalogue::Load reads them: after each folder its folder "models", where there is
// one. To be watched too.
std::vector<std::string> WithModelFolders(const std::vector<std::string>& paths);

// "z-ai/glm-5:nitro:free" -> id "z-ai/glm-5" and its variants in order.
struct ModelName {
  std::string id;
  std::vector<std::string> variants;
};
ModelName ParseModelName(absl::string_view name);

}  // namespace signalbox::catalogue

#endif  // SIGNALBOX_COMMON_CATALOGUE_CATALOGUE_H_
