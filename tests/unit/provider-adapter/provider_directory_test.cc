#include "services/provider-adapter/core/provider_directory.h"

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/unit/provider-adapter/fakes.h"

namespace signalbox::provider_adapter {
namespace {

const ProviderAccess& Access(const Directory& directory, const std::string& slug) {
  return directory.providers[static_cast<size_t>(directory.catalogue->ProviderIndex(slug))];
}

// An environment that the test changes.
class ChangingEnvironment final : public config::Environment {
 public:
  absl::optional<std::string> Get(const std::string& name) const override {
    const auto it = values.find(name);
    return it == values.end() ? absl::nullopt : absl::make_optional(it->second);
  }
  absl::flat_hash_map<std::string, std::string> values;
};

class ProviderDirectoryTest : public ::testing::Test {
 protected:
  FakeClock clock_;
  ChangingEnvironment environment_;
  config::SecretResolver secrets_{environment_, clock_};
  ProviderDirectory directory_{secrets_};
};

TEST_F(ProviderDirectoryTest, IsEmptyBeforeTheFirstCatalogue) {
  EXPECT_EQ(directory_.Get()->catalogue, nullptr);
  directory_.Refresh();
  EXPECT_TRUE(directory_.Get()->providers.empty());
}

TEST_F(ProviderDirectoryTest, AProviderIsActiveWhenItsKeyResolves) {
  directory_.Update(BuildCatalogue());
  EXPECT_FALSE(Access(*directory_.Get(), "acme").active);
  EXPECT_TRUE(Access(*directory_.Get(), "local").active);
  EXPECT_FALSE(Access(*directory_.Get(), "dead").active);

  environment_.values["ACME_KEY"] = "k1";
  directory_.Refresh();
  EXPECT_TRUE(Access(*directory_.Get(), "acme").active);
  EXPECT_EQ(Access(*directory_.Get(), "acme").key.Reveal(), "k1");
  EXPECT_EQ(Access(*directory_.Get(), "acme").origin.host, "api.acme.test");

  environment_.values.clear();
  directory_.Refresh();
  EXPECT_FALSE(Access(*directory_.Get(), "acme").active);
}

TEST_F(ProviderDirectoryTest, PublishesNothingNewWhenNothingChanged) {
  directory_.Update(BuildCatalogue());
  const auto before = directory_.Get();
  directory_.Refresh();
  EXPECT_EQ(directory_.Get(), before);
}

TEST_F(ProviderDirectoryTest, KeepsLoadAndKeyHealthAcrossReloads) {
  environment_.values["ACME_KEY"] = "k1";
  directory_.Update(BuildCatalogue());
  const auto before = directory_.Get();
  before->loads[0]->Enter(10);
  Access(*before, "acme")
      .health->Quarantine(common::v1::REASON_PROVIDER_AUTH, clock_.Monotonic(), absl::Seconds(60));

  directory_.Update(BuildCatalogue());
  EXPECT_EQ(directory_.Get()->loads[0]->in_flight(), 1);
  EXPECT_EQ(Access(*directory_.Get(), "acme").health->QuarantinedFor(clock_.Monotonic()),
            common::v1::REASON_PROVIDER_AUTH);

  environment_.values["ACME_KEY"] = "k2";
  directory_.Refresh();
  EXPECT_EQ(Access(*directory_.Get(), "acme").health->QuarantinedFor(clock_.Monotonic()),
            common::v1::REASON_UNSPECIFIED)
      << "a new key starts with a clean record";
  EXPECT_EQ(directory_.Get()->loads[0]->in_flight(), 1);
}

TEST_F(ProviderDirectoryTest, ReadsAKeyFileAgainWhenItChanges) {
  const std::string path = ::testing::TempDir() + "/signalbox_provider_key";
  std::ofstream(path) << "first\n";
  config::v1::Catalogue source = TestCatalogue();
  source.mutable_providers(0)->mutable_key()->set_file(path);
  directory_.Update(BuildCatalogue(source));
  EXPECT_EQ(Access(*directory_.Get(), "acme").key.Reveal(), "first");
  std::ofstream(path) << "second key\n";
  clock_.Advance(absl::Seconds(2));
  directory_.Refresh();
  EXPECT_EQ(Access(*directory_.Get(), "acme").key.Reveal(), "second key");
  std::remove(path.c_str());
}

TEST(KeyHealth, BeginsOneQuarantineAtATime) {
  KeyHealth health;
  const absl::Duration now = absl::Hours(1);
  EXPECT_EQ(health.QuarantinedFor(now), common::v1::REASON_UNSPECIFIED);
  EXPECT_TRUE(health.Quarantine(common::v1::REASON_PROVIDER_AUTH, now, absl::Seconds(60)));
  EXPECT_FALSE(health.Quarantine(common::v1::REASON_PROVIDER_QUOTA, now + absl::Seconds(30),
                                 absl::Seconds(300)));
  EXPECT_EQ(health.QuarantinedFor(now + absl::Seconds(59)), common::v1::REASON_PROVIDER_AUTH);
  EXPECT_EQ(health.QuarantinedFor(now + absl::Seconds(60)), common::v1::REASON_UNSPECIFIED);
  EXPECT_TRUE(health.Quarantine(common::v1::REASON_PROVIDER_QUOTA, now + absl::Seconds(61),
                                absl::Seconds(300)));
}

}  // namespace
}  // namespace signalbox::provider_adapter
