// Our client against our server: the ordinary day.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/http/fixtures.h"

namespace signalbox::http {
namespace {

Handler Echo() {
  return [](Request request, std::shared_ptr<Exchange> exchange) {
    exchange->Respond(
        {200,
         {{"Content-Type", "text/plain"}, {"X-Method", request.method}, {"X-Peer", request.peer}},
         absl::StrCat(request.path, "?", request.query, "|", request.body)});
  };
}

TEST(HttpRoundTrip, CarriesMethodPathQueryHeadersAndBody) {
  TestServer server(Echo());
  ASSERT_TRUE(server.started().ok()) << server.started();
  TestClient client;
  ClientRequest request = RequestTo(server.port(), "/chat?a=1", "hello");
  request.origin.base_path = "/v1";
  const Outcome outcome = client.Call(request);
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.body, "/v1/chat?a=1|hello");
  EXPECT_EQ(outcome.headers.Get("x-method"), "POST");
  EXPECT_EQ(outcome.headers.Get("x-peer"), "127.0.0.1");
  EXPECT_TRUE(outcome.headers.Has("Date"));
}

TEST(HttpRoundTrip, ReusesTheConnection) {
  TestServer server(Echo());
  TestClient client;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client.Call(RequestTo(server.port())).status, 200);
  const Client::Stats stats = client.Stats();
  EXPECT_EQ(stats.connections_opened, 1u);
  EXPECT_EQ(stats.connections_reused, 4u);
  EXPECT_EQ(stats.idle, 1);
  EXPECT_EQ(stats.active, 0);
  EXPECT_EQ(server.server().stats().connections_accepted, 1u);
  EXPECT_EQ(server.server().InFlight(), 0);
}

TEST(HttpRoundTrip, CarriesLargeBodiesBothWays) {
  TestServer server(Echo());
  TestClient client;
  std::string body(5'000'000, 'x');
  for (size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i / 1000 % 26);
  const Outcome outcome = client.Call(RequestTo(server.port(), "/", body));
  ASSERT_TRUE(outcome.ended) << outcome.error->message;
  EXPECT_EQ(outcome.body, "/?|" + body);
}

TEST(HttpRoundTrip, StreamsChunksThatArriveOneByOne) {
  std::shared_ptr<Exchange> stream;
  Signal started;
  TestServer server([&](Request, std::shared_ptr<Exchange> exchange) {
    exchange->StartStream(200, {{"Content-Type", "text/event-stream"}});
    exchange->Write("data: 1\n\n");
    stream = exchange;
    started.Set();
  });
  TestClient client;
  Recorder recorder;
  Signal first;
  recorder.on_body = [&] {
    if (recorder.outcome.body == "data: 1\n\n") first.Set();
  };
  std::unique_ptr<ClientCall> call;
  client.loop().RunAndWait(
      [&] { call = client.client().Start(RequestTo(server.port()), &recorder); });
  ASSERT_TRUE(started.Wait());
  ASSERT_TRUE(first.Wait());  // before the server has written anything else
  server.loop().RunAndWait([&] {
    stream->Write("data: 2\n\n");
    stream->Write("data: 3\n\n");
    stream->Finish();
    stream.reset();
  });
  ASSERT_TRUE(recorder.over.Wait());
  client.loop().RunAndWait([&] { call.reset(); });
  EXPECT_TRUE(recorder.outcome.ended);
  EXPECT_EQ(recorder.outcome.body, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
}

TEST(HttpRoundTrip, AnAbortedStreamIsAnErrorForTheClient) {
  TestServer server([](Request, std::shared_ptr<Exchange> exchange) {
    exchange->StartStream(200, {});
    exchange->Write("half");
    exchange->Abort();
  });
  TestClient client;
  const Outcome outcome = client.Call(RequestTo(server.port()));
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->kind, ClientError::Kind::kReset);
  EXPECT_EQ(outcome.body, "half");
}

TEST(HttpRoundTrip, ADroppedExchangeAnswers500) {
  TestServer server([](Request, std::shared_ptr<Exchange>) {});
  TestClient client;
  EXPECT_EQ(client.Call(RequestTo(server.port())).status, 500);
  EXPECT_EQ(server.server().InFlight(), 0);
}

TEST(HttpRoundTrip, ManyRequestsAtOnceOverSeveralLoops) {
  TestServer server(Echo(), {}, 3);
  TestClient client;
  constexpr int kCalls = 200;
  std::vector<std::unique_ptr<Recorder>> recorders;
  std::vector<std::unique_ptr<ClientCall>> calls;
  client.loop().RunAndWait([&] {
    for (int i = 0; i < kCalls; ++i) {
      recorders.push_back(std::make_unique<Recorder>());
      calls.push_back(client.client().Start(RequestTo(server.port(), "/", std::to_string(i)),
                                            recorders.back().get()));
    }
  });
  for (int i = 0; i < kCalls; ++i) {
    ASSERT_TRUE(recorders[i]->over.Wait());
    EXPECT_EQ(recorders[i]->outcome.body, absl::StrCat("/?|", i));
  }
  client.loop().RunAndWait([&] { calls.clear(); });
}

TEST(HttpRoundTrip, HeadHasTheLengthButNoBody) {
  TestServer server(Echo());
  TestClient client;
  ClientRequest request = RequestTo(server.port());
  request.method = "HEAD";
  const Outcome outcome = client.Call(request);
  EXPECT_TRUE(outcome.ended);
  EXPECT_EQ(outcome.headers.Get("Content-Length"), "3");
  EXPECT_EQ(outcome.body, "");
  EXPECT_EQ(client.Call(RequestTo(server.port())).status, 200);  // the connection is still in step
  EXPECT_EQ(client.Stats().connections_opened, 1u);
}

}  // namespace
}  // namespace signalbox::http
