#include "tests/provider-fleet/token_text.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace signalbox::fleet {
namespace {

constexpr absl::string_view kWords[] = {
    "the",       "train",    "leaves",   "from",        "platform", "four",        "and",
    "a",         "signal",   "shows",    "green",       "when",     "line",        "ahead",
    "is",        "clear",    "each",     "section",     "of",       "track",       "holds",
    "only",      "one",      "at",       "time",        "so",       "points",      "must",
    "be",        "set",      "before",   "it",          "arrives",  "in",          "practice",
    "this",      "means",    "that",     "controllers", "plan",     "routes",      "early",
    "they",      "watch",    "speed",    "weight",      "distance", "to",          "next",
    "station",   "small",    "delay",    "can",         "spread",   "across",      "network",
    "because",   "every",    "junction", "shared",      "answer",   "depends",     "on",
    "how",       "many",     "services", "cross",       "there",    "for",         "example",
    "freight",   "moves",    "at",       "night",       "while",    "passenger",   "traffic",
    "peaks",     "around",   "morning",  "as",          "result",   "engineers",   "measure",
    "use",       "number",   "values",   "with",        "careful",  "margins",     "you",
    "could",     "also",     "choose",   "different",   "approach", "if",          "budget",
    "allows",    "first",    "step",     "would",       "check",    "current",     "timetable",
    "then",      "compare",  "costs",    "however",     "some",     "options",     "require",
    "more",      "work",     "than",     "others",      "finally",  "note",        "conditions",
    "change",    "over",     "year",     "winter",      "brings",   "ice",         "heat",
    "stretches", "rails",    "steel",    "wood",        "concrete", "sleepers",    "carry",
    "load",      "ballast",  "keeps",    "place",       "good",     "maintenance", "prevents",
    "most",      "failures", "data",     "helps",       "find",     "weak",        "spots",
    "long",      "anyone",   "notices",  "summary",     "reliable", "system",      "needs",
    "both",      "simple",   "rules",    "people",      "who",      "understand",  "them",
    "well"};

// Tokens that a careless escaper or splitter gets wrong.
constexpr absl::string_view kAwkward[] = {
    " naïve", " Zürich", " “quoted”", " 東京",    " 🚂",   " \"so\"",     " C:\\temp\\", " <b>&amp;",
    " a\tb",  " Ωmega",  " {x: 1}",   " data: x", " 50%", " [DONE]-ish", " e\u0301"};

constexpr double kAwkwardRate = 0.02;

absl::string_view Word(Rng& rng) { return kWords[rng.Below(std::size(kWords))]; }

class SentenceWriter {
 public:
  SentenceWriter(TokenText* out, Rng& rng) : out_(out), rng_(rng) {}

  void AddToken() {
    if (left_ == 0) StartSentence();
    --left_;
    if (left_ == 0) {
      out_->text += ".";
    } else if (!starts_ && rng_.Uniform() < kAwkwardRate) {
      absl::StrAppend(&out_->text, kAwkward[rng_.Below(std::size(kAwkward))]);
    } else {
      AddWord();
    }
    out_->ends.push_back(static_cast<uint32_t>(out_->text.size()));
  }

 private:
  void StartSentence() {
    left_ = static_cast<int>(6 + rng_.Below(11));
    starts_ = true;
  }

  void AddWord() {
    const absl::string_view word = Word(rng_);
    if (starts_) {
      if (!out_->text.empty()) out_->text += rng_.Below(6) == 0 ? "\n\n" : " ";
      out_->text += absl::ascii_toupper(word[0]);
      absl::StrAppend(&out_->text, word.substr(1));
    } else {
      absl::StrAppend(&out_->text, left_ > 3 && rng_.Below(12) == 0 ? ", " : " ", word);
    }
    starts_ = false;
  }

  TokenText* const out_;
  Rng& rng_;
  int left_ = 0;
  bool starts_ = true;
};

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace

absl::string_view TokenText::Token(size_t i) const {
  const uint32_t begin = i == 0 ? 0 : ends[i - 1];
  return absl::string_view(text).substr(begin, ends[i] - begin);
}

void TokenText::Truncate(size_t count) {
  if (count >= ends.size()) return;
  ends.resize(count);
  text.resize(count == 0 ? 0 : ends.back());
}

TokenText GenerateText(int64_t count, Rng& rng) {
  TokenText out;
  out.text.reserve(static_cast<size_t>(count) * 6);
  out.ends.reserve(static_cast<size_t>(count));
  SentenceWriter writer(&out, rng);
  for (int64_t i = 0; i < count; ++i) writer.AddToken();
  return out;
}

TokenText TokensOfWords(absl::string_view text) {
  TokenText out;
  out.text = std::string(text);
  for (size_t i = 1; i < text.size(); ++i) {
    if (absl::ascii_isspace(text[i]) && !absl::ascii_isspace(text[i - 1])) {
      out.ends.push_back(static_cast<uint32_t>(i));
    }
  }
  if (!text.empty()) out.ends.push_back(static_cast<uint32_t>(text.size()));
  return out;
}

TokenText TokensOfPieces(absl::string_view text, Rng& rng) {
  TokenText out;
  out.text = std::string(text);
  for (size_t at = 0; at < text.size();) {
    at = std::min(text.size(), at + 3 + rng.Below(10));
    while (at < text.size() && IsContinuation(text[at])) ++at;
    out.ends.push_back(static_cast<uint32_t>(at));
  }
  return out;
}

std::string GenerateWords(int count, Rng& rng) {
  std::string out;
  for (int i = 0; i < count; ++i) absl::StrAppend(&out, i == 0 ? "" : " ", Word(rng));
  return out;
}

}  // namespace signalbox::fleet
