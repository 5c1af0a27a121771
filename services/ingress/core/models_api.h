// The public catalogue as JSON: models, endpoints, providers. Built once per catalogue version; a
// request copies bytes.
//
// Immutable after Build; thread-safe.
//
//   std::shared_ptr<const ModelsApi> api = ModelsApi::Build(catalogue);
//   absl::StatusOr<std::string> body = api->ListModels("limit=50&supported_parameters=tools",
//   "/api/v1");
#ifndef SIGNALBOX_SERVICES_INGRESS_CORE_MODELS_API_H_
#define SIGNALBOX_SERVICES_INGRESS_CORE_MODELS_API_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/catalogue/catalogue.h"

namespace signalbox::ingress {

class ModelsApi {
 public:
  static std::shared_ptr<const ModelsApi> Build(
      std::shared_ptr<const catalogue::Catalogue> catalogue);

  const std::shared_ptr<const catalogue::Catalogue>& catalogue() const { return catalogue_; }

  // GET /models. Query: offset, limit, supported_parameters (comma-separated, all must be
  // supported). Without a limit all models from offset on. Error: INVALID_REQUEST naming the
  // parameter.
  absl::StatusOr<std::string> ListModels(absl::string_view query,
                                         absl::string_view base_path) const;
  // GET /models/count.
  std::string CountModels() const;
  // GET /models/{author}/{slug}, also with a ":free" variant. Error: NOT_FOUND.
  absl::StatusOr<std::string> GetModel(absl::string_view id) const;
  // GET /models/{author}/{slug}/endpoints. Error: NOT_FOUND.
  absl::StatusOr<std::string> ListEndpoints(absl::string_view id) const;
  // GET /providers.
  const std::string& providers() const { return providers_; }

 private:
  struct Entry {
    std::string id;
    std::string json;
    const config::v1::Model* model = nullptr;
    std::vector<const catalogue::Endpoint*> endpoints;
    std::vector<std::string> parameters;  // sorted union over the endpoints
  };

  ModelsApi() = default;
  void AddEntry(const config::v1::Model& model, bool free);
  const Entry* Find(absl::string_view id) const;

  std::shared_ptr<const catalogue::Catalogue> catalogue_;
  std::vector<Entry> entries_;  // newest model first
  absl::flat_hash_map<std::string, size_t> by_id_;
  std::string all_;  // the answer to GET /models without a query
  std::string providers_;
};

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_SERVICES_INGRESS_CORE_MODELS_API_H_
