// Signals as calls on an ordinary thread. They are blocked in main before any thread exists, so
// that no thread is ever interrupted, and one thread waits for them.
#ifndef SIGNALBOX_COMMON_HOST_SIGNALS_H_
#define SIGNALBOX_COMMON_HOST_SIGNALS_H_

#include <functional>
#include <thread>

namespace signalbox::host {

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and all it starts, and ignores SIGPIPE. The
// first thing in main. A child process inherits the mask: whoever spawns one sets an empty mask for
// it (POSIX_SPAWN_SETSIGMASK).
void BlockSignals();

// Calls the handler on its own thread for each signal that arrives. REQUIRES: BlockSignals was
// called before any thread was started.
class SignalThread {
 public:
  explicit SignalThread(std::function<void(int signal)> handler);
  ~SignalThread();  // waits for a running handler
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  std::thread thread_;
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_SIGNALS_H_
