// The TLS stream against OpenSSL's server side, on bytes in memory that come in any pieces.
#include "common/redis/tls.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/certificates.h"

namespace signalbox::redis {
namespace {

using signalbox::testing::Certificates;

class Server {
 public:
  explicit Server(const Certificates::Files& files) : context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate_chain_file(context_.get(), files.certificate.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), files.key.c_str(), SSL_FILETYPE_PEM);
    ssl_.reset(SSL_new(context_.get()));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    SSL_set_accept_state(ssl_.get());
  }

  // Takes bytes of the client, echoes what they say, and returns the bytes for it.
  std::string Exchange(const std::string& from_client) {
    BIO_write(in_, from_client.data(), static_cast<int>(from_client.size()));
    char buffer[16 * 1024];
    int size = 0;
    while ((size = SSL_read(ssl_.get(), buffer, sizeof buffer)) > 0)
      SSL_write(ssl_.get(), buffer, size);
    return TakeOutgoing();
  }
  std::string Close() {
    SSL_shutdown(ssl_.get());
    return TakeOutgoing();
  }

 private:
  std::string TakeOutgoing() {
    char* data = nullptr;
    const long size = BIO_get_mem_data(out_, &data);
    std::string bytes(data, static_cast<size_t>(std::max(size, 0L)));
    (void)BIO_reset(out_);
    return bytes;
  }
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  const std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
};

class TlsStreamTest : public ::testing::TestWithParam<size_t> {
 protected:
  // Everything that each side has for the other, in pieces of the parameter's size.
  absl::Status Talk(std::string to_server) {
    while (!to_server.empty()) {
      const std::string answer = server_.Exchange(std::exchange(to_server, ""));
      for (size_t begin = 0; begin < answer.size(); begin += GetParam()) {
        const absl::Status status = client_.Receive(
            absl::string_view(answer).substr(begin, GetParam()), &heard_, &to_server);
        if (!status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  Certificates certificates_;
  Server server_{certificates_.Make("server", "DNS:redis.test")};
  TlsContexts contexts_{TlsFiles{certificates_.ca(), "", ""}};
  TlsStream client_{*contexts_.Get(), "redis.test"};
  std::string heard_;
};

TEST_P(TlsStreamTest, CarriesBytesBothWaysWhateverThePieces) {
  std::string bytes;
  ASSERT_TRUE(client_.Start(&bytes).ok());
  EXPECT_FALSE(client_.established());
  ASSERT_TRUE(Talk(std::exchange(bytes, "")).ok());
  ASSERT_TRUE(client_.established());
  std::string said(100'000, 'x');
  for (size_t i = 0; i < said.size(); i += 97) said[i] = static_cast<char>(i);
  ASSERT_TRUE(client_.Send(said, &bytes).ok());
  EXPECT_EQ(bytes.find("xxxxxxxx"), std::string::npos) << "what is sent is encrypted";
  ASSERT_TRUE(Talk(std::exchange(bytes, "")).ok());
  EXPECT_EQ(heard_, said);
}

TEST_P(TlsStreamTest, SaysThatTheServerHasEndedTheConnection) {
  std::string bytes;
  ASSERT_TRUE(client_.Start(&bytes).ok());
  ASSERT_TRUE(Talk(std::exchange(bytes, "")).ok());
  const absl::Status status = client_.Receive(server_.Close(), &heard_, &bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("ended the connection"));
}

TEST_P(TlsStreamTest, RefusesBytesThatAreNoTls) {
  std::string bytes;
  ASSERT_TRUE(client_.Start(&bytes).ok());
  EXPECT_FALSE(client_.Receive("-ERR unknown command\r\n", &heard_, &bytes).ok());
}

INSTANTIATE_TEST_SUITE_P(Pieces, TlsStreamTest, ::testing::Values(1, 7, 5'000, 1'000'000));

}  // namespace
}  // namespace signalbox::redis
