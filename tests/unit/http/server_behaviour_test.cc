// The server over raw sockets: order, framing, deadlines, back-pressure, disconnects, limits,
// drain.
#include <gtest/gtest.h>

#include <atomic>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/http/fixtures.h"
#include "tests/unit/http/loopback.h"

namespace signalbox::http {
namespace {

const char kGet[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Handler Hello() {
  return [](Request request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({200, {{"Content-Type", "text/plain"}}, "hello " + request.path});
  };
}

bool IsStatus(const std::string& answer, int status) {
  return absl::StartsWith(answer, absl::StrCat("HTTP/1.1 ", status, " "));
}

// Keeps what the handler received, for the test thread to act on.
struct Held {
  std::shared_ptr<Exchange> exchange;
  Signal arrived;
  Signal gone;
  Handler handler() {
    return [this](Request, std::shared_ptr<Exchange> e) {
      e->OnClientGone([this] { gone.Set(); });
      exchange = std::move(e);
      arrived.Set();
    };
  }
};

// ---- Framing and order
// --------------------------------------------------------------------------------------------

TEST(HttpServer, AnswersPipelinedRequestsInOrderAlsoWhenTheFirstTakesLonger) {
  std::vector<std::shared_ptr<Exchange>> slow;
  Signal arrived;
  TestServer server([&](Request request, std::shared_ptr<Exchange> exchange) {
    if (request.path != "/slow") return exchange->Respond({200, {}, request.path});
    slow.push_back(exchange);
    arrived.Set();
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  std::string requests;
  for (const char* path : {"/slow", "/1", "/2", "/3"}) {
    absl::StrAppend(&requests, "GET ", path, " HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  client.Send(requests);
  ASSERT_TRUE(arrived.Wait());
  server.loop().RunAndWait([&] { slow[0]->Respond({200, {}, "/slow"}); });
  for (const char* path : {"/slow", "/1", "/2", "/3"}) {
    EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), absl::StrCat("\r\n\r\n", path)));
  }
  server.loop().RunAndWait([&] { slow.clear(); });
}

TEST(HttpServer, PipelinedPostBodiesStayApart) {
  TestServer server([](Request request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({200, {}, request.body});
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nthree");
  EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), "\r\n\r\none"));
  EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), "\r\n\r\ntwo"));
  EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), "\r\n\r\nthree"));
}

