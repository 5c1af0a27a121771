// The io_context inside an EventLoop. Only common/net, common/http and common/redis include this
// header: everyone else sees an Executor and compiles in a tenth of the time.
#ifndef SIGNALBOX_COMMON_NET_EVENT_LOOP_ASIO_H_
#define SIGNALBOX_COMMON_NET_EVENT_LOOP_ASIO_H_

#include <boost/asio/io_context.hpp>

#include "common/net/event_loop.h"

namespace signalbox::net {

// Lives as long as the loop. I/O objects made on it are used on the loop's thread only.
boost::asio::io_context& IoContextOf(EventLoop& loop);

}  // namespace signalbox::net

#endif  // SIGNALBOX_COMMON_NET_EVENT_LOOP_ASIO_H_
