#include "tests/provider-fleet/script_writer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace signalbox::fleet {
namespace {

constexpr absl::string_view kJson = "application/json";
constexpr absl::string_view kSse = "text/event-stream; charset=utf-8";
constexpr absl::string_view kHtmlPage =
    "<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head>\n<body><h1>Checking your "
    "browser before "
    "accessing the service.</h1></body></html>\n";

// Lets the bytes before a reset arrive: a client may report RST before it has read what came ahead
// of it.
constexpr int64_t kResetGraceNs = 2'000'000;

absl::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 413:
      return "Payload Too Large";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    default:
      return "Error";
  }
}

std::string HttpDate(absl::Time time) {
  return absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", time, absl::UTCTimeZone());
}

// Seconds pass as they are; two words stand for the other forms found in the wild.
std::string RetryAfterHeader(absl::string_view value) {
  if (value.empty()) return "";
  if (value == "http-date") {
    return absl::StrCat("retry-after: ", HttpDate(absl::Now() + absl::Seconds(2)), "\r\n");
  }
  if (value == "garbage") return "retry-after: in a little while\r\n";
  return absl::StrCat("retry-after: ", value, "\r\n");
}

class Writer {
 public:
  Writer(const ChatRequest& request, const Behaviour& behaviour, const Fault* fault, Answer answer,
         const ReplyHead& head, double time_scale, Rng& rng)
      : request_(request),
        behaviour_(behaviour),
        fault_(fault),
        answer_(std::move(answer)),
        head_(head),
        time_scale_(time_scale),
        rng_(rng),
        ttft_ns_(Ns(behaviour.ttft_ms.Sample(rng))),
        tokens_per_second_(behaviour.tokens_per_second.Sample(rng)) {}

  Script Write() {
    if (WritesNoAnswer()) return std::move(script_);
    SpoilAnswer();
    if (Streams()) {
      WriteStream();
    } else {
      WriteWhole();
    }
    SpoilScript();
    if (!behaviour_.keep_alive && script_.end == Script::End::kKeepAlive) {
      script_.end = Script::End::kClose;
    }
    return std::move(script_);
  }

 private:
  int64_t Ns(double ms) const { return static_cast<int64_t>(ms * 1e6 / time_scale_); }
  bool Is(FaultKind kind) const { return fault_ && fault_->kind == kind; }
  bool Is(FaultKind kind, absl::string_view variant) const {
    return Is(kind) && variant_ == variant;
  }

  // The drawn variant decides which shape the answer has.
  bool Streams() {
    if (Is(FaultKind::kBrokenSse)) DrawVariant("invalid_json", "missing_blank_line");
    if (Is(FaultKind::kWrongContentType)) DrawVariant("mislabelled", "other_body");
    return request_.stream != Is(FaultKind::kWrongContentType, "other_body");
  }

  void DrawVariant(absl::string_view one, absl::string_view other) {
    const bool first = rng_.Below(2) == 0;
    variant_ = !fault_->variant.empty() ? absl::string_view(fault_->variant) : first ? one : other;
  }

  // Faults that replace the whole reply.
  bool WritesNoAnswer() {
    if (!fault_) return false;
    const int64_t at = Ns(fault_->delay_ms);
    switch (fault_->kind) {
      case FaultKind::kResetBefore:
        EndWith(Script::End::kReset, at);
        return true;
      case FaultKind::kStall:
        if (fault_->stall_ms > 0) return false;
        EndWith(Script::End::kHang, 0);
        return true;
      case FaultKind::kStatus:
        AddWhole(fault_->status, kJson, ErrorText(fault_->status), at);
        break;
      case FaultKind::kError200:
        AddWhole(200, kJson, ErrorText(fault_->status), at);
        break;
      case FaultKind::kHtml200:
        AddWhole(200, "text/html; charset=utf-8", kHtmlPage, at);
        break;
      case FaultKind::kErrorFirstEvent:
        return WritesErrorOnly(at);
      case FaultKind::kErrorEvent:
        if (request_.stream) return false;
        return WritesErrorOnly(at);
      default:
        return false;
    }
    script_.answered = false;
    return true;
  }

