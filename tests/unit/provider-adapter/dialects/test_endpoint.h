// An endpoint made by hand, and short ways through a reader.
#ifndef SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_TEST_ENDPOINT_H_
#define SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_TEST_ENDPOINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/catalogue/catalogue.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/dialect.h"

namespace signalbox::provider_adapter {

struct TestEndpoint {
  explicit TestEndpoint(config::v1::Dialect dialect, std::string upstream_model = "upstream-model");
  config::v1::Provider provider;
  config::v1::Model model;
  config::v1::Endpoint config;
  catalogue::Endpoint endpoint;
  const Dialect& dialect() const { return DialectFor(provider.dialect()); }
};

struct ReadResult {
  absl::Status status;
  std::string out;
  AnswerFacts facts;
  common::v1::Reason reason() const {
    return status.ok() ? common::v1::REASON_UNSPECIFIED : seam::DetailOf(status).reason();
  }
};

AnswerOptions TestOptions(bool stream);
// Feeds the pieces and finishes; stops at the first error.
ReadResult ReadPieces(config::v1::Dialect dialect, const AnswerOptions& options,
                      const std::string& content_type, const std::vector<std::string>& pieces);
ReadResult Read(config::v1::Dialect dialect, bool stream, const std::string& content_type,
                const std::string& body);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_TEST_ENDPOINT_H_