TEST(HttpServer, AnswersExpectContinueBeforeTheBodyComes) {
  TestServer server([](Request request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({200, {}, request.body});
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.ReadResponse(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hello");
  EXPECT_TRUE(IsStatus(client.ReadResponse(), 200));
  // With the body already there, or none to come, nobody waits for the interim answer.
  client.Send(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(IsStatus(client.ReadResponse(), 200));
  client.Send("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_TRUE(IsStatus(client.ReadResponse(), 200));
}

TEST(HttpServer, ABodyThatWillBeRefusedIsNotInvited) {
  ServerOptions options;
  options.max_body_bytes = 10;
  TestServer server(Hello(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_TRUE(IsStatus(client.ReadToEnd(), 413));
}

TEST(HttpServer, TheRefusalReachesAClientThatIsStillSendingItsBody) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  TestServer server(Hello(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
  client.Send(std::string(500000, 'x'));
  EXPECT_TRUE(IsStatus(client.ReadToEnd(), 413));
}

TEST(HttpServer, AnEndlessBodyAfterTheRefusalIsCutOff) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  TestServer server(Hello(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n");
  const std::string block(64 * 1024, 'x');
  int blocks = 0;
  while (blocks < 2000 && client.Send(block)) ++blocks;
  EXPECT_LT(blocks, 2000);
}

TEST(HttpServer, HeadGetsTheLengthWithoutTheBody) {
  TestServer server(Hello());
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string answers = client.ReadUntil("hello /x");
  EXPECT_TRUE(absl::StrContains(answers, "Content-Length: 7\r\n"));
  EXPECT_TRUE(absl::StrContains(answers, "\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

TEST(HttpServer, NoContentHasNeitherLengthNorBody) {
  TestServer server([](Request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({204, {}, "ignored"});
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  const std::string answer = client.ReadUntil("\r\n\r\n");
  EXPECT_TRUE(IsStatus(answer, 204));
  EXPECT_FALSE(absl::StrContains(answer, "Content-Length"));
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n"));
}

TEST(HttpServer, ClosesAfterConnectionCloseAndForHttp10) {
  TestServer server(Hello());
  RawSocket close = RawSocket::ConnectTo(server.port());
  close.Send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(absl::StrContains(close.ReadToEnd(), "Connection: close\r\n"));
  RawSocket old = RawSocket::ConnectTo(server.port());
  old.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(absl::EndsWith(old.ReadToEnd(), "hello /"));
  RawSocket keep = RawSocket::ConnectTo(server.port());
  keep.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(absl::StrContains(keep.ReadResponse(), "Connection: keep-alive\r\n"));
  keep.Send(kGet);
  EXPECT_TRUE(IsStatus(keep.ReadResponse(), 200));
}

TEST(HttpServer, AHeaderCannotSplitTheResponse) {
  TestServer server([](Request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond({200,
                       {{"X-Bad", "a\r\nX-Injected: 1"},
                        {"X Bad", "a"},
                        {"Content-Length", "99"},
                        {"Transfer-Encoding", "chunked"},
                        {"X-Good", "b"}},
                       "ok"});
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  const std::string answer = client.ReadResponse();
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\nok")) << answer;
  EXPECT_FALSE(absl::StrContains(answer, "Injected"));
  EXPECT_FALSE(absl::StrContains(answer, "X Bad"));
  EXPECT_TRUE(absl::StrContains(answer, "X-Good: b\r\n"));
}

// ---- Streams
// ------------------------------------------------------------------------------------------------------

TEST(HttpServer, EachWriteIsOneChunkAndWritesOfOneTurnAreJoined) {
  TestServer server([](Request, std::shared_ptr<Exchange> exchange) {
    exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
    exchange->Write("one");
    exchange->Write("");
    exchange->Write(std::string(16, 'x'));
    exchange->Finish();
    exchange->Write("after the end");
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  const std::string answer = client.ReadSome();  // one write, so one read
  EXPECT_TRUE(absl::EndsWith(answer, "\r\n\r\n3\r\none\r\n10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"))
      << answer;
  client.Send(kGet);
  EXPECT_TRUE(IsStatus(client.ReadUntil("0\r\n\r\n"), 200));
}

TEST(HttpServer, AStreamForHttp10EndsWithTheConnectionAndAnAbortedOneWithAReset) {
  std::atomic<bool> abort{false};
  TestServer server([&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->StartStream(200, {});
    exchange->Write("one");
    exchange->Write("two");
    if (abort) {
      exchange->Abort();
    } else {
      exchange->Finish();
    }
  });
  RawSocket whole = RawSocket::ConnectTo(server.port());
  whole.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(absl::EndsWith(whole.ReadToEnd(), "\r\n\r\nonetwo"));
  abort = true;
  RawSocket cut = RawSocket::ConnectTo(server.port());
  cut.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(cut.WaitForClose(5000));
}

TEST(HttpServer, BackPressureIsReportedAndReleased) {
  ServerOptions options;
  options.write_high_watermark = 64 * 1024;
  options.write_low_watermark = 16 * 1024;
  options.max_write_buffer = 64 * 1024 * 1024;
  Held held;
  TestServer server(held.handler(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  ASSERT_TRUE(held.arrived.Wait());
  Signal writable;
  size_t written = 0;
  server.loop().RunAndWait([&] {
    held.exchange->OnWritable([&] {
      EXPECT_LT(held.exchange->Buffered(), 16u * 1024);
      writable.Set();
      held.exchange->OnWritable(nullptr);
    });
    held.exchange->StartStream(200, {});
    while (written < 16 * 1024 * 1024) {
      held.exchange->Write(std::string(64 * 1024, 'x'));
      written += 64 * 1024;
    }
    EXPECT_GT(held.exchange->Buffered(), 64u * 1024);
  });
  EXPECT_FALSE(writable.IsSet());  // nobody reads
  for (size_t got = 0; got < written;) {
    const std::string some = client.ReadSome();
    ASSERT_FALSE(some.empty());
    got += some.size();
  }
  EXPECT_TRUE(writable.Wait());
  EXPECT_TRUE(server.Eventually([&] {
    bool drained = false;
    server.loop().RunAndWait([&] { drained = held.exchange->Buffered() == 0; });
    return drained;
  }));
  server.loop().RunAndWait([&] {
    held.exchange->Finish();
    held.exchange.reset();
  });
  EXPECT_TRUE(absl::EndsWith(client.ReadUntil("0\r\n\r\n"), "0\r\n\r\n"));
}

TEST(HttpServer, AStalledReaderIsGivenUp) {
  ServerOptions options;
  options.write_stall_timeout = absl::Milliseconds(100);
  Held held;
  TestServer server(held.handler(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.ShrinkReceiveBuffer();
  client.Send(kGet);
  ASSERT_TRUE(held.arrived.Wait());
  server.loop().RunAndWait([&] {
    held.exchange->StartStream(200, {});
    for (int i = 0; i < 7; ++i) held.exchange->Write(std::string(1024 * 1024, 'x'));
  });
  EXPECT_TRUE(held.gone.Wait());
  EXPECT_EQ(server.server().stats().timeouts, 1u);
  EXPECT_EQ(server.server().InFlight(), 0);
  server.loop().RunAndWait([&] {
    held.exchange->Write("into the void");
    held.exchange.reset();
  });
}

TEST(HttpServer, AFeederThatIgnoresBackPressureLosesItsClient) {
  ServerOptions options;
  options.max_write_buffer = 1024 * 1024;
  Held held;
  TestServer server(held.handler(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  ASSERT_TRUE(held.arrived.Wait());
  server.loop().RunAndWait([&] {
    held.exchange->StartStream(200, {});
    for (int i = 0; i < 20; ++i) held.exchange->Write(std::string(100 * 1024, 'x'));
  });
  EXPECT_TRUE(held.gone.Wait());
  server.loop().RunAndWait([&] { held.exchange.reset(); });
}

// ---- Clients that leave
// -------------------------------------------------------------------------------------------

enum class Leaving { kClose, kReset, kHalfClose };

class HttpServerDisconnect : public ::testing::TestWithParam<Leaving> {
 protected:
  void Leave() {
    switch (GetParam()) {
      case Leaving::kClose:
        return client_.Close();
      case Leaving::kReset:
        return client_.Reset();
      case Leaving::kHalfClose:
        return client_.ShutdownWrite();
    }
  }
  void Arrive() {
    client_ = RawSocket::ConnectTo(server_.port());
    client_.Send(kGet);
    ASSERT_TRUE(held_.arrived.Wait());
  }
  void ExpectGone() {
    EXPECT_TRUE(held_.gone.Wait(1000));
    EXPECT_TRUE(server_.Eventually([&] { return server_.server().Connections() == 0; }));
    EXPECT_EQ(server_.server().InFlight(), 0);
    EXPECT_EQ(server_.server().stats().client_gone, 1u);
    server_.loop().RunAndWait([&] {
      held_.exchange->Respond({200, {}, "too late"});
      held_.exchange.reset();
    });
  }
  Held held_;
  TestServer server_{held_.handler()};
  RawSocket client_;
};

TEST_P(HttpServerDisconnect, IsNoticedBeforeAnythingWasWritten) {
  Arrive();
  Leave();
  ExpectGone();
}

TEST_P(HttpServerDisconnect, IsNoticedInTheMiddleOfASilentStream) {
  Arrive();
  server_.loop().RunAndWait([&] {
    held_.exchange->StartStream(200, {});
    held_.exchange->Write("some");
  });
  client_.ReadUntil("some");
  Leave();
  ExpectGone();
}

TEST_P(HttpServerDisconnect, IsNoticedBehindAPipelinedRequest) {
  Arrive();
  client_.Send(kGet);
  Leave();
  ExpectGone();
}

INSTANTIATE_TEST_SUITE_P(Ways, HttpServerDisconnect,
                         ::testing::Values(Leaving::kClose, Leaving::kReset, Leaving::kHalfClose));

TEST(HttpServer, ClientGoneIsReportedToWhoAsksLate) {
  std::shared_ptr<Exchange> exchange;
  Signal arrived;
  Signal gone;
  TestServer server([&](Request, std::shared_ptr<Exchange> e) {
    exchange = std::move(e);
    arrived.Set();
  });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  ASSERT_TRUE(arrived.Wait());
  client.Reset();
  ASSERT_TRUE(server.Eventually([&] { return server.server().Connections() == 0; }));
  server.loop().RunAndWait([&] { exchange->OnClientGone([&] { gone.Set(); }); });
  EXPECT_TRUE(gone.Wait());
  server.loop().RunAndWait([&] { exchange.reset(); });
}

TEST(HttpServer, ClientGoneIsNotReportedAfterTheAnswer) {
  Held held;
  TestServer server(held.handler());
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  ASSERT_TRUE(held.arrived.Wait());
  server.loop().RunAndWait([&] { held.exchange->Respond({200, {}, "x"}); });
  client.ReadResponse();
  client.Close();
  EXPECT_TRUE(server.Eventually([&] { return server.server().Connections() == 0; }));
  EXPECT_FALSE(held.gone.IsSet());
  EXPECT_EQ(server.server().stats().client_gone, 0u);
  server.loop().RunAndWait([&] { held.exchange.reset(); });
}

// ---- Deadlines
// ----------------------------------------------------------------------------------------------------

TEST(HttpServer, ASlowHeadIs408CountedFromItsFirstByte) {
  ServerOptions options;
  options.header_timeout = absl::Milliseconds(80);
  TestServer server(Hello(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  EXPECT_TRUE(IsStatus(client.ReadResponse(), 200));
  client.Send("GET / HT");
  const std::string answer = client.ReadToEnd();
  EXPECT_TRUE(IsStatus(answer, 408)) << answer;
  EXPECT_EQ(server.server().stats().timeouts, 1u);
}

TEST(HttpServer, ADrippingHeadDoesNotExtendItsDeadline) {
  ServerOptions options;
  options.header_timeout = absl::Milliseconds(100);
  TestServer server(Hello(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  const absl::Time start = absl::Now();
  client.Send("GET / HTTP/1.1\r\nX: ");
  while (client.Send("a") && !client.WaitForClose(10)) {
    ASSERT_LT(absl::Now() - start, absl::Seconds(3));
  }
}

TEST(HttpServer, ASlowBodyIs408) {
  ServerOptions options;
  options.body_timeout = absl::Milliseconds(80);
  TestServer server(Hello(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhello");
  EXPECT_TRUE(IsStatus(client.ReadToEnd(), 408));
}

TEST(HttpServer, ABodyThatKeepsTheMinimumRateMayTakeLonger) {
  ServerOptions options;
  options.body_timeout = absl::Milliseconds(50);
  options.min_body_bytes_per_second = 1000;
  TestServer server(
      [](Request request, std::shared_ptr<Exchange> exchange) {
        exchange->Respond({200, {}, absl::StrCat(request.body.size())});
      },
      options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  constexpr int kPieces = 30;
  client.Send(
      absl::StrCat("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ", kPieces * 1000, "\r\n\r\n"));
  for (int i = 0; i < kPieces; ++i) {
    client.Send(std::string(1000, 'x'));
    EXPECT_FALSE(client.WaitForClose(5));
  }
  EXPECT_TRUE(absl::EndsWith(client.ReadResponse(), "\r\n\r\n30000"));
}

TEST(HttpServer, AnIdleConnectionIsClosedWithoutAWord) {
  ServerOptions options;
  options.idle_timeout = absl::Milliseconds(80);
  TestServer server(Hello(), options);
  RawSocket fresh = RawSocket::ConnectTo(server.port());
  EXPECT_EQ(fresh.ReadToEnd(), "");
  RawSocket used = RawSocket::ConnectTo(server.port());
  used.Send(kGet);
  used.ReadResponse();
  EXPECT_EQ(used.ReadToEnd(), "");
}

TEST(HttpServer, ARunningRequestHasNoDeadlineOfTheConnection) {
  ServerOptions options;
  options.idle_timeout = options.header_timeout = options.body_timeout =
      options.write_stall_timeout = absl::Milliseconds(30);
  Held held;
  TestServer server(held.handler(), options);
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send(kGet);
  ASSERT_TRUE(held.arrived.Wait());
  EXPECT_FALSE(client.WaitForClose(150));
  server.loop().RunAndWait([&] {
    held.exchange->Respond({200, {}, "late"});
    held.exchange.reset();
  });
  EXPECT_TRUE(IsStatus(client.ReadResponse(), 200));
}

// ---- Limits and drain
// ---------------------------------------------------------------------------------------------

TEST(HttpServer, TooManyConnectionsAreClosedAtOnce) {
  ServerOptions options;
  options.max_connections = 2;
  TestServer server(Hello(), options);
  RawSocket a = RawSocket::ConnectTo(server.port());
  RawSocket b = RawSocket::ConnectTo(server.port());
  ASSERT_TRUE(server.Eventually([&] { return server.server().Connections() == 2; }));
  RawSocket c = RawSocket::ConnectTo(server.port());
  EXPECT_TRUE(c.WaitForClose(5000));
  EXPECT_EQ(server.server().stats().connections_refused, 1u);
  a.Close();
  ASSERT_TRUE(server.Eventually([&] { return server.server().Connections() == 1; }));
  RawSocket d = RawSocket::ConnectTo(server.port());
  d.Send(kGet);
  EXPECT_TRUE(IsStatus(d.ReadResponse(), 200));
}

TEST(HttpServer, OnePeerCannotTakeAllConnections) {
  ServerOptions options;
  options.max_connections_per_peer = 1;
  TestServer server(Hello(), options);
  RawSocket a = RawSocket::ConnectTo(server.port());
  a.Send(kGet);
  EXPECT_TRUE(IsStatus(a.ReadResponse(), 200));
  RawSocket b = RawSocket::ConnectTo(server.port());
  EXPECT_TRUE(b.WaitForClose(5000));
  a.Close();
  ASSERT_TRUE(server.Eventually([&] { return server.server().Connections() == 0; }));
  RawSocket c = RawSocket::ConnectTo(server.port());
  c.Send(kGet);
  EXPECT_TRUE(IsStatus(c.ReadResponse(), 200));
}

TEST(HttpServer, DrainFinishesWhatRunsClosesWhatIsIdleAndRefusesTheRest) {
  Held held;
  TestServer server(
      [&, hold = held.handler()](Request request, std::shared_ptr<Exchange> exchange) {
        if (request.path == "/held") return hold(std::move(request), std::move(exchange));
        exchange->Respond({200, {}, "ok"});
      });
  RawSocket idle = RawSocket::ConnectTo(server.port());
  idle.Send(kGet);
  idle.ReadResponse();
  RawSocket busy = RawSocket::ConnectTo(server.port());
  busy.Send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
  RawSocket fresh = RawSocket::ConnectTo(server.port());
  ASSERT_TRUE(held.arrived.Wait());
  server.server().BeginDrain();
  EXPECT_TRUE(idle.WaitForClose(5000));
  server.loop().RunAndWait([] {});
  EXPECT_EQ(server.server().InFlight(), 2) << "the held one, and what `fresh` may be sending";
  fresh.Send(kGet);  // its connection was complete before the drain: still served
  EXPECT_TRUE(absl::StrContains(fresh.ReadToEnd(), "Connection: close\r\n"));
  RawSocket late = RawSocket::ConnectTo(server.port());
  EXPECT_LT(late.fd(), 0);
  server.loop().RunAndWait([&] {
    held.exchange->Respond({200, {}, "done"});
    held.exchange.reset();
  });
  const std::string answer = busy.ReadToEnd();
  EXPECT_TRUE(absl::EndsWith(answer, "done"));
  EXPECT_TRUE(absl::StrContains(answer, "Connection: close\r\n"));
  EXPECT_EQ(server.server().InFlight(), 0);
}

TEST(HttpServer, AStreamThatPromisedToKeepItsConnectionMayBeFollowedByOneMoreRequest) {
  Held held;
  TestServer server(
      [&, hold = held.handler()](Request request, std::shared_ptr<Exchange> exchange) {
        if (request.path == "/held") return hold(std::move(request), std::move(exchange));
        exchange->Respond({200, {}, "ok"});
      });
  RawSocket client = RawSocket::ConnectTo(server.port());
  client.Send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(held.arrived.Wait());
  server.loop().RunAndWait([&] { held.exchange->StartStream(200, {}); });
  server.server().BeginDrain();
  server.loop().RunAndWait([&] {
    held.exchange->Finish();
    held.exchange.reset();
  });
  client.ReadResponse();
  EXPECT_EQ(server.server().InFlight(), 1);
  client.Send(kGet);
  EXPECT_TRUE(absl::StrContains(client.ReadToEnd(), "Connection: close\r\n"));
  EXPECT_EQ(server.server().InFlight(), 0);
}

TEST(HttpServer, AnAnnouncedDrainServesEverybodyAndAsksThemToLeave) {
  TestServer server(Hello());
  RawSocket open = RawSocket::ConnectTo(server.port());
  open.Send(kGet);
  EXPECT_FALSE(absl::StrContains(open.ReadResponse(), "Connection: close\r\n"));
  server.server().AnnounceDrain();
  open.Send(kGet);
  EXPECT_TRUE(absl::StrContains(open.ReadToEnd(), "Connection: close\r\n"));
  RawSocket fresh = RawSocket::ConnectTo(server.port());
  fresh.Send(kGet);
  EXPECT_TRUE(absl::StrContains(fresh.ReadToEnd(), "Connection: close\r\n"));
  server.server().BeginDrain();
  server.loop().RunAndWait([] {});
  EXPECT_LT(RawSocket::ConnectTo(server.port()).fd(), 0);
}

TEST(HttpServer, ATakenPortAndABadAddressAreErrors) {
  TestServer first(Hello());
  ServerOptions options;
  options.port = first.port();
  TestServer second(Hello(), options);
  EXPECT_EQ(second.started().code(), absl::StatusCode::kUnavailable);
  options.address = "not an address";
  TestServer third(Hello(), options);
  EXPECT_EQ(third.started().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HttpServer, DestructionWithOpenConnectionsAndAnUnansweredExchangeIsClean) {
  Held held;
  RawSocket client;
  {
    auto server = std::make_unique<TestServer>(held.handler());
    client = RawSocket::ConnectTo(server->port());
    client.Send(kGet);
    ASSERT_TRUE(held.arrived.Wait());
    server->loop().RunAndWait([&] { held.exchange.reset(); });
    RawSocket other = RawSocket::ConnectTo(server->port());
  }
  EXPECT_TRUE(absl::StrContains(client.ReadToEnd(), "500"));
}

}  // namespace
}  // namespace signalbox::http
