// Secrets: provider keys and passwords, which configuration names but never holds.
//
//   config::SecretResolver secrets(config::Environment::Process());
//   auto key = secrets.Resolve(provider.key());          // cheap enough for every attempt
//   if (key.ok()) headers.Add("Authorization", absl::StrCat("Bearer ", key->Reveal()));
//
// A Secret prints nowhere: no stream operator, no conversion to text; the one way to its bytes is
// Reveal().
#ifndef SIGNALBOX_COMMON_CONFIG_SECRETS_H_
#define SIGNALBOX_COMMON_CONFIG_SECRETS_H_

#include <ostream>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "common/base/clock.h"
#include "common/config/watcher.h"
#include "signalbox/config/v1/secret.pb.h"

namespace signalbox::config {

// A value type whose bytes are wiped when it dies.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  ~Secret();

  // For the place that puts it on the wire, and for nothing else.
  const std::string& Reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

  friend bool operator==(const Secret& a, const Secret& b) { return a.value_ == b.value_; }
  friend std::ostream& operator<<(std::ostream&, const Secret&) = delete;

 private:
  std::string value_;
};

// The process environment as a value that is handed in. Thread-safe as long as nobody calls setenv.
class Environment {
 public:
  virtual ~Environment() = default;
  virtual absl::optional<std::string> Get(const std::string& name) const = 0;
  static const Environment& Process();
};

// A folder with a file per name, asked before another environment: a mounted Kubernetes Secret. The
// file is read at every call. An empty folder name = there is none. Thread-safe.
class FolderEnvironment final : public Environment {
 public:
  // `otherwise` outlives this.
  FolderEnvironment(std::string folder, const Environment& otherwise)
      : folder_(std::move(folder)), otherwise_(otherwise) {}
  absl::optional<std::string> Get(const std::string& name) const override;

 private:
  const std::string folder_;
  const Environment& otherwise_;
};

class FakeEnvironment final : public Environment {
 public:
  explicit FakeEnvironment(absl::flat_hash_map<std::string, std::string> values)
      : values_(std::move(values)) {}
  absl::optional<std::string> Get(const std::string& name) const override;

 private:
  const absl::flat_hash_map<std::string, std::string> values_;
};

// Reads the secret now (a file: blocking). NOT_FOUND: variable or file missing; INVALID_ARGUMENT:
// the reference names no source, or the value is empty or holds control characters (it would break
// a header) or is longer than 64 KiB. One final newline of a file is not part of the secret.
absl::StatusOr<Secret> ResolveSecret(const v1::SecretRef& reference,
                                     const Environment& environment);

// "env OPENAI_API_KEY", "file /run/secrets/openai": how a message names it.
std::string SecretName(const v1::SecretRef& reference);

// Remembers what it read. A file is looked at again at most once per second and read when it has
// changed (so that a rotated key is picked up); when it cannot be read any more, the last good
// value stays. Thread-safe.
class SecretResolver {
 public:
  explicit SecretResolver(const Environment& environment, const Clock& clock = Clock::Real())
      : environment_(environment), clock_(clock) {}

  absl::StatusOr<Secret> Resolve(const v1::SecretRef& reference);

 private:
  struct Entry {
    absl::StatusOr<Secret> value = absl::UnknownError("not read");
    FileStamp stamp;
    absl::Duration checked;
  };

  absl::StatusOr<Secret> ResolveFile(const v1::SecretRef& reference);

  const Environment& environment_;
  const Clock& clock_;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Entry> files_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_SECRETS_H_
