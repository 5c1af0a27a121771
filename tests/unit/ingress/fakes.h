// The world around the ingress, scripted: a router, an adapter, a key store and a generation store
// that do what the test says, when it says so.
#ifndef SIGNALBOX_TESTS_UNIT_INGRESS_FAKES_H_
#define SIGNALBOX_TESTS_UNIT_INGRESS_FAKES_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/ids.h"
#include "common/seam/error_detail.h"
#include "common/seam/provider_adapter.h"
#include "common/seam/router_decision.h"
#include "common/store/stores.h"

namespace signalbox::ingress {

inline std::string TestKey(char digit = 'a') { return "sk-sb-v1-" + std::string(64, digit); }

inline store::KeyRecord RecordOf(const std::string& secret) {
  store::KeyRecord record;
  record.hash = Sha256Hex(secret);
  record.name = "test";
  record.label = "sk-sb-v1-aaa...aaa";
  return record;
}

class FakeKeyStore final : public store::KeyStore {
 public:
  void Lookup(Executor& executor, const std::string& hash, LookupCallback done) override {
    ++lookups;
    auto answer = [this, hash, done = std::move(done)] {
      if (away) {
        done(absl::UnavailableError("redis is away"));
      } else if (records.count(hash) == 0) {
        done(std::optional<store::KeyRecord>());
      } else {
        done(std::optional<store::KeyRecord>(records[hash]));
      }
    };
    if (corked) {
      held.push_back(std::move(answer));
    } else {
      executor.Post(std::move(answer));
    }
  }
  void Put(Executor&, const store::KeyRecord&, std::function<void(absl::Status)>) override {}
  void Remove(Executor&, const std::string&, std::function<void(absl::StatusOr<bool>)>) override {}
  void List(Executor&,
            std::function<void(absl::StatusOr<std::vector<store::KeyRecord>>)>) override {}
  void Usage(Executor& executor, const std::string&,
             std::function<void(absl::StatusOr<store::KeyUsage>)> done) override {
    executor.Post([this, done = std::move(done)] {
      if (away) {
        done(absl::UnavailableError("redis is away"));
      } else {
        done(usage);
      }
    });
  }
  // Answers what was held while corked.
  void Uncork() {
    corked = false;
    for (auto& answer : std::exchange(held, {})) answer();
  }
  void Add(const store::KeyRecord& record) { records[record.hash] = record; }

  std::map<std::string, store::KeyRecord> records;
  store::KeyUsage usage;
  std::vector<std::function<void()>> held;
  int lookups = 0;
  bool away = false;
  bool corked = false;
};

class FakeGenerationStore final : public store::GenerationStore {
 public:
  struct Stored {
    std::string key_hash;
    NanoUsd cost;
    std::string json;
  };
  void Put(Executor& executor, absl::Span<const store::Generation> generations, absl::Duration,
           PutCallback done) override {
    ++puts;
    std::vector<size_t> failed;
    for (size_t i = 0; i < generations.size(); ++i) {
      const store::Generation& g = generations[i];
      if (away || g.key_hash == refused_key) {
        failed.push_back(i);
      } else {
        stored[g.id] = {g.key_hash, g.cost, g.json};
      }
    }
    const absl::Status status =
        failed.empty() ? absl::OkStatus() : absl::UnavailableError("redis is away");
    executor.Post([status, failed, done = std::move(done)] { done(status, failed); });
  }
  void Get(Executor& executor, const std::string& id, const std::string& key_hash,
           std::function<void(absl::StatusOr<std::optional<std::string>>)> done) override {
    executor.Post([this, id, key_hash, done = std::move(done)] {
      if (away) {
        done(absl::UnavailableError("redis is away"));
        return;
      }
      const auto found = stored.find(id);
      if (found == stored.end() || found->second.key_hash != key_hash) {
        done(std::optional<std::string>());
      } else {
        done(std::optional<std::string>(found->second.json));
      }
    });
  }

