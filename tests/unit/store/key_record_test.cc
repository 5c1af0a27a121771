#include "common/store/key_record.h"

#include <gtest/gtest.h>

namespace signalbox::store {
namespace {

redis::Reply AsReply(const std::vector<std::string>& fields) {
  redis::Reply reply = redis::Reply::Array();
  for (const std::string& field : fields) reply.array().push_back(redis::Reply::String(field));
  return reply;
}

TEST(KeyRecord, ComesBackAsItWentIn) {
  KeyRecord record;
  record.name = "n";
  record.label = "l";
  record.disabled = true;
  record.created = absl::FromUnixMillis(1'700'000'000'123);
  record.limit = NanoUsd{7};
  record.tool_call_guard = "enforce";
  const auto back = DecodeKeyRecord("h", AsReply(EncodeKeyRecord(record)));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->hash, "h");
  EXPECT_EQ(back->name, "n");
  EXPECT_TRUE(back->disabled);
  EXPECT_EQ(back->created, record.created);
  EXPECT_FALSE(back->expires.has_value());
  EXPECT_EQ(back->limit->value, 7);
  EXPECT_EQ(back->tool_call_guard, "enforce");
}

TEST(KeyRecord, HasNoToolCallGuardOfItsOwnUnlessStored) {
  const auto back = DecodeKeyRecord("h", AsReply(EncodeKeyRecord(KeyRecord())));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->tool_call_guard, "");
  EXPECT_FALSE(DecodeKeyRecord("h", AsReply({"disabled", "0", "tool_call_guard", "on"})).ok());
}

TEST(KeyRecord, NeverPermitsMoreThanWasStored) {
  EXPECT_FALSE(DecodeKeyRecord("h", AsReply({"disabled", "yes"})).ok());
  EXPECT_FALSE(DecodeKeyRecord("h", AsReply({"name", "without the switch"})).ok());
  EXPECT_FALSE(DecodeKeyRecord("h", AsReply({"disabled", "0", "expires_ms", "soon"})).ok());
  EXPECT_FALSE(DecodeKeyRecord("h", AsReply({"disabled", "0", "limit_nano", "1e9"})).ok());
  EXPECT_FALSE(DecodeKeyRecord("h", AsReply({"disabled"})).ok());
  EXPECT_FALSE(DecodeKeyRecord("h", redis::Reply::String("x")).ok());
}

TEST(KeyRecord, IgnoresFieldsOfANewerVersion) {
  EXPECT_TRUE(DecodeKeyRecord("h", AsReply({"disabled", "0", "colour", "blue"})).ok());
}

}  // namespace
}  // namespace signalbox::store
