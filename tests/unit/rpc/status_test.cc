#include "common/rpc/status.h"

#include <gtest/gtest.h>

#include <string>

#include "common/seam/error_detail.h"

namespace signalbox::rpc {
namespace {

TEST(RpcStatus, EveryReasonSurvivesTheWire) {
  for (int value = common::v1::Reason_MIN; value <= common::v1::Reason_MAX; ++value) {
    if (!common::v1::Reason_IsValid(value)) continue;
    common::v1::ErrorDetail detail;
    detail.set_reason(static_cast<common::v1::Reason>(value));
    detail.set_public_message("what failed");
    detail.set_field("messages[0]");
    const grpc::Status wire = ToGrpc(seam::ToStatus(detail));
    EXPECT_FALSE(wire.ok());
    const absl::Status back = FromGrpc(wire);
    EXPECT_EQ(seam::DetailOf(back).SerializeAsString(), detail.SerializeAsString());
    EXPECT_EQ(back.code(), seam::CodeOf(detail.reason()));
  }
}

TEST(RpcStatus, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(RpcStatus, DetailsOfStrangersAreIgnored) {
  const std::string truncated =
      ToGrpc(seam::MakeError(common::v1::REASON_UNAVAILABLE, "x")).error_details();
  for (size_t size = 0; size <= truncated.size(); ++size) {
    const grpc::Status wire(grpc::StatusCode::UNAVAILABLE, "away", truncated.substr(0, size));
    EXPECT_EQ(FromGrpc(wire).code(), absl::StatusCode::kUnavailable) << size;
  }
  const grpc::Status noise(grpc::StatusCode::NOT_FOUND, "nothing",
                           std::string("\xff\xff\xff\xff\x0f garbage"));
  EXPECT_EQ(FromGrpc(noise).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace signalbox::rpc
