#include "common/config/secrets.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::config {
namespace {

using testing::HasSubstr;

v1::SecretRef Env(const std::string& name) {
  v1::SecretRef reference;
  reference.set_env(name);
  return reference;
}

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() {
    std::string pattern = ::testing::TempDir() + "signalbox-secret-" + std::string(6, 'X');
    folder_ = mkdtemp(pattern.data());
    reference_.set_file(folder_ + "/key");
  }
  ~SecretFileTest() override { std::filesystem::remove_all(folder_); }
  // A new file moved into place, as Kubernetes and careful editors do it.
  void Write(const std::string& text) {
    std::ofstream(folder_ + "/new", std::ios::binary) << text;
    std::filesystem::rename(folder_ + "/new", reference_.file());
  }

  std::string folder_;
  v1::SecretRef reference_;
  const FakeEnvironment environment_{{}};
};

TEST(Secrets, ComeFromTheEnvironment) {
  const FakeEnvironment environment(
      {{"ACME_KEY", "sk-1"}, {"EMPTY", ""}, {"SPLIT", "a\r\nX-Evil: 1"}});
  const auto secret = ResolveSecret(Env("ACME_KEY"), environment);
  ASSERT_TRUE(secret.ok());
  EXPECT_EQ(secret->Reveal(), "sk-1");
  EXPECT_EQ(ResolveSecret(Env("OTHER"), environment).status(),
            absl::NotFoundError("secret env OTHER is not set"));
  EXPECT_EQ(ResolveSecret(Env("EMPTY"), environment).status().message(),
            "secret env EMPTY is empty");
  EXPECT_THAT(std::string(ResolveSecret(Env("SPLIT"), environment).status().message()),
              HasSubstr("line break or control character"));
  EXPECT_EQ(ResolveSecret(v1::SecretRef(), environment).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SecretFileTest, AFolderAnswersForTheEnvironmentFirst) {
  const FakeEnvironment process({{"key", "from the process"}, {"OTHER", "sk-9"}, {"..", "up"}});
  const FolderEnvironment environment(folder_, process);
  EXPECT_EQ(environment.Get("key"), "from the process");
  Write("sk-2\n");
  EXPECT_EQ(environment.Get("key"), "sk-2");
  Write("sk-3");
  EXPECT_EQ(environment.Get("key"), "sk-3") << "a rotated key is picked up";
  EXPECT_EQ(environment.Get("OTHER"), "sk-9");
  EXPECT_EQ(environment.Get(".."), "up");
  EXPECT_EQ(environment.Get("../etc/passwd"), absl::nullopt) << "a name is no path";
  EXPECT_EQ(FolderEnvironment("", process).Get("OTHER"), "sk-9") << "no folder";
}

TEST_F(SecretFileTest, ComeFromAFileWithoutItsFinalNewline) {
  Write("sk-2\n");
  EXPECT_EQ(ResolveSecret(reference_, environment_)->Reveal(), "sk-2");
  Write("sk-3\r\n");
  EXPECT_EQ(ResolveSecret(reference_, environment_)->Reveal(), "sk-3");
  Write("sk-4\n\n");
  EXPECT_FALSE(ResolveSecret(reference_, environment_).ok());
  std::filesystem::remove(reference_.file());
  EXPECT_EQ(ResolveSecret(reference_, environment_).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SecretFileTest, AreReadAgainWhenTheFileChanges) {
  FakeClock clock;
  SecretResolver resolver(environment_, clock);
  EXPECT_FALSE(resolver.Resolve(reference_).ok());
  Write("old");
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(resolver.Resolve(reference_)->Reveal(), "old");
  Write("rotated");
  EXPECT_EQ(resolver.Resolve(reference_)->Reveal(), "old") << "looked at most once per second";
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(resolver.Resolve(reference_)->Reveal(), "rotated");
}

TEST_F(SecretFileTest, KeepTheLastGoodValueWhenTheFileVanishes) {
  FakeClock clock;
  SecretResolver resolver(environment_, clock);
  Write("good");
  ASSERT_EQ(resolver.Resolve(reference_)->Reveal(), "good");
  std::filesystem::remove(reference_.file());
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(resolver.Resolve(reference_)->Reveal(), "good");
}

}  // namespace
}  // namespace signalbox::config
