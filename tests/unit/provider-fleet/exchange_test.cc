// Both dialects over real sockets, when nothing goes wrong.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/provider-fleet/raw_client.h"
#include "tests/unit/provider-fleet/schema_check.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;
using End = Response::End;

constexpr char kFleet[] = R"(
seed: 7
providers:
  o: {endpoints: {m: {cached_token_share: 0.5}, think: {reasoning_tokens: 5}, "*": {reply: "Exactly this."}}}
  a: {dialect: anthropic, endpoints: {m: {}, think: {reasoning_tokens: 5}}}
  locked: {require_key: fleet-key, endpoints: {m: }}
  varied: {tokens: {p50: 30, p99: 60}, endpoints: {m: }}
)";

class FleetExchange : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fleet_ = StartFleet(kFleet)); }

  Response OpenAi(const std::string& body, const std::string& provider = "o") {
    return Post(fleet_->port(), "/" + provider + "/v1/chat/completions", body);
  }
  Response Anthropic(const std::string& body) {
    return Post(fleet_->port(), "/a/v1/messages", body);
  }

  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetExchange, OpenAiAnswersWhole) {
  const Response response = OpenAi(Chat());
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("content-type"), "application/json");
  const json body = response.Json();
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["model"], "m");
  const json& choice = body["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_GT(choice["message"]["content"].get<std::string>().size(), 40u);
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(body["usage"]["completion_tokens"], 40);
  EXPECT_EQ(body["usage"]["prompt_tokens"], Chat().size() / 4);
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], Chat().size() / 4 / 2);
}

