// The client against servers that misbehave, vanish, stall or lie.
#include "common/http/client.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/http/fixtures.h"
#include "tests/unit/http/loopback.h"

namespace signalbox::http {
namespace {

using std::string_literals::operator""s;
using Kind = ClientError::Kind;

const char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string Head(const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; }
std::string Chunked(const std::string& body) {
  return Head("Transfer-Encoding: chunked\r\n") + body;
}

// Answers each connection's first request with fixed bytes and closes.
RawServer::Script Answering(std::string bytes) {
  return [bytes = std::move(bytes)](RawSocket socket, int) {
    socket.ReadRequest();
    socket.Send(bytes);
    socket.ShutdownWrite();
    socket.ReadToEnd();
  };
}

// ---- Hostile answers
// ----------------------------------------------------------------------------------------------

struct HostileCase {
  const char* name;
  std::string bytes;
  Kind kind;
};

const std::vector<HostileCase>& HostileCases() {
  static const auto* const cases = new std::vector<HostileCase>{
      {"Nothing", "", Kind::kReset},
      {"HalfAHead", "HTTP/1.1 200 OK\r\nContent-Le", Kind::kReset},
      {"HalfABody", Head("Content-Length: 10\r\n") + "half", Kind::kReset},
      {"HalfAChunk", Chunked("5\r\nhel"), Kind::kReset},
      {"NoLastChunk", Chunked("5\r\nhello\r\n"), Kind::kReset},
      {"NoFinalLine", Chunked("5\r\nhello\r\n0\r\n"), Kind::kReset},
      {"Garbage", "I am a teapot\r\n\r\n", Kind::kProtocol},
      {"SshBanner", "SSH-2.0-OpenSSH\r\n\r\n", Kind::kProtocol},
      {"Http2", "HTTP/2.0 200 OK\r\n\r\n", Kind::kProtocol},
      {"Http09", "<html>hello</html>\n", Kind::kProtocol},
      {"StatusTwoDigits", "HTTP/1.1 20 OK\r\n\r\n", Kind::kProtocol},
      {"StatusNotANumber", "HTTP/1.1 abc OK\r\n\r\n", Kind::kProtocol},
      {"Status600", "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n", Kind::kProtocol},
      {"Status99", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", Kind::kProtocol},
      {"SwitchingProtocols", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", Kind::kProtocol},
      {"LengthAndChunked",
       Head("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", Kind::kProtocol},
      {"ChunkedAndLength",
       Head("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n") + "0\r\n\r\n", Kind::kProtocol},
      {"TwoLengths", Head("Content-Length: 2\r\nContent-Length: 3\r\n") + "ok", Kind::kProtocol},
      {"TwoEqualLengths", Head("Content-Length: 2\r\nContent-Length: 2\r\n") + "ok",
       Kind::kProtocol},
      {"LengthList", Head("Content-Length: 2, 2\r\n") + "ok", Kind::kProtocol},
      {"LengthNegative", Head("Content-Length: -1\r\n") + "ok", Kind::kProtocol},
      {"LengthBeyond64Bits", Head("Content-Length: 18446744073709551618\r\n") + "ok",
       Kind::kProtocol},
      {"LengthBeyondTheLimit", Head("Content-Length: 200000\r\n"), Kind::kTooLarge},
      {"TransferEncodingGzip", Head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n",
       Kind::kProtocol},
      {"TransferEncodingTwice",
       Head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
       Kind::kProtocol},
      {"TransferEncodingInHttp10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       Kind::kProtocol},
      {"ContentEncodingGzip", Head("Content-Encoding: gzip\r\nContent-Length: 2\r\n") + "ok",
       Kind::kProtocol},
      {"ContentEncodingBr", Head("Content-Encoding: br\r\nContent-Length: 2\r\n") + "ok",
       Kind::kProtocol},
      {"ChunkSizeNotHex", Chunked("zz\r\nhello\r\n0\r\n\r\n"), Kind::kProtocol},
      {"ChunkSizeWith0x", Chunked("0x5\r\nhello\r\n0\r\n\r\n"), Kind::kProtocol},
      {"ChunkSizeNegative", Chunked("-1\r\nhello\r\n0\r\n\r\n"), Kind::kProtocol},
      {"ChunkSizeOverflow", Chunked("10000000000000000\r\nhello\r\n0\r\n\r\n"), Kind::kProtocol},
      {"ChunkSizeBeyondTheLimit", Chunked("ffffffffffffffff\r\nhello"), Kind::kTooLarge},
      {"ChunkLineFeedOnly", Chunked("5\nhello\n0\n\n"), Kind::kProtocol},
      {"ChunkDataTooLong", Chunked("5\r\nhello!\r\n0\r\n\r\n"), Kind::kProtocol},
      {"ChunkExtensionTooLong", Chunked("5;" + std::string(5000, 'x') + "\r\nhello\r\n0\r\n\r\n"),
       Kind::kProtocol},
      {"ChunksBeyondTheLimit",
       Chunked("10000\r\n" + std::string(0x10000, 'x') + "\r\n10000\r\n" +
               std::string(0x10000, 'x')),
       Kind::kTooLarge},
      {"TrailerTooLarge", Chunked("0\r\nX: " + std::string(20000, 'x') + "\r\n\r\n"),
       Kind::kTooLarge},
      {"TrailerWithLength", Chunked("0\r\nContent-Length: 5\r\n\r\n"), Kind::kProtocol},
      {"EndlessHead", "HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'x'), Kind::kTooLarge},
      {"EndlessStatusLine", "HTTP/1.1 200 " + std::string(20000, 'x'), Kind::kTooLarge},
      {"TooManyFields", Head([] {
         std::string fields;
         for (int i = 0; i < 200; ++i) absl::StrAppend(&fields, "X", i, ": y\r\n");
         return fields;
       }()),
       Kind::kTooLarge},
      {"FoldedField", Head("X: a\r\n b\r\nContent-Length: 2\r\n") + "ok", Kind::kProtocol},
      {"LineFeedsOnly", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", Kind::kProtocol},
      {"BlankBeforeColon", Head("Content-Length : 2\r\n") + "ok", Kind::kProtocol},
      {"NulInField", Head("X: a\0b\r\nContent-Length: 2\r\n"s) + "ok", Kind::kProtocol},
      {"BareCarriageReturn", Head("X: a\rb\r\nContent-Length: 2\r\n") + "ok", Kind::kProtocol},
      {"EndlessInterim",
       [] {
         std::string interim;
         for (int i = 0; i < 20; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
         return interim;
       }(),
       Kind::kProtocol},
      {"BodyToTheEndBeyondTheLimit", Head("") + std::string(200000, 'x'), Kind::kTooLarge},
      {"EmptyFirstLine", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Kind::kProtocol},
  };
  return *cases;
}

ClientOptions SmallLimits() {
  ClientOptions options;
  options.max_response_header_bytes = 8 * 1024;
  options.max_response_body_bytes = 100'000;
  return options;
}

TEST(HttpClient, RefusesEveryMalformedAnswer) {
  TestClient client(SmallLimits());
  for (const HostileCase& test : HostileCases()) {
    SCOPED_TRACE(test.name);
    RawServer server(Answering(test.bytes));
    const Outcome outcome = client.Call(RequestTo(server.port()));
    ASSERT_TRUE(outcome.error.has_value()) << outcome.body.substr(0, 100);
    EXPECT_EQ(outcome.error->kind, test.kind) << outcome.error->message;
    EXPECT_EQ(outcome.error->received_bytes, !test.bytes.empty());
    EXPECT_EQ(server.accepted(), 1);  // a failed answer is never asked for again
  }
  EXPECT_EQ(client.Stats().idle, 0);
  EXPECT_EQ(client.Stats().active, 0);
}

// Whole answers in unusual clothes; `reused` tells whether the connection may carry another
// request.
struct FairCase {
  const char* name;
  std::string bytes;
  std::string body;
  bool reused;
};

TEST(HttpClient, AcceptsEveryWholeAnswerAndReusesTheConnectionOnlyWhenItIsClean) {
  const FairCase cases[] = {
      {"Length", kOk, "ok", true},
      {"Chunked", Chunked("2\r\nok\r\n0\r\n\r\n"), "ok", true},
      {"ChunkedWithExtensionAndTrailer", Chunked("2;a=b\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"), "ok",
       true},
      {"Interim",
       "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" +
           std::string(kOk),
       "ok", true},
      {"NoContent", "HTTP/1.1 204 No Content\r\n\r\n", "", true},
      {"Redirect",
       "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", "",
       true},
      {"Identity", Head("Content-Encoding: identity\r\nContent-Length: 2\r\n") + "ok", "ok", true},
      {"EmptyReason", "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", "ok", true},
      {"Http10KeepAlive",
       "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", "ok", true},
      {"Http10", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok", false},
      {"Close", Head("Connection: close\r\nContent-Length: 2\r\n") + "ok", "ok", false},
      {"LeftoverBytes", std::string(kOk) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
       "ok", false},
      {"LeftoverAfterChunks", Chunked("2\r\nok\r\n0\r\n\r\n") + "x", "ok", false},
      {"NoContentWithBody",
       "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", "",
       false},
  };
  for (const FairCase& test : cases) {
    SCOPED_TRACE(test.name);
    RawServer server([&test](RawSocket socket, int) {
      socket.ReadRequest();
      socket.Send(test.bytes);
      if (!socket.ReadRequest().empty()) socket.Send(kOk);
      socket.ReadToEnd();
    });
    TestClient client;
    const Outcome outcome = client.Call(RequestTo(server.port()));
    ASSERT_TRUE(outcome.ended) << outcome.error->message;
    EXPECT_EQ(outcome.body, test.body);
    EXPECT_EQ(client.Stats().idle, test.reused ? 1 : 0);
    const Outcome second = client.Call(RequestTo(server.port()));
    EXPECT_NE(second.body, "poison");
    EXPECT_EQ(server.accepted(), test.reused ? 1 : 2);
  }
}

TEST(HttpClient, ABodyMayEndWithTheConnection) {
  RawServer server(Answering(Head("Content-Type: text/plain\r\n") + "to the end"));
  TestClient client;
  const Outcome outcome = client.Call(RequestTo(server.port()));
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.body, "to the end");
  EXPECT_EQ(client.Stats().idle, 0);
}

TEST(HttpClient, TheAnswerDoesNotDependOnHowItWasCut) {
  const std::string answer = "HTTP/1.1 100 Continue\r\n\r\n" +
                             Chunked("5\r\nhello\r\n1;x\r\n \r\n5\r\nworld\r\n0\r\nX: y\r\n\r\n");
  RawServer server([&](RawSocket socket, int) {
    while (!socket.ReadRequest().empty()) {
      for (const char byte : answer) socket.Send(std::string(1, byte));
    }
  });
  TestClient client;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Call(RequestTo(server.port())).body, "hello world");
  EXPECT_EQ(server.accepted(), 1);
}

// ---- The request
// --------------------------------------------------------------------------------------------------

TEST(HttpClient, WritesItsOwnFramingAndKeepsCallersFromBreakingIt) {
  std::string seen;
  RawServer server([&](RawSocket socket, int) {
    seen = socket.ReadRequest();
    socket.Send(kOk);
    socket.ReadToEnd();
  });
  TestClient client;
  ClientRequest request = RequestTo(server.port(), "/chat", "body");
  request.origin.base_path = "/v1";
  request.headers = {{"Authorization", "Bearer k"}, {"host", "evil"},
                     {"Content-Length", "99"},      {"Transfer-Encoding", "x"},
                     {"X-Split", "a\r\nb: c"},      {"Accept-Encoding", "gzip"}};
  EXPECT_TRUE(client.Call(request).ended);
  EXPECT_EQ(seen,
            absl::StrCat(
                "POST /v1/chat HTTP/1.1\r\nHost: 127.0.0.1:", server.port(),
                "\r\nConnection: keep-alive\r\nAccept-Encoding: identity\r\nContent-Length: 4\r\n"
                "Authorization: Bearer k\r\n\r\nbody"));
}

TEST(HttpClient, RefusesARequestThatWouldBreakItsLine) {
  TestClient client;
  for (const char* path : {"/a b", "/a\r\nX: y", "no-slash", "/\x01", "/#f"}) {
    EXPECT_EQ(client.Call(RequestTo(1, path)).error->kind, Kind::kProtocol) << path;
  }
  ClientRequest request = RequestTo(1);
  request.method = "GET /x HTTP/1.1\r\nX:";
  EXPECT_EQ(client.Call(request).error->kind, Kind::kProtocol);
}

// ---- The keep-alive race
// ------------------------------------------------------------------------------------------

TEST(HttpClient, ARequestOnAConnectionThatDiesUnansweredIsSentOnceMore) {
  RawServer server([](RawSocket socket, int connection) {
    socket.ReadRequest();
    socket.Send(kOk);
    // The first connection takes the second request and dies without a byte, as after an idle
    // time-out.
    const std::string second = socket.ReadRequest();
    if (connection == 0) return socket.Reset();
    if (!second.empty()) socket.Send(kOk);
  });
  TestClient client;
  EXPECT_TRUE(client.Call(RequestTo(server.port())).ended);
  const Outcome outcome = client.Call(RequestTo(server.port(), "/", "again"));
  EXPECT_TRUE(outcome.ended) << outcome.error->message;
  EXPECT_EQ(client.Stats().stale_retries, 1u);
  EXPECT_EQ(server.accepted(), 2);
}

TEST(HttpClient, AFreshConnectionThatDiesIsNotTriedAgain) {
  RawServer server([](RawSocket socket, int) { socket.ReadRequest(); });
  TestClient client;
  const Outcome outcome = client.Call(RequestTo(server.port()));
  EXPECT_EQ(outcome.error->kind, Kind::kReset);
  EXPECT_FALSE(outcome.error->received_bytes);
  EXPECT_EQ(server.accepted(), 1);
}

TEST(HttpClient, AnAnswerThatHadBegunIsNotAskedForAgain) {
  RawServer server([](RawSocket socket, int) {
    socket.ReadRequest();
    socket.Send(kOk);
    if (!socket.ReadRequest().empty()) socket.Send("HTTP/1.1 2");
  });
  TestClient client;
  client.Call(RequestTo(server.port()));
  const Outcome outcome = client.Call(RequestTo(server.port()));
  EXPECT_EQ(outcome.error->kind, Kind::kReset);
  EXPECT_TRUE(outcome.error->received_bytes);
  EXPECT_EQ(server.accepted(), 1);
}

TEST(HttpClient, NoticesWhenAnIdleConnectionIsClosedOrTalks) {
  for (const bool talks : {false, true}) {
    Signal go;
    RawServer server([&](RawSocket socket, int) {
      socket.ReadRequest();
      socket.Send(kOk);
      go.Wait();
      if (talks) {
        socket.Send("HTTP/1.1 408 Request Timeout\r\n\r\n");
        socket.ReadToEnd();
      }
    });
    TestClient client;
    client.Call(RequestTo(server.port()));
    EXPECT_EQ(client.Stats().idle, 1);
    go.Set();
    for (int i = 0; i < 2000 && client.Stats().idle == 1; ++i) std::this_thread::yield();
    while (client.Stats().idle == 1) std::this_thread::yield();
    EXPECT_EQ(client.Stats().idle, 0);
  }
}

TEST(HttpClient, AnIdleConnectionHasALifetimeAndThePoolABound) {
  Signal held;
  TestServer server([](Request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({200, {}, "ok"});
  });
  ClientOptions options;
  options.idle_lifetime = absl::Milliseconds(50);
  options.max_idle_per_origin = 2;
  TestClient client(options);
  std::vector<std::unique_ptr<Recorder>> recorders;
  std::vector<std::unique_ptr<ClientCall>> calls;
  client.loop().RunAndWait([&] {
    for (int i = 0; i < 5; ++i) {
      recorders.push_back(std::make_unique<Recorder>());
      calls.push_back(client.client().Start(RequestTo(server.port()), recorders.back().get()));
    }
  });
  for (const auto& recorder : recorders) ASSERT_TRUE(recorder->over.Wait());
  EXPECT_LE(client.Stats().idle, 2);
  EXPECT_TRUE(server.Eventually([&] { return server.server().Connections() == 0; }));
  EXPECT_EQ(client.Stats().idle, 0);
  client.loop().RunAndWait([&] { calls.clear(); });
}

// ---- Waiting
// ------------------------------------------------------------------------------------------------------

TEST(HttpClient, HeadAndIdleTimeoutsAreToldApart) {
  RawServer server([](RawSocket socket, int connection) {
    socket.ReadRequest();
    if (connection == 1) socket.Send(Chunked("5\r\nhello\r\n"));
    socket.ReadToEnd();
  });
  TestClient client;
  ClientRequest request = RequestTo(server.port());
  request.head_timeout = absl::Milliseconds(60);
  request.idle_timeout = absl::Milliseconds(60);
  EXPECT_EQ(client.Call(request).error->kind, Kind::kHeadTimeout);
  const Outcome outcome = client.Call(request);
  EXPECT_EQ(outcome.error->kind, Kind::kIdleTimeout);
  EXPECT_EQ(outcome.body, "hello");
}

TEST(HttpClient, ATrickleKeepsTheIdleTimerFromFiring) {
  RawServer server([](RawSocket socket, int) {
    socket.ReadRequest();
    socket.Send(Head("Content-Length: 20\r\n"));
    for (int i = 0; i < 20 && !socket.WaitForClose(10); ++i) socket.Send("x");
    socket.ReadToEnd();
  });
  TestClient client;
  ClientRequest request = RequestTo(server.port());
  request.idle_timeout = absl::Milliseconds(100);
  EXPECT_EQ(client.Call(request).body, std::string(20, 'x'));
}

TEST(HttpClient, RefusedUnresolvableAndSilentAddressesAreToldApart) {
  TestClient client;
  uint16_t closed_port = 0;
  {
    RawServer server([](RawSocket, int) {});
    closed_port = server.port();
  }
  EXPECT_EQ(client.Call(RequestTo(closed_port)).error->kind, Kind::kConnect);
  ClientRequest unknown = RequestTo(80);
  unknown.origin.host = "no-such-host.invalid";
  EXPECT_EQ(client.Call(unknown).error->kind, Kind::kResolve);
  ClientRequest tls = RequestTo(1);
  RawServer mute([](RawSocket socket, int) { socket.ReadToEnd(); });
  tls.origin = *ParseOrigin(absl::StrCat("https://127.0.0.1:", mute.port()));
  tls.connect_timeout = absl::Milliseconds(60);
  EXPECT_EQ(client.Call(tls).error->kind, Kind::kConnectTimeout);
}

TEST(HttpClient, ResolvesNamesAndReusesTheAnswer) {
  TestServer server([](Request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({200, {}, "ok"});
  });
  TestClient client;
  for (int i = 0; i < 2; ++i) {
    ClientRequest request = RequestTo(server.port());
    request.origin.host = "localhost";
    EXPECT_EQ(client.Call(request).body, "ok");
  }
}

// ---- Back-pressure and cancel
// -------------------------------------------------------------------------------------

TEST(HttpClient, PausedReadingHoldsTheServerBackAndResumes) {
  std::atomic<size_t> sent{0};
  constexpr size_t kTotal = 32 * 1024 * 1024;
  RawServer server([&](RawSocket socket, int) {
    socket.ReadRequest();
    socket.Send(Head(absl::StrCat("Content-Length: ", kTotal, "\r\n")));
    const std::string block(64 * 1024, 'x');
    while (sent < kTotal && socket.Send(block)) sent += block.size();
    socket.ReadToEnd();
  });
  TestClient client;
  Recorder recorder;
  std::unique_ptr<ClientCall> call;
  Signal paused;
  recorder.on_head = [&] {
    call->PauseReading();
    paused.Set();
  };
  ClientRequest request = RequestTo(server.port());
  request.idle_timeout = absl::Milliseconds(50);  // rests while paused
  client.loop().RunAndWait([&] { call = client.client().Start(std::move(request), &recorder); });
  ASSERT_TRUE(paused.Wait());
  EXPECT_FALSE(recorder.over.Wait(150));
  EXPECT_EQ(recorder.outcome.body.size(), 0u);
  EXPECT_LT(sent.load(), kTotal);
  client.loop().RunAndWait([&] { call->ResumeReading(); });
  ASSERT_TRUE(recorder.over.Wait());
  EXPECT_TRUE(recorder.outcome.ended);
  EXPECT_EQ(recorder.outcome.body.size(), kTotal);
  client.loop().RunAndWait([&] { call.reset(); });
}

TEST(HttpClient, CancelClosesTheConnectionAtOnce) {
  Signal streaming;
  Signal closed;
  RawServer server([&](RawSocket socket, int) {
    socket.ReadRequest();
    socket.Send(Chunked("5\r\nhello\r\n"));
    streaming.Set();
    if (socket.WaitForClose(5000)) closed.Set();
  });
  TestClient client;
  Recorder recorder;
  std::unique_ptr<ClientCall> call;
  client.loop().RunAndWait(
      [&] { call = client.client().Start(RequestTo(server.port()), &recorder); });
  ASSERT_TRUE(streaming.Wait());
  client.loop().RunAndWait([&] { call.reset(); });
  EXPECT_TRUE(closed.Wait(100));
  EXPECT_FALSE(recorder.over.IsSet());
  EXPECT_EQ(client.Stats().active, 0);
}

TEST(HttpClient, AHandlerMayCancelFromInsideAnyCallback) {
  RawServer server([](RawSocket socket, int) {
    socket.ReadRequest();
    socket.Send(Chunked("1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    socket.ReadToEnd();
  });
  TestClient client;
  for (const bool in_head : {true, false}) {
    Recorder recorder;
    std::unique_ptr<ClientCall> call;
    Signal cancelled;
    const auto cancel = [&] {
      call.reset();
      cancelled.Set();
    };
    if (in_head) {
      recorder.on_head = cancel;
    } else {
      recorder.on_body = cancel;
    }
    client.loop().RunAndWait(
        [&] { call = client.client().Start(RequestTo(server.port()), &recorder); });
    ASSERT_TRUE(cancelled.Wait());
    client.loop().RunAndWait([] {});
    EXPECT_FALSE(recorder.over.IsSet());
    EXPECT_EQ(recorder.outcome.body, in_head ? "" : "a");
  }
  EXPECT_EQ(client.Stats().idle, 0);
}

TEST(HttpClient, CancelWhileConnectingIsSilent) {
  RawServer mute([](RawSocket socket, int) { socket.ReadToEnd(); });
  TestClient client;
  Recorder recorder;
  client.loop().RunAndWait([&] {
    ClientRequest request = RequestTo(1);
    request.origin = *ParseOrigin(absl::StrCat("https://127.0.0.1:", mute.port()));
    auto call = client.client().Start(std::move(request), &recorder);
  });
  client.loop().RunAndWait([] {});
  EXPECT_FALSE(recorder.over.IsSet());
}

TEST(HttpClient, AnEarlyAnswerToAnUnfinishedRequestEndsTheCallAndTheConnection) {
  RawServer server([](RawSocket socket, int) {
    socket.ReadUntil("\r\n\r\n");
    socket.Send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    socket.WaitForClose(5000);
  });
  TestClient client;
  const Outcome outcome =
      client.Call(RequestTo(server.port(), "/", std::string(64 * 1024 * 1024, 'x')));
  EXPECT_EQ(outcome.status, 413);
  EXPECT_EQ(client.Stats().idle, 0);
}

// ---- Where it may go
// ----------------------------------------------------------------------------------------------

TEST(HttpClient, PrivateAddressesCanBeForbiddenAlsoBehindNames) {
  RawServer server(Answering(kOk));
  ClientOptions options;
  options.allow_private_addresses = false;
  TestClient client(options);
  for (const char* host :
       {"127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1"}) {
    ClientRequest request = RequestTo(server.port());
    request.origin.host = host;
    const Outcome outcome = client.Call(request);
    ASSERT_TRUE(outcome.error.has_value()) << host;
    EXPECT_EQ(outcome.error->kind, Kind::kResolve) << host;
  }
  EXPECT_EQ(server.accepted(), 0);
}

TEST(HttpClient, APlainOriginGoesThroughTheProxyInAbsoluteForm) {
  std::string seen;
  RawServer proxy([&](RawSocket socket, int) {
    seen = socket.ReadRequest();
    socket.Send(kOk);
    socket.ReadToEnd();
  });
  ClientOptions options;
  options.proxy = absl::StrCat("http://127.0.0.1:", proxy.port());
  TestClient client(options);
  ClientRequest request = RequestTo(1, "/x", "b");
  request.origin = *ParseOrigin("http://provider.example/v1");
  EXPECT_EQ(client.Call(request).body, "ok");
  EXPECT_TRUE(absl::StartsWith(
      seen, "POST http://provider.example/v1/x HTTP/1.1\r\nHost: provider.example\r\n"))
      << seen;
}

TEST(HttpClient, AProxyThatRefusesTheTunnelOrTalksTooMuchIsAConnectError) {
  for (const char* answer :
       {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nextra", "nonsense\r\n\r\n"}) {
    RawServer proxy([&](RawSocket socket, int) {
      socket.ReadRequest();
      socket.Send(answer);
      socket.ReadToEnd();
    });
    ClientOptions options;
    options.proxy = absl::StrCat("http://127.0.0.1:", proxy.port());
    TestClient client(options);
    ClientRequest request = RequestTo(1);
    request.origin = *ParseOrigin("https://provider.example");
    EXPECT_EQ(client.Call(request).error->kind, Kind::kConnect) << answer;
  }
}

TEST(HttpClient, AProxyUrlThatCannotBeUnderstoodNeverMeansGoingDirect) {
  RawServer server(Answering(kOk));
  ClientOptions options;
  options.proxy = "socks5://127.0.0.1:1080";
  TestClient client(options);
  EXPECT_EQ(client.Call(RequestTo(server.port())).error->kind, Kind::kConnect);
  EXPECT_EQ(server.accepted(), 0);
}

}  // namespace
}  // namespace signalbox::http
