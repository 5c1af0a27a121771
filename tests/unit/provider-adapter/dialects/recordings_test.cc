// Real answers of real providers through the readers: whole, cut at every byte, split anyhow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/rng.h"
#include "tests/unit/provider-adapter/dialects/canonical_check.h"
#include "tests/unit/provider-adapter/dialects/recordings.h"
#include "tests/unit/provider-adapter/dialects/test_endpoint.h"

namespace signalbox::provider_adapter {
namespace {

const std::vector<Recording>& Recordings() {
  static const std::vector<Recording>* const recordings =
      new std::vector<Recording>(LoadRecordings());
  return *recordings;
}

#define SKIP_WITHOUT_RECORDINGS() \
  if (Recordings().empty()) GTEST_SKIP() << "no recordings at ../shared/recordings"

ReadResult ReadRecording(const Recording& recording, bool stream,
                         const std::vector<std::string>& pieces) {
  return ReadPieces(recording.dialect, TestOptions(stream), recording.content_type, pieces);
}

bool IsComplete(const ReadResult& result) { return result.status.ok(); }

TEST(RecordedAnswers, EveryOneIsAcceptableToTheStrictestClientInBothForms) {
  SKIP_WITHOUT_RECORDINGS();
  int complete = 0;
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200) continue;
    SCOPED_TRACE(recording.name);
    for (bool stream : {true, false}) {
      const ReadResult result = ReadRecording(recording, stream, {recording.body});
      const AnswerOptions options = TestOptions(stream);
      if (!result.status.ok()) {
        // Answers without content for a client, one that holds an error, one that begins a second
        // time.
        EXPECT_TRUE(result.reason() == common::v1::REASON_PROVIDER_EMPTY ||
                    result.reason() == common::v1::REASON_PROVIDER_MODERATED ||
                    recording.body.find("\"error\":{") != std::string::npos ||
                    recording.name.find("spliced_message_start") != std::string::npos)
            << result.status;
        continue;
      }
      ++complete;
      const ClientView view =
          stream ? ReadAsClient(result.out, options) : ReadCompletionAsClient(result.out, options);
      EXPECT_THAT(view.problems, testing::IsEmpty());
      for (const auto& [index, choice] : view.choices)
        EXPECT_FALSE(choice.finish_reason.empty()) << index;
      EXPECT_TRUE(result.facts.finished);
      EXPECT_TRUE(result.facts.content_seen);
    }
  }
  EXPECT_GT(complete, 200);
}

TEST(RecordedAnswers, StreamedAndWholeFormSayTheSame) {
  SKIP_WITHOUT_RECORDINGS();
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200) continue;
    SCOPED_TRACE(recording.name);
    const ReadResult streamed = ReadRecording(recording, true, {recording.body});
    const ReadResult whole = ReadRecording(recording, false, {recording.body});
    ASSERT_EQ(streamed.status, whole.status);
    if (!streamed.status.ok()) continue;
    const ClientView a = ReadAsClient(streamed.out, TestOptions(true));
    const ClientView b = ReadCompletionAsClient(whole.out, TestOptions(false));
    ASSERT_EQ(a.choices.size(), b.choices.size());
    for (const auto& [index, choice] : a.choices) {
      const ClientChoice& other = b.choices.at(index);
      EXPECT_EQ(choice.content, other.content);
      EXPECT_EQ(choice.reasoning, other.reasoning);
      EXPECT_EQ(choice.tool_calls, other.tool_calls);
      EXPECT_EQ(choice.finish_reason, other.finish_reason);
      EXPECT_EQ(choice.native_finish_reason, other.native_finish_reason);
    }
    EXPECT_EQ(streamed.facts.usage.SerializeAsString(), whole.facts.usage.SerializeAsString());
  }
}

TEST(RecordedAnswers, UsageIsReportedWithCountsThatAddUp) {
  SKIP_WITHOUT_RECORDINGS();
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200) continue;
    const ReadResult result = ReadRecording(recording, true, {recording.body});
    if (!result.status.ok()) continue;
    SCOPED_TRACE(recording.name);
    const common::v1::Usage& usage = result.facts.usage;
    if (usage.source() != common::v1::Usage::SOURCE_REPORTED) continue;
    EXPECT_GT(usage.prompt_tokens(), 0);
    EXPECT_LE(usage.cached_tokens() + usage.cache_write_tokens(), usage.prompt_tokens());
    EXPECT_LE(usage.reasoning_tokens(), usage.completion_tokens());
  }
}

std::vector<std::string> SplitAtRandom(const std::string& body, size_t largest, Rng& rng) {
  std::vector<std::string> pieces;
  for (size_t at = 0; at < body.size();) {
    const size_t length = 1 + rng.Below(largest);
    pieces.push_back(body.substr(at, length));
    at += length;
  }
  return pieces;
}

