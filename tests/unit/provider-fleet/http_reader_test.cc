#include "tests/provider-fleet/http_reader.h"

#include <gtest/gtest.h>

namespace signalbox::fleet {
namespace {

using Result = HttpReader::Result;

constexpr char kPost[] =
    "POST /a/v1/messages?x=1&y=a%20b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

TEST(FleetHttpReader, ReadsARequestByteByByte) {
  const std::string all = kPost;
  HttpReader reader(1000);
  HttpRequest request;
  for (size_t size = 1; size < all.size(); ++size) {
    ASSERT_EQ(reader.Parse(absl::string_view(all).substr(0, size), &request), Result::kNeedMore)
        << size;
  }
  ASSERT_EQ(reader.Parse(all, &request), Result::kComplete);
  EXPECT_EQ(request.path, "/a/v1/messages");
  EXPECT_EQ(request.Query("y"), "a b");
  EXPECT_EQ(request.Header("HOST"), "h");
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(reader.consumed(), all.size());
}

TEST(FleetHttpReader, SurvivesABufferThatMoves) {
  HttpReader reader(1000);
  HttpRequest request;
  {
    const std::string part(kPost, sizeof(kPost) - 3);
    ASSERT_EQ(reader.Parse(part, &request), Result::kNeedMore);
  }
  const std::string all = kPost;
  ASSERT_EQ(reader.Parse(all, &request), Result::kComplete);
  EXPECT_EQ(request.headers.size(), 2u);
  EXPECT_EQ(request.Header("host"), "h");
}

TEST(FleetHttpReader, JoinsChunkedBodiesAndPipelines) {
  const std::string all =
      "POST / HTTP/1.1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"
      "GET /next HTTP/1.1\r\nConnection: close\r\n\r\n";
  HttpReader reader(1000);
  HttpRequest request;
  ASSERT_EQ(reader.Parse(all, &request), Result::kComplete);
  EXPECT_EQ(request.body, "abc0123456789");
  const std::string rest = all.substr(reader.consumed());
  reader.Reset();
  ASSERT_EQ(reader.Parse(rest, &request), Result::kComplete);
  EXPECT_EQ(request.path, "/next");
  EXPECT_FALSE(request.keep_alive);
}

TEST(FleetHttpReader, RefusesWhatItCannotRead) {
  HttpRequest request;
  EXPECT_EQ(HttpReader(1000).Parse("nonsense\r\n\r\n", &request), Result::kMalformed);
  EXPECT_EQ(HttpReader(1000).Parse("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", &request),
            Result::kMalformed);
  EXPECT_EQ(HttpReader(4).Parse(kPost, &request), Result::kTooLarge);
}

TEST(FleetHttpReader, SaysOnceThatTheClientWaits) {
  HttpReader reader(1000);
  HttpRequest request;
  ASSERT_EQ(reader.Parse("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
                         &request),
            Result::kNeedMore);
  EXPECT_TRUE(reader.TakeExpectContinue());
  EXPECT_FALSE(reader.TakeExpectContinue());
}

}  // namespace
}  // namespace signalbox::fleet
