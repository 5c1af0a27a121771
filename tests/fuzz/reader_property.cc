#include "tests/fuzz/reader_property.h"

#include <string>

#include "common/json/parse.h"
#include "services/provider-adapter/core/dialect.h"
#include "tests/fuzz/require.h"

namespace signalbox::provider_adapter {
namespace {

struct Result {
  bool ok = false;
  std::string out;
  AnswerFacts facts;
};

Result Read(config::v1::Dialect dialect, bool stream, absl::string_view content_type,
            absl::string_view body, size_t piece) {
  AnswerOptions options;
  options.generation_id = "gen-1-fuzz";
  options.served_model = "m";
  options.provider_name = "P";
  options.stream = stream;
  options.keep_text = true;
  options.max_text_bytes = 64;
  Result result;
  auto reader = DialectFor(dialect).ReadAnswer(options, content_type);
  absl::Status status;
  for (size_t at = 0; at < body.size() && status.ok(); at += piece)
    status = reader->Feed(body.substr(at, piece), &result.out);
  if (status.ok()) status = reader->Finish(&result.out);
  result.ok = status.ok();
  result.facts = reader->facts();
  return result;
}

void RequireEvents(absl::string_view out) {
  json::Parser parser(json::ParseLimits{.max_depth = 128});
  while (!out.empty()) {
    const size_t end = out.find("\n\n");
    REQUIRE(end != absl::string_view::npos);
    const absl::string_view event = out.substr(0, end);
    REQUIRE(event.substr(0, 6) == "data: " && event.find('\n') == absl::string_view::npos);
    REQUIRE(parser.Parse(event.substr(6)).ok());
    out.remove_prefix(end + 2);
  }
}

}  // namespace

void CheckReader(config::v1::Dialect dialect, const uint8_t* data, size_t size) {
  if (size == 0) return;
  const bool stream = (data[0] & 1) != 0;
  const absl::string_view content_type = (data[0] & 2) != 0   ? "text/event-stream"
                                         : (data[0] & 4) != 0 ? "application/json"
                                                              : "";
  const absl::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  const Result whole = Read(dialect, stream, content_type, body, body.size() + 1);
  const Result split = Read(dialect, stream, content_type, body, 1 + (data[0] >> 3));
  REQUIRE(whole.ok == split.ok);
  REQUIRE(whole.out == split.out);
  REQUIRE(whole.facts.text.size() <= 64);
  if (stream) {
    RequireEvents(whole.out);
  } else if (whole.ok) {
    REQUIRE(json::Parser(json::ParseLimits{.max_depth = 128}).Parse(whole.out).ok() &&
            whole.out.back() == '}');
  } else {
    REQUIRE(whole.out.empty());
  }
  REQUIRE(!whole.ok || whole.facts.finished);
}

}  // namespace signalbox::provider_adapter
