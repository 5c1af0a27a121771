#include "common/config/redact.h"

#include <google/protobuf/util/message_differencer.h>

#include <string>

#include "absl/strings/string_view.h"
#include "common/config/loader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shapes.pb.h"
#include "signalbox/config/v1/catalogue.pb.h"

namespace signalbox::config {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;
using testing::Not;

constexpr absl::string_view kEverything = R"(text: "quote \" back \\ line \n tab \t é"
small: -5
huge: 18446744073709551615
ratio: 0.1
share: 0.1
flag: true
data_policy: deny
timeout: 90s
part:
  name: "null"
  part: {}
words: ["yes", "", "# no comment"]
numbers: [1, 2]
parts:
  - {}
  - name: a
    parts: [{name: b, weight: 1}, {name: c}]
  - weight: 1
waits: [250ms, 1.5s, 2h]
headers: {b: "2", a: "1"}
named: {left: {weight: 7}, right: {}}
codes: {404: missing}
inner: {}
maybe: false
policies: [allow, deny]
)";

TEST(Redact, PrintsYamlThatTheLoaderReadsBack) {
  test::Shapes first;
  ASSERT_EQ(LoadYaml(kEverything, "first", &first).ToString(), "");
  const std::string printed = ToRedactedYaml(first);
  test::Shapes second;
  ASSERT_EQ(LoadYaml(printed, "second", &second).ToString(), "") << printed;
  EXPECT_TRUE(MessageDifferencer::Equals(first, second)) << printed;
}

TEST(Redact, ShowsSecretsOnlyAsReferences) {
  v1::Catalogue catalogue;
  auto& provider = *catalogue.add_providers();
  provider.set_slug("acme");
  provider.mutable_key()->set_env("ACME_API_KEY");
  EXPECT_THAT(ToRedactedYaml(catalogue), HasSubstr("    key:\n      env: \"ACME_API_KEY\"\n"));
}

TEST(Redact, StrikesOutWhatLooksLikeACredential) {
  test::Shapes shapes;
  shapes.set_text("https://user:hunter2@host/path?x=a@b");
  (*shapes.mutable_headers())["Authorization"] = "Bearer hunter2";
  (*shapes.mutable_headers())["X-Api-Key"] = "hunter2";
  (*shapes.mutable_headers())["anthropic-version"] = "2023-06-01";
  const std::string printed = ToRedactedYaml(shapes);
  EXPECT_THAT(printed, Not(HasSubstr("hunter2")));
  EXPECT_THAT(printed, HasSubstr("https://(redacted)@host/path?x=a@b"));
  EXPECT_THAT(printed, HasSubstr("\"anthropic-version\": \"2023-06-01\""));
}

}  // namespace
}  // namespace signalbox::config
