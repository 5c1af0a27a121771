#include "common/host/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::host {
namespace {

bool IsIpv4(const std::string& text) {
  in_addr out;
  return inet_pton(AF_INET, text.c_str(), &out) == 1;
}

bool IsIpv6(const std::string& text) {
  in6_addr out;
  return inet_pton(AF_INET6, text.c_str(), &out) == 1;
}

}  // namespace

std::string Address::ToString() const {
  const bool bracketed = absl::StrContains(host, ":");
  return absl::StrCat(bracketed ? "[" : "", host, bracketed ? "]:" : ":", port);
}

Address Address::Reachable() const {
  if (host == "0.0.0.0") return {"127.0.0.1", port};
  if (host == "::") return {"::1", port};
  return *this;
}

absl::StatusOr<Address> ParseListenAddress(absl::string_view text) {
  const auto error = [&] {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text,
        "\" is no address to listen on (expected IP:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 "
        "or [::]:8080)"));
  };
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return error();
  uint32_t port = 0;
  const absl::string_view digits = text.substr(colon + 1);
  if (digits.empty() || digits.size() > 5 || !absl::SimpleAtoi(digits, &port) || port > 65535)
    return error();
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  if (IsIpv4(host)) return Address{host, static_cast<uint16_t>(port)};
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return error();
  host = host.substr(1, host.size() - 2);
  if (!IsIpv6(host)) return error();
  return Address{host, static_cast<uint16_t>(port)};
}

}  // namespace signalbox::host
