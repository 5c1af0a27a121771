#include "common/rpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace signalbox::rpc {
namespace {

namespace tls = grpc::experimental;

constexpr unsigned int kRefreshSeconds = 5;

absl::Status CheckFile(absl::string_view what, const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError(absl::StrCat("host.tls.", what, ": not set"));
  if (access(path.c_str(), R_OK) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("host.tls.", what, ": cannot read ", path));
}

std::shared_ptr<grpc::ServerCredentials> ServerSide(
    const std::shared_ptr<tls::CertificateProviderInterface>& provider) {
  tls::TlsServerCredentialsOptions options(provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  return tls::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ClientSide(
    const std::shared_ptr<tls::CertificateProviderInterface>& provider) {
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_certificate_verifier(std::make_shared<tls::HostNameCertificateVerifier>());
  return tls::TlsCredentials(options);
}

// The first DNS name of a certificate; empty = it has none, or is none.
std::string FirstNameIn(const std::string& path) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  if (file == nullptr) return "";
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr), &X509_free);
  if (certificate == nullptr) return "";
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate.get(), NID_subject_alt_name, nullptr, nullptr)),
      &GENERAL_NAMES_free);
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                       static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
  }
  return "";
}

}  // namespace

Credentials::Credentials()
    : server(grpc::InsecureServerCredentials()), channel(grpc::InsecureChannelCredentials()) {}

absl::StatusOr<Credentials> Credentials::MutualTls(const TlsFiles& files) {
  for (const auto& [what, path] :
       {std::make_pair("ca_file", files.ca), std::make_pair("cert_file", files.certificate),
        std::make_pair("key_file", files.key)}) {
    const absl::Status readable = CheckFile(what, path);
    if (!readable.ok()) return readable;
  }
  const auto provider = std::make_shared<tls::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.ca, kRefreshSeconds);
  Credentials credentials;
  credentials.server = ServerSide(provider);
  credentials.channel = ClientSide(provider);
  credentials.own_name = FirstNameIn(files.certificate);
  if (credentials.own_name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("host.tls.cert_file: no certificate with a DNS name in ", files.certificate));
  }
  return credentials;
}

}  // namespace signalbox::rpc
