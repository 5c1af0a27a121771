// Mutual TLS over real sockets: who gets through, and who does not.
#include "common/rpc/credentials.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <future>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/rpc/callback_threads.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/certificates.h"

namespace signalbox::rpc {
namespace {

using signalbox::testing::Certificates;

TlsFiles FilesOf(const Certificates& authority, const Certificates::Files& files) {
  return {authority.ca(), files.certificate, files.key};
}

class CredentialsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    KeepCallbackThreads();
    grpc::EnableDefaultHealthCheckService(true);
    const auto mine =
        Credentials::MutualTls(FilesOf(authority_, authority_.Make("server", "DNS:localhost")));
    ASSERT_TRUE(mine.ok()) << mine.status();
    server_credentials_ = *mine;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", server_credentials_.server, &port_);
    builder.RegisterCallbackGenericService(&others_);  // a server needs some service
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  // Health.Check of the server as a whole.
  grpc::StatusCode Call(const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                        const std::string& host = "localhost") {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    grpc::GenericStub stub(
        grpc::CreateCustomChannel(absl::StrCat(host, ":", port_), credentials, arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    const grpc::Slice nothing;
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::StatusCode> code;
    stub.UnaryCall(&context, "/grpc.health.v1.Health/Check", grpc::StubOptions(), &request,
                   &response,
                   [&](const grpc::Status& status) { code.set_value(status.error_code()); });
    return code.get_future().get();
  }

  Certificates authority_;
  grpc::CallbackGenericService others_;
  Credentials server_credentials_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

TEST_F(CredentialsTest, ACallerWithACertificateOfTheAuthorityGetsThrough) {
  const auto caller =
      Credentials::MutualTls(FilesOf(authority_, authority_.Make("caller", "DNS:caller")));
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(Call(caller->channel), grpc::StatusCode::OK);
}

TEST_F(CredentialsTest, ThePeerMustBearTheNameItIsCalledBy) {
  const auto caller =
      Credentials::MutualTls(FilesOf(authority_, authority_.Make("caller", "DNS:caller")));
  ASSERT_TRUE(caller.ok()) << caller.status();
  EXPECT_EQ(Call(caller->channel, "127.0.0.1"), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(CredentialsTest, KnowsANameOfItsOwnForCallsToItself) {
  EXPECT_EQ(server_credentials_.own_name, "localhost");
  EXPECT_EQ(Credentials().own_name, "");
  const Certificates::Files nameless = authority_.Make("nameless", "IP:127.0.0.1");
  EXPECT_EQ(Credentials::MutualTls(FilesOf(authority_, nameless)).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(CredentialsTest, NobodyElseGetsThrough) {
  EXPECT_EQ(Call(grpc::InsecureChannelCredentials()), grpc::StatusCode::UNAVAILABLE);
  grpc::SslCredentialsOptions without_certificate;
  EXPECT_EQ(Call(grpc::SslCredentials(without_certificate)), grpc::StatusCode::UNAVAILABLE);
  Certificates others;
  const auto stranger = Credentials::MutualTls(
      {authority_.ca(), others.Make("x", "DNS:x").certificate, others.Make("x", "DNS:x").key});
  ASSERT_TRUE(stranger.ok()) << stranger.status();
  EXPECT_EQ(Call(stranger->channel), grpc::StatusCode::UNAVAILABLE);
}

TEST(Credentials, NameTheFileThatCannotBeRead) {
  const auto bad = Credentials::MutualTls({"/nowhere/ca.crt", "", ""});
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bad.status().message()),
              ::testing::HasSubstr("host.tls.ca_file: cannot read /nowhere/ca.crt"));
}

}  // namespace
}  // namespace signalbox::rpc
