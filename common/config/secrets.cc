#include "common/config/secrets.h"

#include <strings.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/config/loader.h"

namespace signalbox::config {
namespace {

constexpr size_t kMaxSecretBytes = 64 * 1024;
constexpr absl::Duration kLookAgain = absl::Seconds(1);

class ProcessEnvironment final : public Environment {
 public:
  absl::optional<std::string> Get(const std::string& name) const override {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return absl::nullopt;
    return std::string(value);
  }
};

absl::StatusOr<Secret> Checked(std::string value, absl::string_view name) {
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat("secret ", name, " is empty"));
  if (value.size() > kMaxSecretBytes) {
    return absl::InvalidArgumentError(absl::StrCat("secret ", name, " is longer than 64 KiB"));
  }
  if (absl::c_any_of(value,
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); })) {
    return absl::InvalidArgumentError(
        absl::StrCat("secret ", name, " holds a line break or control character"));
  }
  return Secret(std::move(value));
}

// Without its final newline.
absl::StatusOr<std::string> SecretText(const std::string& path) {
  auto text = ReadFile(path, kMaxSecretBytes);
  if (!text.ok()) return text.status();
  if (absl::EndsWith(*text, "\n")) text->pop_back();
  if (absl::EndsWith(*text, "\r")) text->pop_back();
  return text;
}

absl::StatusOr<Secret> FromFile(const std::string& path, absl::string_view name) {
  auto text = SecretText(path);
  if (!text.ok()) {
    return absl::Status(text.status().code(),
                        absl::StrCat("secret ", name, ": ", text.status().message()));
  }
  return Checked(*std::move(text), name);
}

absl::StatusOr<Secret> FromEnvironment(const std::string& variable, absl::string_view name,
                                       const Environment& environment) {
  auto value = environment.Get(variable);
  if (!value.has_value()) return absl::NotFoundError(absl::StrCat("secret ", name, " is not set"));
  return Checked(*std::move(value), name);
}

}  // namespace

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  explicit_bzero(value_.data(), value_.size());
  value_ = other.value_;
  return *this;
}

Secret::~Secret() { explicit_bzero(value_.data(), value_.size()); }

const Environment& Environment::Process() {
  static const ProcessEnvironment* const environment = new ProcessEnvironment;
  return *environment;
}

absl::optional<std::string> FolderEnvironment::Get(const std::string& name) const {
  if (!folder_.empty() && !name.empty() && name[0] != '.' && !absl::StrContains(name, '/')) {
    auto text = SecretText(absl::StrCat(folder_, "/", name));
    if (text.ok()) return *std::move(text);
  }
  return otherwise_.Get(name);
}

absl::optional<std::string> FakeEnvironment::Get(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return absl::nullopt;
  return found->second;
}

std::string SecretName(const v1::SecretRef& reference) {
  switch (reference.source_case()) {
    case v1::SecretRef::kEnv:
      return absl::StrCat("env ", reference.env());
    case v1::SecretRef::kFile:
      return absl::StrCat("file ", reference.file());
    case v1::SecretRef::SOURCE_NOT_SET:
      break;
  }
  return "(unset)";
}

absl::StatusOr<Secret> ResolveSecret(const v1::SecretRef& reference,
                                     const Environment& environment) {
  switch (reference.source_case()) {
    case v1::SecretRef::kEnv:
      return FromEnvironment(reference.env(), SecretName(reference), environment);
    case v1::SecretRef::kFile:
      return FromFile(reference.file(), SecretName(reference));
    case v1::SecretRef::SOURCE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("secret reference names neither env nor file");
}

absl::StatusOr<Secret> SecretResolver::Resolve(const v1::SecretRef& reference) {
  if (reference.source_case() == v1::SecretRef::kFile) return ResolveFile(reference);
  return ResolveSecret(reference, environment_);
}

absl::StatusOr<Secret> SecretResolver::ResolveFile(const v1::SecretRef& reference) {
  const absl::Duration now = clock_.Monotonic();
  absl::MutexLock lock(&mutex_);
  const auto [found, first] = files_.try_emplace(reference.file());
  Entry& entry = found->second;
  if (!first && now - entry.checked < kLookAgain) return entry.value;
  entry.checked = now;
  const FileStamp stamp = StampOf(reference.file());
  if (!first && entry.value.ok() && stamp == entry.stamp) return entry.value;
  auto value = ResolveSecret(reference, environment_);
  if (value.ok() || !entry.value.ok()) {
    entry.value = std::move(value);
    entry.stamp = stamp;
  }
  return entry.value;
}

}  // namespace signalbox::config
