#include "common/redis/resp.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"

namespace signalbox::redis {
namespace {

absl::optional<Reply> One(absl::string_view bytes) {
  ReplyReader reader(ReplyReader::Limits{});
  if (!reader.Feed(bytes).ok()) return absl::nullopt;
  auto reply = reader.Next();
  return reply.ok() ? *std::move(reply) : absl::nullopt;
}

std::string Show(const Reply& reply) {
  switch (reply.kind()) {
    case Reply::Kind::kNil:
      return "nil";
    case Reply::Kind::kString:
      return absl::StrCat("'", reply.string(), "'");
    case Reply::Kind::kInteger:
      return absl::StrCat(reply.integer());
    case Reply::Kind::kError:
      return absl::StrCat("!", reply.string());
    case Reply::Kind::kArray:
      break;
  }
  std::string text = "[";
  for (const Reply& item : reply.array()) absl::StrAppend(&text, Show(item), " ");
  return text + "]";
}

TEST(RespWriter, WritesLengthsAndNeverLooksInside) {
  std::string out;
  const absl::string_view nasty("\r\n*1\r\n\0", 7);
  AppendCommand({"SET", "a b", nasty, ""}, &out);
  EXPECT_EQ(out, absl::StrCat("*4\r\n$3\r\nSET\r\n$3\r\na b\r\n$7\r\n", nasty, "\r\n$0\r\n\r\n"));
}

TEST(RespWriter, IsReadBackByTheReader) {
  std::string out;
  AppendCommand({"ECHO", std::string(100'000, 'x')}, &out);
  const auto reply = One(out);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->array()[1].string().size(), 100'000u);
}

TEST(RespReader, ReadsEveryKind) {
  EXPECT_EQ(Show(*One("+OK\r\n")), "'OK'");
  EXPECT_EQ(Show(*One("-ERR no\r\n")), "!ERR no");
  EXPECT_EQ(Show(*One(":-9223372036854775808\r\n")), "-9223372036854775808");
  EXPECT_EQ(Show(*One("$-1\r\n")), "nil");
  EXPECT_EQ(Show(*One("*-1\r\n")), "nil");
  EXPECT_EQ(Show(*One("*0\r\n")), "[]");
  EXPECT_EQ(Show(*One("$4\r\n\r\n\r\n\r\n")), "'\r\n\r\n'");
  EXPECT_EQ(Show(*One("*3\r\n:1\r\n*2\r\n+a\r\n$-1\r\n-ERR x\r\n")), "[1 ['a' nil ] !ERR x ]");
}

TEST(RespReader, RefusesWhatIsNotRedis) {
  for (const char* bytes : {"HTTP/1.1 200 OK\r\n", "\r\n", "$5\r\nhelloXX", "$-2\r\n", "$1x\r\n",
                            ":1.5\r\n", ":\r\n", "*-2\r\n", "*9999999999\r\n", "%1\r\n", "_\r\n",
                            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"}) {
    ReplyReader reader(ReplyReader::Limits{});
    ASSERT_TRUE(reader.Feed(bytes).ok());
    EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kDataLoss) << bytes;
  }
}

TEST(RespReader, BoundsWhatAnUnfinishedReplyMayHold) {
  ReplyReader::Limits limits;
  limits.max_buffered_bytes = 1000;
  ReplyReader reader(limits);
  ASSERT_TRUE(reader.Feed("$5000\r\n").ok());
  EXPECT_FALSE(reader.Next()->has_value());
  EXPECT_EQ(reader.Feed(std::string(2000, 'x')).code(), absl::StatusCode::kDataLoss);
}

TEST(RespReader, BoundsTheElementsOfAReply) {
  ReplyReader::Limits limits;
  limits.max_elements = 3;
  ReplyReader reader(limits);
  ASSERT_TRUE(reader.Feed("*2\r\n:1\r\n:2\r\n*3\r\n:1\r\n:2\r\n:3\r\n").ok());
  EXPECT_TRUE(reader.Next()->has_value());
  EXPECT_FALSE(reader.Next().ok());
}

TEST(RespReader, GivesTheSameRepliesHoweverTheBytesAreCut) {
  const std::string stream =
      "+OK\r\n:42\r\n$11\r\nhello\r\nyou!\r\n$-1\r\n*2\r\n$3\r\nabc\r\n*1\r\n:7\r\n-ERR "
      "bad\r\n*0\r\n";
  ReplyReader whole(ReplyReader::Limits{});
  ASSERT_TRUE(whole.Feed(stream).ok());
  std::string expected;
  for (auto reply = whole.Next(); reply.ok() && reply->has_value(); reply = whole.Next())
    expected += Show(**reply);
  Rng rng(7);
  for (int round = 0; round < 500; ++round) {
    ReplyReader reader(ReplyReader::Limits{});
    std::string seen;
    for (size_t at = 0; at < stream.size();) {
      const size_t size = std::min<size_t>(stream.size() - at, 1 + rng.Below(9));
      ASSERT_TRUE(reader.Feed(stream.substr(at, size)).ok());
      for (auto reply = reader.Next(); reply.ok() && reply->has_value(); reply = reader.Next())
        seen += Show(**reply);
      at += size;
    }
    ASSERT_EQ(seen, expected);
  }
}

TEST(RespReader, SurvivesAnyBytes) {
  constexpr uint64_t kSeed = 11;
  Rng rng(kSeed);
  const absl::string_view alphabet = "+-:$*\r\n019a";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (uint64_t i = 0; i < 1 + rng.Below(40); ++i) bytes += alphabet[rng.Below(alphabet.size())];
    ReplyReader reader(ReplyReader::Limits{});
    if (!reader.Feed(bytes).ok()) continue;
    for (int i = 0; i < 50; ++i) {
      auto reply = reader.Next();
      if (!reply.ok() || !reply->has_value()) break;
    }
  }
}

}  // namespace
}  // namespace signalbox::redis
