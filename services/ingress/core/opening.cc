#include "services/ingress/core/opening.h"

#include <algorithm>

#include "common/base/stable_hash.h"
#include "common/json/parse.h"

namespace signalbox::ingress {
namespace {

using simdjson::dom::array;
using simdjson::dom::object;

// Of a medium's payload its length, beginning and end are hashed: megabytes would take as long as
// the rest of the request.
constexpr size_t kMediaSample = 4'096;

constexpr uint64_t kBytesPerToken = 4;
constexpr int64_t kTokensPerMedia = 1'024;

constexpr uint64_t kInstructionsSeed = 1;
constexpr uint64_t kFirstSeed = 2;
constexpr uint64_t kAnswerSeed = 3;

uint64_t MediaHash(absl::string_view payload, uint64_t hash) {
  if (payload.size() <= 2 * kMediaSample) return StableHash(payload, hash);
  hash = StableHash(payload.substr(0, kMediaSample), hash + payload.size());
  return StableHash(payload.substr(payload.size() - kMediaSample), hash);
}

// The medium is the member named like the part's type: a string, or an object of strings.
uint64_t MediaPartHash(object part, absl::string_view type, uint64_t hash) {
  JsonElement medium;
  if (!Find(part, type, &medium)) return hash;
  std::string_view text;
  if (medium.get_string().get(text) == simdjson::SUCCESS) return MediaHash(json::View(text), hash);
  object members;
  if (medium.get_object().get(members) != simdjson::SUCCESS) return hash;
  for (const simdjson::dom::key_value_pair member : members) {
    if (member.value.get_string().get(text) == simdjson::SUCCESS)
      hash = MediaHash(json::View(text), hash);
  }
  return hash;
}

struct ContentFacts {
  uint64_t hash = 0;
  uint64_t text_bytes = 0;
  int media = 0;
};

void AddPart(JsonElement item, ContentFacts* facts) {
  object part;
  if (item.get_object().get(part) != simdjson::SUCCESS) return;
  std::string_view type;
  JsonElement member;
  if (!Find(part, "type", &member) || member.get_string().get(type) != simdjson::SUCCESS) return;
  std::string_view text;
  if (type == "text") {
    if (!Find(part, "text", &member) || member.get_string().get(text) != simdjson::SUCCESS) return;
    facts->hash = StableHash(json::View(text), facts->hash);
    facts->text_bytes += text.size();
    return;
  }
  ++facts->media;
  facts->hash = MediaPartHash(part, json::View(type), facts->hash);
}

// One text part hashes like the plain string: clients turn one into the other to mark it.
ContentFacts FactsOf(object message, uint64_t seed) {
  ContentFacts facts;
  facts.hash = seed;
  JsonElement content;
  if (!Find(message, "content", &content)) return facts;
  std::string_view text;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    facts.hash = StableHash(json::View(text), seed);
    facts.text_bytes = text.size();
    return facts;
  }
  array parts;
  if (content.get_array().get(parts) != simdjson::SUCCESS) return facts;
  for (const JsonElement part : parts) AddPart(part, &facts);
  return facts;
}

// An answer may be tool calls and nothing else: their ids are unique.
uint64_t AnswerHash(object message) {
  uint64_t hash = FactsOf(message, kAnswerSeed).hash;
  JsonElement calls;
  array list;
  if (!Find(message, "tool_calls", &calls) || calls.get_array().get(list) != simdjson::SUCCESS)
    return hash;
  for (const JsonElement call : list) {
    std::string_view id;
    if (call["id"].get_string().get(id) == simdjson::SUCCESS)
      hash = StableHash(json::View(id), hash);
  }
  return hash;
}

}  // namespace

void OpeningScan::Add(absl::string_view role, object message) {
  const bool instructs = role == "system" || role == "developer";
  if (instructs) {
    if (instructions_ == 0) AddToOpening(message, &(instructions_ = kInstructionsSeed));
    return;
  }
  const bool opens = first_ == 0;
  if (opens) AddToOpening(message, &(first_ = kFirstSeed));
  if (role != "assistant") return;
  if (++answers_ == 1 && !opens) answer_ = AnswerHash(message);
}

void OpeningScan::AddToOpening(object message, uint64_t* hash) {
  const ContentFacts facts = FactsOf(message, *hash);
  *hash = std::max<uint64_t>(facts.hash, 1);
  text_bytes_ += facts.text_bytes;
  media_ += facts.media;
}

Opening OpeningScan::Result() const {
  Opening opening;
  opening.hash = StableHash("opening", instructions_ ^ (first_ << 1 | first_ >> 63));
  opening.continued_hash =
      answer_ == 0 ? opening.hash : StableHash("answer", opening.hash ^ answer_);
  opening.tokens = static_cast<int64_t>(text_bytes_ / kBytesPerToken) + media_ * kTokensPerMedia;
  opening.answers = answers_;
  return opening;
}

}  // namespace signalbox::ingress
