#include "common/redis/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/config/watcher.h"

namespace signalbox::redis {
namespace {

constexpr size_t kChunkBytes = 16 * 1024;

// The newest of OpenSSL's errors in words; empties its queue.
std::string LastError() {
  std::array<char, 256> text{};
  unsigned long code = 0;
  while (const unsigned long next = ERR_get_error()) code = next;
  if (code == 0) return "unexpected end";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

absl::Status BadFile(absl::string_view what, const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat("redis tls: cannot use ", what, " ", path, ": ", LastError()));
}

}  // namespace

class TlsContexts::Context {
 public:
  static absl::StatusOr<std::shared_ptr<const Context>> Load(const TlsFiles& files) {
    auto context = std::make_shared<Context>();
    SSL_CTX* const ssl = context->ssl_.get();
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    if (files.ca.empty()) {
      SSL_CTX_set_default_verify_paths(ssl);
    } else if (SSL_CTX_load_verify_locations(ssl, files.ca.c_str(), nullptr) != 1) {
      return BadFile("the authorities in", files.ca);
    }
    if (files.certificate.empty()) return context;
    if (SSL_CTX_use_certificate_chain_file(ssl, files.certificate.c_str()) != 1)
      return BadFile("the certificate in", files.certificate);
    if (SSL_CTX_use_PrivateKey_file(ssl, files.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(ssl) != 1)
      return BadFile("the key in", files.key);
    return context;
  }

  SSL* NewConnection() const { return SSL_new(ssl_.get()); }

 private:
  struct Free {
    void operator()(SSL_CTX* ssl) const { SSL_CTX_free(ssl); }
  };
  const std::unique_ptr<SSL_CTX, Free> ssl_{SSL_CTX_new(TLS_client_method())};
};

class TlsContexts::State {
 public:
  explicit State(TlsFiles files) : files_(std::move(files)) {}

  // While files are half replaced the last good context stays.
  absl::StatusOr<std::shared_ptr<const Context>> Get() {
    const std::array<config::FileStamp, 3> stamps = {config::StampOf(files_.ca),
                                                     config::StampOf(files_.certificate),
                                                     config::StampOf(files_.key)};
    absl::MutexLock lock(&mutex_);
    if (context_ != nullptr && stamps == stamps_) return context_;
    absl::StatusOr<std::shared_ptr<const Context>> loaded = Context::Load(files_);
    if (loaded.ok()) {
      context_ = *std::move(loaded);
      stamps_ = stamps;
    } else if (context_ == nullptr) {
      return loaded.status();
    }
    return context_;
  }

 private:
  const TlsFiles files_;
  absl::Mutex mutex_;
  std::shared_ptr<const Context> context_ ABSL_GUARDED_BY(mutex_);
  std::array<config::FileStamp, 3> stamps_ ABSL_GUARDED_BY(mutex_);
};

TlsContexts::TlsContexts(TlsFiles files) : state_(std::make_unique<State>(std::move(files))) {}
TlsContexts::~TlsContexts() = default;
absl::StatusOr<std::shared_ptr<const TlsContexts::Context>> TlsContexts::Get() {
  return state_->Get();
}

class TlsStream::Impl {
 public:
  Impl(std::shared_ptr<const TlsContexts::Context> context, const std::string& server_name)
      : context_(std::move(context)), ssl_(context_->NewConnection()) {
    incoming_ = BIO_new(BIO_s_mem());
    outgoing_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), incoming_, outgoing_);  // which owns them from now on
    SSL_set_connect_state(ssl_.get());
    X509_VERIFY_PARAM* const verify = SSL_get0_param(ssl_.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(verify, server_name.c_str()) == 1) return;
    ERR_clear_error();
    SSL_set1_host(ssl_.get(), server_name.c_str());
    SSL_set_tlsext_host_name(ssl_.get(), server_name.c_str());
  }

  absl::Status Handshake(std::string* to_peer) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    TakeOutgoing(to_peer);
    return result == 1 || WantsMore(result) ? absl::OkStatus() : Failed();
  }

  absl::Status Receive(absl::string_view from_peer, std::string* plain, std::string* to_peer) {
    BIO_write(incoming_, from_peer.data(), static_cast<int>(from_peer.size()));
    if (!established()) {
      RETURN_IF_ERROR(Handshake(to_peer));
      if (!established()) return absl::OkStatus();
    }
    const absl::Status read = Read(plain);
    TakeOutgoing(to_peer);
    return read;
  }

  absl::Status Send(absl::string_view plain, std::string* to_peer) {
    ERR_clear_error();
    if (!plain.empty() && SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())) <= 0)
      return Failed();
    TakeOutgoing(to_peer);
    return absl::OkStatus();
  }

  bool established() const { return SSL_is_init_finished(ssl_.get()) == 1; }

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  bool WantsMore(int result) const {
    return SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
  }

  absl::Status Read(std::string* plain) {
    std::array<char, kChunkBytes> chunk;
    ERR_clear_error();
    int size = 0;
    while ((size = SSL_read(ssl_.get(), chunk.data(), chunk.size())) > 0)
      plain->append(chunk.data(), static_cast<size_t>(size));
    if (WantsMore(size)) return absl::OkStatus();
    if (SSL_get_error(ssl_.get(), size) == SSL_ERROR_ZERO_RETURN)
      return absl::UnavailableError("redis tls: the server has ended the connection");
    return Failed();
  }

  void TakeOutgoing(std::string* to_peer) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(outgoing_, &data);
    if (size <= 0) return;
    to_peer->append(data, static_cast<size_t>(size));
    BIO_reset(outgoing_);
  }

  absl::Status Failed() const {
    const long verdict = SSL_get_verify_result(ssl_.get());
    return absl::UnavailableError(
        absl::StrCat("redis tls: ",
                     verdict == X509_V_OK ? LastError() : X509_verify_cert_error_string(verdict)));
  }

  const std::shared_ptr<const TlsContexts::Context> context_;
  const std::unique_ptr<SSL, Free> ssl_;
  BIO* incoming_ = nullptr;
  BIO* outgoing_ = nullptr;
};

TlsStream::TlsStream(std::shared_ptr<const TlsContexts::Context> context,
                     const std::string& server_name)
    : impl_(std::make_unique<Impl>(std::move(context), server_name)) {}
TlsStream::~TlsStream() = default;
absl::Status TlsStream::Start(std::string* to_peer) { return impl_->Handshake(to_peer); }
absl::Status TlsStream::Receive(absl::string_view from_peer, std::string* plain,
                                std::string* to_peer) {
  return impl_->Receive(from_peer, plain, to_peer);
}
absl::Status TlsStream::Send(absl::string_view plain, std::string* to_peer) {
  return impl_->Send(plain, to_peer);
}
bool TlsStream::established() const { return impl_->established(); }

}  // namespace signalbox::redis
