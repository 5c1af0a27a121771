#include "tests/unit/provider-adapter/dialects/recordings.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace signalbox::provider_adapter {
namespace {

using nlohmann::json;

std::string Folder() {
  const char* shared = std::getenv("SIGNALBOX_SHARED");
  return std::string(shared == nullptr ? "../shared" : shared) + "/recordings";
}

std::string Text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Exchanges cut down from test fixtures name no path: the answer's shape tells which interface it
// belongs to.
std::string PathOf(const json& exchange, const json& sample) {
  const std::string path = Text(exchange, "path");
  if (!path.empty()) return path;
  if (sample.contains("choices")) return "/chat/completions";
  const std::string type = Text(sample, "type");
  return type == "message" || type == "message_start" ? "/messages" : "";
}

json FirstPayload(const json& response) {
  if (response.is_object()) return response;
  if (response.is_array() && !response.empty())
    return json::parse(response[0].get<std::string>(), nullptr, false);
  return json::object();
}

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool ToRecording(const json& exchange, Recording* recording) {
  const json& response = exchange["response"];
  const json sample = FirstPayload(response);
  std::string path = PathOf(exchange, sample.is_object() ? sample : json::object());
  path = path.substr(0, path.find('?'));
  const bool chat = EndsWith(path, "/chat/completions"), messages = EndsWith(path, "/messages");
  if (!chat && !messages) return false;
  recording->dialect = chat ? config::v1::DIALECT_OPENAI : config::v1::DIALECT_ANTHROPIC;
  if (exchange["status"].is_number_integer()) recording->status = exchange["status"];
  recording->content_type = Text(exchange, "content_type");
  if (response.is_array()) {
    for (const json& line : response)
      recording->body += "data: " + line.get<std::string>() + "\n\n";
    recording->content_type = "text/event-stream";
  } else {
    recording->body = response.is_string() ? response.get<std::string>() : response.dump();
  }
  recording->events = recording->content_type.rfind("text/event-stream", 0) == 0;
  return true;
}

}  // namespace

std::vector<Recording> LoadRecordings() {
  std::vector<Recording> recordings;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Folder(), error)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream stream(entry.path());
    const json file = json::parse(stream, nullptr, /*allow_exceptions=*/false);
    if (!file.is_object() || !file["exchange"].is_array()) continue;
    int number = 0;
    for (const json& exchange : file["exchange"]) {
      Recording recording;
      recording.name = entry.path().parent_path().filename().string() + "/" +
                       entry.path().stem().string() + "#" + std::to_string(number++);
      if (ToRecording(exchange, &recording)) recordings.push_back(std::move(recording));
    }
  }
  std::sort(recordings.begin(), recordings.end(),
            [](const Recording& a, const Recording& b) { return a.name < b.name; });
  return recordings;
}

}  // namespace signalbox::provider_adapter
