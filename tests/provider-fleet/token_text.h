// Text as a language model produces it: a string and where each token ends. Generated text is made
// of English words with some tokens that make JSON escaping and UTF-8 splitting earn their keep.
//
// Plain values; deterministic by Rng.
#ifndef SIGNALBOX_TESTS_PROVIDER_FLEET_TOKEN_TEXT_H_
#define SIGNALBOX_TESTS_PROVIDER_FLEET_TOKEN_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/rng.h"

namespace signalbox::fleet {

struct TokenText {
  std::string text;
  std::vector<uint32_t> ends;  // offset behind each token

  size_t size() const { return ends.size(); }
  absl::string_view Token(size_t i) const;
  // Keeps the first `count` tokens.
  void Truncate(size_t count);
};

// `count` tokens of sentences.
TokenText GenerateText(int64_t count, Rng& rng);
// Words and the space before them become tokens.
TokenText TokensOfWords(absl::string_view text);
// Pieces of 3 to 12 bytes that never cut a UTF-8 sequence: how tool arguments and JSON are
// streamed.
TokenText TokensOfPieces(absl::string_view text, Rng& rng);

// One or more plain lower-case words, for values of a schema.
std::string GenerateWords(int count, Rng& rng);

}  // namespace signalbox::fleet

#endif  // SIGNALBOX_TESTS_PROVIDER_FLEET_TOKEN_TEXT_H_
