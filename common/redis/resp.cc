#include "common/redis/resp.h"

#include <hiredis/read.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::redis {

void AppendArrayHeader(size_t n, std::string* out) { absl::StrAppend(out, "*", n, "\r\n"); }

void AppendBulk(absl::string_view argument, std::string* out) {
  absl::StrAppend(out, "$", argument.size(), "\r\n", argument, "\r\n");
}

void AppendCommand(absl::Span<const absl::string_view> arguments, std::string* out) {
  AppendArrayHeader(arguments.size(), out);
  for (absl::string_view argument : arguments) AppendBulk(argument, out);
}

// hiredis builds its objects through these functions; ours are Reply values inside their parent's
// array. A nullptr makes hiredis give up with an error, which ends the connection.
class ReplyReader::State {
 public:
  explicit State(Limits limits)
      : limits_(limits), reader_(redisReaderCreateWithFunctions(&functions_)) {
    reader_->privdata = this;  // the macro for it does not compile as C++
  }
  ~State() { redisReaderFree(reader_); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  absl::Status Feed(absl::string_view bytes) {
    if (reader_->len - reader_->pos + bytes.size() > limits_.max_buffered_bytes) {
      return absl::DataLossError("redis reply above the size limit");
    }
    redisReaderFeed(reader_, bytes.data(), bytes.size());
    return absl::OkStatus();
  }

  absl::StatusOr<absl::optional<Reply>> Next() {
    void* object = nullptr;
    if (redisReaderGetReply(reader_, &object) != REDIS_OK) {
      return absl::DataLossError(absl::StrCat("redis protocol error: ", Problem()));
    }
    if (object == nullptr) return absl::optional<Reply>();
    elements_ = 0;
    std::unique_ptr<Reply> root(static_cast<Reply*>(object));
    return absl::optional<Reply>(std::move(*root));
  }

 private:
  static State& Of(const redisReadTask* task) { return *static_cast<State*>(task->privdata); }

  static void* Place(const redisReadTask* task, Reply reply) {
    State& state = Of(task);
    if (++state.elements_ > state.limits_.max_elements) {
      state.problem_ = "too many elements";
      return nullptr;
    }
    if (task->parent == nullptr) return new Reply(std::move(reply));
    std::vector<Reply>& siblings = static_cast<Reply*>(task->parent->obj)->array();
    siblings.push_back(std::move(reply));
    return &siblings.back();  // stable: no sibling follows before this one is complete
  }

  static void* CreateString(const redisReadTask* task, char* text, size_t size) {
    if (task->type == REDIS_REPLY_STRING && (text[size] != '\r' || text[size + 1] != '\n')) {
      Of(task).problem_ = "bulk string without its end";
      return nullptr;
    }
    std::string copy(text, size);
    return Place(task, task->type == REDIS_REPLY_ERROR ? Reply::Error(std::move(copy))
                                                       : Reply::String(std::move(copy)));
  }
  // Grown as elements come: a length alone never reserves memory.
  static void* CreateArray(const redisReadTask* task, int) { return Place(task, Reply::Array()); }
  static void* CreateInteger(const redisReadTask* task, long long value) {
    return Place(task, Reply::Integer(value));
  }
  static void* CreateNil(const redisReadTask* task) { return Place(task, Reply::Nil()); }
  static void Free(void* root) { delete static_cast<Reply*>(root); }

  absl::string_view Problem() const { return problem_ != nullptr ? problem_ : reader_->errstr; }

  static redisReplyObjectFunctions functions_;
  const Limits limits_;
  size_t elements_ = 0;
  const char* problem_ = nullptr;
  redisReader* reader_;
};

redisReplyObjectFunctions ReplyReader::State::functions_ = {
    ReplyReader::State::CreateString, ReplyReader::State::CreateArray,
    ReplyReader::State::CreateInteger, ReplyReader::State::CreateNil, ReplyReader::State::Free};

ReplyReader::ReplyReader(Limits limits) : state_(std::make_unique<State>(limits)) {}
ReplyReader::~ReplyReader() = default;
absl::Status ReplyReader::Feed(absl::string_view bytes) { return state_->Feed(bytes); }
absl::StatusOr<absl::optional<Reply>> ReplyReader::Next() { return state_->Next(); }

}  // namespace signalbox::redis
