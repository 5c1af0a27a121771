// One answer of Redis as a value that owns its bytes.
//
// Thread-compatible.
#ifndef SIGNALBOX_COMMON_REDIS_REPLY_H_
#define SIGNALBOX_COMMON_REDIS_REPLY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace signalbox::redis {

class Reply {
 public:
  enum class Kind { kNil, kString, kInteger, kArray, kError };

  Reply() = default;
  static Reply Nil() { return Reply(); }
  static Reply String(std::string text) { return Reply(Kind::kString, std::move(text)); }
  static Reply Error(std::string text) { return Reply(Kind::kError, std::move(text)); }
  static Reply Integer(int64_t value) {
    Reply reply;
    reply.kind_ = Kind::kInteger;
    reply.integer_ = value;
    return reply;
  }
  static Reply Array() {
    Reply reply;
    reply.kind_ = Kind::kArray;
    return reply;
  }

  Kind kind() const { return kind_; }
  bool is_nil() const { return kind_ == Kind::kNil; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_integer() const { return kind_ == Kind::kInteger; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_error() const { return kind_ == Kind::kError; }

  // Bulk strings, status lines ("OK") and error texts; empty for the other kinds.
  const std::string& string() const { return string_; }
  std::string& string() { return string_; }
  int64_t integer() const { return integer_; }
  // Empty for the other kinds.
  const std::vector<Reply>& array() const { return array_; }
  std::vector<Reply>& array() { return array_; }

 private:
  Reply(Kind kind, std::string text) : kind_(kind), string_(std::move(text)) {}

  Kind kind_ = Kind::kNil;
  int64_t integer_ = 0;
  std::string string_;
  std::vector<Reply> array_;
};

}  // namespace signalbox::redis

#endif  // SIGNALBOX_COMMON_REDIS_REPLY_H_
