// The methods of str. Each takes the string as `self`; results of a Markup string are Markup.
#include <algorithm>

#include "text/jinja/format.h"
#include "text/jinja/operations.h"
#include "text/jinja/unicode.h"

namespace paro::text::jinja {
namespace {

using Predicate = bool (*)(char32_t);

Value like(Runtime& runtime, const Value& self, std::string text) {
  return make_text(runtime, std::move(text), self.as_str().markup);
}

const std::string& required_text(const Value* value, std::string_view what) {
  if (value->is_undefined()) fail_undefined(*value);
  if (!value->is_text()) fail("{} must be str, not {}", what, type_name(*value));
  return value->as_text();
}

int64_t byte_offset(const Str& text, int64_t index) {
  if (text.ascii()) return std::min<int64_t>(index, text.length);
  size_t at = 0;
  for (int64_t i = 0; i < index && at < text.text.size(); ++i) decode_at(text.text, at);
  return int64_t(at);
}

// The part of a string that find, count, startswith ... look at, as bytes [begin, end).
struct Part {
  size_t begin, end;
  bool valid;  // false: start is behind end, where even "" is not found
};

Part part_of(const Str& text, const Bound& args, size_t first) {
  const auto place = [&](size_t i, int64_t otherwise) {
    if (args[i] == nullptr || args[i]->is_none()) return otherwise;
    const int64_t at = args.integer(i, 0);
    return at < 0 ? std::max<int64_t>(at + text.length, 0) : at;
  };
  const int64_t begin = place(first, 0), end = std::min(place(first + 1, text.length), text.length);
  return {size_t(byte_offset(text, begin)), size_t(byte_offset(text, end)), begin <= end};
}

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

bool has_affix(const std::string_view part, const Value& affix, bool at_start, std::string_view name) {
  if (affix.is_list() && affix.as_list().is_tuple) {
    for (const Value& one : affix.as_list().items) {
      if (!one.is_text()) fail("tuple for {} must only contain str, not {}", name, type_name(one));
      if (has_affix(part, one, at_start, name)) return true;
    }
    return false;
  }
  if (affix.is_undefined()) fail("{} first arg must be str or a tuple of str, not Undefined", name);
  if (!affix.is_text()) fail("{} first arg must be str or a tuple of str, not {}", name, type_name(affix));
  const std::string& text = affix.as_text();
  if (text.size() > part.size()) return false;
  return at_start ? part.substr(0, text.size()) == text : part.substr(part.size() - text.size()) == text;
}

Value affix_test(Runtime& runtime, const Value& self, Args& args, bool at_start) {
  const std::string_view name = at_start ? "startswith" : "endswith";
  const Bound bound(name, args, {"/affix", "/start", "/end"}, 1);
  runtime.budget.step(1 + (bound[1] != nullptr ? self.as_str().length / 16 : 0));
  const Part part = part_of(self.as_str(), bound, 1);
  if (!part.valid) return Value::boolean(false);
  return Value::boolean(
      has_affix(std::string_view(self.as_text()).substr(part.begin, part.end - part.begin), *bound[0], at_start, name));
}

Value method_startswith(Runtime& runtime, const Value& self, Args& args) {
  return affix_test(runtime, self, args, true);
}
Value method_endswith(Runtime& runtime, const Value& self, Args& args) {
  return affix_test(runtime, self, args, false);
}

int64_t find(Runtime& runtime, const Value& self, Args& args, bool from_right, std::string_view name) {
  const Bound bound(name, args, {"/sub", "/start", "/end"}, 1);
  const std::string& sub = required_text(bound[0], "argument 1");
  const Str& text = self.as_str();
  runtime.budget.step(int64_t(text.text.size() / 16));
  const Part part = part_of(text, bound, 1);
  if (!part.valid) return -1;
  const std::string_view view = std::string_view(text.text).substr(part.begin, part.end - part.begin);
  const size_t at = from_right ? view.rfind(sub) : view.find(sub);
  if (at == std::string_view::npos) return -1;
  return count_code_points(std::string_view(text.text).substr(0, part.begin + at));
}

Value method_find(Runtime& runtime, const Value& self, Args& args) {
  return Value::integer(find(runtime, self, args, false, "find"));
}
Value method_rfind(Runtime& runtime, const Value& self, Args& args) {
  return Value::integer(find(runtime, self, args, true, "rfind"));
}
Value method_index(Runtime& runtime, const Value& self, Args& args) {
  const int64_t at = find(runtime, self, args, false, "index");
  if (at < 0) fail("substring not found");
  return Value::integer(at);
}
Value method_rindex(Runtime& runtime, const Value& self, Args& args) {
  const int64_t at = find(runtime, self, args, true, "rindex");
  if (at < 0) fail("substring not found");
  return Value::integer(at);
}

Value method_count(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("count", args, {"/sub", "/start", "/end"}, 1);
  const std::string& sub = required_text(bound[0], "argument 1");
  const Str& text = self.as_str();
  runtime.budget.step(int64_t(text.text.size() / 16));
  const Part part = part_of(text, bound, 1);
  if (!part.valid) return Value::integer(0);
  const std::string_view view = std::string_view(text.text).substr(part.begin, part.end - part.begin);
  if (sub.empty()) return Value::integer(count_code_points(view) + 1);
  int64_t n = 0;
  for (size_t at = view.find(sub); at != std::string_view::npos; at = view.find(sub, at + sub.size())) ++n;
  return Value::integer(n);
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

Value method_replace(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("replace", args, {"/old", "/new", "/count"}, 2);
  const std::string& from = required_text(bound[0], "replace() argument 1");
  std::string to = required_text(bound[1], "replace() argument 2");
  if (self.as_str().markup && !bound[1]->as_str().markup) to = escape_html(runtime.budget, to);
  return like(runtime, self, replaced(runtime.budget, self.as_text(), from, to, bound.integer(2, -1)));
}

template <std::string (*kConvert)(std::string_view)>
Value method_case(Runtime& runtime, const Value& self, Args& args) {
  Bound("str method", args, {});
  runtime.budget.bytes(int64_t(self.as_text().size()));
  runtime.budget.step(int64_t(self.as_text().size() / 8));
  return like(runtime, self, kConvert(self.as_text()));
}

template <Predicate kPredicate>
Value method_all(Runtime& runtime, const Value& self, Args& args) {
  Bound("str method", args, {});
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 16));
  for (size_t at = 0; at < text.size();) {
    if (!kPredicate(decode_at(text, at))) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

bool is_alnum(char32_t c) { return is_alpha(c) || is_numeric(c); }

Value method_isprintable(Runtime& runtime, const Value& self, Args& args) {
  return self.as_text().empty() ? Value::boolean(true) : method_all<is_printable>(runtime, self, args);
}

Value method_isascii(Runtime&, const Value& self, Args& args) {
  Bound("isascii", args, {});
  return Value::boolean(self.as_str().ascii());
}

Value method_isidentifier(Runtime& runtime, const Value& self, Args& args) {
  Bound("isidentifier", args, {});
  runtime.budget.step(self.as_str().length / 16);
  return Value::boolean(is_identifier(self.as_text()));
}

Value cased(Runtime& runtime, const Value& self, Args& args, bool upper) {
  Bound(upper ? "isupper" : "islower", args, {});
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 16));
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = decode_at(text, at);
    if (is_title(c) || (upper ? is_lower(c) : is_upper(c))) return Value::boolean(false);
    any = any || (upper ? is_upper(c) : is_lower(c));
  }
  return Value::boolean(any);
}

