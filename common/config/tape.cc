#include "common/config/tape.h"

#include <simdjson.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <sstream>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace signalbox::config {
namespace {

using Kind = TapeNode::Kind;

// Lays the parser's events out as nodes. After the first error it records nothing more, so that the
// memory stays bounded while the parser runs to its end.
class TapeWriter final : public YAML::EventHandler {
 public:
  TapeWriter(const TapeLimits& limits, Tape* tape) : limits_(limits), tape_(tape) {}

  const absl::optional<SyntaxError>& error() const { return error_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      Fail(mark, "a second document begins here (expected one document per file)");
  }
  void OnDocumentEnd() override {}
  // The parser's mark of a value that is not there is that of the next token: as a map's value it
  // stands where its key does.
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const bool is_map_value = !open_.empty() && open_.back().children % 2 == 1 &&
                              tape_->nodes[open_.back().index].kind == Kind::kMap;
    TapeNode* const node = AddLeaf(Kind::kNull, mark, anchor);
    if (node == nullptr || !is_map_value) return;
    const TapeNode& key = tape_->nodes[open_.back().last_child];
    node->line = key.line;
    node->column = key.column;
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckTag(mark, tag);
    if (TapeNode* node = AddLeaf(Kind::kScalar, mark, anchor)) {
      node->quoted = tag == "!";
      node->text = value;
    }
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) return Fail(mark, "the alias has no anchor");
    if (tape_->nodes[found->second].next == 0)
      return Fail(mark, "the alias lies inside its own anchor");
    if (TapeNode* node = AddLeaf(Kind::kAlias, mark, YAML::NullAnchor))
      node->target = found->second;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  void Fail(const YAML::Mark& mark, std::string message) {
    if (!error_) error_ = SyntaxError{mark.line + 1, mark.column + 1, std::move(message)};
  }

  // "?" and "!" are how the parser marks plain and quoted scalars.
  void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    Fail(mark, absl::StrCat("the tag ", tag, " is not supported (the field decides the type)"));
  }

  TapeNode* Add(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (!error_ && tape_->nodes.size() >= limits_.max_nodes) {
      Fail(mark, absl::StrCat("more than ", limits_.max_nodes, " values"));
    }
    if (error_) return nullptr;
    const auto index = static_cast<uint32_t>(tape_->nodes.size());
    if (anchor != YAML::NullAnchor) anchors_[anchor] = index;
    if (!open_.empty() && kind != Kind::kNull) open_.back().last_child = index;
    if (!open_.empty()) ++open_.back().children;
    TapeNode& node = tape_->nodes.emplace_back();
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return &node;
  }

  TapeNode* AddLeaf(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
    TapeNode* const node = Add(kind, mark, anchor);
    if (node != nullptr) node->next = static_cast<uint32_t>(tape_->nodes.size());
    return node;
  }

  void Open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    CheckTag(mark, tag);
    if (static_cast<int>(open_.size()) >= limits_.max_depth) {
      Fail(mark, absl::StrCat("nested deeper than ", limits_.max_depth, " levels"));
    }
    const auto index = static_cast<uint32_t>(tape_->nodes.size());
    if (Add(kind, mark, anchor) != nullptr) open_.push_back({index});
  }

  void Close() {
    if (error_) return;
    tape_->nodes[open_.back().index].next = static_cast<uint32_t>(tape_->nodes.size());
    open_.pop_back();
  }

  struct OpenNode {
    uint32_t index = 0;
    uint32_t children = 0;
    uint32_t last_child = 0;  // the last that is not null
  };

  const TapeLimits& limits_;
  Tape* const tape_;
  int documents_ = 0;
  std::vector<OpenNode> open_;
  absl::flat_hash_map<YAML::anchor_t, uint32_t> anchors_;
  absl::optional<SyntaxError> error_;
};

absl::optional<SyntaxError> CheckBytes(absl::string_view text, const TapeLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return SyntaxError{0, 0, absl::StrCat("larger than ", limits.max_bytes, " bytes")};
  }
  if (!simdjson::validate_utf8(text.data(), text.size()))
    return SyntaxError{0, 0, "is not UTF-8 text"};
  if (absl::StrContains(text, absl::string_view("\0", 1)))
    return SyntaxError{0, 0, "holds a NUL byte"};
  return absl::nullopt;
}

}  // namespace

absl::optional<SyntaxError> ReadTape(absl::string_view text, const TapeLimits& limits, Tape* tape) {
  if (auto error = CheckBytes(text, limits)) return error;
  tape->nodes.reserve(text.size() / 16);
  TapeWriter writer(limits, tape);
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(writer) && !writer.error()) {
    }
  } catch (const YAML::Exception& e) {
    if (!writer.error())
      return SyntaxError{e.mark.line + 1, e.mark.column + 1, absl::StrCat("not YAML: ", e.msg)};
  } catch (const std::exception& e) {
    return SyntaxError{0, 0, absl::StrCat("not YAML: ", e.what())};
  }
  return writer.error();
}

}  // namespace signalbox::config
