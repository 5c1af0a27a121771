// The pure pieces: scanner, chunk line, parsers cut at every offset, response heads.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "common/http/head_scanner.h"
#include "common/http/request_parser.h"
#include "common/http/response_head.h"
#include "common/http/response_parser.h"

namespace signalbox::http {
namespace {

TEST(HeadScanner, FindsTheEndWhereverTheBytesAreCut) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t cut = 0; cut < head.size(); ++cut) {
    HeadScanner scanner(HeadScanner::Section::kHead, {1000, 10, 100});
    EXPECT_EQ(scanner.Scan(head.substr(0, cut)), HeadScanner::Result::kIncomplete);
    EXPECT_EQ(scanner.Scan(head + "body"), HeadScanner::Result::kComplete);
    EXPECT_EQ(scanner.size(), head.size());
  }
}

TEST(HeadScanner, LimitsAreExact) {
  const std::string head = "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n";
  using Result = HeadScanner::Result;
  const auto scan = [&](HeadScanner::Limits limits) {
    return HeadScanner(HeadScanner::Section::kHead, limits).Scan(head);
  };
  EXPECT_EQ(scan({head.size(), 2, 14}), Result::kComplete);
  EXPECT_EQ(scan({head.size() - 1, 2, 14}), Result::kTooLarge);
  EXPECT_EQ(scan({head.size(), 1, 14}), Result::kTooManyFields);
  EXPECT_EQ(scan({head.size(), 2, 13}), Result::kFirstLineTooLong);
}

TEST(ChunkLine, JudgesEveryPrefix) {
  size_t length = 0;
  const std::string line = "\r\n1aF;name=\"value\"\r\n";
  for (size_t cut = 0; cut < line.size(); ++cut) {
    EXPECT_EQ(CheckChunkLine(line.substr(0, cut), true, &length), ChunkLine::kIncomplete) << cut;
  }
  EXPECT_EQ(CheckChunkLine(line + "data", true, &length), ChunkLine::kComplete);
  EXPECT_EQ(length, line.size());
  EXPECT_EQ(CheckChunkLine(line, false, &length), ChunkLine::kBad);
}

TEST(RequestParser, ReadsTheSameRequestsWhereverTheBytesAreCut) {
  const std::string bytes =
      "POST /a?b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\nT: v\r\n\r\n"
      "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
      "GET /d HTTP/1.1\r\nHost: h\r\n\r\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    RequestParser parser({1000, 10, 100, 1000});
    std::string seen;
    std::string pending;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      pending += part;
      RequestParser::Event event;
      do {
        size_t consumed = 0;
        event = parser.Next(pending, &consumed);
        pending.erase(0, consumed);
        ASSERT_NE(event, RequestParser::Event::kError) << parser.reason();
        if (event != RequestParser::Event::kDone) continue;
        const Request request = parser.TakeRequest();
        seen += request.method + request.path + "|" + request.body + "\n";
      } while (event != RequestParser::Event::kNeedMore);
    }
    EXPECT_EQ(seen, "POST/a|Wikipedia\nPOST/c|abc\nGET/d|\n") << "cut at " << cut;
  }
}

TEST(ResponseParser, ReadsTheSameResponseWhereverTheBytesAreCut) {
  const std::string bytes =
      "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\nWiki\r\n5\r\npedia\r\n0\r\n\r\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    ResponseParser parser({1000, 10, 1000}, ResponseParser::Body::kExpected);
    std::string body;
    std::string pending;
    bool done = false;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      pending += part;
      ResponseParser::Event event = ResponseParser::Event::kNeedMore;
      do {
        size_t consumed = 0;
        event = parser.Next(pending, &consumed);
        if (event == ResponseParser::Event::kBody) body += std::string(parser.body());
        pending.erase(0, consumed);
        done = event == ResponseParser::Event::kDone;
      } while (event == ResponseParser::Event::kHead || event == ResponseParser::Event::kBody);
    }
    EXPECT_TRUE(done) << "cut at " << cut;
    EXPECT_EQ(body, "Wikipedia") << "cut at " << cut;
    EXPECT_TRUE(parser.keep_alive());
  }
}

TEST(ResponseHead, HasLengthOrChunkingAndNothingTheHandlerSmuggledIn) {
  std::string head;
  AppendResponseHead(429,
                     {{"Retry-After", "1"},
                      {"connection", "keep-alive"},
                      {"DATE", "x"},
                      {"A", "b\nc"},
                      {"D", "caf\xc3\xa9"}},
                     Framing::kLength, 7, ConnectionField::kClose, &head);
  EXPECT_TRUE(absl::StartsWith(head, "HTTP/1.1 429 Too Many Requests\r\nDate: "));
  EXPECT_TRUE(absl::EndsWith(head,
                             " GMT\r\nContent-Length: 7\r\nConnection: close\r\nRetry-After: "
                             "1\r\nD: caf\xc3\xa9\r\n\r\n"));
}

}  // namespace
}  // namespace signalbox::http
