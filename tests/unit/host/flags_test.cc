#include "common/host/flags.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace signalbox::host {
namespace {

using testing::HasSubstr;

absl::StatusOr<Flags> Parse(std::vector<absl::string_view> arguments,
                            absl::Span<const OwnFlag> own = {}) {
  return ParseFlags(arguments, own);
}

std::string Error(std::vector<absl::string_view> arguments) {
  return std::string(Parse(std::move(arguments)).status().message());
}

TEST(Flags, TakesValuesApartOrAfterAnEqualsSign) {
  const auto flags =
      Parse({"--config", "a.yaml", "--listen=[::]:9000", "--log_level=debug", "--reflection",
             "--admin", "127.0.0.1:1", "--check_config=true", "--print_config=false"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->config, "a.yaml");
  EXPECT_EQ(flags->listen, "[::]:9000");
  EXPECT_EQ(flags->admin, "127.0.0.1:1");
  EXPECT_EQ(flags->log_level, "debug");
  EXPECT_TRUE(flags->reflection);
  EXPECT_TRUE(flags->check_config);
  EXPECT_FALSE(flags->print_config);
}

TEST(Flags, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(Error({"--confg", "a"}), HasSubstr("unknown flag --confg"));
  EXPECT_THAT(Error({"serve"}), HasSubstr("\"serve\" is no flag"));
  EXPECT_THAT(Error({"-v"}), HasSubstr("\"-v\" is no flag"));
  EXPECT_THAT(Error({"--"}), HasSubstr("\"--\" is no flag"));
  EXPECT_THAT(Error({"--config"}), HasSubstr("--config needs a value"));
  EXPECT_THAT(Error({"--config="}), HasSubstr("--config needs a value"));
  EXPECT_THAT(Error({"--reflection=1"}), HasSubstr("--reflection is a switch"));
}

TEST(Flags, WinOverTheFile) {
  config::v1::Config config;
  config.mutable_host()->set_listen("1.1.1.1:1");
  config.mutable_host()->set_admin("1.1.1.1:2");
  const auto flags = Parse({"--listen", "2.2.2.2:2", "--reflection"});
  ASSERT_TRUE(ApplyFlags(*flags, {}, &config).ok());
  EXPECT_EQ(config.host().listen(), "2.2.2.2:2");
  EXPECT_EQ(config.host().admin(), "1.1.1.1:2");
  EXPECT_TRUE(config.host().reflection());
}

TEST(Flags, AProgramMayHaveItsOwn) {
  const std::vector<OwnFlag> own = {
      {"port", "PORT", "public port", [](absl::string_view value, config::v1::Config* config) {
         if (value == "0") return absl::InvalidArgumentError("must not be 0");
         config->mutable_ingress()->set_http_listen("127.0.0.1:" + std::string(value));
         return absl::OkStatus();
       }}};
  config::v1::Config config;
  EXPECT_TRUE(ApplyFlags(*Parse({"--port", "8081"}, own), own, &config).ok());
  EXPECT_EQ(config.ingress().http_listen(), "127.0.0.1:8081");
  EXPECT_EQ(ApplyFlags(*Parse({"--port=0"}, own), own, &config).message(), "--port: must not be 0");
  EXPECT_THAT(FlagsHelp("signalbox serve", own), HasSubstr("--port PORT"));
}

TEST(Flags, HelpNamesEveryFlagAndTheExitCodes) {
  const std::string help = FlagsHelp("ingress");
  for (const char* name :
       {"--config FILE", "--listen", "--admin", "--log_level", "--check_config", "--print_config",
        "--describe_config", "--reflection", "--version", "--probe", "--help", "64"}) {
    EXPECT_THAT(help, HasSubstr(name));
  }
}

}  // namespace
}  // namespace signalbox::host