  std::map<std::string, Stored> stored;
  int puts = 0;
  bool away = false;
  std::string refused_key;
};

class FakeRouter final : public seam::RouterDecision {
 public:
  void Decide(const router::v1::DecideRequest& request, absl::Duration, Executor& executor,
              DecideCallback done) override {
    ++decides;
    last_features = request.features();
    if (silent) return;
    if (inline_answer) {
      done(answer);
    } else {
      executor.Post([this, done = std::move(done)] { done(answer); });
    }
  }
  void Explain(const router::v1::ExplainRequest& request, absl::Duration, Executor& executor,
               ExplainCallback done) override {
    ++explains;
    last_features = request.features();
    executor.Post([this, done = std::move(done)] {
      if (!answer.ok()) {
        done(answer.status());
        return;
      }
      router::v1::ExplainResponse response;
      *response.mutable_decision() = *answer;
      done(std::move(response));
    });
  }

  absl::StatusOr<router::v1::DecideResponse> answer = router::v1::DecideResponse();
  router::v1::RequestFeatures last_features;
  int decides = 0;
  int explains = 0;
  bool inline_answer = true;
  bool silent = false;
};

// Attempts wait for the test, which speaks through them.
class FakeAdapter final : public seam::ProviderAdapter {
 public:
  struct Call {
    provider::v1::GenerateRequest request;
    seam::GenerateSink* sink = nullptr;
    bool destroyed = false;
    bool paused = false;
    int pauses = 0;  // how often it was paused

    void Content(std::string data, bool commits = true, int64_t output_tokens = 1) {
      provider::v1::Content content;
      content.set_data(std::move(data));
      content.set_commits(commits);
      content.set_output_tokens(output_tokens);
      sink->OnContent(std::move(content));
    }
    void Result(provider::v1::AttemptResult result) { sink->OnResult(std::move(result)); }
    void Fail(common::v1::Reason reason) {
      provider::v1::AttemptResult result;
      result.mutable_error()->set_reason(reason);
      result.mutable_error()->set_public_message("scripted failure");
      result.set_finish_reason("error");
      Result(std::move(result));
    }
    void Answer(int64_t prompt_tokens = 10, int64_t completion_tokens = 5) {
      provider::v1::AttemptResult result;
      result.mutable_usage()->set_source(common::v1::Usage::SOURCE_REPORTED);
      result.mutable_usage()->set_prompt_tokens(prompt_tokens);
      result.mutable_usage()->set_completion_tokens(completion_tokens);
      result.set_finish_reason("stop");
      result.set_native_finish_reason("end_turn");
      result.set_upstream_id("up-1");
      Result(std::move(result));
    }
  };

  std::unique_ptr<seam::Attempt> Generate(provider::v1::GenerateRequest request, Executor&,
                                          seam::GenerateSink* sink) override {
    auto call = std::make_shared<Call>();
    call->request = std::move(request);
    call->sink = sink;
    calls.push_back(call);
    return std::make_unique<Running>(call);
  }
  void ListProviders(absl::Duration, Executor&, ListProvidersCallback) override {}

  Call& last() { return *calls.back(); }

  std::vector<std::shared_ptr<Call>> calls;

 private:
  class Running final : public seam::Attempt {
   public:
    explicit Running(std::shared_ptr<Call> call) : call_(std::move(call)) {}
    ~Running() override { call_->destroyed = true; }
    void PauseReading() override {
      call_->paused = true;
      ++call_->pauses;
    }
    void ResumeReading() override { call_->paused = false; }

   private:
    const std::shared_ptr<Call> call_;
  };
};

inline router::v1::Candidate* AddCandidate(router::v1::DecideResponse* decision,
                                           const std::string& provider, int model_index = 0) {
  router::v1::Candidate* candidate = decision->add_candidates();
  candidate->set_endpoint_id("acme/model@" + provider);
  candidate->set_model("acme/model");
  candidate->set_provider_name("The " + provider);
  candidate->set_provider_slug(provider);
  candidate->mutable_pricing()->set_prompt_pico(1'000'000);      // 1 USD per million
  candidate->mutable_pricing()->set_completion_pico(2'000'000);  // 2 USD per million
  candidate->mutable_pricing()->set_cache_read_pico(-1);
  candidate->mutable_pricing()->set_cache_write_pico(-1);
  candidate->set_model_index(model_index);
  candidate->set_context_length(100'000);
  return candidate;
}

}  // namespace signalbox::ingress

#endif  // SIGNALBOX_TESTS_UNIT_INGRESS_FAKES_H_
