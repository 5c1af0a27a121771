#include <gtest/gtest.h>

#include "common/http/client.h"

namespace signalbox::http {
namespace {

TEST(ParseOrigin, TakesSchemeHostPortAndBasePathApart) {
  const auto origin = ParseOrigin("https://API.Example.com/v1/");
  ASSERT_TRUE(origin.ok()) << origin.status();
  EXPECT_TRUE(origin->tls);
  EXPECT_EQ(origin->host, "api.example.com");
  EXPECT_EQ(origin->port, 443);
  EXPECT_EQ(origin->base_path, "/v1");
  EXPECT_EQ(origin->ToString(), "https://api.example.com/v1");
}

TEST(ParseOrigin, RoundTripsEveryAcceptedForm) {
  for (const char* url : {"http://a", "http://a:8080", "https://a:80/x/y", "http://127.0.0.1:9",
                          "https://[::1]:8443/v1", "http://[fe80::1]", "http://my_service.ns",
                          "https://host-1.example."}) {
    const auto origin = ParseOrigin(url);
    ASSERT_TRUE(origin.ok()) << url << origin.status();
    EXPECT_EQ(origin->ToString(), url);
  }
  EXPECT_EQ(ParseOrigin("HTTP://a:80///")->ToString(), "http://a");
}

TEST(ParseOrigin, RefusesEverythingWithASecondReading) {
  for (const char* url : {"",
                          "a",
                          "//a",
                          "ftp://a",
                          "file:///etc/passwd",
                          "https:/a",
                          "https://",
                          "https:///x",
                          "http://:80",
                          "http://u@a",
                          "http://u:p@a",
                          "http://a@b@c",
                          "http://a#x",
                          "http://a?x",
                          "http://a/x?y",
                          "http://a/x#y",
                          "http://a b",
                          "http://a\\b",
                          "http://a\\@b",
                          "http://a\tb",
                          "http://a\r\nHost: b",
                          "http://a/\x01",
                          "http://a%2eb",
                          "http://a:",
                          "http://a:0",
                          "http://a:65536",
                          "http://a:8x",
                          "http://a:-1",
                          "http://a:+1",
                          "http://a:80:80",
                          "http://[::1",
                          "http://[::1]x",
                          "http://[]",
                          "http://[::1]:",
                          "http://[1.2.3.4]",
                          "http://[::g]",
                          "http://[::1%25lo]",
                          "http://2130706433",
                          "http://0x7f000001",
                          "http://0x7f.0.0.1",
                          "http://127.1",
                          "http://0177.0.0.1",
                          "http://127.0.0.1.",
                          "http://127.0.0.256",
                          "http://1.2.3.4.5",
                          "http://.a",
                          "http://-a",
                          "http://a..b",
                          "http://\xe4.de",
                          "http://a,b",
                          "http://a;b",
                          "http://a'b",
                          "http://a\"b",
                          "http://<a>",
                          "http://a|b"}) {
    EXPECT_FALSE(ParseOrigin(url).ok()) << url;
  }
}

}  // namespace
}  // namespace signalbox::http
