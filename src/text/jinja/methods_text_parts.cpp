// The methods of str that cut it into parts, and join: strip, split, partition, removeprefix and their kin.
#include "text/jinja/methods_text.h"

#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

Value strip(Runtime& runtime, const Value& self, const Value* chars, bool left, bool right) {
  const std::string_view text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 32));
  std::u32string set;
  const bool spaces = chars == nullptr || chars->is_none();
  if (!spaces) set = to_code_points(required_text(chars, "strip arg"));
  const auto stripped = [&](char32_t c) { return spaces ? is_space(c) : set.find(c) != std::u32string::npos; };
  runtime.budget.step(int64_t(set.size()));
  size_t begin = 0, end = text.size();
  while (left && begin < end) {
    size_t next = begin;
    if (!stripped(decode_at(text, next))) break;
    begin = next;
  }
  while (right && end > begin) {
    size_t last = end - 1;
    while (last > begin && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    size_t next = last;
    if (!stripped(decode_at(text, next))) break;
    end = last;
  }
  if (begin == 0 && end == text.size()) return self;
  return like(runtime, self, std::string(text.substr(begin, end - begin)));
}

Value method_strip(Runtime& runtime, const Value& self, Args& args) {
  return strip(runtime, self, Bound("strip", args, {"/chars"})[0], true, true);
}
Value method_lstrip(Runtime& runtime, const Value& self, Args& args) {
  return strip(runtime, self, Bound("lstrip", args, {"/chars"})[0], true, false);
}
Value method_rstrip(Runtime& runtime, const Value& self, Args& args) {
  return strip(runtime, self, Bound("rstrip", args, {"/chars"})[0], false, true);
}

// Splits at whitespace, at most `limit` times (-1: always), from the left or the right.
std::vector<std::string_view> split_spaces(std::string_view text, int64_t limit, bool from_right) {
  std::vector<std::pair<size_t, size_t>> words;
  size_t begin = std::string_view::npos;
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    if (is_space(decode_at(text, at))) {
      if (begin != std::string_view::npos) words.emplace_back(begin, here);
      begin = std::string_view::npos;
    } else if (begin == std::string_view::npos) {
      begin = here;
    }
  }
  if (begin != std::string_view::npos) words.emplace_back(begin, text.size());
  std::vector<std::string_view> out;
  const int64_t n = int64_t(words.size());
  if (limit >= 0 && limit < n) {
    if (from_right) {
      const size_t rest = size_t(n - limit);
      size_t start = 0;
      const size_t end = words[rest - 1].second;
      out.push_back(text.substr(start, end - start));  // leading spaces stay, as in Python
      for (size_t i = rest; i < words.size(); ++i)
        out.push_back(text.substr(words[i].first, words[i].second - words[i].first));
      return out;
    }
    for (size_t i = 0; i < size_t(limit); ++i)
      out.push_back(text.substr(words[i].first, words[i].second - words[i].first));
    out.push_back(text.substr(words[size_t(limit)].first));  // trailing spaces stay
    return out;
  }
  for (const auto& [b, e] : words) out.push_back(text.substr(b, e - b));
  return out;
}

std::vector<std::string_view> split_at(std::string_view text, std::string_view separator, int64_t limit,
                                       bool from_right) {
  std::vector<std::string_view> out;
  if (!from_right) {
    size_t begin = 0;
    for (int64_t done = 0; limit < 0 || done < limit; ++done) {
      const size_t at = text.find(separator, begin);
      if (at == std::string_view::npos) break;
      out.push_back(text.substr(begin, at - begin));
      begin = at + separator.size();
    }
    out.push_back(text.substr(begin));
    return out;
  }
  size_t end = text.size();
  for (int64_t done = 0; (limit < 0 || done < limit) && end >= separator.size(); ++done) {
    const size_t at = text.rfind(separator, end - separator.size());
    if (at == std::string_view::npos) break;
    out.push_back(text.substr(at + separator.size(), end - at - separator.size()));
    end = at;
  }
  out.push_back(text.substr(0, end));
  std::reverse(out.begin(), out.end());
  return out;
}

