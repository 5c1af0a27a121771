#include "common/host/build_info.h"

#include <google/protobuf/stubs/common.h>
#include <grpcpp/version_info.h>

#include "absl/strings/str_cat.h"
#include "common/obs/log.h"

namespace signalbox::host {

absl::string_view Version() { return SIGNALBOX_VERSION; }

std::string BuildInfoJson(absl::string_view service) {
  std::string json = "{\"service\":";
  obs::AppendJsonString(&json, service, obs::Log::kMaxValueBytes);
  absl::StrAppend(&json, ",\"version\":\"", Version(), "\",\"build_type\":\"", SIGNALBOX_BUILD_TYPE,
                  "\",\"compiler\":\"", __VERSION__, "\",\"grpc\":\"", GRPC_CPP_VERSION_STRING,
                  "\",\"protobuf\":\"",
                  google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION), "\"}\n");
  return json;
}

}  // namespace signalbox::host
