// The gRPC gateway over a real channel: the reactor's hand-over between gRPC's threads and the
// event loop is what is tested.
#include "services/ingress/gateway_service.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "common/net/event_loop.h"
#include "common/rpc/status.h"
#include "common/seam/error_detail.h"
#include "signalbox/gateway/v1/gateway.grpc.pb.h"
#include "tests/unit/ingress/fakes.h"
#include "tests/unit/ingress/test_catalogue.h"

namespace signalbox::ingress {
namespace {

using gateway::v1::ChatResponse;

constexpr char kStreamBody[] =
    R"({"model":"acme/model","stream":true,"messages":[{"role":"user","content":"hello"}]})";
constexpr char kPlainBody[] =
    R"({"model":"acme/model","messages":[{"role":"user","content":"hello"}]})";

// Plays a script as soon as an attempt starts.
class ScriptedAdapter final : public seam::ProviderAdapter {
 public:
  using Script = std::function<void(FakeAdapter::Call&)>;
  std::unique_ptr<seam::Attempt> Generate(provider::v1::GenerateRequest request, Executor& executor,
                                          seam::GenerateSink* sink) override {
    std::unique_ptr<seam::Attempt> attempt = inner_.Generate(std::move(request), executor, sink);
    executor.Post([this, call = inner_.calls.back()] {
      if (!call->destroyed && script) script(*call);
    });
    return attempt;
  }
  void ListProviders(absl::Duration, Executor&, ListProvidersCallback) override {}
  FakeAdapter& inner() { return inner_; }

  Script script;

 private:
  FakeAdapter inner_;
};

class GatewayServiceTest : public ::testing::Test {
 protected:
  GatewayServiceTest()
      : loop_("edge"),
        catalogue_(TestCatalogue()),
        shared_{options_, router_,       adapter_,
                keys_,    generations_,  [this] { return catalogue_; },
                metrics_, Clock::Real(), conversations_,
                circuits_},
        services_(std::make_unique<LoopServices>(shared_, loop_, Rng(7))),
        models_(ModelsApi::Build(catalogue_)),
        gateway_({/*max_in_flight=*/100, shared_, [this] { return services_.get(); },
                  [this] { return models_; }}) {
    keys_.Add(RecordOf(TestKey()));
    AddCandidate(&*router_.answer, "first");
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    gateway_.AddTo(builder);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                   grpc::InsecureChannelCredentials());
    stub_ = gateway::v1::Gateway::NewStub(channel_);
  }
  ~GatewayServiceTest() override {
    server_->Shutdown();
    loop_.RunAndWait([this] { services_.reset(); });
  }

  static void AddKey(grpc::ClientContext* context, const std::string& key = TestKey()) {
    context->AddMetadata("authorization", "Bearer " + key);
  }
  // All messages of one call, and how it ended.
  std::vector<ChatResponse> Chat(const std::string& body, grpc::Status* status,
                                 const std::string& key = TestKey()) {
    grpc::ClientContext context;
    AddKey(&context, key);
    gateway::v1::ChatRequest request;
    request.set_body(body);
    const auto reader = stub_->Chat(&context, request);
    std::vector<ChatResponse> messages;
    ChatResponse message;
    while (reader->Read(&message)) messages.push_back(message);
    *status = reader->Finish();
    return messages;
  }
  void WaitUntilOnLoop(const std::function<bool()>& condition) {
    for (bool met = false; !met;) loop_.RunAndWait([&] { met = condition(); });
  }

