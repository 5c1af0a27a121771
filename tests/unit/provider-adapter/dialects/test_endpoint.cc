#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {

TestEndpoint::TestEndpoint(config::v1::Dialect dialect, std::string upstream_model) {
  provider.set_slug("acme");
  provider.set_name("Acme");
  provider.set_dialect(dialect);
  model.set_id("maker/model");
  endpoint.id = "maker/model@acme";
  endpoint.model = &model;
  endpoint.provider = &provider;
  endpoint.config = &config;
  endpoint.upstream_model = std::move(upstream_model);
}

AnswerOptions TestOptions(bool stream) {
  AnswerOptions options;
  options.generation_id = "gen-1700000000-abcdefghijklmnopqrst";
  options.served_model = "maker/model";
  options.provider_name = "Acme";
  options.created_unix = 1'700'000'000;
  options.stream = stream;
  options.keep_text = true;
  return options;
}

ReadResult ReadPieces(config::v1::Dialect dialect, const AnswerOptions& options,
                      const std::string& content_type, const std::vector<std::string>& pieces) {
  ReadResult result;
  auto reader = DialectFor(dialect).ReadAnswer(options, content_type);
  for (const std::string& piece : pieces) {
    result.status = reader->Feed(piece, &result.out);
    if (!result.status.ok()) break;
  }
  if (result.status.ok()) result.status = reader->Finish(&result.out);
  result.facts = reader->facts();
  return result;
}

ReadResult Read(config::v1::Dialect dialect, bool stream, const std::string& content_type,
                const std::string& body) {
  return ReadPieces(dialect, TestOptions(stream), content_type, {body});
}

}  // namespace signalbox::provider_adapter
