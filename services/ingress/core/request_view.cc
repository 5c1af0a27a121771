#include "services/ingress/core/request_view.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/seam/error_detail.h"
#include "services/ingress/core/json_check.h"
#include "services/ingress/core/message_check.h"
#include "services/ingress/core/provider_preferences.h"
#include "services/ingress/core/tool_call_guard.h"

namespace signalbox::ingress {
namespace {

using router::v1::RequestFeatures;
using simdjson::dom::object;

constexpr size_t kMaxModelNameBytes = 256;
constexpr size_t kMaxIdBytes = 256;
constexpr size_t kMaxStopSequences = 4;
constexpr size_t kMaxMetadataPairs = 16;
constexpr size_t kMaxListItems = 1'024;
constexpr int64_t kMaxTokens = 1'000'000'000;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// Upper estimate of a prompt: no tokenizer of the field needs more than a token per 4 bytes of JSON
// for ordinary text, and media count as a flat amount each.
constexpr size_t kBytesPerToken = 4;
constexpr int64_t kTokensPerMedia = 1'024;

class Reader {
 public:
  Reader(const RequestLimits& limits, RequestView* view) : limits_(limits), view_(view) {}

  absl::Status Read(object body, size_t body_bytes) {
    for (const simdjson::dom::key_value_pair member : body) {
      if (member.value.is_null()) continue;
      const auto found = Rules().find(json::View(member.key));
      if (found == Rules().end()) continue;
      const Rule& rule = found->second;
      RETURN_IF_ERROR(rule.check(this, member.value, JsonPath(found->first)));
      if (!rule.parameter.empty()) parameters_.push_back(rule.parameter);
    }
    return Conclude(body_bytes);
  }

 private:
  using Check = absl::Status (*)(Reader* reader, JsonElement value, const JsonPath& path);
  struct Rule {
    Check check = nullptr;
    absl::string_view
        parameter;  // the name endpoints list it under; empty = no endpoint needs to support it
  };
  using RuleMap = absl::flat_hash_map<absl::string_view, Rule>;

  static const RuleMap& Rules();

  // min and max as template arguments would have to be integers; these are in thousandths.
  template <int kMinMilli, int kMaxMilli>
  static absl::Status Number(Reader*, JsonElement value, const JsonPath& path) {
    return AsNumber(value, path, kMinMilli / 1000.0, kMaxMilli / 1000.0).status();
  }
  template <int64_t kMin, int64_t kMax>
  static absl::Status Integer(Reader*, JsonElement value, const JsonPath& path) {
    return AsInteger(value, path, kMin, kMax).status();
  }
  static absl::Status Text(Reader*, JsonElement value, const JsonPath& path) {
    return AsString(value, path).status();
  }
  static absl::Status Object(Reader*, JsonElement value, const JsonPath& path) {
    return AsObject(value, path).status();
  }
  static absl::Status Array(Reader*, JsonElement value, const JsonPath& path) {
    return AsArray(value, path).status();
  }
  static absl::Status Bool(Reader*, JsonElement value, const JsonPath& path) {
    return AsBool(value, path).status();
  }
  static absl::Status Strings(Reader*, JsonElement value, const JsonPath& path) {
    return EachString(value, path, kMaxListItems,
                      [](absl::string_view, const JsonPath&) { return absl::OkStatus(); });
  }
  static absl::Status Forbidden(Reader*, JsonElement, const JsonPath& path) {
    return Wrong(path, "is not accepted: where requests go is the operator's decision");
  }

