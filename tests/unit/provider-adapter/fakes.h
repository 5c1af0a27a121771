// Stand-ins for what surrounds an attempt: a provider that follows the test's script, a sink and an
// observer that remember.
#ifndef SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_FAKES_H_
#define SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_FAKES_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/catalogue/catalogue.h"
#include "common/seam/provider_adapter.h"
#include "gtest/gtest.h"
#include "services/provider-adapter/core/generation.h"
#include "services/provider-adapter/core/upstream.h"

namespace signalbox::provider_adapter {

// The provider's side of one call, spoken by the test.
class ScriptedCall {
 public:
  ScriptedCall(http::ClientRequest request, http::ClientHandler* handler)
      : request_(std::move(request)), handler_(handler) {}

  const http::ClientRequest& request() const { return request_; }
  bool open() const { return handler_ != nullptr; }
  bool cancelled() const { return cancelled_; }
  bool paused() const { return paused_; }

  void Head(int status, const http::Headers& headers = {{"Content-Type", "text/event-stream"}}) {
    if (handler_ != nullptr) handler_->OnHead(status, headers);
  }
  void Body(absl::string_view bytes) {
    if (handler_ != nullptr) handler_->OnBody(bytes);
  }
  void End() {
    if (handler_ != nullptr) std::exchange(handler_, nullptr)->OnEnd();
  }
  void Error(http::ClientError::Kind kind, bool received_bytes = false) {
    if (handler_ != nullptr)
      std::exchange(handler_, nullptr)->OnError({kind, received_bytes, "scripted"});
  }

 private:
  friend class FakeUpstream;
  const http::ClientRequest request_;
  http::ClientHandler* handler_;
  bool cancelled_ = false;
  bool paused_ = false;
};

class FakeUpstream final : public Upstream {
 public:
  std::unique_ptr<http::ClientCall> Start(http::ClientRequest request,
                                          http::ClientHandler* handler) override {
    calls_.push_back(std::make_shared<ScriptedCall>(std::move(request), handler));
    return std::make_unique<Handle>(calls_.back());
  }
  size_t started() const { return calls_.size(); }
  ScriptedCall& call(size_t i) { return *calls_[i]; }
  ScriptedCall& last() { return *calls_.back(); }

 private:
  class Handle final : public http::ClientCall {
   public:
    explicit Handle(std::shared_ptr<ScriptedCall> call) : call_(std::move(call)) {}
    ~Handle() override {
      if (call_->handler_ != nullptr) call_->cancelled_ = true;
      call_->handler_ = nullptr;
    }
    void PauseReading() override { call_->paused_ = true; }
    void ResumeReading() override { call_->paused_ = false; }

   private:
    const std::shared_ptr<ScriptedCall> call_;
  };

  std::vector<std::shared_ptr<ScriptedCall>> calls_;
};

class RecordingSink final : public seam::GenerateSink {
 public:
  void OnContent(provider::v1::Content content) override {
    EXPECT_FALSE(result.has_value()) << "content after the result";
    contents.push_back(std::move(content));
    if (on_content) on_content();
  }
  void OnResult(provider::v1::AttemptResult end) override {
    EXPECT_FALSE(result.has_value()) << "a second result";
    result = std::move(end);
    if (on_result) on_result();
  }

  std::string text() const {
    std::string all;
    for (const provider::v1::Content& content : contents) all += content.data();
    return all;
  }
  common::v1::Reason reason() const {
    return result.has_value() ? result->error().reason() : common::v1::REASON_UNSPECIFIED;
  }

