#include "common/obs/trace_context.h"

#include "gtest/gtest.h"

namespace signalbox::obs {
namespace {

constexpr char kHeader[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, ReadsAndWritesTheSameHeader) {
  const auto context = TraceContext::FromHeader(kHeader);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->TraceIdHex(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(context->SpanIdHex(), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled());
  EXPECT_EQ(context->ToHeader(), kHeader);
}

TEST(TraceContext, RefusesMalformedHeaders) {
  for (const char* header : {
           "",
           "00",
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",    // upper case
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",    // trace id of zeros
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",    // span id of zeros
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",    // forbidden version
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",  // version 00 has no more
                                                                         // parts
           "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
           "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
       }) {
    EXPECT_FALSE(TraceContext::FromHeader(header).has_value()) << header;
  }
}

TEST(TraceContext, ReadsTheKnownPartOfLaterVersions) {
  const auto context =
      TraceContext::FromHeader("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more");
  ASSERT_TRUE(context.has_value());
  EXPECT_FALSE(context->sampled());
  EXPECT_EQ(context->ToHeader(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
}

TEST(TraceContext, ChildKeepsTheTraceAndChangesTheSpan) {
  Rng rng(7);
  const TraceContext root = TraceContext::NewRoot(rng);
  const TraceContext child = root.Child(rng);
  EXPECT_TRUE(root.sampled());
  EXPECT_EQ(child.TraceIdHex(), root.TraceIdHex());
  EXPECT_NE(child.SpanIdHex(), root.SpanIdHex());
  EXPECT_EQ(TraceContext::FromHeader(root.ToHeader()), root);
}

}  // namespace
}  // namespace signalbox::obs