  bool WritesErrorOnly(int64_t at) {
    script_.answered = false;
    if (!request_.stream) {
      AddWhole(200, kJson, ErrorText(fault_->status), at);
      return true;
    }
    AddStreamHead(at);
    AddChunk(ErrorEvent(request_.dialect, fault_->status, fault_->message, head_.id), at);
    script_.Add("0\r\n\r\n", at);
    return true;
  }

  std::string ErrorText(int status) const {
    return ErrorBody(request_.dialect, status, fault_->message, head_.id);
  }

  void EndWith(Script::End end, int64_t at) {
    script_.end = end;
    script_.end_at_ns = std::max(script_.end_at_ns, at);
    script_.answered = false;
  }

  // Faults in what is said.
  void SpoilAnswer() {
    if (Is(FaultKind::kEmpty)) {
      const Usage usage = answer_.usage;
      answer_ = Answer();
      answer_.finish = Finish::kNull;
      answer_.usage.prompt = usage.prompt;
      answer_.usage.cached = usage.cached;
    }
    if (Is(FaultKind::kUsageMissing)) answer_.with_usage = false;
    if (Is(FaultKind::kHugeEvent)) InsertHugeToken();
  }

  void InsertHugeToken() {
    TokenText& text = answer_.text;
    const size_t at = std::min(static_cast<size_t>(fault_->after_events), text.size());
    const uint32_t begin = at == 0 ? 0 : text.ends[at - 1];
    const uint32_t size = static_cast<uint32_t>(fault_->bytes);
    text.text.insert(begin, size, 'x');
    for (size_t i = at; i < text.ends.size(); ++i) text.ends[i] += size;
    text.ends.insert(text.ends.begin() + static_cast<ptrdiff_t>(at), begin + size);
  }

  // --- one JSON body ---

  void WriteWhole() {
    std::string body = request_.dialect == Dialect::kOpenAi ? openai::Body(answer_, head_)
                                                            : anthropic::Body(answer_, head_);
    if (Is(FaultKind::kBrokenSse)) body.resize(body.size() * 2 / 3);
    const bool mislabelled = Is(FaultKind::kWrongContentType, "mislabelled");
    AddWhole(200, mislabelled ? kSse : kJson, body, WholeAnswerNs());
  }

  // A non-streamed answer arrives when its last token is written.
  int64_t WholeAnswerNs() const {
    const double seconds = tokens_per_second_ > 0
                               ? static_cast<double>(answer_.usage.completion) / tokens_per_second_
                               : 0;
    return ttft_ns_ + Ns(seconds * 1e3) + StallNs();
  }

  void AddWhole(int status, absl::string_view content_type, absl::string_view body, int64_t at) {
    absl::StrAppend(&script_.bytes, "HTTP/1.1 ", status, " ", ReasonPhrase(status),
                    "\r\ncontent-type: ", content_type, "\r\ncontent-length: ", body.size(), "\r\n",
                    IdHeader(), fault_ ? RetryAfterHeader(fault_->retry_after) : "", "\r\n");
    head_bytes_ = script_.bytes.size();
    script_.Add(body, at);
  }

  std::string IdHeader() const {
    return request_.dialect == Dialect::kOpenAi
               ? absl::StrCat("x-request-id: req_", head_.id, "\r\n")
               : absl::StrCat("request-id: req_", head_.id, "\r\n");
  }

  // --- SSE ---

  void WriteStream() {
    for (int i = 0; i < behaviour_.comments; ++i) {
      events_.bytes() += ": still thinking\n\n";
      events_.Close(EventList::Kind::kOpening);
    }
    if (request_.dialect == Dialect::kOpenAi) {
      openai::WriteEvents(answer_, head_, &events_);
    } else {
      anthropic::WriteEvents(answer_, head_, &events_);
    }
    SpoilEvents();
    TimeEvents();
    AddStreamHead(times_[0]);
    if (behaviour_.split_bytes > 0) {
      AddSplitChunks();
    } else {
      AddEventChunks();
    }
    if (complete_) script_.Add("0\r\n\r\n", script_.steps.back().at_ns);
  }

