// Any bytes in any two pieces give the same events as in one. The first byte says where to split.
#include <string>
#include <utility>
#include <vector>

#include "common/sse/parser.h"
#include "tests/fuzz/require.h"

namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

Events Parse(const std::vector<std::string>& pieces) {
  signalbox::sse::Parser parser(4096);
  Events events;
  const auto collect = [&](const signalbox::sse::Event& event) {
    events.emplace_back(std::string(event.type), std::string(event.data));
    return true;
  };
  for (const std::string& piece : pieces) {
    if (!parser.Feed(piece, collect).ok()) return events;
  }
  parser.Finish(true, collect);
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
  const size_t split = std::min<size_t>(data[0], text.size());
  // Beyond the size limit the point of failure may differ by a piece.
  if (text.size() <= 4096)
    REQUIRE(Parse({text}) == Parse({text.substr(0, split), text.substr(split)}));
  return 0;
}
