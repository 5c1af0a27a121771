#include "common/rpc/channels.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/rpc/callback_threads.h"
#include "common/rpc/limits.h"

namespace signalbox::rpc {
namespace {

// Client-side health checking takes a draining server out of rotation faster than DNS does.
constexpr char kUnaryPolicy[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": ""},
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.005s", "maxBackoff": "0.05s", "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
})";
constexpr char kStreamingPolicy[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": ""}
})";

}  // namespace

std::shared_ptr<grpc::Channel> Channels::To(const std::string& address, Kind kind) {
  KeepCallbackThreads();
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kind == Kind::kUnary ? kUnaryPolicy : kStreamingPolicy);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, kind == Kind::kUnary ? 1 : 0);
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  // Without the probe the stream window stays at 64 KiB: a reader that stops holds back 63 KiB
  // instead of 4 MiB (measured).
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  // Names are looked up again when a connection ends, which servers see to (max_connection_age).
  // The default, 30 s between two look-ups, would keep a new replica without calls for so long.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 2'000);
  // A channel of its own per use: two channels with equal arguments would share one connection and
  // its lock.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel = grpc::CreateCustomChannel(address, credentials_.channel, arguments);
  channels_.push_back(channel);
  return channel;
}

}  // namespace signalbox::rpc
