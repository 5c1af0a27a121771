#include "common/redis/script.h"

#include <openssl/evp.h>

#include "absl/strings/escaping.h"

namespace signalbox::redis {
namespace {

std::string Sha1Hex(absl::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

}  // namespace

Script::Script(absl::string_view source) : source_(source), sha_(Sha1Hex(source)) {}

}  // namespace signalbox::redis
