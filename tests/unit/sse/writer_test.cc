#include "common/sse/writer.h"

#include <gtest/gtest.h>

namespace signalbox::sse {
namespace {

TEST(SseWriter, FramesDataEventsAndComments) {
  std::string out;
  AppendComment(&out, "SIGNALBOX PROCESSING");
  AppendData(&out, "{}");
  AppendEvent(&out, "error", "{\"a\":1}");
  out.append(kDone.data(), kDone.size());
  EXPECT_EQ(
      out,
      ": SIGNALBOX PROCESSING\n\ndata: {}\n\nevent: error\ndata: {\"a\":1}\n\ndata: [DONE]\n\n");
}

}  // namespace
}  // namespace signalbox::sse
