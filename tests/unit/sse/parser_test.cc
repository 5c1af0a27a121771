#include "common/sse/parser.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "common/base/rng.h"

namespace signalbox::sse {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;

struct Collector {
  Events events;
  bool operator()(const Event& event) {
    events.emplace_back(std::string(event.type), std::string(event.data));
    return true;
  }
};

Events ParseInPieces(const std::vector<std::string>& pieces, bool lenient = false) {
  Parser parser;
  Collector collector;
  for (const std::string& piece : pieces) {
    // Its own allocation, released before the next piece: nothing may point into it afterwards.
    auto copy = std::make_unique<std::string>(piece);
    EXPECT_TRUE(parser.Feed(*copy, [&](const Event& event) { return collector(event); }).ok());
  }
  parser.Finish(lenient, [&](const Event& event) { return collector(event); });
  return collector.events;
}

Events Parse(const std::string& text, bool lenient = false) {
  return ParseInPieces({text}, lenient);
}

TEST(SseParser, ReadsDataAndType) {
  EXPECT_EQ(Parse("event: ping\ndata: 1\n\ndata: 2\n\n"),
            (Events{{"ping", "1"}, {"message", "2"}}));
}

TEST(SseParser, TakesEveryLineEnd) {
  EXPECT_EQ(Parse("data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\r\n\n"),
            (Events{{"message", "a"}, {"message", "b"}, {"message", "c"}, {"message", "d"}}));
}

TEST(SseParser, JoinsDataLines) {
  EXPECT_EQ(Parse("data: a\ndata:\ndata: b\n\n"), (Events{{"message", "a\n\nb"}}));
}

TEST(SseParser, OnlyOneSpaceAfterTheColonIsDropped) {
  EXPECT_EQ(Parse("data:x\n\ndata:  y\n\n"), (Events{{"message", "x"}, {"message", " y"}}));
}

TEST(SseParser, IgnoresCommentsIdsAndUnknownFields) {
  EXPECT_EQ(Parse(": OPENROUTER PROCESSING\n\nid: 3\nretry: 10\nfoo: bar\nDATA: no\ndata: yes\n\n"),
            (Events{{"message", "yes"}}));
}

TEST(SseParser, AnEventWithoutDataIsNone) {
  EXPECT_EQ(Parse("event: x\n\ndata: 1\n\n"), (Events{{"message", "1"}}));
}

TEST(SseParser, AnEmptyDataLineIsAnEvent) {
  EXPECT_EQ(Parse("data\n\n"), (Events{{"message", ""}}));
}

TEST(SseParser, SkipsTheByteOrderMarkAtTheStartOnly) {
  EXPECT_EQ(Parse("\xef\xbb\xbf"
                  "data: 1\n\n\xef\xbb\xbf"
                  "data: 2\n\ndata: 3\n\n"),
            (Events{{"message", "1"}, {"message", "3"}}));
}

TEST(SseParser, AnUnfinishedEventCountsOnlyWhenLenientAndItsLinesAreWhole) {
  EXPECT_EQ(Parse("data: 1\n"), Events{});
  EXPECT_EQ(Parse("data: 1\n", /*lenient=*/true), (Events{{"message", "1"}}));
  EXPECT_EQ(Parse("data: 1", /*lenient=*/true), Events{});
  EXPECT_EQ(Parse("data: 1\ndata: 2", /*lenient=*/true), Events{});
}

TEST(SseParser, SaysWhetherItHoldsAPart) {
  Parser parser;
  auto ignore = [](const Event&) { return true; };
  EXPECT_FALSE(parser.HasPartial());
  ASSERT_TRUE(parser.Feed("da", ignore).ok());
  EXPECT_TRUE(parser.HasPartial());
  ASSERT_TRUE(parser.Feed("ta: 1\n", ignore).ok());
  EXPECT_TRUE(parser.HasPartial());
  ASSERT_TRUE(parser.Feed("\n", ignore).ok());
  EXPECT_FALSE(parser.HasPartial());
}

TEST(SseParser, StopsWhenToldTo) {
  Parser parser;
  int events = 0;
  ASSERT_TRUE(
      parser.Feed("data: 1\n\ndata: 2\n\n", [&](const Event&) { return ++events, false; }).ok());
  EXPECT_EQ(events, 1);
}

TEST(SseParser, RefusesAnOverlongLineAndAnOverlongEventForGood) {
  auto ignore = [](const Event&) { return true; };
  Parser line(100);
  EXPECT_EQ(line.Feed("data: " + std::string(200, 'x'), ignore).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(line.Feed("data: 1\n\n", ignore).ok());
  Parser event(100);
  EXPECT_TRUE(event.Feed("data: " + std::string(60, 'x') + "\n", ignore).ok());
  EXPECT_FALSE(event.Feed("data: " + std::string(60, 'x') + "\n", ignore).ok());
  Parser drip(100);
  absl::Status status;
  for (int i = 0; i < 200 && status.ok(); ++i) status = drip.Feed("x", ignore);
  EXPECT_FALSE(status.ok());
}

// A stream with every oddity; whatever the split, the same events.
const char kOddStream[] =
    "\xef\xbb\xbf: hi\r\n\r\ndata: {\"a\":1}\r\n\r\nevent: x\rdata: 1\rdata: "
    "2\r\r\ndata:3\n\n\n\nid: 7\ndata\n\nfoo\ndata: "
    "é\0z\r\n\ndata: [DONE]\n\n";

TEST(SseParser, EverySplitInTwoOrThreeGivesTheSameEvents) {
  const std::string text(kOddStream, sizeof(kOddStream) - 1);
  const Events whole = Parse(text);
  EXPECT_EQ(whole.size(), 6u);
  for (size_t i = 0; i <= text.size(); ++i) {
    for (size_t j = i; j <= text.size(); ++j) {
      ASSERT_EQ(ParseInPieces({text.substr(0, i), text.substr(i, j - i), text.substr(j)}), whole)
          << i << " " << j;
    }
  }
}

TEST(SseParser, RandomBytesInRandomSplitsGiveTheSameEvents) {
  constexpr uint64_t kSeed = 4711;
  Rng rng(kSeed);
  static const char* const kPieces[] = {
      "\n", "\r", "\r\n", "data", "data:", "data: ", "event:", "x", ":", " ", "\xef\xbb\xbf"};
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (uint64_t n = rng.Below(30); n > 0; --n) text += kPieces[rng.Below(11)];
    std::vector<std::string> pieces;
    for (size_t at = 0; at < text.size();) {
      const size_t length = 1 + rng.Below(5);
      pieces.push_back(text.substr(at, length));
      at += length;
    }
    ASSERT_EQ(ParseInPieces(pieces, true), Parse(text, true))
        << "seed " << kSeed << " round " << round;
  }
}

}  // namespace
}  // namespace signalbox::sse
