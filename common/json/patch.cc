#include "common/json/patch.h"

#include <cstring>

#include "common/json/writer.h"

namespace signalbox::json {
namespace {

constexpr bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

const char* SkipSpace(const char* p, const char* end) {
  while (p != end && IsSpace(*p)) ++p;
  return p;
}

// `p` is behind the opening quote; returns behind the closing one. memchr runs at memory speed over
// long prompts and images.
const char* SkipString(const char* p, const char* end) {
  const char* const start = p;
  while (p != end) {
    const char* quote = static_cast<const char*>(std::memchr(p, '"', end - p));
    if (quote == nullptr) return end;
    const char* back = quote;
    while (back != start && back[-1] == '\\') --back;
    p = quote + 1;
    if ((quote - back) % 2 == 0) return p;
  }
  return end;
}

const char* SkipNested(const char* p, const char* end) {
  int depth = 0;
  while (p != end) {
    switch (*p++) {
      case '"':
        p = SkipString(p, end);
        break;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) return p;
        break;
      default:
        break;
    }
  }
  return end;
}

const char* SkipValue(const char* p, const char* end) {
  if (p == end) return end;
  if (*p == '"') return SkipString(p + 1, end);
  if (*p == '{' || *p == '[') return SkipNested(p, end);
  while (p != end && *p != ',' && *p != '}' && *p != ']' && !IsSpace(*p)) ++p;
  return p;
}

absl::string_view Between(const char* from, const char* to) {
  return {from, static_cast<size_t>(to - from)};
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes a name's escapes as far as they are ASCII: no edit has another name. Without this,
// "\u0062ase_url" would slip past Remove("base_url").
std::string DecodeAsciiEscapes(absl::string_view name) {
  std::string decoded;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '\\' || i + 1 == name.size()) {
      decoded.push_back(name[i]);
      continue;
    }
    const char kind = name[++i];
    if (kind != 'u' || i + 4 >= name.size()) {
      decoded.push_back(kind);
      continue;
    }
    int code = 0;
    for (int digit = 1; digit <= 4; ++digit) code = code * 16 + HexDigit(name[i + digit]);
    i += 4;
    decoded.push_back(code > 0 && code < 128 ? static_cast<char>(code) : '\xff');
  }
  return decoded;
}

bool SameName(absl::string_view in_text, absl::string_view name) {
  if (in_text == name) return true;
  if (in_text.size() <= name.size() || in_text.find('\\') == absl::string_view::npos) return false;
  return DecodeAsciiEscapes(in_text) == name;
}

// The bytes of the gap that come behind its comma: the space in front of the next member.
absl::string_view AfterComma(absl::string_view gap) {
  const size_t comma = gap.find(',');
  return comma == absl::string_view::npos ? gap : gap.substr(comma + 1);
}

bool Has(absl::string_view object_text, absl::string_view name) {
  bool found = false;
  ForEachMember(object_text,
                [&](const Member& member) { return !(found = SameName(member.name, name)); });
  return found;
}

}  // namespace

void ForEachMember(absl::string_view object_text, absl::FunctionRef<bool(const Member&)> visit) {
  const char* const end = object_text.data() + object_text.size();
  const char* p = SkipSpace(object_text.data(), end);
  if (p == end || *p != '{') return;
  p = SkipSpace(p + 1, end);
  while (p != end && *p == '"') {
    const char* const name = p + 1;
    const char* const name_end = SkipString(name, end);
    p = SkipSpace(name_end, end);
    if (p == end || *p != ':') return;
    const char* const value = SkipSpace(p + 1, end);
    const char* const value_end = SkipValue(value, end);
    if (!visit(
            {Between(name, name_end - 1), Between(value, value_end), Between(name - 1, value_end)}))
      return;
    p = SkipSpace(value_end, end);
    if (p == end || *p != ',') return;
    p = SkipSpace(p + 1, end);
  }
}

