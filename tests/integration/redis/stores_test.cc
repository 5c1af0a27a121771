// The stores of keys and generations against a real server.
#include "common/store/redis_stores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "tests/integration/redis/on_loop.h"
#include "tests/support/redis_server.h"

namespace signalbox::store {
namespace {

using signalbox::testing::Await;
using signalbox::testing::RedisServer;

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kHash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
constexpr char kOther[] = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

class RedisStores : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!server_.Start()) GTEST_SKIP() << server_.problem();
    redis::Options options;
    options.address = *redis::ParseAddress(server_.address());
    options.command_timeout = absl::Seconds(2);
    connections_ = std::make_unique<redis::PerLoop>(loop_, options);
    keys_ = std::make_unique<RedisKeyStore>(*connections_, Keys(), clock_);
    generations_ = std::make_unique<RedisGenerationStore>(*connections_, Keys());
  }

  absl::Status Put(const KeyRecord& record) {
    return Await<absl::Status>(loop_, [&](auto done) { keys_->Put(loop_, record, done); });
  }
  absl::StatusOr<std::optional<KeyRecord>> Lookup(const std::string& hash) {
    return Await<absl::StatusOr<std::optional<KeyRecord>>>(
        loop_, [&](auto done) { keys_->Lookup(loop_, hash, done); });
  }
  absl::StatusOr<KeyUsage> Usage(const std::string& hash) {
    return Await<absl::StatusOr<KeyUsage>>(loop_,
                                           [&](auto done) { keys_->Usage(loop_, hash, done); });
  }
  // The positions of those that failed.
  std::vector<size_t> PutGenerations(const std::vector<Generation>& generations) {
    return Await<std::vector<size_t>>(loop_, [&](auto done) {
      generations_->Put(loop_, generations, absl::Hours(1),
                        [done](const absl::Status& status, std::vector<size_t> failed) {
                          EXPECT_EQ(status.ok(), failed.empty());
                          std::sort(failed.begin(), failed.end());
                          done(failed);
                        });
    });
  }
  absl::Status PutGeneration(const std::string& id, int64_t nano, absl::Time now) {
    const Generation generation = {id, kHash, NanoUsd{nano}, now, "{\"id\":1}"};
    return Await<absl::Status>(loop_, [&](auto done) {
      generations_->Put(loop_, {generation}, absl::Hours(1),
                        [done](const absl::Status& status, const auto&) { done(status); });
    });
  }
  absl::StatusOr<std::optional<std::string>> GetGeneration(const std::string& id,
                                                           const std::string& hash) {
    return Await<absl::StatusOr<std::optional<std::string>>>(
        loop_, [&](auto done) { generations_->Get(loop_, id, hash, done); });
  }

  RedisServer server_;
  FakeClock clock_{absl::FromUnixSeconds(1'788'000'000)};
  net::EventLoop loop_{"test"};
  std::unique_ptr<redis::PerLoop> connections_;
  std::unique_ptr<RedisKeyStore> keys_;
  std::unique_ptr<RedisGenerationStore> generations_;
};

KeyRecord MakeRecord() {
  KeyRecord record;
  record.hash = kHash;
  record.name = "team \"a\"\r\n";
  record.label = "sk-sb-v1-0a1...c3d";
  record.created = absl::FromUnixSeconds(1'700'000'000);
  record.expires = absl::FromUnixSeconds(1'900'000'000);
  record.limit = NanoUsd{5'000'000'000};
  record.deny_data_collection = true;
  return record;
}

TEST_F(RedisStores, GivesBackTheKeyThatWasPut) {
  ASSERT_TRUE(Put(MakeRecord()).ok());
  const auto found = Lookup(kHash);
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->name, "team \"a\"\r\n");
  EXPECT_EQ((*found)->label, "sk-sb-v1-0a1...c3d");
  EXPECT_EQ((*found)->created, absl::FromUnixSeconds(1'700'000'000));
  EXPECT_EQ((*found)->expires, absl::FromUnixSeconds(1'900'000'000));
  EXPECT_EQ((*found)->limit->value, 5'000'000'000);
  EXPECT_TRUE((*found)->deny_data_collection);
  EXPECT_FALSE((*found)->disabled);
}

TEST_F(RedisStores, ForgetsFieldsThatANewRecordLacks) {
  ASSERT_TRUE(Put(MakeRecord()).ok());
  KeyRecord record = MakeRecord();
  record.expires.reset();
  record.disabled = true;
  ASSERT_TRUE(Put(record).ok());
  const auto found = Lookup(kHash);
  EXPECT_FALSE((*found)->expires.has_value());
  EXPECT_TRUE((*found)->disabled);
}

TEST_F(RedisStores, TellsUnknownFromUnreadable) {
  EXPECT_FALSE(Lookup(kOther)->has_value());
  server_.Run({"HSET", Keys().Key(kOther), "disabled", "perhaps"});
  EXPECT_EQ(Lookup(kOther).status().code(), absl::StatusCode::kUnavailable);
  server_.Run({"SET", Keys().Key(kHash), "not a hash"});
  EXPECT_EQ(Lookup(kHash).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisStores, ListsAndRemovesKeys) {
  for (int i = 0; i < 1200; ++i) {
    KeyRecord record = MakeRecord();
    record.hash = absl::StrCat("hash", i);
    ASSERT_TRUE(Put(record).ok());
  }
  auto list = [&] {
    return Await<absl::StatusOr<std::vector<KeyRecord>>>(
        loop_, [&](auto done) { keys_->List(loop_, done); });
  };
  auto remove = [&](const std::string& hash) {
    return Await<absl::StatusOr<bool>>(loop_, [&](auto done) { keys_->Remove(loop_, hash, done); });
  };
  EXPECT_EQ(list()->size(), 1200u);
  EXPECT_TRUE(*remove("hash7"));
  EXPECT_FALSE(*remove("hash7"));
  EXPECT_EQ(list()->size(), 1199u);
  EXPECT_FALSE(Lookup("hash7")->has_value());
}

TEST_F(RedisStores, ChargesAGenerationOnceHoweverOftenItIsPut) {
  const absl::Time now = clock_.Now();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(PutGeneration("gen-1", 1'500, now).ok());
  ASSERT_TRUE(PutGeneration("gen-2", 500, now).ok());
  const auto usage = Usage(kHash);
  EXPECT_EQ(usage->total.value, 2'000);
  EXPECT_EQ(usage->day.value, 2'000);
  EXPECT_EQ(usage->week.value, 2'000);
  EXPECT_EQ(usage->month.value, 2'000);
}

TEST_F(RedisStores, CountsSpendingByCalendarPeriod) {
  // Monday, 31 August 2026: a new week, the old month.
  const absl::Time now = absl::FromCivil(absl::CivilHour(2026, 8, 31, 12), absl::UTCTimeZone());
  clock_.Advance(now - clock_.Now());
  ASSERT_TRUE(PutGeneration("today", 1, now).ok());
  ASSERT_TRUE(PutGeneration("sunday", 10, now - absl::Hours(24)).ok());
  ASSERT_TRUE(PutGeneration("july", 100, now - absl::Hours(24 * 31)).ok());
  const auto usage = Usage(kHash);
  EXPECT_EQ(usage->day.value, 1);
  EXPECT_EQ(usage->week.value, 1);
  EXPECT_EQ(usage->month.value, 11);
  EXPECT_EQ(usage->total.value, 111);
  EXPECT_EQ(server_.Run({"TTL", Keys().UsageTotal(kHash)}), "-1");
  EXPECT_EQ(server_.Run({"TTL", Keys().UsageDay(kHash, now)}), "259200");
}

TEST_F(RedisStores, KeepsMoneyExactBeyondDoubles) {
  const int64_t large = 9'007'199'254'740'993;  // 2^53 + 1
  ASSERT_TRUE(PutGeneration("a", large, clock_.Now()).ok());
  ASSERT_TRUE(PutGeneration("b", 2, clock_.Now()).ok());
  EXPECT_EQ(Usage(kHash)->total.value, large + 2);
  EXPECT_FALSE(PutGeneration("c", INT64_MAX, clock_.Now()).ok());
  EXPECT_EQ(Usage(kHash)->total.value, large + 2);
  EXPECT_EQ(Usage(kHash)->day.value, large + 2);
  EXPECT_FALSE(GetGeneration("c", kHash)->has_value());
}

TEST_F(RedisStores, ChargesGenerationsTogetherAsOneByOne) {
  const absl::Time now = absl::FromCivil(absl::CivilHour(2026, 8, 31, 12), absl::UTCTimeZone());
  clock_.Advance(now - clock_.Now());
  ASSERT_TRUE(PutGeneration("there", 1'000, now).ok());
  std::vector<Generation> batch;
  for (int i = 0; i < 100; ++i)
    batch.push_back({absl::StrCat("gen-", i), kHash, NanoUsd{1}, now, absl::StrCat("{", i, "}")});
  ASSERT_THAT(PutGenerations(batch), IsEmpty());
  EXPECT_EQ(Usage(kHash)->day.value, 1'100);

  // Some of it again, with what was there before, what is new, another day, another key, and twice.
  batch.push_back({"there", kHash, NanoUsd{1'000}, now, "{}"});
  batch.push_back({"new", kHash, NanoUsd{20}, now, "{\"new\":1}"});
  batch.push_back({"new", kHash, NanoUsd{20}, now, "{\"new\":1}"});
  batch.push_back({"sunday", kHash, NanoUsd{300}, now - absl::Hours(24), "{}"});
  batch.push_back({"other", kOther, NanoUsd{4'000}, now, "{\"other\":1}"});
  batch.push_back({"other", kOther, NanoUsd{4'000}, now, "{\"other\":1}"});
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(PutGenerations(batch), IsEmpty());
    EXPECT_EQ(Usage(kHash)->total.value, 1'420);
    EXPECT_EQ(Usage(kHash)->day.value, 1'120);
    EXPECT_EQ(Usage(kHash)->week.value, 1'120);
    EXPECT_EQ(Usage(kHash)->month.value, 1'420);
    EXPECT_EQ(Usage(kOther)->total.value, 4'000);
    EXPECT_EQ(server_.Run({"HGET", Keys().UsageTotal(kHash), "n"}), "103");
    EXPECT_EQ(server_.Run({"HGET", Keys().UsageTotal(kOther), "n"}), "1");
  }
  EXPECT_EQ(**GetGeneration("gen-42", kHash), "{42}");
  EXPECT_EQ(**GetGeneration("new", kHash), "{\"new\":1}");
  EXPECT_EQ(**GetGeneration("other", kOther), "{\"other\":1}");
  EXPECT_FALSE(GetGeneration("other", kHash)->has_value());
}

TEST_F(RedisStores, ChargesWhatItCanOfGenerationsWhoseSumIsTooLarge) {
  const int64_t most = INT64_MAX;
  EXPECT_THAT(PutGenerations({{"a", kHash, NanoUsd{most}, clock_.Now(), "{}"},
                              {"c", kOther, NanoUsd{7}, clock_.Now(), "{}"},
                              {"b", kHash, NanoUsd{1}, clock_.Now(), "{}"}}),
              ElementsAre(2));
  EXPECT_EQ(Usage(kHash)->total.value, most);
  EXPECT_EQ(Usage(kOther)->total.value, 7);
}

TEST_F(RedisStores, AKeyThatCannotBeChargedDoesNotKeepOthersFromIt) {
  server_.Run({"SET", Keys().UsageTotal(kOther), "not a hash"});
  EXPECT_THAT(PutGenerations({{"a", kHash, NanoUsd{5}, clock_.Now(), "{}"},
                              {"b", kOther, NanoUsd{7}, clock_.Now(), "{}"},
                              {"c", kHash, NanoUsd{-1}, clock_.Now() - absl::Hours(24), "{}"},
                              {"b", kOther, NanoUsd{7}, clock_.Now(), "{}"}}),
              ElementsAre(1, 2, 3));
  EXPECT_EQ(Usage(kHash)->total.value, 5);
}

TEST_F(RedisStores, ShowsAGenerationToItsOwnerOnly) {
  ASSERT_TRUE(PutGeneration("gen-1", 1, clock_.Now()).ok());
  EXPECT_EQ(**GetGeneration("gen-1", kHash), "{\"id\":1}");
  EXPECT_FALSE(GetGeneration("gen-1", kOther)->has_value());
  EXPECT_FALSE(GetGeneration("gen-2", kHash)->has_value());
}

TEST_F(RedisStores, IsUnavailableWhenRedisIsAway) {
  server_.Kill();
  EXPECT_EQ(Lookup(kHash).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Usage(kHash).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(PutGeneration("a", 1, clock_.Now()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisStores, RefusesALoopItWasNotMadeFor) {
  net::EventLoop stranger("stranger");
  const auto found = Await<absl::StatusOr<std::optional<KeyRecord>>>(
      stranger, [&](auto done) { keys_->Lookup(stranger, kHash, done); });
  EXPECT_EQ(found.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace signalbox::store