  // Index of the event behind `count` content events; never a closing one.
  size_t AfterContent(int count) const {
    size_t i = 0;
    for (int seen = 0; i < events_.size() && events_.kind(i) != EventList::Kind::kClosing; ++i) {
      if (events_.kind(i) == EventList::Kind::kToken && seen++ == count) break;
    }
    return i;
  }

  void SpoilEvents() {
    if (!fault_) return;
    const size_t index = AfterContent(fault_->after_events);
    switch (fault_->kind) {
      case FaultKind::kResetAfter:
        if (fault_->after_bytes < 0) CutEvents(index);
        break;
      case FaultKind::kStallAfter:
        if (fault_->stall_ms > 0) {
          stall_from_ = index;
        } else {
          CutEvents(index);
        }
        break;
      case FaultKind::kCutStream:
        CutEvents(index);
        complete_ = fault_->clean;
        break;
      case FaultKind::kErrorEvent:
        AppendErrorEvent(index);
        break;
      case FaultKind::kBrokenSse:
        BreakEvent(std::min(index, events_.size() - 1));
        break;
      case FaultKind::kStall:
        stall_from_ = 0;
        break;
      case FaultKind::kSlowDrip:
        drip_from_event_ = fault_->after_events == 0 ? 0 : index;
        break;
      default:
        break;
    }
  }

  void CutEvents(size_t index) {
    events_.Truncate(index);
    complete_ = false;
  }

  void AppendErrorEvent(size_t index) {
    events_.Truncate(index);
    events_.bytes() += ErrorEvent(request_.dialect, fault_->status, fault_->message, head_.id);
    events_.Close(EventList::Kind::kClosing);
    script_.answered = false;
  }

  void BreakEvent(size_t index) {
    const absl::string_view event = events_.Event(index);
    std::string broken = variant_ == "missing_blank_line"
                             ? std::string(event.substr(0, event.size() - 1))
                             : absl::StrCat(event.substr(0, event.size() / 2), "\n\n");
    events_.Replace(index, broken);
    script_.answered = false;
  }

  int64_t StallNs() const {
    return Is(FaultKind::kStall) || Is(FaultKind::kStallAfter) ? Ns(fault_->stall_ms) : 0;
  }

  void TimeEvents() {
    times_.resize(events_.size());
    int64_t clock = behaviour_.early_head ? 0 : ttft_ns_;
    double tokens = 0;
    const size_t comments = std::min(static_cast<size_t>(behaviour_.comments), events_.size());
    for (size_t i = 0; i < comments; ++i) {
      times_[i] = ttft_ns_ / behaviour_.comments * static_cast<int64_t>(i) +
                  (stall_from_ == 0 ? StallNs() : 0);
    }
    if (comments > 0) clock = std::max(clock, times_[comments - 1]);
    for (size_t i = comments; i < events_.size(); ++i) {
      if (events_.kind(i) == EventList::Kind::kToken) {
        const double seconds = tokens_per_second_ > 0 ? tokens / tokens_per_second_ : 0;
        clock = std::max(clock, ttft_ns_ + Ns(seconds * 1e3));
        ++tokens;
      }
      times_[i] = clock + (i >= stall_from_ ? StallNs() : 0);
    }
  }

  void AddStreamHead(int64_t at) {
    const bool mislabelled = Is(FaultKind::kWrongContentType, "mislabelled");
    script_.Add(absl::StrCat("HTTP/1.1 200 OK\r\ncontent-type: ", mislabelled ? kJson : kSse,
                             "\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n",
                             IdHeader(), "\r\n"),
                at);
    head_bytes_ = script_.bytes.size();
  }

  void AddChunk(absl::string_view data, int64_t at) {
    if (data.empty()) return;
    absl::StrAppend(&script_.bytes, absl::Hex(data.size()), "\r\n", data, "\r\n");
    script_.CoverTail(at);
  }

