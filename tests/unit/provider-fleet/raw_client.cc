#include "tests/unit/provider-fleet/raw_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace signalbox::fleet {

using nlohmann::json;

std::string Response::Header(const std::string& name) const {
  for (absl::string_view line : absl::StrSplit(head, "\r\n")) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    if (absl::AsciiStrToLower(line.substr(0, colon)) == name) {
      return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
  }
  return "";
}

std::vector<json> Response::Events() const {
  std::vector<json> events;
  for (absl::string_view line : absl::StrSplit(body, '\n')) {
    if (line.substr(0, 6) != "data: " || line == "data: [DONE]") continue;
    events.push_back(json::parse(line.substr(6).begin(), line.end(), nullptr, false));
  }
  return events;
}

std::string Response::Content() const {
  std::string text;
  for (const json& event : Events()) {
    if (!event.is_object() || !event.contains("choices") || event["choices"].empty()) continue;
    const json& delta = event["choices"][0]["delta"];
    if (delta.contains("content") && delta["content"].is_string())
      text += delta["content"].get<std::string>();
  }
  return text;
}

RawClient::RawClient(int port) {
  fd_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

RawClient::~RawClient() {
  if (fd_ >= 0) close(fd_);
}

void RawClient::Send(const std::string& bytes) {
  size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return;
    sent += static_cast<size_t>(n);
  }
}

bool RawClient::Receive(Response* response) {
  char bytes[65536];
  const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
  if (n > 0) {
    buffer_.append(bytes, static_cast<size_t>(n));
    ++response->reads;
    return true;
  }
  response->end = n == 0                                    ? Response::End::kClosed
                  : errno == EAGAIN || errno == EWOULDBLOCK ? Response::End::kTimeout
                                                            : Response::End::kReset;
  return false;
}

Response RawClient::Read(int silence_ms) {
  const timeval silence = {silence_ms / 1000, (silence_ms % 1000) * 1000};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
  Response response;
  size_t head_end;
  while ((head_end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Receive(&response)) return response;
  }
  response.head = buffer_.substr(0, head_end + 2);
  response.status = std::stoi(response.head.substr(9, 3));
  buffer_.erase(0, head_end + 4);
  const std::string length = response.Header("content-length");
  if (!length.empty()) {
    const size_t size = std::stoul(length);
    bool more = true;
    while (more && buffer_.size() < size) more = Receive(&response);
    response.body = buffer_.substr(0, size);
    buffer_.erase(0, response.body.size());
    if (more) response.end = Response::End::kComplete;
    return response;
  }
  while (true) {
    const size_t line_end = buffer_.find("\r\n");
    const size_t size =
        line_end == std::string::npos ? 0 : std::stoul(buffer_.substr(0, line_end), nullptr, 16);
    if (line_end == std::string::npos || buffer_.size() < line_end + 2 + size + 2) {
      if (!Receive(&response)) return response;
      continue;
    }
    const std::string chunk = buffer_.substr(line_end + 2, size);
    buffer_.erase(0, line_end + 2 + size + 2);
    if (size == 0) break;
    response.chunks.push_back(chunk);
    response.body += chunk;
  }
  response.end = Response::End::kComplete;
  return response;
}

std::string PostBytes(const std::string& path, const std::string& body,
                      const std::string& headers) {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: fleet\r\n", headers,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

Response Post(int port, const std::string& path, const std::string& body,
              const std::string& headers, int silence_ms) {
  RawClient client(port);
  if (!client.connected()) return {};
  client.Send(PostBytes(path, body, headers));
  return client.Read(silence_ms);
}

Response Get(int port, const std::string& path) {
  RawClient client(port);
  if (!client.connected()) return {};
  client.Send(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: fleet\r\n\r\n"));
  return client.Read();
}

std::unique_ptr<Fleet> StartFleet(const std::string& yaml) {
  auto config = ParseFleetConfig(yaml);
  if (!config.ok()) {
    ADD_FAILURE() << config.status();
    return nullptr;
  }
  FleetOptions options;
  options.threads = 2;
  auto fleet = Fleet::Start(*std::move(config), options);
  if (!fleet.ok()) {
    ADD_FAILURE() << fleet.status();
    return nullptr;
  }
  return *std::move(fleet);
}

std::string Chat(const std::string& more, const std::string& model) {
  return absl::StrCat(
      "{\"model\":\"", model, "\"", more.empty() ? "" : ",", more,
      ",\"messages\":[{\"role\":\"user\",\"content\":\"What is the weather in Zürich?\"}]}");
}

json LookUpSchema() {
  return json::parse(R"({
    "type": "object",
    "properties": {
      "city": {"type": "string", "minLength": 3},
      "days": {"type": "integer", "minimum": 1, "maximum": 14},
      "units": {"type": "string", "enum": ["metric", "imperial"]},
      "where": {"type": "object", "properties": {"lat": {"type": "number", "minimum": -90, "maximum": 90},
                "lon": {"type": "number", "minimum": -180, "maximum": 180}}, "required": ["lat", "lon"]},
      "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}
    },
    "required": ["city", "units", "where"],
    "additionalProperties": false
  })");
}

std::string OpenAiTools() {
  return absl::StrCat(
      "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look_up\",\"parameters\":",
      LookUpSchema().dump(), "}}]");
}

std::string AnthropicTools() {
  return absl::StrCat("\"max_tokens\":1000,\"tools\":[{\"name\":\"look_up\",\"input_schema\":",
                      LookUpSchema().dump(), "}]");
}

}  // namespace signalbox::fleet
