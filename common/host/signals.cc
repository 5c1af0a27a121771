#include "common/host/signals.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace signalbox::host {
namespace {

constexpr int kWake = SIGUSR2;  // ends the thread

sigset_t WaitedFor() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, kWake}) sigaddset(&set, signal);
  return set;
}

void Run(const std::function<void(int)>& handler) {
  const sigset_t set = WaitedFor();
  int signal = 0;
  while (sigwait(&set, &signal) == 0 && signal != kWake) handler(signal);
}

}  // namespace

void BlockSignals() {
  const sigset_t set = WaitedFor();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

SignalThread::SignalThread(std::function<void(int signal)> handler)
    : thread_([handler = std::move(handler)] {
        pthread_setname_np(pthread_self(), "signals");
        Run(handler);
      }) {}

SignalThread::~SignalThread() {
  pthread_kill(thread_.native_handle(), kWake);
  thread_.join();
}

}  // namespace signalbox::host
