#include "tests/provider-fleet/answer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/provider-fleet/schema_value.h"
#include "tests/provider-fleet/structured_part.h"

namespace signalbox::fleet {
namespace {

using nlohmann::json;
using Choice = StructuredPart::Choice;

constexpr int64_t kTokensPerCall = 8;  // what the call costs beside its arguments
constexpr int64_t kMaxTokens = 1'000'000;

std::string Dump(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

std::string CallId(Rng& rng) {
  constexpr absl::string_view kAlphabet =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string id(24, '0');
  for (char& c : id) c = kAlphabet[rng.Below(kAlphabet.size())];
  return id;
}

class Composer {
 public:
  Composer(const ChatRequest& request, const Behaviour& behaviour, Rng& rng)
      : request_(request), part_(request.part.get()), behaviour_(behaviour), rng_(rng) {}

  Answer Compose() {
    ThinkAloud();
    if (CallsTools()) {
      WriteCalls();
    } else if (part_ && part_->output_schema) {
      WriteJson();
    } else {
      WriteText();
    }
    ApplyLimit();
    Count();
    return std::move(answer_);
  }

 private:
  bool CallsTools() {
    if (!part_ || part_->tools.empty()) return false;
    const bool would_call = rng_.Uniform() < behaviour_.tool_call_rate;
    switch (part_->choice) {
      case Choice::kNone:
        return false;
      case Choice::kRequired:
      case Choice::kNamed:
        return true;
      case Choice::kAuto:
        return would_call && !part_->after_tool_result;
    }
    return false;
  }

  int64_t Draw(const Distribution& distribution) {
    return std::clamp<int64_t>(std::llround(distribution.Sample(rng_)), 0, kMaxTokens);
  }

  void ThinkAloud() {
    const int64_t count = Draw(behaviour_.reasoning_tokens);
    if (count > 0) answer_.reasoning = GenerateText(count, rng_);
  }

  void WriteText() {
    if (!behaviour_.reply.empty()) {
      answer_.text = TokensOfWords(behaviour_.reply);
      return;
    }
    int64_t count = std::max<int64_t>(1, Draw(behaviour_.tokens));
    // What the limit cuts off need not be written; one more tells the cut.
    if (request_.max_tokens > 0) count = std::min(count, request_.max_tokens + 1);
    Rng words(MixSeed(rng_(), request_.hash));
    answer_.text = GenerateText(count, words);
  }

  void WriteJson() {
    const json& schema = *part_->output_schema;
    const json value =
        schema.empty() ? json{{"answer", GenerateWords(6, rng_)}, {"confidence", rng_.Below(100)}}
                       : GenerateValue(schema, rng_);
    answer_.text = TokensOfPieces(Dump(value), rng_);
  }

  void WriteCalls() {
    answer_.wanted_tools = true;
    answer_.finish = Finish::kToolCalls;
    if (rng_.Uniform() < behaviour_.preamble_rate) answer_.text = GenerateText(12, rng_);
    const bool spoiled = rng_.Uniform() < behaviour_.tool_error_rate;
    const ToolErrorKind error = behaviour_.tool_errors.Draw(rng_);
    const uint64_t count = DrawCallCount();
    const uint64_t bad = rng_.Below(count);
    for (uint64_t i = 0; i < count; ++i) {
      WriteCall(spoiled && i == bad ? error : ToolErrorKind::kNone);
    }
    if (answer_.tool_error == ToolErrorKind::kLeakedMarkup) LeakCalls();
  }

  uint64_t DrawCallCount() {
    const bool parallel = rng_.Uniform() < behaviour_.parallel_call_rate;
    const uint64_t several = 2 + rng_.Below(2);
    return parallel && part_->parallel_allowed && part_->choice != Choice::kNamed ? several : 1;
  }

  const Tool& PickTool() {
    const uint64_t pick = rng_.Below(part_->tools.size());
    return part_->choice == Choice::kNamed ? *part_->Find(part_->named) : part_->tools[pick];
  }

  void WriteCall(ToolErrorKind error) {
    const Tool& tool = PickTool();
    json arguments =
        GenerateValue(tool.schema.empty() ? json{{"type", "object"}} : tool.schema, rng_);
    if (error == ToolErrorKind::kSchemaMismatch && !BreakArguments(tool.schema, &arguments, rng_)) {
      error = ToolErrorKind::kInvalidJson;  // nothing else is wrong by this schema
    }
    std::string text = Dump(arguments);
    if (error == ToolErrorKind::kInvalidJson) text.resize(1 + rng_.Below(text.size() - 1));
    ToolCall call{CallId(rng_),
                  error == ToolErrorKind::kUnknownTool ? UnknownName(tool.name) : tool.name,
                  TokensOfPieces(text, rng_)};
    answer_.calls.push_back(std::move(call));
    if (error != ToolErrorKind::kNone) answer_.tool_error = error;
  }

  std::string UnknownName(std::string name) {
    static constexpr absl::string_view kTails[] = {"_v2", "<|channel|>commentary", "s", "_tool"};
    absl::StrAppend(&name, kTails[rng_.Below(4)]);
    while (part_->Find(name)) name += "_";
    return name;
  }

  // The calls appear as the model's own markup in the text, as when a serving stack has the wrong
  // template.
  void LeakCalls() {
    std::string text = answer_.text.text;
    for (const ToolCall& call : answer_.calls) {
      absl::StrAppend(&text, text.empty() ? "" : "\n",
                      "<tool_call>\n{\"name\": ", Dump(json(call.name)),
                      ", \"arguments\": ", call.arguments.text, "}\n</tool_call>");
    }
    answer_.calls.clear();
    answer_.text = TokensOfPieces(text, rng_);
    answer_.finish = Finish::kStop;
  }

  // Cuts in the order of writing: reasoning, text, arguments.
  void ApplyLimit() {
    if (request_.max_tokens <= 0) return;
    int64_t left = request_.max_tokens;
    bool cut = Cut(&answer_.reasoning, &left);
    cut |= Cut(&answer_.text, &left);
    std::vector<ToolCall> kept;
    for (ToolCall& call : answer_.calls) {
      if (left <= 0) {
        cut = true;
        break;
      }
      cut |= Cut(&call.arguments, &left);
      kept.push_back(std::move(call));
    }
    answer_.calls = std::move(kept);
    if (cut) answer_.finish = Finish::kLength;
  }

  static bool Cut(TokenText* text, int64_t* left) {
    const int64_t size = static_cast<int64_t>(text->size());
    const int64_t kept = std::min(size, *left);
    text->Truncate(static_cast<size_t>(kept));
    *left -= kept;
    return kept < size;
  }

  void Count() {
    Usage& usage = answer_.usage;
    usage.prompt = std::max<int64_t>(1, static_cast<int64_t>(request_.body_bytes / 4));
    usage.cached =
        static_cast<int64_t>(static_cast<double>(usage.prompt) * behaviour_.cached_token_share);
    usage.reasoning = static_cast<int64_t>(answer_.reasoning.size());
    usage.completion = usage.reasoning + static_cast<int64_t>(answer_.text.size());
    for (const ToolCall& call : answer_.calls) {
      usage.completion += kTokensPerCall + static_cast<int64_t>(call.arguments.size());
    }
    if (request_.max_tokens > 0) usage.completion = std::min(usage.completion, request_.max_tokens);
  }

  const ChatRequest& request_;
  const StructuredPart* const part_;
  const Behaviour& behaviour_;
  Rng& rng_;
  Answer answer_;
};

}  // namespace

Answer ComposeAnswer(const ChatRequest& request, const Behaviour& behaviour, Rng& rng) {
  return Composer(request, behaviour, rng).Compose();
}

}  // namespace signalbox::fleet