  void AddEventChunks() {
    script_.bytes.reserve(script_.bytes.size() + events_.bytes().size() + events_.size() * 8 + 16);
    const size_t group = static_cast<size_t>(behaviour_.chunk_events);
    size_t begin = 0;
    for (size_t i = 0; i < events_.size(); i += group) {
      if (i <= drip_from_event_) drip_from_byte_ = i == 0 ? 0 : script_.bytes.size();
      const size_t last = std::min(i + group, events_.size()) - 1;
      const absl::string_view event = events_.Event(last);
      const size_t end = static_cast<size_t>(event.data() + event.size() - events_.bytes().data());
      AddChunk(absl::string_view(events_.bytes()).substr(begin, end - begin), times_[last]);
      begin = end;
    }
  }

  void AddSplitChunks() {
    const absl::string_view body = events_.bytes();
    const size_t piece = static_cast<size_t>(behaviour_.split_bytes);
    size_t event = 0;
    size_t event_end = events_.size() == 0 ? 0 : events_.Event(0).size();
    for (size_t at = 0; at < body.size(); at += piece) {
      const size_t end = std::min(at + piece, body.size());
      while (event_end < end) event_end += events_.Event(++event).size();
      AddChunk(body.substr(at, end - at), times_[event]);
    }
  }

  // Faults in how the bytes go out.
  void SpoilScript() {
    if (!fault_) return;
    const int64_t last = script_.end_at_ns;
    switch (fault_->kind) {
      case FaultKind::kResetAfter:
        CutBytes();
        EndWith(Script::End::kReset, script_.end_at_ns + kResetGraceNs);
        break;
      case FaultKind::kStallAfter:
        if (fault_->stall_ms > 0) break;
        CutBytes();
        EndWith(Script::End::kHang, last);
        break;
      case FaultKind::kCutStream:
        CutBytes();
        if (!complete_ || !Streamed()) EndWith(Script::End::kClose, last);
        script_.answered = false;
        break;
      case FaultKind::kSlowDrip:
        script_.Drip(drip_from_byte_, Ns(fault_->interval_ms));
        break;
      case FaultKind::kWrongContentType:
      case FaultKind::kEmpty:
      case FaultKind::kBrokenSse:
        script_.answered = false;
        break;
      default:
        break;
    }
  }

  bool Streamed() const { return events_.size() > 0; }

  // Whole bodies are cut in the middle; streams were cut by events already.
  void CutBytes() {
    if (fault_->kind == FaultKind::kResetAfter && fault_->after_bytes >= 0) {
      script_.Truncate(static_cast<size_t>(fault_->after_bytes));
    } else if (!Streamed()) {
      script_.Truncate(head_bytes_ + (script_.bytes.size() - head_bytes_) / 2);
    }
  }

  const ChatRequest& request_;
  const Behaviour& behaviour_;
  const Fault* const fault_;
  Answer answer_;
  const ReplyHead& head_;
  const double time_scale_;
  Rng& rng_;
  const int64_t ttft_ns_;
  const double tokens_per_second_;

  absl::string_view variant_;
  EventList events_;
  std::vector<int64_t> times_;
  bool complete_ = true;  // the stream gets its last chunk
  size_t stall_from_ = SIZE_MAX;
  size_t drip_from_event_ = 0;
  size_t drip_from_byte_ = 0;
  size_t head_bytes_ = 0;
  Script script_;
};

}  // namespace

Script WriteScript(const ChatRequest& request, const Behaviour& behaviour, const Fault* fault,
                   Answer answer, const ReplyHead& head, double time_scale, Rng& rng) {
  return Writer(request, behaviour, fault, std::move(answer), head, time_scale, rng).Write();
}

Script WriteResponse(int status, absl::string_view content_type, absl::string_view body,
                     absl::string_view extra_headers) {
  Script script;
  script.Add(absl::StrCat("HTTP/1.1 ", status, " ", ReasonPhrase(status),
                          "\r\ncontent-type: ", content_type, "\r\ncontent-length: ", body.size(),
                          "\r\n", extra_headers, "\r\n", body),
             0);
  return script;
}

}  // namespace signalbox::fleet