  std::vector<provider::v1::Content> contents;
  absl::optional<provider::v1::AttemptResult> result;
  std::function<void()> on_content;
  std::function<void()> on_result;
};

class RecordingObserver final : public GenerationObserver {
 public:
  void OnFinished(const FinishedAttempt& end) override {
    EXPECT_FALSE(finished.has_value()) << "finished twice";
    finished = end;
  }
  const common::v1::Outcome& outcome() const { return finished->outcome; }
  absl::optional<FinishedAttempt> finished;
};

// Providers acme (needs a key in ACME_KEY), local (needs none) and dead (disabled); model m/one at
// each of them.
inline config::v1::Catalogue TestCatalogue() {
  config::v1::Catalogue source;
  const auto add_provider = [&](const char* slug, const char* name) {
    config::v1::Provider* provider = source.add_providers();
    provider->set_slug(slug);
    provider->set_name(name);
    provider->set_base_url(std::string("https://api.") + slug + ".test/v1");
    provider->set_dialect(config::v1::DIALECT_OPENAI);
    return provider;
  };
  add_provider("acme", "Acme")->mutable_key()->set_env("ACME_KEY");
  add_provider("local", "Local")->set_needs_no_key(true);
  config::v1::Provider* dead = add_provider("dead", "Dead");
  dead->set_needs_no_key(true);
  dead->set_disabled(true);
  config::v1::Model* model = source.add_models();
  model->set_id("m/one");
  model->set_name("One");
  model->set_created(1'700'000'000);
  model->set_context_length(8192);
  for (const char* tag : {"acme", "local", "dead"}) {
    config::v1::Endpoint* endpoint = model->add_endpoints();
    endpoint->set_tag(tag);
    endpoint->set_upstream_model("one-upstream");
    endpoint->mutable_price()->set_prompt("0.000001");
    endpoint->mutable_price()->set_completion("0.000002");
  }
  return source;
}

inline std::shared_ptr<const catalogue::Catalogue> BuildCatalogue(
    config::v1::Catalogue source = TestCatalogue()) {
  auto built = catalogue::Catalogue::Build(std::move(source));
  EXPECT_TRUE(built.ok()) << built.status();
  return built.ok() ? *built : nullptr;
}

inline provider::v1::GenerateRequest ChatRequest(const std::string& endpoint_id,
                                                 bool stream = true) {
  provider::v1::GenerateRequest request;
  request.set_generation_id("gen-1");
  request.set_attempt(1);
  request.set_endpoint_id(endpoint_id);
  request.set_stream(stream);
  request.set_served_model("m/one");
  request.set_created_unix(1'700'000'000);
  request.set_request_class(common::v1::REQUEST_CLASS_PLAIN);
  request.set_body(
      std::string(R"({"model":"m/one","messages":[{"role":"user","content":"hi"}],"stream":)") +
      (stream ? "true}" : "false}"));
  request.mutable_pricing()->set_prompt_pico(1'000'000);
  request.mutable_pricing()->set_completion_pico(2'000'000);
  request.mutable_pricing()->set_cache_read_pico(-1);
  request.mutable_pricing()->set_cache_write_pico(-1);
  return request;
}

// Events of an OpenAI-shaped stream.
inline std::string Event(const std::string& delta, const std::string& finish = "null") {
  return R"(data: {"id":"up-1","object":"chat.completion.chunk","created":1,"model":"one-upstream","choices":[{"index":0,)"
         R"("delta":)" +
         delta + R"(,"finish_reason":)" + finish + "}]}\n\n";
}
inline std::string RoleEvent() { return Event(R"({"role":"assistant","content":""})"); }
inline std::string TextEvent(const std::string& text) {
  return Event(R"({"content":")" + text + "\"}");
}
inline std::string FinishEvent(const std::string& reason = "stop") {
  return Event("{}", "\"" + reason + "\"");
}
inline std::string UsageEvent(int prompt, int completion, int cached = 0) {
  return R"(data: {"id":"up-1","object":"chat.completion.chunk","created":1,"model":"one-upstream","choices":[],"usage":)"
         R"({"prompt_tokens":)" +
         std::to_string(prompt) + R"(,"completion_tokens":)" + std::to_string(completion) +
         R"(,"total_tokens":)" + std::to_string(prompt + completion) +
         R"(,"prompt_tokens_details":{"cached_tokens":)" + std::to_string(cached) + "}}}\n\n";
}
inline std::string DoneEvent() { return "data: [DONE]\n\n"; }

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_FAKES_H_