  net::EventLoop loop_;
  ChatOptions options_;
  FakeRouter router_;
  ScriptedAdapter adapter_;
  FakeKeyStore keys_;
  FakeGenerationStore generations_;
  const std::shared_ptr<const catalogue::Catalogue> catalogue_;
  IngressMetrics metrics_;
  Conversations conversations_{ConversationOptions()};
  Circuits circuits_{CircuitOptions()};
  const SharedServices shared_;
  std::unique_ptr<LoopServices> services_;
  const std::shared_ptr<const ModelsApi> models_;
  GatewayService gateway_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<gateway::v1::Gateway::Stub> stub_;
};

TEST_F(GatewayServiceTest, StreamsChunksAndEndsWithASummary) {
  adapter_.script = [](FakeAdapter::Call& call) {
    for (int i = 0; i < 500; ++i)
      call.Content("data: {\"n\":" + std::to_string(i) + "}\n\ndata: {\"m\":1}\n\n");
    call.Answer(10, 5);
  };
  grpc::Status status;
  const std::vector<ChatResponse> messages = Chat(kStreamBody, &status);
  ASSERT_TRUE(status.ok()) << status.error_message();
  int n = 0;
  bool usage = false;
  for (const ChatResponse& message : messages) {
    for (const std::string& chunk : message.chunks().json()) {
      const auto json = nlohmann::json::parse(chunk);
      if (json.contains("n")) {
        EXPECT_EQ(json["n"], n++);
      }
      usage = usage || json.contains("usage");
    }
  }
  EXPECT_EQ(n, 500);
  EXPECT_TRUE(usage);
  ASSERT_TRUE(messages.back().has_summary());
  EXPECT_EQ(messages.back().summary().cost_nano(), 20'000);
  EXPECT_EQ(messages.back().summary().provider(), "The first");
  EXPECT_EQ(messages.back().summary().attempts(), 1);
}

TEST_F(GatewayServiceTest, RefusesAnUnknownWordForTheToolCallGuard) {
  grpc::ClientContext context;
  AddKey(&context);
  context.AddMetadata("x-signalbox-tool-call-guard", "on");
  gateway::v1::ChatRequest request;
  request.set_body(kStreamBody);
  const auto reader = stub_->Chat(&context, request);
  ChatResponse message;
  EXPECT_FALSE(reader->Read(&message));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(GatewayServiceTest, AnswersWithoutAStreamInOneMessage) {
  adapter_.script = [](FakeAdapter::Call& call) {
    call.Content(R"({"id":"x"})");
    call.Answer();
  };
  grpc::Status status;
  const std::vector<ChatResponse> messages = Chat(kPlainBody, &status);
  ASSERT_TRUE(status.ok());
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_TRUE(nlohmann::json::parse(messages[0].completion()).contains("usage"));
  EXPECT_TRUE(messages[1].has_summary());
}

TEST_F(GatewayServiceTest, FailsWithTheErrorDetail) {
  adapter_.script = [](FakeAdapter::Call& call) {
    call.Fail(common::v1::REASON_PROVIDER_RATE_LIMITED);
  };
  grpc::Status status;
  EXPECT_TRUE(Chat(kStreamBody, &status).empty());
  EXPECT_EQ(seam::DetailOf(rpc::FromGrpc(status)).reason(),
            common::v1::REASON_PROVIDER_RATE_LIMITED);
  Chat("{", &status);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  Chat(kStreamBody, &status, TestKey('b'));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(GatewayServiceTest, TellsABrokenStreamFromACompleteOne) {
  adapter_.script = [](FakeAdapter::Call& call) {
    call.Content("data: {\"x\":1}\n\n");
    call.Fail(common::v1::REASON_PROVIDER_CUT);
  };
  grpc::Status status;
  const std::vector<ChatResponse> messages = Chat(kStreamBody, &status);
  EXPECT_FALSE(status.ok());
  ASSERT_FALSE(messages.empty());
  ASSERT_TRUE(messages.back().has_summary());
  EXPECT_EQ(messages.back().summary().error().reason(), common::v1::REASON_PROVIDER_CUT);
}

TEST_F(GatewayServiceTest, CancelsTheProviderWhenTheCallerCancels) {
  adapter_.script = [](FakeAdapter::Call& call) { call.Content("data: {\"x\":1}\n\n"); };
  grpc::ClientContext context;
  AddKey(&context);
  gateway::v1::ChatRequest request;
  request.set_body(kStreamBody);
  const auto reader = stub_->Chat(&context, request);
  ChatResponse message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  WaitUntilOnLoop([this] { return adapter_.inner().last().destroyed; });
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GatewayServiceTest, PausesTheProviderForACallerThatDoesNotRead) {
  adapter_.script = [](FakeAdapter::Call& call) {
    const std::string event = "data: {\"x\":\"" + std::string(8'000, 'x') + "\"}\n\n";
    for (int i = 0; i < 20'000 && !call.paused; ++i) call.Content(event);
  };
  grpc::ClientContext context;
  AddKey(&context);
  gateway::v1::ChatRequest request;
  request.set_body(kStreamBody);
  const auto reader = stub_->Chat(&context, request);
  // gRPC's own buffers may let it resume before anybody looks.
  WaitUntilOnLoop(
      [this] { return !adapter_.inner().calls.empty() && adapter_.inner().last().pauses > 0; });
  ChatResponse message;
  std::thread reading([&] {
    while (reader->Read(&message)) {
    }
  });
  WaitUntilOnLoop([this] { return !adapter_.inner().last().paused; });
  loop_.RunAndWait([this] { adapter_.inner().last().Answer(); });
  reading.join();
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(GatewayServiceTest, ListsModelsAndReadsGenerations) {
  gateway::v1::ListModelsResponse models;
  grpc::ClientContext list_context;
  ASSERT_TRUE(stub_->ListModels(&list_context, {}, &models).ok());
  EXPECT_EQ(nlohmann::json::parse(models.json())["total_count"], 3);

  loop_.RunAndWait([this] {
    generations_.stored["gen-1"] = {RecordOf(TestKey()).hash, NanoUsd{1}, R"({"id":"gen-1"})"};
  });
  gateway::v1::GetGenerationRequest request;
  request.set_id("gen-1");
  gateway::v1::GetGenerationResponse generation;
  grpc::ClientContext get_context;
  AddKey(&get_context);
  ASSERT_TRUE(stub_->GetGeneration(&get_context, request, &generation).ok());
  EXPECT_EQ(generation.json(), R"({"data":{"id":"gen-1"}})");
  grpc::ClientContext anonymous;
  EXPECT_EQ(stub_->GetGeneration(&anonymous, request, &generation).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace signalbox::ingress