void ObjectPatch::Set(absl::string_view name, absl::string_view raw_value) {
  edits_.push_back({Kind::kSet, std::string(name), std::string(raw_value)});
}
void ObjectPatch::SetString(absl::string_view name, absl::string_view text) {
  Set(name, Quoted(text));
}
void ObjectPatch::Replace(absl::string_view name, absl::string_view raw_value) {
  edits_.push_back({Kind::kReplace, std::string(name), std::string(raw_value)});
}
void ObjectPatch::Remove(absl::string_view name) {
  edits_.push_back({Kind::kRemove, std::string(name), {}});
}
void ObjectPatch::Rename(absl::string_view name, absl::string_view new_name) {
  edits_.push_back({Kind::kRename, std::string(name), std::string(new_name)});
}

std::string ObjectPatch::Apply(absl::string_view object_text) const {
  size_t room = object_text.size() + 2;
  for (const Edit& edit : edits_) room += edit.name.size() + edit.value.size() + 4;
  std::string out;
  out.reserve(room);

  // The last edit of a name counts.
  const auto edit_for = [&](absl::string_view name) -> const Edit* {
    for (auto it = edits_.rbegin(); it != edits_.rend(); ++it) {
      if (SameName(name, it->name)) return &*it;
    }
    return nullptr;
  };
  const auto is_removed = [&](absl::string_view name) {
    for (absl::Span<const absl::string_view> names : removed_) {
      for (absl::string_view removed : names) {
        if (SameName(name, removed)) return true;
      }
    }
    return false;
  };
  const auto is_set = [&](absl::string_view name) {
    const Edit* edit = edit_for(name);
    return edit != nullptr && edit->kind == Kind::kSet;
  };

  const char* const begin = object_text.data();
  const char* const end = begin + object_text.size();
  const char* open = SkipSpace(begin, end);
  if (open == end || *open != '{') return std::string(object_text);
  const char* cursor = open + 1;  // end of the last member looked at
  out.append(begin, cursor - begin);
  bool any_kept = false;
  bool last_kept = true;
  uint64_t seen = 0;  // edits whose member was met, by position; edits beyond 64 look again

  const auto begin_member = [&](absl::string_view gap) {
    if (!any_kept) {
      out.append(AfterComma(gap).data(), AfterComma(gap).size());
    } else if (last_kept) {
      out.append(gap.data(), gap.size());
    } else {
      out.push_back(',');
      out.append(AfterComma(gap).data(), AfterComma(gap).size());
    }
    any_kept = last_kept = true;
  };
  ForEachMember(object_text, [&](const Member& member) {
    const absl::string_view gap = Between(cursor, member.whole.data());
    cursor = member.whole.data() + member.whole.size();
    const Edit* edit = edit_for(member.name);
    if (edit == nullptr && is_removed(member.name)) {
      last_kept = false;
      return true;
    }
    if (edit == nullptr) {
      begin_member(gap);
      out.append(member.whole.data(), member.whole.size());
      return true;
    }
    const size_t position = edit - edits_.data();
    if (position < 64) seen |= uint64_t{1} << position;
    const bool drop =
        edit->kind == Kind::kRemove ||
        (edit->kind == Kind::kRename && (is_set(edit->value) || Has(object_text, edit->value)));
    if (drop) {
      last_kept = false;
      return true;
    }
    begin_member(gap);
    if (edit->kind == Kind::kRename) {
      AppendQuoted(&out, edit->value);
      out.append(member.name.end() + 1, member.value.end() - member.name.end() - 1);
    } else {
      out.append(member.whole.data(), member.value.data() - member.whole.data());
      out.append(edit->value);
    }
    return true;
  });

  for (const Edit& edit : edits_) {
    if (edit.kind != Kind::kSet || edit_for(edit.name) != &edit) continue;
    const size_t position = &edit - edits_.data();
    if (position < 64 ? (seen >> position & 1) != 0 : Has(object_text, edit.name)) continue;
    if (any_kept) out.push_back(',');
    AppendQuoted(&out, edit.name);
    out.push_back(':');
    out.append(edit.value);
    any_kept = true;
  }
  out.append(cursor, end - cursor);
  return out;
}

}  // namespace signalbox::json