Value method_isupper(Runtime& runtime, const Value& self, Args& args) { return cased(runtime, self, args, true); }
Value method_islower(Runtime& runtime, const Value& self, Args& args) { return cased(runtime, self, args, false); }

Value method_istitle(Runtime& runtime, const Value& self, Args& args) {
  Bound("istitle", args, {});
  const std::string& text = self.as_text();
  runtime.budget.step(int64_t(text.size() / 16));
  bool any = false, in_word = false;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = decode_at(text, at);
    if (is_upper(c) || is_title(c)) {
      if (in_word) return Value::boolean(false);
      any = in_word = true;
    } else if (is_lower(c)) {
      if (!in_word) return Value::boolean(false);
      any = true;
    } else {
      in_word = false;
    }
  }
  return Value::boolean(any);
}

enum class Side { left, center, right };

Value pad(Runtime& runtime, const Value& self, Args& args, std::string_view name, Side side) {
  const Bound bound(name, args, {"/width", "/fillchar"}, 1);
  const std::string fill = bound[1] != nullptr ? required_text(bound[1], "fill character") : " ";
  if (count_code_points(fill) != 1) fail("The fill character must be exactly one character long");
  const int64_t width = bound.integer(0, 0), length = self.as_str().length;
  if (width <= length) return self;
  const int64_t total = width - length;
  runtime.budget.product(total, int64_t(fill.size()));
  int64_t left = side == Side::right ? total : 0;
  if (side == Side::center) left = total / 2 + (total & width & 1);
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += self.as_text();
  for (int64_t i = left; i < total; ++i) out += fill;
  return like(runtime, self, std::move(out));
}

