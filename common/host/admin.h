// The admin port: plain HTTP, apart from traffic, for operators and machines.
//
//   GET  /metrics            Prometheus text
//   GET  /metricz            all metrics, also those without a series: name, type, help, labels
//   GET  /livez              200 while the process answers
//   GET  /readyz             200 when it may be sent work, else 503 and what it waits for
//   GET  /configz            the configuration in use, without secrets
//   GET  /buildz             version, compiler, libraries
//   GET  /logz               the log level
//   POST /logz?level=LEVEL   sets it: debug, info, warning, error
//
// AdminPages is pure but for the log level and thread-safe.
#ifndef SIGNALBOX_COMMON_HOST_ADMIN_H_
#define SIGNALBOX_COMMON_HOST_ADMIN_H_

#include <functional>
#include <string>

#include "common/host/readiness.h"
#include "common/http/message.h"
#include "common/obs/metrics.h"

namespace signalbox::host {

class AdminPages {
 public:
  // The references outlive the pages.
  AdminPages(std::string service, std::function<std::string()> config_text, obs::Metrics& metrics,
             const Readiness& readiness)
      : service_(std::move(service)),
        config_text_(std::move(config_text)),
        metrics_(metrics),
        readiness_(readiness) {}

  http::Response Answer(const http::Request& request) const;

 private:
  http::Response Get(const http::Request& request) const;
  http::Response Ready() const;

  const std::string service_;
  const std::function<std::string()> config_text_;
  obs::Metrics& metrics_;
  const Readiness& readiness_;
};

}  // namespace signalbox::host

#endif  // SIGNALBOX_COMMON_HOST_ADMIN_H_
