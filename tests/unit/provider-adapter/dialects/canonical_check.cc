#include "tests/unit/provider-adapter/dialects/canonical_check.h"

#include <set>

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

const std::set<std::string> kFinishReasons = {"stop", "length", "tool_calls", "content_filter",
                                              "error"};

class Checker {
 public:
  Checker(ClientView* view, const AnswerOptions& options) : view_(view), options_(options) {}

  void Envelope(const json& root, const char* object) {
    Require(root.is_object(), "not an object");
    Require(root.value("id", "") == options_.generation_id, "id");
    Require(root.value("object", "") == object, "object");
    Require(root.contains("created") && root["created"] == options_.created_unix, "created");
    Require(root.value("model", "") == options_.served_model, "model");
    Require(root.value("provider", "") == options_.provider_name, "provider");
    Require(!root.contains("usage"), "usage must be left to the ingress");
    Require(root.contains("choices") && root["choices"].is_array() && !root["choices"].empty(),
            "choices");
  }

  void Finish(const json& choice, ClientChoice* seen) {
    Require(choice.contains("finish_reason"), "finish_reason is missing");
    const json reason = choice.value("finish_reason", json());
    if (reason.is_null()) return;
    Require(reason.is_string() && kFinishReasons.count(reason) == 1,
            "finish_reason " + reason.dump());
    Require(seen->finish_reason.empty(), "a second finish_reason");
    seen->finish_reason = reason;
    if (choice.value("native_finish_reason", json()).is_string()) {
      seen->native_finish_reason = choice["native_finish_reason"];
    }
  }

  void Texts(const json& body, ClientChoice* seen) {
    Append(body, "content", &seen->content);
    Append(body, "reasoning", &seen->reasoning);
    if (body.contains("reasoning_details") && body["reasoning_details"].is_array()) {
      for (const json& detail : body["reasoning_details"])
        seen->reasoning_details.push_back(detail);
    }
  }

  void ToolDelta(const json& call, ClientChoice* seen) {
    Require(call.contains("index") && call["index"].is_number_integer() && call["index"] >= 0,
            "tool_calls[].index");
    for (const char* name : {"id", "type", "function"})
      Require(!call.contains(name) || !call[name].is_null(), "null in tool call");
    const int index = call.value("index", -1);
    const bool first = seen->tool_calls.count(index) == 0;
    if (first) {
      Require(index == static_cast<int>(seen->tool_calls.size()), "tool index gap");
      Require(!call.value("id", "").empty(), "first fragment without id");
      Require(call.value("type", "") == "function", "first fragment without type");
      seen->tool_calls[index] = {{"id", call.value("id", "")}, {"name", ""}, {"arguments", ""}};
    } else {
      Require(!call.contains("id"), "id repeated");
    }
    const json function = call.value("function", json::object());
    for (const char* name : {"name", "arguments"}) {
      if (!function.contains(name)) continue;
      Require(function[name].is_string(), "null in function");
      if (function[name].is_string()) {
        json& known = seen->tool_calls[index][name];
        known = known.get<std::string>() + function[name].get<std::string>();
      }
    }
  }

  void Require(bool condition, const std::string& what) {
    if (!condition) view_->problems.push_back(what);
  }

 private:
  void Append(const json& body, const char* name, std::string* text) {
    if (!body.contains(name) || body[name].is_null()) return;
    Require(body[name].is_string(), std::string(name) + " is not text");
    if (body[name].is_string()) *text += body[name].get<std::string>();
  }

  ClientView* view_;
  const AnswerOptions& options_;
};

void CheckChunk(const json& chunk, Checker& check, ClientView* view) {
  check.Envelope(chunk, "chat.completion.chunk");
  if (!chunk.contains("choices")) return;
  for (const json& choice : chunk["choices"]) {
    check.Require(choice.contains("index") && choice["index"].is_number_integer(),
                  "choices[].index");
    check.Require(choice.contains("delta") && choice["delta"].is_object(), "choices[].delta");
    if (!choice.contains("delta") || !choice["delta"].is_object()) continue;
    ClientChoice& seen = view->choices[choice.value("index", 0)];
    const json& delta = choice["delta"];
    check.Require(!delta.contains("role") || delta["role"] == "assistant", "delta.role");
    check.Texts(delta, &seen);
    if (delta.contains("tool_calls")) {
      check.Require(delta["tool_calls"].is_array() && !delta["tool_calls"].empty(),
                    "delta.tool_calls");
      if (delta["tool_calls"].is_array()) {
        for (const json& call : delta["tool_calls"]) check.ToolDelta(call, &seen);
      }
    }
    check.Finish(choice, &seen);
  }
}

}  // namespace

ClientView ReadAsClient(const std::string& events, const AnswerOptions& options) {
  ClientView view;
  Checker check(&view, options);
  size_t at = 0;
  while (at < events.size()) {
    const size_t end = events.find("\n\n", at);
    check.Require(end != std::string::npos, "unfinished event");
    if (end == std::string::npos) break;
    const std::string event = events.substr(at, end - at);
    at = end + 2;
    check.Require(event.rfind("data: {", 0) == 0 && event.find('\n') == std::string::npos,
                  "framing");
    json chunk = json::parse(event.substr(std::min<size_t>(6, event.size())), nullptr,
                             /*allow_exceptions=*/false);
    check.Require(!chunk.is_discarded(), "not JSON");
    if (chunk.is_discarded()) continue;
    CheckChunk(chunk, check, &view);
    view.chunks.push_back(std::move(chunk));
  }
  return view;
}

ClientView ReadCompletionAsClient(const std::string& completion, const AnswerOptions& options) {
  ClientView view;
  Checker check(&view, options);
  const json root = json::parse(completion, nullptr, /*allow_exceptions=*/false);
  check.Require(!root.is_discarded() && completion.back() == '}', "not JSON");
  if (root.is_discarded()) return view;
  check.Envelope(root, "chat.completion");
  check.Require(root.contains("system_fingerprint"), "system_fingerprint");
  for (const json& choice : root.value("choices", json::array())) {
    check.Require(choice.contains("index"), "choices[].index");
    ClientChoice& seen = view.choices[choice.value("index", 0)];
    const json message = choice.value("message", json::object());
    check.Require(message.value("role", "") == "assistant", "message.role");
    check.Require(message.contains("content"), "message.content");
    check.Texts(message, &seen);
    check.Require(!message.contains("tool_calls") ||
                      (message["tool_calls"].is_array() && !message["tool_calls"].empty()),
                  "message.tool_calls");
    int index = 0;
    for (const json& call : message.value("tool_calls", json::array())) {
      check.Require(!call.value("id", "").empty() && call.value("type", "") == "function",
                    "tool call id or type");
      check.Require(call.contains("function") && call["function"].contains("name") &&
                        call["function"].value("arguments", json()).is_string(),
                    "tool call function");
      const json function = call.value("function", json::object());
      seen.tool_calls[index++] = {{"id", call.value("id", "")},
                                  {"name", function.value("name", "")},
                                  {"arguments", function.value("arguments", "")}};
    }
    check.Finish(choice, &seen);
    check.Require(!seen.finish_reason.empty(), "no finish_reason");
  }
  view.chunks.push_back(root);
  return view;
}

}  // namespace signalbox::provider_adapter
