// Fills a protobuf message from a tape by reflection. Used by the loader only.
//
// Thread-compatible.
#ifndef SIGNALBOX_COMMON_CONFIG_MESSAGE_READER_H_
#define SIGNALBOX_COMMON_CONFIG_MESSAGE_READER_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "common/config/report.h"
#include "common/config/tape.h"

namespace signalbox::config {

// What earlier files have set, by path ("ingress.threads" -> "10-base.yaml:3"): lists add up over
// files, the rest is set once.
using SetElsewhere = absl::flat_hash_map<std::string, std::string>;

class MessageReader {
 public:
  MessageReader(const Source& source, const TapeLimits& limits, SetElsewhere* set, Report* report);

  void Read(google::protobuf::Message* out);

 private:
  using Message = google::protobuf::Message;
  using FieldDescriptor = google::protobuf::FieldDescriptor;

  // Where the reader stands: a field name, a map key (bracketed) or a list index.
  struct PathPart {
    absl::string_view name;
    int index = -1;
    bool bracketed = false;
  };
  class Scope;

  void ReadMessage(uint32_t node, Message* out);
  void ReadMember(uint32_t key, uint32_t value, std::vector<int>* first_lines, Message* out);
  void ReadField(uint32_t value, const FieldDescriptor& field, Message* out);
  void ReadList(uint32_t list, const FieldDescriptor& field, Message* out);
  void ReadMap(uint32_t map, const FieldDescriptor& field, Message* out);
  void ReadMapEntry(uint32_t key, uint32_t value, const FieldDescriptor& field, Message* out);
  // One value: of a plain field, of a list item or of a map entry's key or value.
  void ReadValue(uint32_t value, const FieldDescriptor& field, Message* out);
  void ReadDuration(const TapeNode& node, Message* out);
  void ReadScalar(const TapeNode& node, const FieldDescriptor& field, Message* out);
  absl::Status SetScalar(const TapeNode& node, const FieldDescriptor& field, Message* out);

  bool CheckOneof(const TapeNode& key, const FieldDescriptor& field, const Message& out);
  // False when another file has set the field or map entry at the current path.
  bool ClaimOverFiles(const TapeNode& key);
  // Counts the nodes behind an alias against the limit.
  bool SpendAlias(uint32_t node);

  std::string Path() const;
  void Fail(const TapeNode& at, std::string message);

  const Source& source_;
  const Tape& tape_;
  const TapeLimits limits_;
  SetElsewhere* const set_;
  Report* const report_;
  std::vector<PathPart> path_;
  int lists_ = 0;       // open lists: inside one nothing is joined over files
  size_t aliased_ = 0;  // nodes spent behind aliases
};

}  // namespace signalbox::config

#endif  // SIGNALBOX_COMMON_CONFIG_MESSAGE_READER_H_
