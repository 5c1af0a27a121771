// Joining pieces of one answer: what piles up while a message is in flight goes as one message.
#ifndef SIGNALBOX_COMMON_SEAM_GRPC_JOIN_CONTENT_H_
#define SIGNALBOX_COMMON_SEAM_GRPC_JOIN_CONTENT_H_

#include <utility>

#include "signalbox/provider/v1/provider.pb.h"

namespace signalbox::seam_grpc {

inline void JoinContent(provider::v1::Content next, provider::v1::Content* joined) {
  if (joined->data().empty()) {
    const bool commits = joined->commits() || next.commits();
    *joined = std::move(next);
    joined->set_commits(commits);
    return;
  }
  joined->mutable_data()->append(next.data());
  joined->set_commits(joined->commits() || next.commits());
  joined->set_output_tokens(next.output_tokens());
}

}  // namespace signalbox::seam_grpc

#endif  // SIGNALBOX_COMMON_SEAM_GRPC_JOIN_CONTENT_H_
