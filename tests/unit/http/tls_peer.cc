#include "tests/unit/http/tls_peer.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>

namespace signalbox::http {
namespace {

std::shared_ptr<EVP_PKEY> NewKey() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Identity Make(const std::string& name, const Identity* issuer, int from, int to,
              const std::string& subject_alt_names) {
  static long serial = 1;
  Identity made{NewKey(), {X509_new(), X509_free}};
  X509* const certificate = made.certificate.get();
  X509* const signer = issuer != nullptr ? issuer->certificate.get() : certificate;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), to);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  AddExtension(certificate, signer, NID_basic_constraints,
               issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (!subject_alt_names.empty())
    AddExtension(certificate, signer, NID_subject_alt_name, subject_alt_names);
  X509_sign(certificate, issuer != nullptr ? issuer->key.get() : made.key.get(), EVP_sha256());
  return made;
}

int ChooseAlpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
               unsigned int in_length, void* chosen) {
  if (in_length < 2) return SSL_TLSEXT_ERR_NOACK;
  *out = in + 1;
  *out_length = in[0];
  static_cast<std::string*>(chosen)->assign(reinterpret_cast<const char*>(in + 1), in[0]);
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TestAuthority::TestAuthority()
    : self_(Make("Test authority", nullptr, -3600, 3600, "")),
      file_(::testing::TempDir() + "signalbox_ca_XXXXXX") {
  std::FILE* file = ::fdopen(::mkstemp(file_.data()), "w");
  PEM_write_X509(file, self_.certificate.get());
  std::fclose(file);
}

TestAuthority::~TestAuthority() { ::unlink(file_.c_str()); }

Identity TestAuthority::Issue(const std::string& names, int valid_from_seconds,
                              int valid_to_seconds) const {
  return Make("server", &self_, valid_from_seconds, valid_to_seconds, names);
}

TlsPeer::TlsPeer(RawSocket& socket, const Identity& identity, int max_version)
    : context_(SSL_CTX_new(TLS_server_method())) {
  SSL_CTX_use_certificate(context_, identity.certificate.get());
  SSL_CTX_use_PrivateKey(context_, identity.key.get());
  if (max_version != 0) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_, max_version);
  }
  SSL_CTX_set_alpn_select_cb(context_, ChooseAlpn, &alpn_);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket.fd());
  ok_ = SSL_accept(ssl_) == 1;
}

TlsPeer::~TlsPeer() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

std::string TlsPeer::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : "";
}

bool TlsPeer::Send(absl::string_view bytes) {
  return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

std::string TlsPeer::ReadRequest() {
  char block[16384];
  size_t size = 0;
  while ((size = RawSocket::MessageSize(input_)) == 0) {
    const int got = SSL_read(ssl_, block, sizeof(block));
    if (got <= 0) return {};
    input_.append(block, got);
  }
  const std::string request = input_.substr(0, size);
  input_.erase(0, size);
  return request;
}

void TlsPeer::CloseNotify() { SSL_shutdown(ssl_); }

}  // namespace signalbox::http
