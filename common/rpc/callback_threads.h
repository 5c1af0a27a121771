// gRPC 1.51 ends the threads that run its callbacks when the last channel or server of the process
// goes. Doing so it now and then aborts the process ("assertion failed: prior > 0" in a completion
// queue, measured once in 150 runs of a test that opens and closes servers on a busy machine).
//
// Thread-safe.
#ifndef SIGNALBOX_COMMON_RPC_CALLBACK_THREADS_H_
#define SIGNALBOX_COMMON_RPC_CALLBACK_THREADS_H_

namespace signalbox::rpc {

// Keeps them until the process ends, by a channel that is never destroyed. Whoever makes channels
// or servers calls it; after the first time it costs nothing.
void KeepCallbackThreads();

}  // namespace signalbox::rpc

#endif  // SIGNALBOX_COMMON_RPC_CALLBACK_THREADS_H_
