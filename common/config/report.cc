#include "common/config/report.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace signalbox::config {
namespace {

using Kind = TapeNode::Kind;

struct PathPart {
  absl::string_view name;  // field name, list index or map key
  bool bracketed = false;
};

// "providers[3].quirks.headers[x-id]" -> providers, [3], quirks, headers, [x-id].
std::vector<PathPart> SplitPath(absl::string_view path) {
  std::vector<PathPart> parts;
  while (!path.empty()) {
    if (path[0] == '.') path.remove_prefix(1);
    const bool bracketed = !path.empty() && path[0] == '[';
    if (bracketed) path.remove_prefix(1);
    const size_t end = std::min(bracketed ? path.find(']') : path.find_first_of(".["), path.size());
    parts.push_back({path.substr(0, end), bracketed});
    path.remove_prefix(std::min(end + (bracketed ? 1 : 0), path.size()));
  }
  return parts;
}

// Walks one file along a path. `skip` is how many items of a list earlier files have contributed;
// the walk uses it for the first list on the way and leaves behind what the next file has to skip.
class Walk {
 public:
  Walk(const Source& source, const std::vector<PathPart>& parts, size_t* skip)
      : nodes_(source.tape.nodes), tape_(source.tape), parts_(parts), skip_(skip) {}

  // Steps taken; position() is the node reached.
  size_t Run() {
    if (nodes_.empty()) return 0;
    size_t depth = 0;
    while (depth < parts_.size() && Step(parts_[depth])) ++depth;
    return depth;
  }
  const TapeNode* position() const { return nodes_.empty() ? nullptr : &nodes_[shown_]; }

 private:
  bool Step(const PathPart& part) {
    const uint32_t resolved = tape_.ResolveIndex(at_);
    const Kind kind = nodes_[resolved].kind;
    if (kind == Kind::kMap) return StepIntoMap(resolved, part.name);
    size_t wanted = 0;
    if (kind != Kind::kList || !part.bracketed || !absl::SimpleAtoi(part.name, &wanted))
      return false;
    return StepIntoList(resolved, wanted);
  }

  bool StepIntoMap(uint32_t map, absl::string_view key) {
    for (uint32_t i = map + 1; i < nodes_[map].next;) {
      const uint32_t value = nodes_[i].next;
      if (tape_.Resolve(i).text == key) {
        at_ = value;
        shown_ = i;  // the key is what a reader looks for
        return true;
      }
      i = nodes_[value].next;
    }
    return false;
  }

  bool StepIntoList(uint32_t list, size_t wanted) {
    const bool merged = !std::exchange(inside_list_, true);
    const size_t first = merged ? *skip_ : 0;
    size_t item = first;
    for (uint32_t i = list + 1; i < nodes_[list].next; i = nodes_[i].next, ++item) {
      if (item != wanted) continue;
      at_ = shown_ = i;
      return true;
    }
    if (merged) *skip_ = item;
    return false;
  }

  const std::vector<TapeNode>& nodes_;
  const Tape& tape_;
  const std::vector<PathPart>& parts_;
  size_t* const skip_;
  bool inside_list_ = false;
  uint32_t at_ = 0;
  uint32_t shown_ = 0;
};

}  // namespace

std::string Problem::ToString() const {
  std::string text = file;
  if (line > 0) absl::StrAppend(&text, ":", line, ":", column);
  if (!path.empty()) absl::StrAppend(&text, text.empty() ? "" : ": ", path);
  return absl::StrCat(text, text.empty() ? "" : ": ", message);
}

std::string Report::ToString() const {
  std::string text;
  for (const Problem& problem : problems_) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", problem.ToString());
  }
  if (more_ > 0) absl::StrAppend(&text, "\n… and ", more_, " more");
  return text;
}

absl::Status Report::ToStatus() const {
  return ok() ? absl::OkStatus() : absl::InvalidArgumentError(ToString());
}

void Report::Add(absl::string_view path, absl::string_view message) {
  const std::vector<PathPart> parts = SplitPath(path);
  Problem problem{"", 0, 0, std::string(path), std::string(message)};
  size_t deepest = 0;
  size_t skip = 0;
  for (const std::shared_ptr<const Source>& source : sources_) {
    Walk walk(*source, parts, &skip);
    const size_t depth = walk.Run();
    if (walk.position() == nullptr || (depth <= deepest && !problem.file.empty())) continue;
    deepest = depth;
    problem.file = source->file;
    problem.line = walk.position()->line;
    problem.column = walk.position()->column;
  }
  AddAt(std::move(problem));
}

void Report::AddAt(Problem problem) {
  if (problems_.size() >= kMaxProblems) {
    ++more_;
    return;
  }
  problems_.push_back(std::move(problem));
}

}  // namespace signalbox::config
