// Recorded exchanges with real providers, read from ../shared/recordings (or
// $SIGNALBOX_SHARED/recordings); they are not part of this repository, and tests skip without them.
#ifndef SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_RECORDINGS_H_
#define SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_RECORDINGS_H_

#include <string>
#include <vector>

#include "signalbox/config/v1/catalogue.pb.h"

namespace signalbox::provider_adapter {

struct Recording {
  std::string name;  // file and number of the exchange
  config::v1::Dialect dialect;
  int status = 200;
  bool events = false;  // server-sent events; otherwise JSON
  std::string content_type;
  std::string body;  // as on the wire
};

// Every answer of a chat completions or messages call. Empty when the folder is absent.
std::vector<Recording> LoadRecordings();

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_TESTS_UNIT_PROVIDER_ADAPTER_DIALECTS_RECORDINGS_H_
