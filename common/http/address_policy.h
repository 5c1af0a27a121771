// Which addresses a provider may live at when private ones are not allowed
// (ClientOptions::allow_private_addresses).
//
// Pure. Thread-safe.
#ifndef SIGNALBOX_COMMON_HTTP_ADDRESS_POLICY_H_
#define SIGNALBOX_COMMON_HTTP_ADDRESS_POLICY_H_

#include <boost/asio/ip/address.hpp>

namespace signalbox::http {

// True for globally reachable unicast addresses. False for loopback, link-local (with the cloud
// metadata services), private, carrier-grade NAT, documentation, multicast and reserved ranges,
// also when an IPv6 address only wraps such an IPv4 address (mapped, NAT64, 6to4).
bool IsPublicAddress(const boost::asio::ip::address& address);

}  // namespace signalbox::http

#endif  // SIGNALBOX_COMMON_HTTP_ADDRESS_POLICY_H_
