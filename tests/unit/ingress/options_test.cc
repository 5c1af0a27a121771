#include "services/ingress/options.h"

#include <gtest/gtest.h>

namespace signalbox::ingress {
namespace {

TEST(Options, AreTheDocumentedDefaultsForAnEmptyConfiguration) {
  const config::v1::IngressConfig config;
  const ChatOptions chat = ChatOptionsFrom(config);
  EXPECT_EQ(chat.request.max_body_bytes, 32u * 1024 * 1024);
  EXPECT_EQ(chat.request.max_json_depth, 64);
  EXPECT_EQ(chat.attempts.max_attempts, 8);
  EXPECT_EQ(chat.attempts.max_attempts_per_provider, 2);
  EXPECT_EQ(chat.attempts.total_timeout, absl::Seconds(600));
  EXPECT_EQ(chat.attempts.first_token_timeout, absl::Seconds(20));
  EXPECT_TRUE(chat.attempts.retry_invalid_tool_calls);
  EXPECT_EQ(chat.tool_call_guard, provider::v1::TOOL_CALL_GUARD_UNSPECIFIED);
  EXPECT_EQ(chat.decide_timeout, absl::Milliseconds(250));
  EXPECT_EQ(chat.auth.fresh_for, absl::Seconds(5));
  EXPECT_EQ(chat.auth.stale_for, absl::Hours(24));
  EXPECT_EQ(chat.auth.negative_for, absl::Seconds(5));
  EXPECT_EQ(chat.auth.cache_entries, 100'000u);
  EXPECT_EQ(chat.keepalive_interval, absl::Seconds(10));
  EXPECT_EQ(chat.settlement.ttl, absl::Hours(720));
  EXPECT_EQ(chat.conversations.idle, absl::Minutes(10));
  EXPECT_EQ(chat.conversations.max_remembered, 50'000u);
  EXPECT_EQ(chat.conversations.min_opening_tokens, 1'024);
  EXPECT_EQ(chat.circuits.failures, 3);
  EXPECT_EQ(chat.circuits.open, absl::Seconds(20));
  EXPECT_EQ(chat.circuits.max_open, absl::Minutes(5));
  EXPECT_EQ(HttpApiOptionsFrom(config).max_in_flight, 10'000);
  const absl::StatusOr<http::ServerOptions> server = ServerOptionsFrom(config);
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(server->address, "127.0.0.1");
  EXPECT_EQ(server->port, 8080);
  EXPECT_EQ(server->max_connections, 20'000u);
}

TEST(Options, TakeWhatIsConfigured) {
  config::v1::IngressConfig config;
  config.set_http_listen("0.0.0.0:9000");
  config.mutable_limits()->set_stream_buffer_bytes(1'000);
  config.mutable_limits()->mutable_idle_timeout()->set_seconds(3);
  config.mutable_attempts()->set_max_attempts(2);
  config.mutable_attempts()->set_retry_invalid_tool_calls(false);
  config.mutable_attempts()->set_tool_call_guard(config::v1::TOOL_CALL_GUARD_ENFORCE);
  config.mutable_keepalive_interval()->set_nanos(500'000'000);
  config.set_markup_basis_points(7);
  config.mutable_conversations()->mutable_idle();  // 0 s: not followed
  config.mutable_circuits()->set_failures(5);
  EXPECT_EQ(ChatOptionsFrom(config).conversations.idle, absl::ZeroDuration());
  EXPECT_EQ(ChatOptionsFrom(config).circuits.failures, 5);
  EXPECT_EQ(ChatOptionsFrom(config).attempts.max_attempts, 2);
  EXPECT_FALSE(ChatOptionsFrom(config).attempts.retry_invalid_tool_calls);
  EXPECT_EQ(ChatOptionsFrom(config).tool_call_guard, provider::v1::TOOL_CALL_GUARD_ENFORCE);
  EXPECT_EQ(ChatOptionsFrom(config).keepalive_interval, absl::Milliseconds(500));
  EXPECT_EQ(ChatOptionsFrom(config).markup_basis_points, 7);
  const absl::StatusOr<http::ServerOptions> server = ServerOptionsFrom(config);
  ASSERT_TRUE(server.ok());
  EXPECT_EQ(server->address, "0.0.0.0");
  EXPECT_EQ(server->write_high_watermark, 1'000u);
  EXPECT_EQ(HttpApiOptionsFrom(config).stream_buffer_bytes, 1'000u);
  EXPECT_EQ(server->idle_timeout, absl::Seconds(3));
  config.set_http_listen("nowhere");
  EXPECT_FALSE(ServerOptionsFrom(config).ok());
}

}  // namespace
}  // namespace signalbox::ingress
