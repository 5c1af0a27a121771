// What holds for every reader and every input: the same output for any split, whole events of valid
// JSON when streamed, one valid JSON object when not, nothing from a document that fails.
#ifndef SIGNALBOX_TESTS_FUZZ_READER_PROPERTY_H_
#define SIGNALBOX_TESTS_FUZZ_READER_PROPERTY_H_

#include <cstddef>
#include <cstdint>

#include "signalbox/config/v1/catalogue.pb.h"

namespace signalbox::provider_adapter {

// The first byte chooses form, declared content type and split; the rest is the answer's body.
void CheckReader(config::v1::Dialect dialect, const uint8_t* data, size_t size);

}  // namespace signalbox::provider_adapter

#endif  // SIGNALBOX_TESTS_FUZZ_READER_PROPERTY_H_
