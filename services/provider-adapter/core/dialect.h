// A dialect turns the client's request (OpenAI chat completions JSON) into one provider's HTTP
// request and the provider's answer back into the canonical form. Only a different wire format gets
// code; departures inside a format are Quirks in the catalogue.
//
// Pure: no sockets, no clock, no threads. Dialect objects are stateless and thread-safe; an
// AnswerReader belongs to one attempt.
#ifndef SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECT_H_
#define SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/catalogue/catalogue.h"
#include "common/http/message.h"
#include "signalbox/common/v1/error.pb.h"
#include "signalbox/common/v1/usage.pb.h"
#include "signalbox/provider/v1/provider.pb.h"

namespace signalbox::provider_adapter {

struct UpstreamRequest {
  std::string path;       // appended to the base URL: "/chat/completions"
  http::Headers headers;  // without the provider key
  std::string body;
};

// What the reader has learnt of the answer so far; grows while pieces arrive.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // concatenated fragments
  int index = 0;          // within its choice
  int64_t choice = 0;
};

struct AnswerFacts {
  bool content_seen = false;  // text, reasoning or tool call: the commit point
  bool text_seen = false;     // content other than tool calls
  bool finished = false;      // a finish reason (or its equivalent) arrived
  bool done_seen = false;     // the stream's own end marker arrived
  std::string finish_reason;  // canonical: stop length tool_calls content_filter error
  std::string native_finish_reason;
  std::string upstream_id;
  std::string text;  // visible text, bounded; filled only when keep_text (leak check)
  std::vector<ToolCall> tool_calls;
  bool tool_stream_malformed = false;  // what could not be mended: duplicate ids, missing names
  common::v1::Usage usage;             // source UNSPECIFIED until reported
  int64_t output_chars = 0;    // bytes of text, reasoning and arguments: the basis of an estimate
  int64_t argument_chars = 0;  // … of these, of arguments
};

struct AnswerOptions {
  std::string generation_id;  // becomes `id`
  std::string served_model;   // becomes `model`
  std::string provider_name;  // becomes `provider`
  int64_t created_unix = 0;   // becomes `created`
  bool stream = false;        // form the client wants
  bool keep_text = false;
  size_t max_text_bytes = 256 * 1024;
  size_t max_event_bytes = 4 * 1024 * 1024;
};

// Reads one provider answer with status 200. A provider may answer a stream request with plain JSON
// or the other way round: the reader goes by the content type, checked against the first bytes, and
// produces the form the client wants.
class AnswerReader {
 public:
  virtual ~AnswerReader() = default;
  // Appends to *out: streamed form: whole "data: {…}\n\n" events; otherwise nothing until the end.
  // Error (ErrorDetail payload): the answer is not the protocol, or holds an error; facts() stay
  // valid.
  virtual absl::Status Feed(absl::string_view bytes, std::string* out) = 0;
  // End of the body. Not streamed form: appends the completion object without `usage`, ending in
  // '}'. Error: PROVIDER_CUT when the answer is not complete, PROVIDER_EMPTY when it has no
  // content, others as Feed.
  virtual absl::Status Finish(std::string* out) = 0;
  virtual const AnswerFacts& facts() const = 0;
};

class Dialect {
 public:
  virtual ~Dialect() = default;
  // Error (ErrorDetail payload): the request cannot be expressed in this dialect; `field` names the
  // member.
  virtual absl::StatusOr<UpstreamRequest> Translate(
      const catalogue::Endpoint& endpoint, const provider::v1::GenerateRequest& request) const = 0;
  // Header name and value that carry the key.
  virtual http::Headers::Entry KeyHeader(const catalogue::Endpoint& endpoint,
                                         absl::string_view key) const = 0;
  virtual std::unique_ptr<AnswerReader> ReadAnswer(const AnswerOptions& options,
                                                   absl::string_view content_type) const = 0;
};

// Never null: DIALECT_UNSPECIFIED is OpenAI's.
const Dialect& DialectFor(config::v1::Dialect dialect);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_SERVICES_PROVIDER_ADAPTER_CORE_DIALECT_H_
