#include "common/base/ids.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace signalbox {
namespace {

// A refill costs one system call; a generation id takes 20 bytes of it.
class RandomPool {
 public:
  void Take(unsigned char* out, size_t size) {
    if (size > sizeof(bytes_) - used_) {
      if (RAND_bytes(bytes_, sizeof(bytes_)) != 1)
        std::abort();  // no entropy: nothing safe can follow
      used_ = 0;
    }
    for (size_t i = 0; i < size; ++i) {
      out[i] = bytes_[used_];
      bytes_[used_++] = 0;  // what was handed out is not kept
    }
  }

 private:
  unsigned char bytes_[512];
  size_t used_ = sizeof(bytes_);
};

void RandomBytes(unsigned char* out, size_t size) {
  thread_local RandomPool pool;
  pool.Take(out, size);
}

std::string RandomHex(size_t bytes) {
  std::string raw(bytes, '\0');
  RandomBytes(reinterpret_cast<unsigned char*>(raw.data()), bytes);
  return absl::BytesToHexString(raw);
}

}  // namespace

std::string NewGenerationId(absl::Time now) {
  static constexpr char kAlphabet[] =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  unsigned char random[20];
  RandomBytes(random, sizeof(random));
  std::string id = absl::StrCat("gen-", absl::ToUnixSeconds(now), "-");
  for (const unsigned char byte : random) id += kAlphabet[byte % 62];
  return id;
}

std::string NewClientKey() { return absl::StrCat("sk-sb-v1-", RandomHex(32)); }

std::string NewRandomHex128() { return RandomHex(16); }

std::string Sha256Hex(absl::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

}  // namespace signalbox
