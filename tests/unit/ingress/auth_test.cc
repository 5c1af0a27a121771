#include "services/ingress/core/auth.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/seam/error_detail.h"
#include "tests/support/manual_executor.h"
#include "tests/unit/ingress/fakes.h"

namespace signalbox::ingress {
namespace {

using common::v1::Reason;

class AuthTest : public ::testing::Test {
 protected:
  AuthTest() : executor_(clock_) {
    store_.Add(RecordOf(TestKey()));
    Make({});
  }

  void Make(const AuthOptions& options) {
    auth_ =
        std::make_unique<Authenticator>(options, store_, executor_, clock_,
                                        [this](AuthSource source) { sources_.push_back(source); });
  }

  // UNSPECIFIED = admitted.
  Reason Ask(absl::string_view secret, absl::Duration patience = absl::ZeroDuration()) {
    Reason reason = common::v1::REASON_INTERNAL;
    auth_->Authenticate(secret, [&](absl::StatusOr<Authenticator::Principal> principal) {
      reason = principal.ok() ? common::v1::REASON_UNSPECIFIED
                              : seam::DetailOf(principal.status()).reason();
    });
    executor_.RunUntilIdle();
    if (patience > absl::ZeroDuration()) executor_.Advance(patience);
    return reason;
  }

  FakeClock clock_;
  testing::ManualExecutor executor_;
  FakeKeyStore store_;
  std::vector<AuthSource> sources_;
  std::unique_ptr<Authenticator> auth_;
};

TEST_F(AuthTest, AdmitsAKnownKeyAndAsksTheStoreOncePerFreshPeriod) {
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(store_.lookups, 1);
  clock_.Advance(absl::Seconds(6));
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(store_.lookups, 2);
}

TEST_F(AuthTest, RefusesMalformedKeysWithoutAskingTheStore) {
  for (const std::string& secret : std::vector<std::string>{
           "", "x", "sk-or-v1-abc", "sk-sb-v1-", TestKey() + "a", TestKey().substr(0, 72),
           TestKey('g'), TestKey('A'), "sk-sb-v1-" + std::string(63, 'a') + "\n"}) {
    EXPECT_EQ(Ask(secret), common::v1::REASON_UNAUTHENTICATED) << secret;
  }
  EXPECT_EQ(store_.lookups, 0);
}

TEST_F(AuthTest, RemembersThatAKeyIsUnknownForAWhile) {
  EXPECT_EQ(Ask(TestKey('b')), common::v1::REASON_UNAUTHENTICATED);
  EXPECT_EQ(Ask(TestKey('b')), common::v1::REASON_UNAUTHENTICATED);
  EXPECT_EQ(store_.lookups, 1);
  store_.Add(RecordOf(TestKey('b')));
  clock_.Advance(absl::Seconds(6));
  EXPECT_EQ(Ask(TestKey('b')), common::v1::REASON_UNSPECIFIED);
}

TEST_F(AuthTest, MakesOneLookUpForManyRequestsWithOneKey) {
  store_.corked = true;
  int admitted = 0;
  for (int i = 0; i < 100; ++i) {
    auth_->Authenticate(TestKey(), [&](absl::StatusOr<Authenticator::Principal> principal) {
      admitted += principal.ok();
    });
  }
  EXPECT_EQ(store_.lookups, 1);
  EXPECT_EQ(admitted, 0);
  store_.Uncork();
  EXPECT_EQ(admitted, 100);
}

TEST_F(AuthTest, ServesAKnownKeyStaleWhileTheStoreIsAway) {
  Ask(TestKey());
  store_.away = true;
  clock_.Advance(absl::Hours(23));
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(sources_.back(), AuthSource::kStale);
  clock_.Advance(absl::Hours(2));
  EXPECT_EQ(Ask(TestKey(), absl::Seconds(1)), common::v1::REASON_UNAVAILABLE);
}

TEST_F(AuthTest, SaysUnavailableForAKeyItDoesNotKnowWhileTheStoreIsAway) {
  store_.away = true;
  EXPECT_EQ(Ask(TestKey(), absl::Seconds(1)), common::v1::REASON_UNAVAILABLE);
  const int lookups = store_.lookups;
  EXPECT_GT(lookups, 3);
  EXPECT_EQ(Ask(TestKey('c')), common::v1::REASON_UNAVAILABLE) << "nobody waits for it once more";
  EXPECT_EQ(store_.lookups, lookups);
}

TEST_F(AuthTest, WaitsForAStoreThatPausesWhenItKnowsNothingOfTheKey) {
  store_.away = true;
  std::vector<bool> admitted;
  const auto ask = [&] {
    auth_->Authenticate(TestKey(), [&](absl::StatusOr<Authenticator::Principal> principal) {
      admitted.push_back(principal.ok());
    });
  };
  ask();
  executor_.Advance(absl::Milliseconds(400));
  ask();  // shares the look-up under way
  EXPECT_TRUE(admitted.empty());
  store_.away = false;
  executor_.Advance(absl::Milliseconds(200));
  EXPECT_EQ(admitted, std::vector<bool>({true, true}));
}

TEST_F(AuthTest, LeavesAnAbsentStoreAloneForAMoment) {
  Ask(TestKey());
  clock_.Advance(absl::Seconds(10));
  store_.away = true;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(store_.lookups, 2);
  clock_.Advance(absl::Seconds(2));
  store_.away = false;
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(sources_.back(), AuthSource::kStore);
}

TEST_F(AuthTest, RefusesDisabledAndExpiredKeys) {
  store::KeyRecord disabled = RecordOf(TestKey('d'));
  disabled.disabled = true;
  store_.Add(disabled);
  EXPECT_EQ(Ask(TestKey('d')), common::v1::REASON_UNAUTHENTICATED);

  store::KeyRecord expiring = RecordOf(TestKey('e'));
  expiring.expires = clock_.Now() + absl::Seconds(2);
  store_.Add(expiring);
  EXPECT_EQ(Ask(TestKey('e')), common::v1::REASON_UNSPECIFIED);
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Ask(TestKey('e')), common::v1::REASON_UNAUTHENTICATED);  // from the cache
}

TEST_F(AuthTest, ForgetsARevokedKeyWithinTheFreshPeriod) {
  Ask(TestKey());
  store_.records.clear();
  clock_.Advance(absl::Seconds(6));
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNAUTHENTICATED);
}

