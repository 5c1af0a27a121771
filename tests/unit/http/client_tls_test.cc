// The client's TLS: who it trusts, what it tells the server, how an encrypted answer may end.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/http/fixtures.h"
#include "tests/unit/http/loopback.h"
#include "tests/unit/http/tls_peer.h"

namespace signalbox::http {
namespace {

using Kind = ClientError::Kind;

const char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

class HttpClientTls : public ::testing::Test {
 protected:
  ClientOptions Trusting() const {
    ClientOptions options;
    options.ca_file = authority_.ca_file();
    return options;
  }
  static ClientRequest SecureRequestTo(uint16_t port, const std::string& host = "localhost") {
    ClientRequest request = RequestTo(1);
    request.origin = *ParseOrigin(absl::StrCat("https://", host, ":", port));
    return request;
  }
  // Serves keep-alive requests over TLS with this identity.
  RawServer::Script Serving(const Identity& identity, int max_version = 0) {
    return [this, identity, max_version](RawSocket socket, int) {
      TlsPeer peer(socket, identity, max_version);
      if (!peer.ok()) return;
      server_name_ = peer.server_name();
      alpn_ = peer.alpn();
      std::string request;
      while (!(request = peer.ReadRequest()).empty()) {
        last_size_ = request.size();
        peer.Send(kOk);
      }
    };
  }
  const TestAuthority authority_;
  std::string server_name_;
  std::string alpn_;
  size_t last_size_ = 0;
};

TEST_F(HttpClientTls, TalksToATrustedServerAndReusesTheConnection) {
  RawServer server(Serving(authority_.Issue("DNS:localhost")));
  TestClient client(Trusting());
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = client.Call(SecureRequestTo(server.port()));
    ASSERT_TRUE(outcome.ended) << outcome.error->message;
    EXPECT_EQ(outcome.body, "ok");
  }
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(server_name_, "localhost");
  EXPECT_EQ(alpn_, "http/1.1");
}

TEST_F(HttpClientTls, SendsLargeBodies) {
  RawServer server(Serving(authority_.Issue("DNS:localhost")));
  TestClient client(Trusting());
  ClientRequest request = SecureRequestTo(server.port());
  request.body = std::string(1'000'000, 'x');
  EXPECT_EQ(client.Call(std::move(request)).body, "ok");
  EXPECT_GT(last_size_, 1'000'000u);
}

TEST_F(HttpClientTls, AnAddressMustBeInTheCertificateAndIsNotSentAsAName) {
  RawServer named(Serving(authority_.Issue("DNS:localhost")));
  RawServer addressed(Serving(authority_.Issue("IP:127.0.0.1")));
  TestClient client(Trusting());
  EXPECT_EQ(client.Call(SecureRequestTo(named.port(), "127.0.0.1")).error->kind, Kind::kTls);
  EXPECT_EQ(client.Call(SecureRequestTo(addressed.port(), "127.0.0.1")).body, "ok");
  EXPECT_EQ(server_name_, "");
}

TEST_F(HttpClientTls, RefusesEveryCertificateItCannotVerify) {
  const TestAuthority other;
  const struct {
    const char* name;
    Identity identity;
  } cases[] = {
      {"of another authority", other.Issue("DNS:localhost")},
      {"for another name", authority_.Issue("DNS:example.com")},
      {"without a name", authority_.Issue("")},
      {"for a sub-domain only", authority_.Issue("DNS:*.localhost")},
      {"expired", authority_.Issue("DNS:localhost", -7200, -3600)},
      {"not yet valid", authority_.Issue("DNS:localhost", 3600, 7200)},
  };
  TestClient client(Trusting());
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    RawServer server(Serving(test.identity));
    const Outcome outcome = client.Call(SecureRequestTo(server.port()));
    ASSERT_TRUE(outcome.error.has_value());
    EXPECT_EQ(outcome.error->kind, Kind::kTls) << outcome.error->message;
  }
}

TEST_F(HttpClientTls, TheSystemsTrustStoreDoesNotKnowOurAuthority) {
  RawServer server(Serving(authority_.Issue("DNS:localhost")));
  TestClient client;
  EXPECT_EQ(client.Call(SecureRequestTo(server.port())).error->kind, Kind::kTls);
}

