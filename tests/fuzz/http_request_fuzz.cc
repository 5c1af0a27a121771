// Any bytes in any two pieces give the same requests and the same refusal as in one: where a
// request ends must not depend on how it was cut. The first byte says where to split.
#include <algorithm>
#include <string>

#include "common/http/request_parser.h"
#include "tests/fuzz/require.h"

namespace {

using signalbox::http::Request;
using signalbox::http::RequestParser;

// Everything the server would act on, in order.
std::string Read(const std::string& first, const std::string& second) {
  RequestParser parser({8192, 64, 1024, 16384});
  std::string seen;
  std::string pending;
  for (const std::string& piece : {first, second}) {
    pending += piece;
    RequestParser::Event event;
    do {
      size_t consumed = 0;
      event = parser.Next(pending, &consumed);
      REQUIRE(consumed <= pending.size());
      pending.erase(0, consumed);
      if (event == RequestParser::Event::kError)
        return seen + "!" + std::to_string(parser.status());
      if (event != RequestParser::Event::kDone) continue;
      const Request request = parser.TakeRequest();
      seen += request.method + " " + request.path + "?" + request.query + "\n";
      for (const auto& [name, value] : request.headers) seen += name + ": " + value + "\n";
      seen += request.body + "\n";
    } while (event != RequestParser::Event::kNeedMore);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t split = std::min<size_t>(data[0], text.size());
  // Beyond the size limits the kind of refusal may depend on the piece.
  if (text.size() <= 1024)
    REQUIRE(Read(text, "") == Read(text.substr(0, split), text.substr(split)));
  return 0;
}
