#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/http/client.h"

namespace signalbox::http {
namespace {

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), absl::ascii_isdigit);
}

bool IsDottedQuad(absl::string_view host) {
  int parts = 0;
  for (const absl::string_view part : absl::StrSplit(host, '.')) {
    int value = 0;
    if (!IsDigits(part) || part.size() > 3 || (part.size() > 1 && part[0] == '0')) return false;
    if (!absl::SimpleAtoi(part, &value) || value > 255) return false;
    ++parts;
  }
  return parts == 4;
}

// A name whose last label is a number is an address in disguise (2130706433, 0x7f.1, 127.1): only
// the plain form is taken, so that what is checked is what is dialled.
bool IsHostName(absl::string_view host) {
  if (host.empty() || host.size() > 253 || host[0] == '.' || host[0] == '-') return false;
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
  });
  if (!plain || absl::StrContains(host, "..")) return false;
  absl::string_view name = host;
  absl::ConsumeSuffix(&name, ".");
  const absl::string_view last = name.substr(name.rfind('.') + 1);
  const bool numeric = IsDigits(last) || absl::StartsWithIgnoreCase(last, "0x");
  return !numeric || IsDottedQuad(host);
}

bool IsBracketedAddress(absl::string_view inside) {
  return absl::StrContains(inside, ':') &&
         inside.find_first_not_of("0123456789abcdefABCDEF:.") == absl::string_view::npos;
}

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("base URL: ", what));
}

// Splits "host", "host:port", "[v6]:port".
absl::Status ParseAuthority(absl::string_view authority, Origin* origin) {
  absl::string_view port;
  bool has_port = false;
  if (absl::ConsumePrefix(&authority, "[")) {
    const size_t close = authority.find(']');
    if (close == absl::string_view::npos) return Invalid("unclosed bracket in the host");
    const absl::string_view rest = authority.substr(close + 1);
    has_port = absl::StartsWith(rest, ":");
    if (!rest.empty() && !has_port) return Invalid("malformed host");
    port = rest.substr(std::min<size_t>(1, rest.size()));
    authority = authority.substr(0, close);
    if (!IsBracketedAddress(authority)) return Invalid("malformed IPv6 address");
  } else {
    const size_t colon = authority.find(':');
    has_port = colon != absl::string_view::npos;
    if (has_port) port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
    if (!IsHostName(authority)) return Invalid("empty or malformed host");
  }
  uint32_t number = origin->tls ? 443 : 80;
  if (has_port &&
      (!IsDigits(port) || !absl::SimpleAtoi(port, &number) || number < 1 || number > 65535)) {
    return Invalid("the port is not a number from 1 to 65535");
  }
  origin->host = absl::AsciiStrToLower(authority);
  origin->port = static_cast<uint16_t>(number);
  return absl::OkStatus();
}

}  // namespace

std::string Origin::ToString() const {
  const bool v6 = absl::StrContains(host, ':');
  return absl::StrCat(tls ? "https://" : "http://", v6 ? "[" : "", host, v6 ? "]" : "",
                      port == (tls ? 443 : 80) ? "" : absl::StrCat(":", port), base_path);
}

absl::StatusOr<Origin> ParseOrigin(absl::string_view url) {
  Origin origin;
  if (absl::StartsWithIgnoreCase(url, "https://")) {
    origin.tls = true;
    url.remove_prefix(8);
  } else if (absl::StartsWithIgnoreCase(url, "http://")) {
    url.remove_prefix(7);
  } else {
    return Invalid("it must start with https:// or http://");
  }
  const auto acceptable = [](char c) { return c > 0x20 && c < 0x7f && c != '\\'; };
  if (!std::all_of(url.begin(), url.end(), acceptable))
    return Invalid("blank, control character or backslash");
  if (absl::StrContains(url, '#')) return Invalid("a fragment is not allowed");
  if (absl::StrContains(url, '?')) return Invalid("a query is not allowed");
  const size_t slash = std::min(url.find('/'), url.size());
  if (absl::StrContains(url.substr(0, slash), '@')) return Invalid("credentials are not allowed");
  const absl::Status authority = ParseAuthority(url.substr(0, slash), &origin);
  if (!authority.ok()) return authority;
  absl::string_view path = url.substr(slash);
  while (absl::ConsumeSuffix(&path, "/")) {
  }
  origin.base_path = std::string(path);
  return origin;
}

}  // namespace signalbox::http
