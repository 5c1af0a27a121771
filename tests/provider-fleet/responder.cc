#include "tests/provider-fleet/responder.h"

#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/provider-fleet/admin.h"
#include "tests/provider-fleet/script_writer.h"
#include "tests/provider-fleet/structured_part.h"

namespace signalbox::fleet {
namespace {

constexpr absl::string_view kJson = "application/json";
// Answers carry times of their own so that equal runs have equal bytes.
constexpr int64_t kFirstCreated = 1767225600;
constexpr size_t kIdLength = 16;

Script ErrorScript(Dialect dialect, int status, absl::string_view message) {
  return WriteResponse(status, kJson, ErrorBody(dialect, status, message, "0000000000000000"));
}

std::string HexId(uint64_t value) { return absl::StrCat(absl::Hex(value, absl::kZeroPad16)); }

bool HasKey(const HttpRequest& request, absl::string_view key) {
  absl::string_view bearer = request.Header("authorization");
  if (absl::ConsumePrefix(&bearer, "Bearer ") && bearer == key) return true;
  return request.Header("x-api-key") == key;
}

// Nothing about the answer is drawn or takes time, and no fault can hit it.
bool AlwaysTheSame(const Behaviour& behaviour, const ChatRequest& chat) {
  return !chat.part && behaviour.faults.empty() && behaviour.tokens.constant() &&
         behaviour.reasoning_tokens.constant() && behaviour.ttft_ms.constant() &&
         behaviour.ttft_ms.p50 == 0 && behaviour.tokens_per_second.constant() &&
         behaviour.tokens_per_second.p50 == 0;
}

std::vector<uint32_t> Occurrences(absl::string_view text, absl::string_view of) {
  std::vector<uint32_t> offsets;
  for (size_t at = text.find(of); at != absl::string_view::npos;
       at = text.find(of, at + of.size())) {
    offsets.push_back(static_cast<uint32_t>(at));
  }
  return offsets;
}

}  // namespace

Responder::Responder(Roster* roster) : roster_(roster) {}

Reply Responder::Respond(const HttpRequest& request) {
  absl::string_view path = request.path;
  if (absl::StartsWith(path, "/_fleet/")) return {RespondAdmin(request, roster_)};
  const size_t slash = path.find('/', 1);
  if (slash == absl::string_view::npos) return {ErrorScript(Dialect::kOpenAi, 404, "unknown path")};
  Provider* provider = roster_->Find(path.substr(1, slash - 1));
  if (!provider) return {ErrorScript(Dialect::kOpenAi, 404, "unknown provider")};
  path.remove_prefix(slash);
  if (request.method == "POST" && absl::EndsWith(path, "/chat/completions")) {
    return RespondChat(provider, Dialect::kOpenAi, request);
  }
  if (request.method == "POST" && absl::EndsWith(path, "/messages")) {
    return RespondChat(provider, Dialect::kAnthropic, request);
  }
  if (request.method == "GET" && absl::EndsWith(path, "/models")) {
    std::vector<std::string> models;
    for (const auto& endpoint : provider->endpoints()) models.push_back(endpoint->model());
    const Dialect dialect = provider->endpoints()[0]->behaviour()->dialect;
    return {WriteResponse(200, kJson, ModelList(dialect, models))};
  }
  return {ErrorScript(Dialect::kOpenAi, 404, "unknown path")};
}

Reply Responder::RespondChat(Provider* provider, Dialect dialect, const HttpRequest& request) {
  const double now = roster_->clock().Now();
  provider->Keep(request, now);
  if (absl::Status parsed = parser_.Parse(dialect, request.body, &chat_); !parsed.ok()) {
    return {ErrorScript(dialect, 400, parsed.message())};
  }
  Endpoint* endpoint = provider->Find(chat_.model);
  if (!endpoint) return {ErrorScript(dialect, 404, "")};
  const std::shared_ptr<const Behaviour> behaviour = endpoint->behaviour();
  if (behaviour->dialect != dialect) return {ErrorScript(dialect, 404, "unknown path")};
  if (!behaviour->require_key.empty() && !HasKey(request, behaviour->require_key)) {
    return {ErrorScript(dialect, 401, "")};
  }
  EndpointStats& stats = endpoint->stats();
  stats.requests.fetch_add(1, std::memory_order_relaxed);
  stats.last_request_us.store(static_cast<int64_t>(now * 1e6), std::memory_order_relaxed);
  return Answered(endpoint, behaviour);
}

Reply Responder::Answered(Endpoint* endpoint, const std::shared_ptr<const Behaviour>& behaviour) {
  const int64_t number = endpoint->NextNumber();
  const uint64_t seed = MixSeed(endpoint->seed(), static_cast<uint64_t>(number));
  const ReplyHead head{HexId(seed), chat_.model, kFirstCreated + number, chat_.include_usage};
  if (AlwaysTheSame(*behaviour, chat_))
    return {PrebuiltScript(endpoint, behaviour, head), endpoint};
  Rng rng(seed);
  return {FreshScript(endpoint, *behaviour, head, &rng), endpoint};
}

Script Responder::FreshScript(Endpoint* endpoint, const Behaviour& behaviour, const ReplyHead& head,
                              Rng* rng) {
  const Fault* fault = behaviour.DrawFault(roster_->clock().Now(), *rng);
  if (fault) endpoint->CountFault(*fault);
  Answer answer = ComposeAnswer(chat_, behaviour, *rng);
  Script script =
      WriteScript(chat_, behaviour, fault, answer, head, roster_->config().time_scale, *rng);
  if (script.answered) endpoint->CountAnswer(answer, chat_.part && !chat_.part->tools.empty());
  return script;
}

Script Responder::PrebuiltScript(Endpoint* endpoint,
                                 const std::shared_ptr<const Behaviour>& behaviour,
                                 const ReplyHead& head) {
  Prebuilt& slot = prebuilt_[endpoint];
  const bool same = slot.behaviour == behaviour && slot.stream == chat_.stream &&
                    slot.include_usage == chat_.include_usage &&
                    slot.max_tokens == chat_.max_tokens &&
                    slot.body_bytes / 4 == chat_.body_bytes / 4 && slot.model == chat_.model;
  if (!same) {
    // The same words for every request to the endpoint, on every thread.
    Rng rng(endpoint->seed());
    ChatRequest anyone = chat_;
    anyone.hash = 0;
    ReplyHead placeholder = head;
    placeholder.created = kFirstCreated;
    Script script = WriteScript(anyone, *behaviour, nullptr, ComposeAnswer(anyone, *behaviour, rng),
                                placeholder, 1, rng);
    script.id_offsets = Occurrences(script.bytes, head.id);
    slot = {behaviour,        chat_.stream, chat_.include_usage, chat_.max_tokens,
            chat_.body_bytes, chat_.model,  std::move(script)};
  }
  Script script = slot.script;
  for (uint32_t offset : script.id_offsets)
    std::memcpy(script.bytes.data() + offset, head.id.data(), kIdLength);
  return script;
}

}  // namespace signalbox::fleet
