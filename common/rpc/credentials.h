// How gRPC connections between the services are secured: not at all (inside a NetworkPolicy), or by
// mutual TLS from files that are looked at again every few seconds, so that a rotated certificate
// needs no restart.
//
// Immutable; thread-safe.
#ifndef SIGNALBOX_COMMON_RPC_CREDENTIALS_H_
#define SIGNALBOX_COMMON_RPC_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace signalbox::rpc {

// PEM files: the authorities both sides accept, this process's certificate with its chain, its key.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string key;
};

struct Credentials {
  // Plain TCP.
  Credentials();
  // Error: InvalidArgument, a file is not named or cannot be read, or the certificate bears no
  // name. Whether they fit together is found out by the handshakes, which gRPC logs.
  static absl::StatusOr<Credentials> MutualTls(const TlsFiles& files);

  std::shared_ptr<grpc::ServerCredentials> server;
  // The server's certificate must bear the name it is called by.
  std::shared_ptr<grpc::ChannelCredentials> channel;
  // A name that this process's certificate bears, for calls of the process to itself; empty = plain
  // TCP.
  std::string own_name;
};

}  // namespace signalbox::rpc

#endif  // SIGNALBOX_COMMON_RPC_CREDENTIALS_H_
