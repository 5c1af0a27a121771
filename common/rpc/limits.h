// Limits both ends of a gRPC connection must agree on.
#ifndef SIGNALBOX_COMMON_RPC_LIMITS_H_
#define SIGNALBOX_COMMON_RPC_LIMITS_H_

namespace signalbox::rpc {

// gRPC's default of 4 MiB refuses requests with images.
inline constexpr int kMaxMessageBytes = 64 * 1024 * 1024;

// A peer that vanished without a FIN is noticed after the sum of these. Servers must allow pings
// this frequent.
inline constexpr int kKeepaliveMs = 10'000;
inline constexpr int kKeepaliveTimeoutMs = 3'000;

}  // namespace signalbox::rpc

#endif  // SIGNALBOX_COMMON_RPC_LIMITS_H_