void ExpectSame(const ReadResult& a, const ReadResult& b) {
  EXPECT_EQ(a.status, b.status);
  EXPECT_EQ(a.out, b.out);
  EXPECT_EQ(a.facts.text, b.facts.text);
  EXPECT_EQ(a.facts.finish_reason, b.facts.finish_reason);
  EXPECT_EQ(a.facts.output_chars, b.facts.output_chars);
  EXPECT_EQ(a.facts.usage.SerializeAsString(), b.facts.usage.SerializeAsString());
  ASSERT_EQ(a.facts.tool_calls.size(), b.facts.tool_calls.size());
  for (size_t i = 0; i < a.facts.tool_calls.size(); ++i) {
    EXPECT_EQ(a.facts.tool_calls[i].arguments, b.facts.tool_calls[i].arguments);
  }
}

TEST(RecordedAnswers, AnySplitGivesTheSameAnswer) {
  SKIP_WITHOUT_RECORDINGS();
  constexpr uint64_t kSeed = 20261124;
  Rng rng(kSeed);
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200) continue;
    SCOPED_TRACE(absl::StrCat(recording.name, " seed ", kSeed));
    for (bool stream : {true, false}) {
      const ReadResult whole = ReadRecording(recording, stream, {recording.body});
      for (size_t largest : {1, 7, 100, 5000}) {
        ExpectSame(ReadRecording(recording, stream, SplitAtRandom(recording.body, largest, rng)),
                   whole);
      }
    }
  }
}

// The work of cutting at every byte grows with the square of the length. Long streams keep their
// beginning and end; what is left out repeats its neighbours.
std::string Thinned(const std::string& body) {
  constexpr size_t kLongest = 12 * 1024;
  constexpr size_t kKept = 10;
  if (body.size() <= kLongest) return body;
  std::vector<std::string> events;
  for (size_t at = 0; at < body.size();) {
    const size_t end = std::min(body.find("\n\n", at), body.size());
    events.push_back(body.substr(at, end + 2 - at));
    at = end + 2;
  }
  std::string thin;
  for (size_t i = 0; i < events.size(); ++i) {
    const bool kept = i < kKept || i + kKept >= events.size() ||
                      events[i].find("block_st") != std::string::npos ||
                      events[i].find("message_") != std::string::npos ||
                      events[i].find("tool") != std::string::npos;
    if (kept && (events[i].size() < kLongest || i == 0)) thin += events[i];
  }
  return thin;
}

// What came of a cut stream: events of the whole stream's output, in order, none of them cut; and
// complete or an error.
void CheckCut(const ReadResult& cut, const ReadResult& whole, size_t at) {
  ASSERT_LE(cut.out.size(), whole.out.size()) << "cut at " << at;
  ASSERT_EQ(whole.out.compare(0, cut.out.size(), cut.out), 0) << "cut at " << at;
  ASSERT_TRUE(cut.out.empty() ||
              (cut.out.size() >= 2 && cut.out.compare(cut.out.size() - 2, 2, "\n\n") == 0))
      << at;
  if (IsComplete(cut)) {
    ASSERT_EQ(cut.out, whole.out) << "cut at " << at;
    ASSERT_TRUE(cut.facts.finished);
  }
}

TEST(RecordedStreams, CutAtEveryByteTheyEndInAnErrorOrAreComplete) {
  SKIP_WITHOUT_RECORDINGS();
  size_t cuts = 0;
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200 || !recording.events) continue;
    SCOPED_TRACE(recording.name);
    const std::string body = Thinned(recording.body);
    const ReadResult whole = ReadRecording(recording, true, {body});
    EXPECT_THAT(ReadAsClient(whole.out, TestOptions(true)).problems, testing::IsEmpty());
    const Dialect& dialect = DialectFor(recording.dialect);
    const AnswerOptions options = TestOptions(true);
    for (size_t at = 0; at < body.size(); ++at, ++cuts) {
      ReadResult cut;
      auto reader = dialect.ReadAnswer(options, recording.content_type);
      cut.status = reader->Feed(absl::string_view(body).substr(0, at), &cut.out);
      if (cut.status.ok()) cut.status = reader->Finish(&cut.out);
      cut.facts.finished = reader->facts().finished;
      CheckCut(cut, whole, at);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(cuts, 100'000u);
}

TEST(RecordedDocuments, CutAtEveryByteTheyAreErrors) {
  SKIP_WITHOUT_RECORDINGS();
  for (const Recording& recording : Recordings()) {
    if (recording.status != 200 || recording.events || recording.body.size() > 16 * 1024) continue;
    SCOPED_TRACE(recording.name);
    for (size_t at = 0; at < recording.body.size(); ++at) {
      const ReadResult cut = ReadRecording(recording, false, {recording.body.substr(0, at)});
      ASSERT_FALSE(cut.status.ok()) << at;
      ASSERT_EQ(cut.out, "") << at;
    }
  }
}

TEST(RecordedErrors, AreClassified) {
  SKIP_WITHOUT_RECORDINGS();
  int seen = 0;
  for (const Recording& recording : Recordings()) {
    if (recording.status == 200) continue;
    ++seen;
    // An error body that arrives under 200 is an error all the same.
    const ReadResult result = Read(recording.dialect, true, "application/json", recording.body);
    EXPECT_FALSE(result.status.ok()) << recording.name;
    EXPECT_EQ(result.out, "") << recording.name;
  }
  EXPECT_GT(seen, 3);
}

}  // namespace
}  // namespace signalbox::provider_adapter
