#include "common/rpc/status.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string>

#include "common/seam/error_detail.h"

namespace signalbox::rpc {
namespace {

namespace pb = google::protobuf;

// google.rpc.Status { int32 code = 1; string message = 2; repeated Any details = 3; } written and
// read by hand: Debian ships no generated code for it, and three fields do not justify a copy of
// the proto.
constexpr uint32_t kCodeTag = 1 << 3;
constexpr uint32_t kMessageTag = (2 << 3) | 2;
constexpr uint32_t kDetailsTag = (3 << 3) | 2;

void WriteBytes(pb::io::CodedOutputStream* out, uint32_t tag, const std::string& bytes) {
  out->WriteTag(tag);
  out->WriteVarint32(static_cast<uint32_t>(bytes.size()));
  out->WriteString(bytes);
}

std::string EncodeRpcStatus(const absl::Status& status, const common::v1::ErrorDetail& detail) {
  pb::Any any;
  any.PackFrom(detail);
  std::string encoded;
  {
    pb::io::StringOutputStream stream(&encoded);
    pb::io::CodedOutputStream out(&stream);
    out.WriteTag(kCodeTag);
    out.WriteVarint32(static_cast<uint32_t>(status.code()));
    WriteBytes(&out, kMessageTag, std::string(status.message()));
    WriteBytes(&out, kDetailsTag, any.SerializeAsString());
  }
  return encoded;
}

bool DecodeRpcStatus(const std::string& encoded, common::v1::ErrorDetail* detail) {
  pb::io::CodedInputStream in(reinterpret_cast<const uint8_t*>(encoded.data()),
                              static_cast<int>(encoded.size()));
  while (const uint32_t tag = in.ReadTag()) {
    uint32_t number;
    std::string bytes;
    if (tag == kCodeTag) {
      if (!in.ReadVarint32(&number)) return false;
      continue;
    }
    if ((tag & 7) != 2 || !in.ReadVarint32(&number)) return false;
    if (!in.ReadString(&bytes, static_cast<int>(number))) return false;
    pb::Any any;
    if (tag == kDetailsTag && any.ParseFromString(bytes) && any.UnpackTo(detail)) return true;
  }
  return false;
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // The numbers of absl and gRPC codes are the same by design of Abseil.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      EncodeRpcStatus(status, seam::DetailOf(status)));
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  common::v1::ErrorDetail detail;
  if (!status.error_details().empty() && DecodeRpcStatus(status.error_details(), &detail)) {
    return seam::ToStatus(detail);
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

}  // namespace signalbox::rpc
