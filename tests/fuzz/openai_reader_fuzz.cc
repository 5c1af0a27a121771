#include "tests/fuzz/reader_property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  signalbox::provider_adapter::CheckReader(signalbox::config::v1::DIALECT_OPENAI, data, size);
  return 0;
}
