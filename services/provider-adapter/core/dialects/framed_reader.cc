#include "services/provider-adapter/core/dialects/framed_reader.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/json/parse.h"
#include "common/seam/error_detail.h"
#include "services/provider-adapter/core/dialects/provider_error.h"
#include "services/provider-adapter/core/error_map.h"

namespace signalbox::provider_adapter {
namespace {

constexpr size_t kMaxDocumentBytes = 64 * 1024 * 1024;
constexpr absl::string_view kByteOrderMark = "\xef\xbb\xbf";

// First letters of the fields of an event stream, and its comments.
constexpr absl::string_view kEventStarts = ":deir";

int HexValue(absl::string_view digits) {
  int value = 0;
  for (char c : digits) {
    if (!absl::ascii_isxdigit(c)) return -1;
    value = value * 16 + (absl::ascii_isdigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10);
  }
  return value;
}

// The code unit of the "\uXXXX" at `at`; -1 when there is none.
int EscapedUnit(absl::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  return HexValue(text.substr(at + 2, 4));
}

bool IsHigh(int unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLow(int unit) { return unit >= 0xdc00 && unit < 0xe000; }

std::string ReplaceLoneSurrogates(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    if (text[i] == '\\') {
      const int unit = EscapedUnit(text, i);
      const bool pair = IsHigh(unit) && IsLow(EscapedUnit(text, i + 6));
      if ((IsHigh(unit) || IsLow(unit)) && !pair) {
        out.append("\\ufffd");
        i += 6;
        continue;
      }
      length = pair ? 12 : 2;
    }
    const absl::string_view kept = text.substr(i, length);
    out.append(kept.data(), kept.size());
    i += kept.size();
  }
  return out;
}

}  // namespace

FramedReader::FramedReader(const AnswerOptions& options, absl::string_view content_type)
    : builder_(options),
      declared_events_(absl::StartsWithIgnoreCase(content_type, "text/event-stream")),
      declared_html_(absl::StartsWithIgnoreCase(content_type, "text/html")),
      events_(options.max_event_bytes) {}

absl::StatusOr<simdjson::dom::element> FramedReader::ParseJson(absl::string_view* text,
                                                               std::string* repaired) {
  json::Parser& parser = json::ThreadLocalParser();
  absl::StatusOr<simdjson::dom::element> root = parser.Parse(*text);
  if (root.ok()) return root;
  if (absl::StrContains(*text, "\\ud") || absl::StrContains(*text, "\\uD")) {
    *repaired = ReplaceLoneSurrogates(*text);
    absl::StatusOr<simdjson::dom::element> again = parser.Parse(*repaired);
    if (again.ok()) {
      *text = *repaired;
      return again;
    }
  }
  return MalformedAnswer(root.status().message());
}

// By the first byte that means something; the declared type breaks ties. Held back in document_
// until then.
absl::Status FramedReader::DecideFrame(absl::string_view bytes) {
  document_.append(bytes.data(), bytes.size());
  absl::string_view seen = document_;
  if (seen.size() < kByteOrderMark.size() && absl::StartsWith(kByteOrderMark, seen))
    return absl::OkStatus();
  absl::ConsumePrefix(&seen, kByteOrderMark);
  seen = absl::StripLeadingAsciiWhitespace(seen);
  if (seen.empty()) {
    return document_.size() > kMaxDocumentBytes ? MalformedAnswer("nothing but space")
                                                : absl::OkStatus();
  }
  const char first = seen.front();
  if (declared_html_ || first == '<') return MalformedAnswer("an HTML page instead of an answer");
  if (first == '{' || first == '[') {
    frame_ = Frame::kDocument;
  } else if (declared_events_ || absl::StrContains(kEventStarts, absl::string_view(&first, 1))) {
    frame_ = Frame::kEvents;
  } else {
    return MalformedAnswer("neither JSON nor an event stream");
  }
  return absl::OkStatus();
}

absl::Status FramedReader::FeedEvents(absl::string_view bytes, std::string* out) {
  absl::Status status;
  const absl::Status framing = events_.Feed(bytes, [&](const sse::Event& event) {
    any_event_ = true;
    status = OnEvent(event, out);
    return status.ok();
  });
  if (status.ok() && !framing.ok()) return MalformedAnswer(framing.message());
  return status;
}

absl::Status FramedReader::Feed(absl::string_view bytes, std::string* out) {
  if (!failed_.ok() || bytes.empty()) return failed_;
  if (frame_ == Frame::kUnknown) {
    failed_ = DecideFrame(bytes);
    if (frame_ == Frame::kEvents) {
      std::string held;
      held.swap(document_);
      failed_ = FeedEvents(held, out);
    }
  } else if (frame_ == Frame::kEvents) {
    failed_ = FeedEvents(bytes, out);
  } else if (document_.size() + bytes.size() > kMaxDocumentBytes) {
    failed_ = MalformedAnswer("the answer is too large");
  } else {
    document_.append(bytes.data(), bytes.size());
  }
  return failed_;
}

absl::Status FramedReader::FinishDocument(std::string* out) {
  absl::string_view text = document_;
  absl::ConsumePrefix(&text, kByteOrderMark);
  std::string repaired;
  absl::StatusOr<simdjson::dom::element> root = ParseJson(&text, &repaired);
  if (!root.ok()) {
    // JSON that ends too early was cut; JSON that is wrong in the middle is malformed. The parser
    // does not tell them apart, the last byte does.
    const absl::string_view tail = absl::StripTrailingAsciiWhitespace(text);
    if (!absl::EndsWith(tail, "}") && !absl::EndsWith(tail, "]")) {
      return seam::MakeError(common::v1::REASON_PROVIDER_CUT,
                             "the provider's answer ended before it was complete");
    }
    return root.status();
  }
  if (!root->is_object()) {
    // Google wraps errors in an array.
    const bool array_error = root->is_array() && root->at(0)["error"].error() == simdjson::SUCCESS;
    return array_error ? seam::ToStatus(ClassifyErrorObject(text))
                       : MalformedAnswer("not a JSON object");
  }
  return OnDocument(*root, text, out);
}

absl::Status FramedReader::Finish(std::string* out) {
  RETURN_IF_ERROR(failed_);
  switch (frame_) {
    case Frame::kUnknown:
      failed_ =
          seam::MakeError(common::v1::REASON_PROVIDER_EMPTY, "the provider's answer is empty");
      return failed_;
    case Frame::kDocument:
      failed_ = FinishDocument(out);
      break;
    case Frame::kEvents:
      events_.Finish(/*lenient=*/true, [&](const sse::Event& event) {
        any_event_ = true;
        failed_ = OnEvent(event, out);
        return false;
      });
      if (failed_.ok() && !any_event_ && !declared_events_)
        failed_ = MalformedAnswer("neither JSON nor an event stream");
      break;
  }
  if (failed_.ok()) failed_ = OnEnd(out);
  return failed_;
}

}  // namespace signalbox::provider_adapter