TEST_F(AuthTest, KeepsTheCacheBoundedAndTheUsedKeysInIt) {
  AuthOptions options;
  options.cache_entries = 2;
  Make(options);
  for (const char digit : {'b', 'c'}) store_.Add(RecordOf(TestKey(digit)));
  Ask(TestKey('a'));
  Ask(TestKey('b'));
  Ask(TestKey('a'));
  Ask(TestKey('c'));  // pushes out b
  store_.lookups = 0;
  Ask(TestKey('a'));
  EXPECT_EQ(store_.lookups, 0);
  Ask(TestKey('b'));
  EXPECT_EQ(store_.lookups, 1);
}

TEST_F(AuthTest, DoesNotLetUnknownKeysPushOutKnownOnes) {
  AuthOptions options;
  options.cache_entries = 4;
  Make(options);
  Ask(TestKey());
  for (const char digit : std::string("bcdef01234")) Ask(TestKey(digit));
  store_.lookups = 0;
  EXPECT_EQ(Ask(TestKey()), common::v1::REASON_UNSPECIFIED);
  EXPECT_EQ(store_.lookups, 0);
}

TEST_F(AuthTest, SurvivesAnAnswerThatComesAfterItsEnd) {
  store_.corked = true;
  auth_->Authenticate(TestKey(), [](absl::StatusOr<Authenticator::Principal>) { FAIL(); });
  auth_.reset();
  store_.Uncork();
}

TEST(SecretFrom, ReadsBearerAndApiKeyHeaders) {
  EXPECT_EQ(SecretFrom("Bearer abc", ""), "abc");
  EXPECT_EQ(SecretFrom("bearer  abc ", "other"), "abc");
  EXPECT_EQ(SecretFrom("", " abc"), "abc");
  EXPECT_EQ(SecretFrom("Basic dTpw", "abc"), "abc");
  EXPECT_EQ(SecretFrom("", ""), "");
}

}  // namespace
}  // namespace signalbox::ingress
