// A certificate authority made on the spot and a blocking TLS server end, for the client's TLS
// tests.
#ifndef SIGNALBOX_TESTS_UNIT_HTTP_TLS_PEER_H_
#define SIGNALBOX_TESTS_UNIT_HTTP_TLS_PEER_H_

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "tests/unit/http/loopback.h"

namespace signalbox::http {

// Key and certificate in memory.
struct Identity {
  std::shared_ptr<EVP_PKEY> key;
  std::shared_ptr<X509> certificate;
};

class TestAuthority {
 public:
  TestAuthority();
  // A PEM file with the authority's certificate; removed with this object.
  const std::string& ca_file() const { return file_; }
  ~TestAuthority();
  // `names` as OpenSSL writes subject alternative names: "DNS:localhost,IP:127.0.0.1".
  Identity Issue(const std::string& names, int valid_from_seconds = -3600,
                 int valid_to_seconds = 3600) const;

 private:
  Identity self_;
  std::string file_;
};

// The server side of one TLS connection over `socket`. Reads and writes block.
class TlsPeer {
 public:
  TlsPeer(RawSocket& socket, const Identity& identity, int max_version = 0);
  ~TlsPeer();
  bool ok() const { return ok_; }
  std::string server_name() const;  // the SNI the client sent
  std::string alpn() const { return alpn_; }
  bool Send(absl::string_view bytes);
  std::string ReadRequest();
  void CloseNotify();

 private:
  SSL_CTX* context_;
  SSL* ssl_;
  std::string alpn_;
  std::string input_;
  bool ok_ = false;
};

}  // namespace signalbox::http

#endif  // SIGNALBOX_TESTS_UNIT_HTTP_TLS_PEER_H_