  static absl::Status Messages(Reader* reader, JsonElement value, const JsonPath&) {
    reader->messages_seen_ = true;
    return CheckMessages(value, reader->limits_.max_messages, &reader->facts_);
  }
  static absl::Status Model(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(reader->model_, AsString(value, path, kMaxModelNameBytes));
    return reader->model_.empty() ? Wrong(path, "must not be empty") : absl::OkStatus();
  }
  static absl::Status Models(Reader* reader, JsonElement value, const JsonPath& path) {
    return EachString(
        value, path, reader->limits_.max_models, [&](absl::string_view name, const JsonPath& at) {
          if (name.size() > kMaxModelNameBytes)
            return Wrong(at, absl::StrCat("must be at most ", kMaxModelNameBytes, " bytes"));
          reader->models_.push_back(name);
          return absl::OkStatus();
        });
  }
  static absl::Status Stream(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const bool stream, AsBool(value, path));
    reader->view_->features.set_stream(stream);
    return absl::OkStatus();
  }
  static absl::Status MaxTokens(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const int64_t tokens, AsInteger(value, path, 1, kMaxTokens));
    RequestFeatures& features = reader->view_->features;
    features.set_max_tokens(std::max(features.max_tokens(), tokens));
    return absl::OkStatus();
  }
  static absl::Status Tools(Reader* reader, JsonElement value, const JsonPath&) {
    size_t count = 0;
    RETURN_IF_ERROR(CheckTools(value, reader->limits_.max_tools, &count));
    if (count == 0) return absl::OkStatus();  // some clients always send the member
    reader->tools_ = value;
    reader->has_tools_ = true;
    reader->parameters_.push_back("tools");
    return absl::OkStatus();
  }
  static absl::Status ToolChoice(Reader* reader, JsonElement value, const JsonPath&) {
    reader->tool_choice_ = value;
    reader->has_tool_choice_ = true;
    return absl::OkStatus();
  }
  static absl::Status ResponseFormat(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const object format, AsObject(value, path));
    ASSIGN_OR_RETURN(const JsonElement type_member, Required(format, "type", path));
    ASSIGN_OR_RETURN(const absl::string_view type, AsString(type_member, path.Member("type")));
    if (type == "text") return absl::OkStatus();
    reader->parameters_.push_back("response_format");
    if (type != "json_schema") return absl::OkStatus();
    reader->parameters_.push_back("structured_outputs");
    ASSIGN_OR_RETURN(const JsonElement schema_member, Required(format, "json_schema", path));
    const JsonPath schema_path = path.Member("json_schema");
    ASSIGN_OR_RETURN(const object schema, AsObject(schema_member, schema_path));
    ASSIGN_OR_RETURN(const JsonElement name, Required(schema, "name", schema_path));
    RETURN_IF_ERROR(AsString(name, schema_path.Member("name")).status());
    JsonElement inner;
    if (!Find(schema, "schema", &inner)) return absl::OkStatus();
    return AsObject(inner, schema_path.Member("schema")).status();
  }
  static absl::Status Stop(Reader*, JsonElement value, const JsonPath& path) {
    if (value.is_string()) return absl::OkStatus();
    if (!value.is_array()) return Wrong(path, "must be a string or an array of strings");
    return EachItem(value, path, kMaxStopSequences, [](JsonElement item, const JsonPath& at) {
      return AsString(item, at).status();
    });
  }
  static absl::Status LogitBias(Reader*, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const object biases, AsObject(value, path));
    for (const simdjson::dom::key_value_pair bias : biases) {
      RETURN_IF_ERROR(AsNumber(bias.value, path.Member(json::View(bias.key)), -100, 100).status());
    }
    return absl::OkStatus();
  }
  static absl::Status Metadata(Reader*, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const object pairs, AsObject(value, path));
    if (pairs.size() > kMaxMetadataPairs)
      return Wrong(path, absl::StrCat("must have at most ", kMaxMetadataPairs, " members"));
    for (const simdjson::dom::key_value_pair pair : pairs) {
      RETURN_IF_ERROR(AsString(pair.value, path.Member(json::View(pair.key)), 512).status());
    }
    return absl::OkStatus();
  }
  static absl::Status Reasoning(Reader*, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const object reasoning, AsObject(value, path));
    JsonElement member;
    if (Find(reasoning, "max_tokens", &member)) {
      RETURN_IF_ERROR(AsInteger(member, path.Member("max_tokens"), 0, kMaxTokens).status());
    }
    if (Find(reasoning, "effort", &member))
      RETURN_IF_ERROR(AsString(member, path.Member("effort")).status());
    if (Find(reasoning, "exclude", &member))
      RETURN_IF_ERROR(AsBool(member, path.Member("exclude")).status());
    if (Find(reasoning, "enabled", &member))
      RETURN_IF_ERROR(AsBool(member, path.Member("enabled")).status());
    return absl::OkStatus();
  }
  static absl::Status User(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const absl::string_view user, AsString(value, path, kMaxIdBytes));
    reader->view_->user.assign(user.data(), user.size());
    return absl::OkStatus();
  }
  static absl::Status SessionId(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const absl::string_view id, AsString(value, path, kMaxIdBytes));
    reader->view_->session_id.assign(id.data(), id.size());
    return absl::OkStatus();
  }
  static absl::Status PromptCacheKey(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const absl::string_view key, AsString(value, path));
    reader->view_->prompt_cache_key.assign(key.data(), key.size());
    return absl::OkStatus();
  }
  static absl::Status ServiceTier(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const absl::string_view name, AsString(value, path));
    RequestFeatures& features = reader->view_->features;
    if (name == "default") {
      features.set_service_tier(router::v1::SERVICE_TIER_DEFAULT);
    } else if (name == "flex") {
      features.set_service_tier(router::v1::SERVICE_TIER_FLEX);
    } else if (name == "priority" || name == "fast") {
      features.set_service_tier(router::v1::SERVICE_TIER_PRIORITY);
    } else if (name != "auto") {
      return Wrong(path, "must be auto, default, flex, priority or fast");
    }
    return absl::OkStatus();
  }
  static absl::Status Provider(Reader* reader, JsonElement value, const JsonPath&) {
    return ReadProviderPreferences(value, reader->view_->features.mutable_provider());
  }

  // `signalbox`: what this gateway alone knows. Unknown members are mistakes.
  static absl::Status Extensions(Reader* reader, JsonElement value, const JsonPath& path) {
    ASSIGN_OR_RETURN(const object members, AsObject(value, path));
    for (const simdjson::dom::key_value_pair member : members) {
      const JsonPath at = path.Member(json::View(member.key));
      if (member.key != "tool_call_guard") return Wrong(at, "is not known");
      if (member.value.is_null()) continue;
      ASSIGN_OR_RETURN(const absl::string_view word, AsString(member.value, at));
      const absl::optional<provider::v1::ToolCallGuard> guard = ToolCallGuardNamed(word);
      if (!guard.has_value()) return Wrong(at, kToolCallGuardRule);
      reader->view_->tool_call_guard = *guard;
    }
    return absl::OkStatus();
  }

  absl::Status Conclude(size_t body_bytes) {
    RETURN_IF_ERROR(ConcludeModels());
    if (!messages_seen_) return Wrong(JsonPath("messages"), "is required");
    if (has_tool_choice_) {
      RETURN_IF_ERROR(CheckToolChoice(tool_choice_, has_tools_ ? &tools_ : nullptr));
      // A choice without tools says nothing an endpoint would have to support.
      if (has_tools_) parameters_.push_back("tool_choice");
    }
    RequestFeatures& features = view_->features;
    features.set_request_class(has_tools_ ? common::v1::REQUEST_CLASS_TOOLS
                                          : common::v1::REQUEST_CLASS_PLAIN);
    absl::c_sort(parameters_);
    parameters_.erase(std::unique(parameters_.begin(), parameters_.end()), parameters_.end());
    for (const absl::string_view name : parameters_)
      features.add_parameters(name.data(), name.size());
    AddModalities();
    const int media = facts_.images + facts_.files + facts_.audio + facts_.video;
    view_->media_parts = media;
    view_->audio_parts = facts_.audio;
    view_->opening = facts_.opening.Result();
    const size_t text_bytes = body_bytes - std::min(body_bytes, facts_.media_bytes);
    features.set_prompt_tokens(static_cast<int64_t>(text_bytes / kBytesPerToken) + 1 +
                               media * kTokensPerMedia);
    return absl::OkStatus();
  }

  absl::Status ConcludeModels() {
    RequestFeatures& features = view_->features;
    if (!model_.empty()) features.add_models(model_.data(), model_.size());
    for (const absl::string_view name : models_) {
      if (name != model_) features.add_models(name.data(), name.size());
    }
    if (features.models().empty()) return Wrong(JsonPath("model"), "is required");
    return absl::OkStatus();
  }

  void AddModalities() {
    RequestFeatures& features = view_->features;
    if (facts_.audio > 0) features.add_input_modalities("audio");
    if (facts_.files > 0) features.add_input_modalities("file");
    if (facts_.images > 0) features.add_input_modalities("image");
    if (facts_.video > 0) features.add_input_modalities("video");
  }

  const RequestLimits& limits_;
  RequestView* const view_;
  absl::string_view model_;
  std::vector<absl::string_view> models_;
  std::vector<absl::string_view> parameters_;
  MessageFacts facts_;
  JsonElement tools_;
  JsonElement tool_choice_;
  bool messages_seen_ = false;
  bool has_tools_ = false;
  bool has_tool_choice_ = false;
};