Value method_ljust(Runtime& runtime, const Value& self, Args& args) {
  return pad(runtime, self, args, "ljust", Side::left);
}
Value method_rjust(Runtime& runtime, const Value& self, Args& args) {
  return pad(runtime, self, args, "rjust", Side::right);
}
Value method_center(Runtime& runtime, const Value& self, Args& args) {
  return pad(runtime, self, args, "center", Side::center);
}

Value method_zfill(Runtime& runtime, const Value& self, Args& args) {
  const int64_t missing = Bound("zfill", args, {"/width"}, 1).integer(0, 0) - self.as_str().length;
  if (missing <= 0) return self;
  runtime.budget.bytes(missing);
  const std::string& text = self.as_text();
  const size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  return like(runtime, self, text.substr(0, sign) + std::string(size_t(missing), '0') + text.substr(sign));
}

Value method_expandtabs(Runtime& runtime, const Value& self, Args& args) {
  const int64_t size = Bound("expandtabs", args, {"tabsize"}).integer(0, 8);
  Text out(runtime.budget);
  int64_t column = 0;
  for (const char c : self.as_text()) {
    if (c == '\t') {
      if (size <= 0) continue;
      const int64_t spaces = size - column % size;
      runtime.budget.bytes(spaces);
      out.add(std::string(size_t(spaces), ' '));
      column += spaces;
      continue;
    }
    out.add(c);
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++column;
    if (c == '\n' || c == '\r') column = 0;
  }
  return like(runtime, self, out.take());
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

Value method_format(Runtime& runtime, const Value& self, Args& args) {
  return brace_format(runtime, self.as_str(), args);
}

Value method_format_map(Runtime& runtime, const Value& self, Args& args) {
  const Bound bound("format_map", args, {"/mapping"}, 1);
  if (!bound[0]->is_dict()) fail("format_map() expects a mapping, not {}", type_name(*bound[0]));
  Args named;
  for (const auto& [key, value] : bound[0]->as_dict().entries()) {
    if (key.is_text()) named.named.emplace_back(key.as_text(), value);
  }
  return brace_format(runtime, self.as_str(), named);
}

constexpr BuiltinRow kMethods[] = {
    {"capitalize", method_case<capitalized>},
    {"casefold", method_case<case_folded>},
    {"center", method_center},
    {"count", method_count},
    {"endswith", method_endswith},
    {"expandtabs", method_expandtabs},
    {"find", method_find},
    {"format", method_format},
    {"format_map", method_format_map},
    {"index", method_index},
    {"isalnum", method_all<is_alnum>},
    {"isalpha", method_all<is_alpha>},
    {"isascii", method_isascii},
    {"isdecimal", method_all<is_decimal>},
    {"isdigit", method_all<is_digit>},
    {"isidentifier", method_isidentifier},
    {"islower", method_islower},
    {"isnumeric", method_all<is_numeric>},
    {"isprintable", method_isprintable},
    {"isspace", method_all<is_space>},
    {"istitle", method_istitle},
    {"isupper", method_isupper},
    {"join", method_join},
    {"ljust", method_ljust},
    {"lower", method_case<to_lower>},
    {"lstrip", method_lstrip},
    {"partition", method_partition},
    {"removeprefix", method_removeprefix},
    {"removesuffix", method_removesuffix},
    {"replace", method_replace},
    {"rfind", method_rfind},
    {"rindex", method_rindex},
    {"rjust", method_rjust},
    {"rpartition", method_rpartition},
    {"rsplit", method_rsplit},
    {"rstrip", method_rstrip},
    {"split", method_split},
    {"splitlines", method_splitlines},
    {"startswith", method_startswith},
    {"strip", method_strip},
    {"swapcase", method_case<swapped_case>},
    {"title", method_case<to_title>},
    {"upper", method_case<to_upper>},
    {"zfill", method_zfill},
};

}  // namespace

Builtin find_text_method(std::string_view name) {
  const BuiltinRow* row = find_builtin(std::begin(kMethods), std::end(kMethods), name);
  return row != nullptr ? row->function : nullptr;
}

}  // namespace paro::text::jinja