Value split(Runtime& runtime, const Value& self, Args& args, bool from_right) {
  const Bound bound(from_right ? "rsplit" : "split", args, {"sep", "maxsplit"});
  const int64_t limit = bound.integer(1, -1);
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 8));
  std::vector<std::string_view> pieces;
  if (bound[0] == nullptr || bound[0]->is_none()) {
    pieces = split_spaces(text, limit, from_right);
  } else {
    const std::string& separator = required_text(bound[0], "separator");
    if (separator.empty()) fail("empty separator");
    pieces = split_at(text, separator, limit, from_right);
  }
  std::vector<Value> out;
  out.reserve(pieces.size());
  for (const std::string_view piece : pieces) out.push_back(like(runtime, self, std::string(piece)));
  return make_list(runtime, std::move(out));
}

Value method_split(Runtime& runtime, const Value& self, Args& args) { return split(runtime, self, args, false); }
Value method_rsplit(Runtime& runtime, const Value& self, Args& args) { return split(runtime, self, args, true); }

Value partition(Runtime& runtime, const Value& self, Args& args, bool from_right) {
  const std::string& text = self.as_text();
  const std::string& separator = required_text(Bound("partition", args, {"/sep"}, 1)[0], "separator");
  if (separator.empty()) fail("empty separator");
  runtime.budget.step(int64_t(text.size() / 16));
  const size_t at = from_right ? text.rfind(separator) : text.find(separator);
  std::string parts[3];
  if (at == std::string::npos) {
    parts[from_right ? 2 : 0] = text;
  } else {
    parts[0] = text.substr(0, at);
    parts[1] = separator;
    parts[2] = text.substr(at + separator.size());
  }
  return make_tuple(runtime,
                    {like(runtime, self, parts[0]), like(runtime, self, parts[1]), like(runtime, self, parts[2])});
}

Value method_partition(Runtime& runtime, const Value& self, Args& args) {
  return partition(runtime, self, args, false);
}
Value method_rpartition(Runtime& runtime, const Value& self, Args& args) {
  return partition(runtime, self, args, true);
}

Value method_splitlines(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("splitlines", args, {"keepends"});
  const bool keep = bound.integer(0, 0) != 0;
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 8));
  std::vector<Value> out;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t here = at;
    const char32_t c = decode_at(text, at);
    if (!is_line_break(c)) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    out.push_back(like(runtime, self, text.substr(begin, (keep ? at : here) - begin)));
    begin = at;
  }
  if (begin < text.size()) out.push_back(like(runtime, self, text.substr(begin)));
  return make_list(runtime, std::move(out));
}

Value method_removeprefix(Runtime& runtime, const Value& self, Args& args) {
  const std::string& prefix = required_text(Bound("removeprefix", args, {"/prefix"}, 1)[0], "removeprefix() argument");
  if (self.as_text().compare(0, prefix.size(), prefix) != 0) return self;
  return like(runtime, self, self.as_text().substr(prefix.size()));
}

Value method_removesuffix(Runtime& runtime, const Value& self, Args& args) {
  const std::string& suffix = required_text(Bound("removesuffix", args, {"/suffix"}, 1)[0], "removesuffix() argument");
  const size_t size = self.as_text().size();
  if (suffix.size() > size || self.as_text().compare(size - suffix.size(), suffix.size(), suffix) != 0) return self;
  return like(runtime, self, self.as_text().substr(0, self.as_text().size() - suffix.size()));
}

Value method_join(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("join", args, {"/iterable"}, 1);
  Text out(runtime.budget);
  bool first = true;
  bool markup = self.as_str().markup;
  const Ref<Generator> items = iterate(runtime, *bound[0]);
  int64_t i = 0;
  for (Value item; items->next(runtime, item); ++i) {
    if (!first) out.add(self.as_text());
    first = false;
    if (markup) {
      const Value text = as_text_value(runtime, item);
      out.add(text.as_str().markup ? text.as_text() : escape_html(runtime.budget, text.as_text()));
      continue;
    }
    if (!item.is_text()) fail("sequence item {}: expected str instance, {} found", i, type_name(item));
    out.add(item.as_text());
  }
  return make_text(runtime, out.take(), markup);
}

constexpr BuiltinRow kMethods[] = {
    {"join", method_join},
    {"lstrip", method_lstrip},
    {"partition", method_partition},
    {"removeprefix", method_removeprefix},
    {"removesuffix", method_removesuffix},
    {"rpartition", method_rpartition},
    {"rsplit", method_rsplit},
    {"rstrip", method_rstrip},
    {"split", method_split},
    {"splitlines", method_splitlines},
    {"strip", method_strip},
};

}  // namespace

Builtin find_parts_method(std::string_view name) { return find_builtin(kMethods, name); }

}  // namespace paro::text::jinja
