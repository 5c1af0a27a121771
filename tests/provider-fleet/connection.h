// One accepted connection: reads requests, plays their scripts byte for byte, notices when the
// client leaves.
//
// Lives on the thread of its socket; kept alive by its pending operations. Reset may be called from
// any thread.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_CONNECTION_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_CONNECTION_H_

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <vector>

#include "tests/provider-fleet/http_reader.h"
#include "tests/provider-fleet/responder.h"

namespace signalbox::fleet {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // The responder belongs to the socket's thread and outlives the connection.
  Connection(boost::asio::ip::tcp::socket socket, Responder* responder, int64_t max_body_bytes);
  ~Connection();

  void Start();
  // Ends it with RST, whatever it is doing: its provider's port is being closed.
  void Reset();

 private:
  using Clock = std::chrono::steady_clock;

  void Read();
  void OnRead(const boost::system::error_code& error, size_t bytes);
  // Serves complete requests in the buffer until one takes time or bytes are missing.
  void Serve();
  bool TakeRequest();
  void MakeRoom();
  void Refuse(int status);

  // Plays steps that are due; arms the timer or a write for the rest.
  void Play();
  // Sends up to `end`. False: waits for the socket.
  bool Send(size_t end);
  void WaitUntil(int64_t at_ns);
  void Resume();
  void FinishScript();
  // Gives up a script that is not finished. False: was not playing.
  bool StopPlaying();
  // Counts the exchange as over. Before its last bytes go out: a client that has the answer and
  // asks for the counters on another connection must find it there.
  void Settle();
  void OnClientLeft();
  void Close(bool reset);

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  Responder* const responder_;
  HttpReader reader_;
  HttpRequest request_;
  std::vector<char> in_;
  size_t filled_ = 0;
  bool reading_ = false;

  Reply reply_;
  bool playing_ = false;
  bool settled_ = false;  // counted as over
  size_t step_ = 0;
  size_t sent_ = 0;
  Clock::time_point began_;
};

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_CONNECTION_H_