const Reader::RuleMap& Reader::Rules() {
  static const auto* const rules = new RuleMap{
      {"messages", {Messages, ""}},
      {"model", {Model, ""}},
      {"models", {Models, ""}},
      {"stream", {Stream, ""}},
      {"provider", {Provider, ""}},
      {"max_tokens", {MaxTokens, "max_tokens"}},
      {"max_completion_tokens", {MaxTokens, "max_tokens"}},
      {"temperature", {Number<0, 2'000>, "temperature"}},
      {"top_p", {Number<0, 1'000>, "top_p"}},
      {"top_a", {Number<0, 1'000>, "top_a"}},
      {"min_p", {Number<0, 1'000>, "min_p"}},
      {"top_k", {Integer<0, kNoLimit>, "top_k"}},
      {"frequency_penalty", {Number<-2'000, 2'000>, "frequency_penalty"}},
      {"presence_penalty", {Number<-2'000, 2'000>, "presence_penalty"}},
      {"repetition_penalty", {Number<0, 2'000>, "repetition_penalty"}},
      {"seed", {Integer<std::numeric_limits<int64_t>::min(), kNoLimit>, "seed"}},
      {"n", {Integer<1, 128>, ""}},
      {"logprobs", {Bool, "logprobs"}},
      {"top_logprobs", {Integer<0, 20>, "top_logprobs"}},
      {"logit_bias", {LogitBias, "logit_bias"}},
      {"stop", {Stop, "stop"}},
      {"tools", {Tools, ""}},
      {"tool_choice", {ToolChoice, ""}},
      {"parallel_tool_calls", {Bool, ""}},
      {"response_format", {ResponseFormat, ""}},
      {"reasoning", {Reasoning, "reasoning"}},
      {"reasoning_effort", {Text, "reasoning"}},
      {"include_reasoning", {Bool, "include_reasoning"}},
      {"verbosity", {Text, "verbosity"}},
      {"prediction", {Object, "prediction"}},
      {"web_search_options", {Object, "web_search_options"}},
      {"modalities", {Strings, ""}},
      {"user", {User, ""}},
      {"session_id", {SessionId, ""}},
      {"metadata", {Metadata, ""}},
      {"stream_options", {Object, ""}},
      {"usage", {Object, ""}},
      {"plugins", {Array, ""}},
      {"transforms", {Strings, ""}},
      {"service_tier", {ServiceTier, ""}},
      {"prompt_cache_key", {PromptCacheKey, ""}},
      {"cache_control", {Object, ""}},
      {"route", {Text, ""}},
      {"trace", {Object, ""}},
      {"signalbox", {Extensions, ""}},
      // Known from other gateways as ways to steer requests to the sender's own address.
      {"api_base", {Forbidden, ""}},
      {"base_url", {Forbidden, ""}},
      {"api_key", {Forbidden, ""}},
  };
  return *rules;
}

absl::Status InvalidBody(absl::string_view what) {
  return seam::MakeError(common::v1::REASON_INVALID_REQUEST, what);
}

}  // namespace

absl::StatusOr<RequestView> ReadChatRequest(absl::string_view body, const RequestLimits& limits) {
  json::Parser& parser = json::ThreadLocalParser();
  parser.set_limits({.max_depth = limits.max_json_depth, .max_bytes = limits.max_body_bytes});
  const absl::StatusOr<JsonElement> root = parser.Parse(body);
  if (!root.ok()) return InvalidBody(absl::string_view(root.status().message()));
  object members;
  if (root->get_object().get(members) != simdjson::SUCCESS)
    return InvalidBody("the body must be a JSON object");
  // A member that occurs twice may be read one way here and another way by a provider.
  const absl::Status unique = json::CheckNoDuplicateMembers(members);
  if (!unique.ok()) return InvalidBody(absl::string_view(unique.message()));
  RequestView view;
  RETURN_IF_ERROR(Reader(limits, &view).Read(members, body.size()));
  return view;
}

}  // namespace signalbox::ingress