TEST_F(FleetExchange, OpenAiStreamsTokenByToken) {
  const Response response =
      OpenAi(Chat(R"("stream":true,"stream_options":{"include_usage":true})"));
  EXPECT_EQ(response.end, End::kComplete);
  EXPECT_EQ(response.Header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_TRUE(response.Done());
  const std::vector<json> events = response.Events();
  ASSERT_EQ(events.size(), 43u);  // role, 40 tokens, finish, usage
  EXPECT_EQ(events[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(events[0]["usage"], nullptr);
  EXPECT_EQ(events[41]["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(events[42]["choices"].empty());
  EXPECT_EQ(events[42]["usage"]["completion_tokens"], 40);
  for (const json& event : events) EXPECT_EQ(event["id"], events[0]["id"]);
  EXPECT_EQ(response.chunks.size(), events.size() + 1);  // one chunk, one event
}

TEST_F(FleetExchange, OpenAiLeavesUsageOutUnlessAsked) {
  for (const json& event : OpenAi(Chat(R"("stream":true)")).Events())
    EXPECT_FALSE(event.contains("usage"));
}

TEST_F(FleetExchange, OpenAiStreamsToolCallsInFragments) {
  const Response response = OpenAi(Chat(R"("stream":true,)" + OpenAiTools()));
  std::map<int, std::pair<std::string, std::string>> calls;
  std::set<std::string> ids;
  std::string finish;
  int fragments = 0;
  for (const json& event : response.Events()) {
    const json& choice = event["choices"][0];
    if (choice["finish_reason"].is_string()) finish = choice["finish_reason"];
    for (const json& call : choice["delta"].value("tool_calls", json::array())) {
      auto& [name, arguments] = calls[call["index"].get<int>()];
      name += call["function"].value("name", "");
      arguments += call["function"].value("arguments", "");
      if (call.contains("id")) ids.insert(call["id"].get<std::string>());
      ++fragments;
    }
  }
  EXPECT_EQ(finish, "tool_calls");
  EXPECT_EQ(ids.size(), calls.size());
  EXPECT_GT(fragments, 5);
  ASSERT_FALSE(calls.empty());
  for (const auto& [index, call] : calls) {
    EXPECT_EQ(call.first, "look_up");
    EXPECT_TRUE(Follows(LookUpSchema(), json::parse(call.second))) << call.second;
  }
}

TEST_F(FleetExchange, OpenAiWritesReasoningApart) {
  const json body = OpenAi(Chat("", "think")).Json();
  EXPECT_FALSE(body["choices"][0]["message"]["reasoning_content"].get<std::string>().empty());
  EXPECT_EQ(body["usage"]["completion_tokens_details"]["reasoning_tokens"], 5);
}

TEST_F(FleetExchange, AnthropicAnswersWhole) {
  const json body = Anthropic(Chat(R"("max_tokens":100)")).Json();
  EXPECT_EQ(body["type"], "message");
  EXPECT_EQ(body["content"][0]["type"], "text");
  EXPECT_EQ(body["stop_reason"], "end_turn");
  EXPECT_EQ(body["usage"]["output_tokens"], 40);
  const json calls = Anthropic(Chat(AnthropicTools())).Json();
  EXPECT_EQ(calls["stop_reason"], "tool_use");
  EXPECT_TRUE(Follows(LookUpSchema(), calls["content"][0]["input"])) << calls;
}

TEST_F(FleetExchange, AnthropicStreamsItsEventsInOrder) {
  const Response response = Anthropic(Chat(R"("stream":true,"max_tokens":3)", "think"));
  std::vector<std::string> types;
  for (const json& event : response.Events()) types.push_back(event["type"]);
  const std::vector<std::string> expected = {
      "message_start",       "content_block_start", "ping",
      "content_block_delta", "content_block_delta", "content_block_delta",
      "content_block_delta", "content_block_stop",  "message_delta",
      "message_stop"};
  EXPECT_EQ(types, expected);
  EXPECT_NE(response.body.find("event: message_start\ndata: {\"type\":\"message_start\""),
            std::string::npos);
  EXPECT_EQ(response.Events()[8]["delta"]["stop_reason"], "max_tokens");
}

TEST_F(FleetExchange, AnthropicStreamsToolInput) {
  std::map<int, std::string> inputs;
  for (const json& event : Anthropic(Chat(R"("stream":true,)" + AnthropicTools())).Events()) {
    if (event["type"] != "content_block_delta") continue;
    inputs[event["index"].get<int>()] += event["delta"]["partial_json"].get<std::string>();
  }
  ASSERT_FALSE(inputs.empty());
  for (const auto& [index, input] : inputs)
    EXPECT_TRUE(Follows(LookUpSchema(), json::parse(input))) << input;
}

TEST_F(FleetExchange, SaysTheGivenReply) {
  EXPECT_EQ(OpenAi(Chat("", "other")).Json()["choices"][0]["message"]["content"], "Exactly this.");
  EXPECT_EQ(OpenAi(Chat(R"("stream":true)", "other")).Content(), "Exactly this.");
}

TEST_F(FleetExchange, ChecksKeysOfBothKinds) {
  const std::string path = "/locked/v1/chat/completions";
  EXPECT_EQ(Post(fleet_->port(), path, Chat()).status, 401);
  EXPECT_EQ(Post(fleet_->port(), path, Chat(), "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(Post(fleet_->port(), path, Chat(), "Authorization: Bearer fleet-key\r\n").status, 200);
  EXPECT_EQ(Post(fleet_->port(), path, Chat(), "x-api-key: fleet-key\r\n").status, 200);
}

TEST_F(FleetExchange, RefusesLikeAProvider) {
  EXPECT_EQ(OpenAi("{nonsense").status, 400);
  EXPECT_EQ(OpenAi(Chat(), "nobody").status, 404);
  const Response model = Anthropic(Chat(R"("max_tokens":9)", "unknown"));
  EXPECT_EQ(model.status, 404);
  EXPECT_EQ(model.Json()["error"]["type"], "not_found_error");
  EXPECT_EQ(Post(fleet_->port(), "/a/v1/chat/completions", Chat()).status, 404);
  EXPECT_EQ(Get(fleet_->port(), "/o/v1/models").Json()["data"].size(), 3u);
}

TEST_F(FleetExchange, KeepsConnectionsAndPipelines) {
  RawClient client(fleet_->port());
  const std::string one = PostBytes("/o/v1/chat/completions", Chat());
  client.Send(one + one + PostBytes("/o/v1/chat/completions", Chat(R"("stream":true)")));
  std::set<std::string> ids;
  for (int i = 0; i < 2; ++i) ids.insert(client.Read().Json()["id"].get<std::string>());
  EXPECT_TRUE(client.Read().Done());
  client.Send(PostBytes("/o/v1/chat/completions", Chat(), "Connection: close\r\n"));
  ids.insert(client.Read().Json()["id"].get<std::string>());
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(client.Read().end, End::kClosed);
}

TEST_F(FleetExchange, TakesLargeAndChunkedBodies) {
  const std::string large = Chat(R"("user":")" + std::string(3 << 20, 'u') + "\"");
  RawClient client(fleet_->port());
  client.Send("POST /o/v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(large.size()) + "\r\n\r\n");
  const Response go_on = client.Read(200);  // has no body of its own
  EXPECT_EQ(go_on.status, 100);
  client.Send(large);
  EXPECT_EQ(client.Read().Json()["usage"]["prompt_tokens"], large.size() / 4);

  const std::string body = Chat();
  char size[16];
  std::snprintf(size, sizeof(size), "%zx", body.size());
  RawClient chunked(fleet_->port());
  chunked.Send("POST /o/v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
               std::string(size) + "\r\n" + body + "\r\n0\r\n\r\n");
  EXPECT_EQ(chunked.Read().status, 200);
}

TEST_F(FleetExchange, SameSeedSameBytes) {
  const auto run = [](const char* seed) {
    std::string yaml = kFleet;
    yaml.replace(yaml.find("seed: 7"), 7, seed);
    auto fleet = StartFleet(yaml);
    std::string all;
    for (int i = 0; i < 5; ++i) {
      for (const char* provider : {"o", "varied"}) {
        const std::string path = std::string("/") + provider + "/v1/chat/completions";
        all += Post(fleet->port(), path, Chat()).body;
        all += Post(fleet->port(), path, Chat(R"("stream":true,)" + OpenAiTools())).body;
      }
    }
    return all;
  };
  const std::string first = run("seed: 7");
  EXPECT_EQ(first, run("seed: 7"));
  EXPECT_NE(first, run("seed: 8"));
}

TEST_F(FleetExchange, DifferentRequestsGetDifferentWords) {
  const json one = OpenAi(Chat(), "varied").Json();
  const json two = OpenAi(Chat(R"("user":"other")"), "varied").Json();
  EXPECT_NE(one["choices"][0]["message"]["content"], two["choices"][0]["message"]["content"]);
  EXPECT_NE(one["id"], two["id"]);
}

TEST_F(FleetExchange, ServesManyConnectionsAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      RawClient client(fleet_->port());
      for (int i = 0; i < 50; ++i) {
        client.Send(PostBytes("/o/v1/chat/completions", Chat(t % 2 ? R"("stream":true)" : "")));
        const Response response = client.Read();
        good += response.status == 200 && response.end == End::kComplete;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 400);
}

}  // namespace
}  // namespace signalbox::fleet
