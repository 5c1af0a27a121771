// A client of bare sockets, so that what the fleet puts on the wire is seen as it is.
#ifndef SIGNALBOX_TESTS_UNIT_PROVIDER_FLEET_RAW_CLIENT_H_
#define SIGNALBOX_TESTS_UNIT_PROVIDER_FLEET_RAW_CLIENT_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/provider-fleet/fleet.h"

namespace signalbox::fleet {

struct Response {
  enum class End {
    kComplete,  // the body ended as its head promised
    kClosed,    // FIN before that
    kReset,     // RST
    kTimeout,   // silence
  };
  End end = End::kTimeout;
  int status = 0;
  std::string head;
  std::string body;                 // chunks joined
  std::vector<std::string> chunks;  // of a chunked body
  size_t reads = 0;                 // calls of recv that brought bytes

  std::string Header(const std::string& name) const;
  nlohmann::json Json() const { return nlohmann::json::parse(body, nullptr, false); }
  // Data of the SSE events, without "[DONE]".
  std::vector<nlohmann::json> Events() const;
  bool Done() const {
    return body.size() >= 14 && body.substr(body.size() - 14) == "data: [DONE]\n\n";
  }
  // OpenAI: joined delta content.
  std::string Content() const;
};

class RawClient {
 public:
  explicit RawClient(int port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return fd_ >= 0; }
  void Send(const std::string& bytes);
  // One response; gives up after `silence_ms` without a byte.
  Response Read(int silence_ms = 5000);

 private:
  // False at the end of the connection or silence; says which in `response`.
  bool Receive(Response* response);

  int fd_ = -1;
  std::string buffer_;
};

std::string PostBytes(const std::string& path, const std::string& body,
                      const std::string& headers = "");
Response Post(int port, const std::string& path, const std::string& body,
              const std::string& headers = "", int silence_ms = 5000);
Response Get(int port, const std::string& path);

// A fleet of this configuration on a free port, two threads.
std::unique_ptr<Fleet> StartFleet(const std::string& yaml);

// A chat request of one user message; `more` is inserted as further members: R"("stream":true)".
std::string Chat(const std::string& more = "", const std::string& model = "m");
// The members "tools": one tool named look_up with a schema of several types.
std::string OpenAiTools();
std::string AnthropicTools();
nlohmann::json LookUpSchema();

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_UNIT_PROVIDER_FLEET_RAW_CLIENT_H_
