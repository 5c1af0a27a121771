// One client connection of the server: reads and parses requests, runs one exchange at a time,
// keeps every deadline and notices when the client leaves. Private to the room; see server.h for
// the contract.
//
// Lives on one loop. Owned by the operations pending on its socket and by its exchange.
#ifndef SIGNALBOX_COMMON_HTTP_SERVER_CONNECTION_H_
#define SIGNALBOX_COMMON_HTTP_SERVER_CONNECTION_H_

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "common/http/lazy_deadline.h"
#include "common/http/request_parser.h"
#include "common/http/server.h"
#include "common/http/socket_writer.h"

namespace signalbox::http {

class ServerConnection;
class ServerExchange;

// What all connections of a server share. Counters are read from any thread.
struct ServerShared {
  ServerOptions options;
  Handler handler;
  RequestParser::Limits limits;
  std::atomic<bool> draining{false};  // answers say `Connection: close`
  std::atomic<bool> closing{false};   // … and connections end as soon as nothing is lost by it
  std::atomic<int> connections{0};
  std::atomic<int> in_flight{0};
  std::atomic<uint64_t> accepted{0}, refused{0}, requests{0}, bad_requests{0}, timeouts{0},
      client_gone{0};
  absl::Mutex mutex;
  absl::flat_hash_map<std::string, size_t> per_peer
      ABSL_GUARDED_BY(mutex);  // empty without a limit per peer

  // False when the peer has its share already.
  bool AdmitPeer(const std::string& peer);
  void ReleasePeer(const std::string& peer);
};

// The open connections of one loop; touched on that loop only.
using ConnectionSet = absl::flat_hash_set<ServerConnection*>;

class ServerConnection final : public std::enable_shared_from_this<ServerConnection>,
                               private SocketWriter::Owner {
 public:
  ServerConnection(net::EventLoop& loop, boost::asio::ip::tcp::socket socket, std::string peer,
                   std::shared_ptr<ServerShared> shared, ConnectionSet& open);
  ~ServerConnection() override;

  void Start();
  // The server drains: closes now if no request is in sight, else after the running one.
  void OnDrain();
  // Closes at once and forgets the running exchange.
  void Close();

  net::EventLoop& loop() { return loop_; }
  const ServerOptions& options() const { return shared_->options; }
  bool draining() const { return shared_->draining.load(std::memory_order_relaxed); }
  SocketWriter& writer() { return writer_; }

  // The running exchange has handed over its whole answer, or gives up on it.
  enum class Ending { kKeepAlive, kClose, kReset };
  void EndAnswer(Ending ending);
  // The client does not read and too much has piled up.
  void Overflow();

 private:
  enum class Phase {
    kReading,    // of a request, or idle
    kHandling,   // an exchange is running
    kFlushing,   // the answer is complete but not yet sent
    kLingering,  // nothing more is sent; input is discarded so that the client can read our last
                 // words
    kClosed,
  };
  enum class Waiting { kNothing, kNextRequest, kHead, kBody, kWrite, kLinger };

  std::shared_ptr<void> KeepAlive() override { return shared_from_this(); }
  void OnWriteProgress() override;
  void OnWriteError() override;

  absl::string_view input() const { return {buffer_.get() + begin_, end_ - begin_}; }
  void Read();
  bool MakeRoom();
  void OnRead(const boost::system::error_code& error, size_t bytes);
  void OnReadEnd(bool orderly);
  void Discard();
  void Process();
  void ProcessSoon();
  void OnHead();
  void Dispatch();
  void Reject(int status, absl::string_view reason);
  void AnswerSent();
  void AwaitLastRequest(bool idle);
  void EndParting();
  void Linger();
  void ClientGone();
  void Reset();

  void Await(Waiting waiting);
  void AwaitForPhase();
  void OnDeadline();
  void OnBodyDeadline();
  void OnWriteDeadline();

  net::EventLoop& loop_;
  boost::asio::ip::tcp::socket socket_;
  const std::string peer_;
  const std::shared_ptr<ServerShared> shared_;
  ConnectionSet& open_;
  RequestParser parser_;
  SocketWriter writer_;
  LazyDeadline deadline_;

  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t discarded_ = 0;

  Phase phase_ = Phase::kReading;
  Waiting waiting_ = Waiting::kNothing;
  Ending ending_ = Ending::kKeepAlive;
  bool parting_ = false;  // counted as in flight for a request that may be on its way
  ServerExchange* exchange_ = nullptr;
  bool reading_ = false;
  bool processing_ = false;
  bool in_head_ = true;  // of the current request; false while its body arrives
  bool served_any_ = false;
  uint64_t sent_then_ = 0;        // bytes sent when the write deadline was set
  int64_t body_since_ns_ = 0;     // start of the current body rate window …
  uint64_t body_bytes_then_ = 0;  // … and the body bytes at that time
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_SERVER_CONNECTION_H_
