// Raw requests that two parsers could read in two ways, or that no client should send, each with
// the one answer we give. Every refusal is followed by the end of the connection: nothing after it
// may be taken for a request.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/http/fixtures.h"
#include "tests/unit/http/loopback.h"

namespace signalbox::http {
namespace {

using std::string_literals::operator""s;

struct RawCase {
  const char* name;
  std::string bytes;
  int status;
};

std::string Get(const std::string& fields) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}
std::string Post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}
std::string Chunked(const std::string& body) {
  return Post("Transfer-Encoding: chunked\r\n", body);
}

const std::vector<RawCase>& Cases() {
  static const auto* const cases = new std::vector<RawCase>{
      // Where does the body end?
      {"ContentLengthAndTransferEncoding",
       Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingAndContentLength",
       Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
      {"TwoContentLengthsThatDiffer", Post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"),
       400},
      {"TwoContentLengthsThatAgree", Post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
       400},
      {"ContentLengthList", Post("Content-Length: 5, 5\r\n", "hello"), 400},
      {"ContentLengthListThatDiffers", Post("Content-Length: 5, 6\r\n", "hello"), 400},
      {"ContentLengthWithPlus", Post("Content-Length: +5\r\n", "hello"), 400},
      {"ContentLengthNegative", Post("Content-Length: -5\r\n", "hello"), 400},
      {"ContentLengthHex", Post("Content-Length: 0x5\r\n", "hello"), 400},
      {"ContentLengthWithInnerBlank", Post("Content-Length: 5 5\r\n", "hello"), 400},
      {"ContentLengthFraction", Post("Content-Length: 5.0\r\n", "hello"), 400},
      {"ContentLengthExponent", Post("Content-Length: 1e1\r\n", "hello"), 400},
      {"ContentLengthEmpty", Post("Content-Length:\r\n", "hello"), 400},
      {"ContentLengthWord", Post("Content-Length: five\r\n", "hello"), 400},
      {"ContentLengthBeyond64Bits", Post("Content-Length: 18446744073709551616\r\n", "hello"), 400},
      {"ContentLengthHuge", Post("Content-Length: 99999999999999999999999\r\n", "hello"), 400},
      {"ContentLengthBeyondTheLimit", Post("Content-Length: 9223372036854775807\r\n", "hello"),
       413},
      {"ContentLengthSemicolon", Post("Content-Length: 5;\r\n", "hello"), 400},
      {"ContentLengthQuoted", Post("Content-Length: \"5\"\r\n", "hello"), 400},
      {"ContentLengthVerticalTab",
       Post("Content-Length: \x0b"
            "5\r\n",
            "hello"),
       400},
      {"TransferEncodingIdentity", Post("Transfer-Encoding: identity\r\n", ""), 501},
      {"TransferEncodingGzip", Post("Transfer-Encoding: gzip\r\n", ""), 501},
      {"TransferEncodingGzipChunked", Post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
       400},
      {"TransferEncodingChunkedIdentity",
       Post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingChunkedTwiceInOneField",
       Post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingTwice",
       Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingTwiceSecondOther",
       Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingTwiceFirstOther",
       Post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingXchunked", Post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
      {"TransferEncodingQuoted", Post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingWithParameter", Post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"),
       400},
      {"TransferEncodingEmpty", Post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingTrailingComma", Post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingLeadingComma", Post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingVerticalTab",
       Post("Transfer-Encoding: \x0b"
            "chunked\r\n",
            "0\r\n\r\n"),
       400},
      {"TransferEncodingFormFeed", Post("Transfer-Encoding: chunked\x0c\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingNul", Post("Transfer-Encoding: chunked\0\r\n"s, "0\r\n\r\n"), 400},
      {"TransferEncodingHighByte", Post("Transfer-Encoding: chunked\xff\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingInHttp10",
       "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"BlankBeforeColon", Post("Content-Length : 5\r\n", "hello"), 400},
      {"TabBeforeColon", Post("Transfer-Encoding\t: chunked\r\n", "0\r\n\r\n"), 400},
      {"FoldedField", Post("Content-Length:\r\n 5\r\n", "hello"), 400},
      {"FoldedTransferEncoding", Post("Transfer-Encoding:\r\n\tchunked\r\n", "0\r\n\r\n"), 400},
      {"FoldedFirstField", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      // Chunks.
      {"ChunkSizeWith0x", Chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeWithPlus", Chunked("+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeNegative", Chunked("-5\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeWithLeadingBlank", Chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeWithTrailingBlank", Chunked("5 \r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeWithBlankBeforeExtension", Chunked("5 ;a=b\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeUnderscore", Chunked("1_0\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeEmpty", Chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeNotHex", Chunked("g\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSize17Digits", Chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeManyZeros", Chunked(std::string(40, '0') + "5\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkSizeBeyondTheLimit", Chunked("ffffffffffffffff\r\nhello"), 413},
      {"ChunkLineFeedOnly", Chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkBareCarriageReturn", Chunked("5\rhello\r\n0\r\n\r\n"), 400},
      {"ChunkDataTooLong", Chunked("5\r\nhello!\r\n0\r\n\r\n"), 400},
      {"ChunkDataTooShort", Chunked("5\r\nhell\r\n0\r\n\r\n"), 400},
      {"ChunkDataEndsInLineFeed", Chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"ChunkExtensionWithCarriageReturn", Chunked("5;a=\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkExtensionWithLineFeed", Chunked("5;a=\nb\r\nhello\r\n0\r\n\r\n"), 400},
      {"ChunkExtensionWithNul", Chunked("5;a=\0\r\nhello\r\n0\r\n\r\n"s), 400},
      {"ChunkExtensionTooLong", Chunked("5;a=" + std::string(1000, 'b') + "\r\nhello\r\n0\r\n\r\n"),
       400},
      {"TrailerContentLength", Chunked("0\r\nContent-Length: 5\r\n\r\n"), 400},
      {"TrailerTransferEncoding", Chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
      {"TrailerHost", Chunked("0\r\nHost: b\r\n\r\n"), 400},
      {"TrailerAuthorization", Chunked("0\r\nAuthorization: Bearer x\r\n\r\n"), 400},
      {"TrailerLineFeed", Chunked("0\r\nX: y\n\r\n"), 400},
      {"TrailerFolded", Chunked("0\r\nX: y\r\n z\r\n\r\n"), 400},
      {"TrailerWithBlankBeforeColon", Chunked("0\r\nX : y\r\n\r\n"), 400},
      {"TrailerTooManyFields",
       Chunked("0\r\n" +
               [] {
                 std::string fields;
                 for (int i = 0; i < 40; ++i) absl::StrAppend(&fields, "X: y\r\n");
                 return fields;
               }() +
               "\r\n"),
       431},
      {"TrailerTooLarge", Chunked("0\r\nX: " + std::string(10'000, 'y') + "\r\n\r\n"), 431},
      // Lines and bytes.
      {"LineFeedAfterRequestLine", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"LineFeedAfterField", "GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"LineFeedEndsHead", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"OnlyLineFeeds", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"BareCarriageReturnInValue", Get("X: a\rb\r\n"), 400},
      {"BareCarriageReturnInRequestLine", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CarriageReturnTwice", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
      {"NulInValue", Get("X: a\0b\r\n"s), 400},
      {"NulInName", Get("X\0: a\r\n"s), 400},
      {"NulInTarget", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"ControlInValue", Get("X: a\x01\r\n"), 400},
      {"DeleteInValue", Get("X: a\x7f\r\n"), 400},
      {"EscapeInTarget", "GET /\x1b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"HighByteInTarget", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"EmptyFieldName", Get(": a\r\n"), 400},
      {"FieldWithoutColon", Get("X\r\n"), 400},
      {"BlankInFieldName", Get("X Y: a\r\n"), 400},
      {"BracketInFieldName", Get("X[]: a\r\n"), 400},
      {"SlashInFieldName", Get("X/Y: a\r\n"), 400},
      {"HighByteInFieldName", Get("X\xe4: a\r\n"), 400},
      {"QuoteInFieldName", Get("\"X\": a\r\n"), 400},
      // Which host?
      {"HostMissing", "GET / HTTP/1.1\r\nX: a\r\n\r\n", 400},
      {"HostTwice", Get("Host: b\r\n"), 400},
      {"HostTwiceTheSame", Get("Host: a\r\n"), 400},
      {"HostEmpty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"HostWithUser", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"HostWithBlank", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"HostList", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"HostWithBadPort", "GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n", 400},
      {"AbsoluteTargetOtherHost", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"AbsoluteTargetWithUser", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", 400},
      {"AbsoluteTargetOtherScheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"AbsoluteTargetWithoutHost", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TargetWithoutSlash", "GET foo HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TargetWithFragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"AsteriskForGet", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"Connect", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
      // The request line.
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"Http2Version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"Http12", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"Http09", "GET /\r\n", 400},
      {"VersionLowerCase", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"VersionTwoDigits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"VersionLeadingZero", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400},
      {"VersionWithoutDot", "GET / HTTP/11\r\nHost: a\r\n\r\n", 400},
      {"TwoBlanksAfterMethod", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TwoBlanksBeforeVersion", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TabInRequestLine", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"BlankAfterVersion", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"BlankBeforeMethod", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"MethodWithBracket", "GE[T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"NoMethod", "/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TwoEmptyLinesFirst", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TlsHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"s, 400},
      {"ExpectUnknown", Post("Expect: 200-ok\r\nContent-Length: 5\r\n", "hello"), 417},
      // Limits (small ones, set by the test).
      {"TargetTooLong", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"TargetJustTooLong", "GET /" + std::string(1024, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      {"TargetWithoutEnd", "GET /" + std::string(3000, 'a'), 414},
      {"FieldTooLarge", Get("X: " + std::string(5000, 'a') + "\r\n"), 431},
      {"HeadWithoutEnd", "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(9000, 'a'), 431},
      {"TooManyFields", Get([] {
         std::string fields;
         for (int i = 0; i < 40; ++i) absl::StrAppend(&fields, "X", i, ": y\r\n");
         return fields;
       }()),
       431},
      {"BodyOneByteTooLarge", Post("Content-Length: 65537\r\n", ""), 413},
      {"ChunkedBodyTooLarge", Chunked("8000\r\n" + std::string(0x8000, 'a') + "\r\n8001\r\n"), 413},
  };
  return *cases;
}

// Accepted, with the body the handler must see.
const std::vector<std::pair<std::string, std::string>>& Accepted() {
  static const auto* const cases = new std::vector<std::pair<std::string, std::string>>{
      {Get(""), "GET / |"},
      {"\r\n" + Get(""), "GET / |"},
      {Get("X:a\r\nY:\t b \t\r\n"), "GET / |"},
      {"GET /a?b=c?d HTTP/1.1\r\nhOsT: a:8080\r\n\r\n", "GET /a b=c?d|"},
      {"GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x y|"},
      {"GET http://A HTTP/1.1\r\nHost: a\r\n\r\n", "GET / |"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * |"},
      {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / |"},
      {"GET / HTTP/1.0\r\n\r\n", "GET / |"},
      {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / |"},
      {Get("X: caf\xc3\xa9\r\n"), "GET / |"},
      {Get("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n"),
       "GET / |"},
      {Post("Content-Length: 5\r\n", "hello"), "POST / |hello"},
      {Post("Content-Length: 0005\r\n", "hello"), "POST / |hello"},
      {Post("Content-Length: 0\r\n", ""), "POST / |"},
      {Get("Content-Length: 5\r\n") + "hello", "GET / |hello"},
      {Post("", ""), "POST / |"},
      {Post("transfer-encoding:   ChUnKeD\t\r\n", "5\r\nhello\r\n0\r\n\r\n"), "POST / |hello"},
      {Chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"), "POST / |hello world"},
      {Chunked("005\r\nhello\r\n000\r\n\r\n"), "POST / |hello"},
      {Chunked("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n"), "POST / |01234567890123456789"},
      {Chunked("5;name=value;x=\"y\"\r\nhello\r\n0;last\r\n\r\n"), "POST / |hello"},
      {Chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n"), "POST / |hello"},
      {Chunked("0\r\n\r\n"), "POST / |"},
      {Post("Content-Length: 65536\r\n", std::string(65536, 'b')),
       "POST / |" + std::string(65536, 'b')},
      {"GET /" + std::string(1023, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
       "GET /" + std::string(1023, 'a') + " |"},
  };
  return *cases;
}

class ServerStrictness : public ::testing::Test {
 protected:
  static ServerOptions Options() {
    ServerOptions options;
    options.max_header_bytes = 4096;
    options.max_header_count = 32;
    options.max_target_bytes = 1024;
    options.max_body_bytes = 65536;
    options.error_response = [](int status, absl::string_view reason) {
      return Response{status,
                      {{"Content-Type", "application/json"}},
                      absl::StrCat("{\"reason\":\"", reason, "\"}")};
    };
    return options;
  }
  TestServer server_{[this](Request request, std::shared_ptr<Exchange> exchange) {
                       ++handled_;
                       exchange->Respond({200,
                                          {},
                                          absl::StrCat(request.method, " ", request.path, " ",
                                                       request.query, "|", request.body)});
                     },
                     Options()};
  std::atomic<int> handled_{0};
};

TEST_F(ServerStrictness, RefusesWithTheRightStatusAndCloses) {
  ASSERT_GE(Cases().size(), 100u);
  for (const RawCase& test : Cases()) {
    SCOPED_TRACE(test.name);
    handled_ = 0;
    RawSocket client = RawSocket::ConnectTo(server_.port());
    // What a smuggler hopes to have read as a second request.
    client.Send(test.bytes + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.ReadToEnd();
    EXPECT_TRUE(absl::StartsWith(answer, absl::StrCat("HTTP/1.1 ", test.status, " ")))
        << answer.substr(0, 200);
    EXPECT_TRUE(absl::StrContains(answer, "\r\nConnection: close\r\n")) << answer;
    EXPECT_TRUE(absl::StrContains(answer, "{\"reason\":")) << answer;
    EXPECT_FALSE(absl::StrContains(answer.substr(1), "HTTP/1.1 ")) << answer;
    EXPECT_EQ(handled_, 0);
  }
  EXPECT_EQ(server_.server().stats().bad_requests, Cases().size());
}

// The verdict must not depend on how the bytes were cut into packets.
TEST_F(ServerStrictness, RefusesTheSameByteByByte) {
  for (const RawCase& test : Cases()) {
    if (test.bytes.size() > 300) continue;
    SCOPED_TRACE(test.name);
    RawSocket client = RawSocket::ConnectTo(server_.port());
    for (const char byte : test.bytes) {
      if (!client.Send(std::string(1, byte))) break;
    }
    client.Send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    const std::string answer = client.ReadToEnd();
    EXPECT_TRUE(absl::StartsWith(answer, absl::StrCat("HTTP/1.1 ", test.status, " ")))
        << answer.substr(0, 200);
    EXPECT_FALSE(absl::StrContains(answer.substr(1), "HTTP/1.1 ")) << answer;
  }
}

TEST_F(ServerStrictness, AcceptsWhatIsMerelyUnusual) {
  for (const auto& [bytes, seen] : Accepted()) {
    SCOPED_TRACE(bytes.substr(0, 200));
    RawSocket client = RawSocket::ConnectTo(server_.port());
    client.Send(bytes);
    const std::string answer = client.ReadResponse();
    EXPECT_TRUE(absl::StartsWith(answer, "HTTP/1.1 200 OK\r\n")) << answer.substr(0, 300);
    EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n" + seen)) << answer.substr(0, 500);
  }
}

TEST_F(ServerStrictness, AcceptsTheSameByteByByteAndGoesOnWithTheNextRequest) {
  for (const auto& [bytes, seen] : Accepted()) {
    if (bytes.size() > 300) continue;
    SCOPED_TRACE(bytes);
    RawSocket client = RawSocket::ConnectTo(server_.port());
    for (const char byte : bytes) client.Send(std::string(1, byte));
    EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), "\r\n\r\n" + seen));
    if (absl::StrContains(bytes, "HTTP/1.0")) continue;
    client.Send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), "GET /next |"));
  }
}

}  // namespace
}  // namespace signalbox::http
