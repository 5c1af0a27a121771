// YAML text as a flat list of nodes in reading order, with line and column: what the parser saw,
// without any guess about types ("yes", "1.10" and "007" stay the text they are). A node is
// followed by its children; `next` skips them.
//
// The only place that knows the YAML library. Pure; a Tape is a value, thread-safe to read.
#ifndef SIGNALBOX_COMMON_CONFIG_TAPE_H_
#define SIGNALBOX_COMMON_CONFIG_TAPE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"

namespace signalbox::config {

struct TapeNode {
  enum class Kind : uint8_t { kScalar, kNull, kList, kMap, kAlias };
  Kind kind = Kind::kNull;
  bool quoted = false;  // scalar in quotes or a block scalar: always text
  int line = 0;         // from 1
  int column = 0;       // from 1
  uint32_t next = 0;    // index behind the last descendant
  uint32_t target = 0;  // alias: the node it stands for
  std::string text;     // scalar
};

struct Tape {
  std::vector<TapeNode> nodes;  // empty: an empty document
  // The node itself, or what the alias stands for.
  const TapeNode& Resolve(uint32_t index) const { return nodes[ResolveIndex(index)]; }
  uint32_t ResolveIndex(uint32_t index) const {
    return nodes[index].kind == TapeNode::Kind::kAlias ? nodes[index].target : index;
  }
};

struct TapeLimits {
  size_t max_bytes = 64 * 1024 * 1024;
  int max_depth = 64;
  size_t max_nodes = 1'000'000;
  // Nodes read a second time because of aliases (`*name`), over the whole document.
  size_t max_alias_nodes = 100'000;
};

struct SyntaxError {
  int line = 0;  // 0: the text as a whole
  int column = 0;
  std::string message;
};

// Reads exactly one document. The error is the first one met; the tape is then of no use.
absl::optional<SyntaxError> ReadTape(absl::string_view text, const TapeLimits& limits, Tape* tape);

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_TAPE_H_