TEST_F(HttpClientTls, AnUnreadableTrustStoreTrustsNobody) {
  RawServer server(Serving(authority_.Issue("DNS:localhost")));
  ClientOptions options;
  options.ca_file = "/nonexistent/ca.pem";
  TestClient client(options);
  EXPECT_EQ(client.Call(SecureRequestTo(server.port())).error->kind, Kind::kTls);
}

TEST_F(HttpClientTls, RefusesOldVersionsAndPlainText) {
  RawServer old(Serving(authority_.Issue("DNS:localhost"), TLS1_1_VERSION));
  RawServer plain([](RawSocket socket, int) {
    socket.ReadSome();
    socket.Send(kOk);
    socket.ReadToEnd();
  });
  TestClient client(Trusting());
  EXPECT_EQ(client.Call(SecureRequestTo(old.port())).error->kind, Kind::kTls);
  EXPECT_EQ(client.Call(SecureRequestTo(plain.port())).error->kind, Kind::kTls);
}

TEST_F(HttpClientTls, AnAnswerThatEndsWithTheConnectionNeedsAnOrderlyEnd) {
  const Identity identity = authority_.Issue("DNS:localhost");
  for (const bool orderly : {true, false}) {
    RawServer server([&](RawSocket socket, int) {
      TlsPeer peer(socket, identity);
      peer.ReadRequest();
      peer.Send("HTTP/1.1 200 OK\r\n\r\nto the end");
      if (orderly) peer.CloseNotify();
    });
    TestClient client(Trusting());
    const Outcome outcome = client.Call(SecureRequestTo(server.port()));
    EXPECT_EQ(outcome.body, "to the end");
    EXPECT_EQ(outcome.ended, orderly);
    if (!orderly) {
      EXPECT_EQ(outcome.error->kind, Kind::kReset);
    }
  }
}

TEST_F(HttpClientTls, RunsThroughATunnelAndVerifiesTheOriginNotTheProxy) {
  std::string connect;
  std::string inner;
  const Identity identity = authority_.Issue("DNS:provider.example");
  RawServer proxy([&](RawSocket socket, int) {
    connect = socket.ReadRequest();
    socket.Send("HTTP/1.1 200 Connection established\r\n\r\n");
    TlsPeer peer(socket, identity);
    inner = peer.ReadRequest();
    peer.Send(kOk);
    peer.ReadRequest();
  });
  ClientOptions options = Trusting();
  options.proxy = absl::StrCat("http://127.0.0.1:", proxy.port());
  TestClient client(options);
  ClientRequest request = SecureRequestTo(443, "provider.example");
  request.headers = {{"Authorization", "Bearer secret"}};
  const Outcome outcome = client.Call(std::move(request));
  ASSERT_TRUE(outcome.ended) << outcome.error->message;
  EXPECT_EQ(connect, "CONNECT provider.example:443 HTTP/1.1\r\nHost: provider.example:443\r\n\r\n");
  EXPECT_TRUE(absl::StartsWith(inner, "POST / HTTP/1.1\r\nHost: provider.example\r\n")) << inner;
  EXPECT_TRUE(absl::StrContains(inner, "Bearer secret"));
}

TEST_F(HttpClientTls, CancelInTheMiddleOfAStreamIsSeenAtOnce) {
  const Identity identity = authority_.Issue("DNS:localhost");
  Signal streaming;
  Signal closed;
  RawServer server([&](RawSocket socket, int) {
    TlsPeer peer(socket, identity);
    peer.ReadRequest();
    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
    streaming.Set();
    if (socket.WaitForClose(5000)) closed.Set();
  });
  TestClient client(Trusting());
  Recorder recorder;
  std::unique_ptr<ClientCall> call;
  client.loop().RunAndWait(
      [&] { call = client.client().Start(SecureRequestTo(server.port()), &recorder); });
  ASSERT_TRUE(streaming.Wait());
  client.loop().RunAndWait([&] { call.reset(); });
  EXPECT_TRUE(closed.Wait(100));
}

}  // namespace
}  // namespace signalbox::http
